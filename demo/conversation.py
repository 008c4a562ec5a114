"""What a receiver makes of Deepgram's messages: one call's lines, interim text replaced by final text.

Pure. The messages are Deepgram's own (`Results` and others); seconds count from the session's first sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.audio import Channel


@dataclass(frozen=True, slots=True)
class Line:
    """One segment of one side."""

    channel: Channel
    start_s: float
    end_s: float
    text: str


class Conversation:
    """Both sides of a call, as far as it was heard."""

    def __init__(self) -> None:
        self._finals: list[Line] = []
        self._interim: dict[Channel, Line] = {}
        self.is_complete = False
        """Deepgram's closing Metadata has come."""

    def hear(self, message: Mapping[str, Any]) -> Line | None:
        """Takes one message in; the line that it made final, if any."""
        if message.get("type") == "Metadata":
            self.is_complete = True
        if message.get("type") != "Results":
            return None
        line = _line(message)
        if not message["is_final"]:
            self._interim[line.channel] = line
            return None
        self._interim.pop(line.channel, None)
        if not line.text:
            return None
        self._finals.append(line)
        return line

    @property
    def finals(self) -> tuple[Line, ...]:
        """Final lines of both sides, by the time at which they were said."""
        return tuple(sorted(self._finals, key=lambda line: line.start_s))

    @property
    def interim(self) -> tuple[Line, ...]:
        """What is being said and may still change, at most one line per side."""
        return tuple(line for line in self._interim.values() if line.text)

    def transcript(self, channel: Channel) -> str:
        """Everything final that one side said."""
        return " ".join(line.text for line in self.finals if line.channel == channel)


def _line(message: Mapping[str, Any]) -> Line:
    start_s = float(message["start"])
    return Line(
        channel=Channel(message["channel_index"][0]),
        start_s=start_s,
        end_s=start_s + float(message["duration"]),
        text=message["channel"]["alternatives"][0]["transcript"],
    )
