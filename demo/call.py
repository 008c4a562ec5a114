"""One call of the demo as a person follows it: what is played, how far it is, and what was heard."""

from dataclasses import dataclass, field

from contracts.audio import Channel
from demo.conversation import Conversation


@dataclass(slots=True)
class DemoCall:
    """Filled in as the call goes on."""

    name: str
    duration_s: float
    reference: dict[Channel, str] | None
    """What each side says; None for the user's own audio."""
    contact_id: str = ""
    began_at_ms: int | None = None
    """Producer time of its first audio."""
    status: str = "waiting"
    outcome: str | None = None
    """`completed`, or the reason of the failure."""
    heard: Conversation = field(default_factory=Conversation)

    def played_s(self, now_ms: int) -> float:
        """Seconds of it that were played so far."""
        if self.began_at_ms is None:
            return 0.0
        return min(self.duration_s, max(0.0, (now_ms - self.began_at_ms) / 1_000))
