"""One call of the demo as a person follows it: what is played, how far it is, and what was heard."""

import uuid
from dataclasses import dataclass, field

from contracts.audio import Channel
from demo.conversation import Conversation


@dataclass(slots=True)
class DemoCall:
    """Filled in as the call goes on."""

    name: str
    title: str
    duration_s: float
    reference: dict[Channel, str] | None
    """What each side says; None for the user's own audio."""
    tag: str
    """Deepgram tag by which its connections are known."""
    contact_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    stream_name: str = ""
    began_at_ms: int | None = None
    """Producer time of its first audio, epoch ms."""
    first_block_at_ms: float | None = None
    """When KVS had its first block, epoch ms."""
    status: str = "waiting"
    outcome: str | None = None
    """`completed`, or the reason of the failure."""
    heard: Conversation = field(default_factory=Conversation)

    @property
    def is_settled(self) -> bool:
        """Nothing more will be heard of it."""
        return self.outcome is not None and (self.outcome != "completed" or self.heard.is_complete)

    def played_s(self, now_ms: int) -> float:
        """Seconds of it that were played so far."""
        if self.began_at_ms is None:
            return 0.0
        return min(self.duration_s, max(0.0, (now_ms - self.began_at_ms) / 1_000))
