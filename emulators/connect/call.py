"""A call to be played, and what is told of it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emulators.connect.audio import AudioSource
from emulators.connect.blocks import Cut
from emulators.connect.event import Answer, Mistake
from emulators.connect.flow import Flow
from emulators.connect.flow_player import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: what is said, and what its flow does."""

    source: AudioSource
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Contact attributes, such as `dg_callback`."""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameters of the Lambda block, such as `action`."""
    loops: int = 0
    """How often the flow invokes the function again after the first time (the load-test flow)."""
    flows: Sequence[Flow] = ()
    """Contact flows to run, one after another, in place of a lone Lambda block; the last ones' end is not the
    call's, which goes on until its audio is over."""
    between_flows_s: float = 0.0
    """What the caller and the agent talk between two flows, and before the first one."""
    caller: Caller = field(default_factory=Caller)
    mistake: Mistake | None = None
    contact_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    previous_contact_id: str | None = None
    initial_contact_id: str | None = None
    stream_name: str | None = None
    """The KVS stream to use; without it a free one."""
    cut: Cut = field(default_factory=Cut)
    swap_every: int = 3
    """Fragments until the tracks change number and order; 0 is never."""
    customer_only: bool = False
    """The flow streams one direction only."""
    identity_first: bool = False
    """The contact's tags stand before the audio, too."""
    tagless_tail: bool = False
    """The last fragment lacks the contact's tags."""
    speed: float = 1.0
    """Times real time; media times run ahead of the clock when it is more than one."""


@dataclass(frozen=True, slots=True)
class Started:
    """A call streams; `start_at_ms` (epoch) is the producer time of its first sample."""

    contact_id: str
    stream_name: str
    stream_arn: str
    start_fragment_number: str
    start_at_ms: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The function answered, and the flow went on."""

    contact_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Ended:
    """The caller hung up; `samples` per side were sent, the padding of the last block included."""

    contact_id: str
    samples: int
    ended_at_ms: int


type Happening = Started | Answered | Ended


@dataclass(frozen=True, slots=True)
class Played:
    """A whole call."""

    started: Started
    answers: tuple[Answer, ...]
    ended: Ended
