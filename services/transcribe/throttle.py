"""What is told of a session that waits for a place at Deepgram. Pure."""

from contracts.events import Event
from services.transcribe.bus_events import BusEvents
from services.transcribe.inputs import DeepgramInput, DeepgramOpened, DeepgramThrottled
from services.transcribe.instants import Instant


class Throttle:
    """One session's: an event when it begins to wait, however often it is refused, one when that is over."""

    def __init__(self, events: BusEvents) -> None:
        self._events = events
        self._since: float | None = None

    def told(self, happened: DeepgramInput, epoch: int, now: Instant) -> list[Event]:
        """What is to be told of it."""
        match happened:
            case DeepgramThrottled() if self._since is None:
                self._since = now.s
                return [self._events.throttled(happened.ahead, epoch, happened.connection, now.epoch_ms)]
            case DeepgramOpened() if self._since is not None:
                waited_s, self._since = now.s - self._since, None
                return [self._events.admitted(waited_s, epoch, happened.connection, now.epoch_ms)]
            case _:
                return []
