"""What can be chosen about an emulator."""

from dataclasses import dataclass
from typing import Literal

type Delivery = Literal["trickled", "whole"]


@dataclass(frozen=True, slots=True)
class KvsOptions:
    """The defaults are Amazon's figures where they are known."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""
    region: str = "eu-west-2"
    account_id: str = "111111111111"
    data_endpoint: str | None = None
    """What GetDataEndpoint answers; without it, the address under which it was itself called."""
    delivery: Delivery = "trickled"
    """Whether a fragment is sent block by block as it grows, or whole when it is complete."""
    idle_s: float = 3.0
    """A body ends after so long without a block (observed on Connect's streams)."""
    body_limit_s: float = 45 * 60.0
    """A body ends at the next fragment's end after so long (observed)."""
    max_connections: int = 3
    """GetMedia connections per stream (service quota)."""
    calls_per_s: int = 5
    """GetMedia, and GetDataEndpoint, calls per second and stream (service quota)."""
    retention_s: float = 300.0
    retention_bytes: int = 200 << 20
    """Per stream (the host buffer of streams without data retention)."""
    total_retention_bytes: int = 512 << 20
    """Of all streams together, so that this process stays small."""
    max_streams: int = 1_000
    reuse_after_s: float = 10.0
    """A stream is offered to another contact after it was free for so long."""
