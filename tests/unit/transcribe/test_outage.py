"""A session whose ways out, the queue and the bus, are away for ten minutes while both sides talk."""

from collections.abc import Sequence

import pytest

from contracts.events import TranscriptSegment
from contracts.link import Credit
from contracts.queue import webhook_id
from contracts.session import Final
from services.transcribe.commands import Append, PublishToBus, PublishToQueue
from services.transcribe.inputs import Appended, BusAnswered, DeepgramMessage, QueueAnswered
from services.transcribe.session import Phase
from services.transcribe.way import RETRY_CAP_S
from tests.unit.transcribe.driven import Driven, audio, frames
from tests.unit.transcribe.records import SESSION
from tests.unit.transcribe.results import results

OUTAGE_S = 600
FINAL_S = 3
"""Of each side; together 400 finals in the outage."""

type Sent = PublishToQueue | PublishToBus
type Kind = type[PublishToQueue] | type[PublishToBus]


class Outside:
    """A log that takes everything at once, and two ways out, of which some are away.

    Of a way that goes away the first answer alone is lost: what was sent has arrived.
    """

    def __init__(self, driven: Driven) -> None:
        self.driven = driven
        self.away: Sequence[Kind] = ()
        self.tries: dict[Kind, int] = {PublishToQueue: 0, PublishToBus: 0}
        """While it was away."""
        self.arrived: list[Sent] = []

    def answer(self) -> None:
        """Answers until nothing is asked any more."""
        while self.driven.commands:
            match self.driven.commands.pop(0):
                case Append(record):
                    self.driven.log.append(record)
                    self.driven.give(Appended(1.0))
                case PublishToQueue() as sent:
                    self.driven.give(QueueAnswered(accepted=self._accepts(sent)))
                case PublishToBus() as sent:
                    self.driven.give(BusAnswered(accepted=self._accepts(sent)))
                case _:
                    pass

    def _accepts(self, sent: Sent) -> bool:
        kind = type(sent)
        away = kind in self.away
        self.tries[kind] += away
        if not away or self.tries[kind] == 1:
            self.arrived.append(sent)
        return not away

    def talk(self, seconds: range) -> None:
        """A second of audio each second, and what Deepgram makes of it."""
        for second in seconds:
            self.driven.give(audio(800 + second * 8_000, 8_000))
            self._say(second, is_final=second % FINAL_S == FINAL_S - 1)
            self.driven.wait(1.0)
            self.answer()

    def _say(self, second: int, *, is_final: bool) -> None:
        start, end = second // FINAL_S * FINAL_S, second + 1
        for channel in (0, 1):
            said = results(channel, start, end - start, ("word", start, end), is_final=is_final)
            self.driven.give(DeepgramMessage(1, said))

    @property
    def queued(self) -> list[tuple[int, int]]:
        """Places, in the order of arrival."""
        return [(s.message.n, s.message.k) for s in self.arrived if isinstance(s, PublishToQueue)]

    @property
    def on_the_bus(self) -> list[str]:
        """Ids of final segments, in the order of arrival."""
        events = [s.event for s in self.arrived if isinstance(s, PublishToBus)]
        return [event.event_id for event in events if isinstance(event, TranscriptSegment)]


@pytest.mark.parametrize("away", [[PublishToQueue], [PublishToBus], [PublishToQueue, PublishToBus]])
def test_ten_minutes_without_a_way_out_cost_no_final_no_order_and_no_audio(away: list[Kind]) -> None:
    outside = Outside(Driven().streaming())
    outside.talk(range(FINAL_S))
    outside.away = away
    outside.talk(range(FINAL_S, FINAL_S + OUTAGE_S))
    driven = outside.driven
    finals = [record.n for record in driven.log if isinstance(record, Final)]
    assert len(finals) == 2 * (1 + OUTAGE_S // FINAL_S), "the log goes on"
    for kind, tries in outside.tries.items():
        assert (OUTAGE_S / RETRY_CAP_S < tries < OUTAGE_S / 4) if kind in away else tries == 0
    if PublishToQueue not in away:
        assert {n for n, k in outside.queued if k == 0} == set(finals), "one way does not wait for the other"
    if PublishToBus not in away:
        assert len(outside.on_the_bus) == len(finals)
    credit = [frame for frame in frames(driven.ever) if isinstance(frame, Credit)][-1]
    assert credit.until_samples > OUTAGE_S * 8_000, "audio is asked for all the time"

    outside.away = ()
    driven.wait(RETRY_CAP_S)
    outside.answer()
    assert outside.queued == sorted(outside.queued)
    assert sorted({n for n, k in outside.queued if k == 0}) == finals
    assert len(outside.queued) - len(set(outside.queued)) == (PublishToQueue in away), "of the lost answer"
    assert list(dict.fromkeys(outside.on_the_bus)) == [webhook_id(SESSION, n) for n in finals]
    assert driven.session.phase is Phase.LIVE
    outside.talk(range(FINAL_S + OUTAGE_S, 2 * FINAL_S + OUTAGE_S))
    assert driven.log[-1].state.announced.queue_n >= finals[-1]
    assert driven.log[-1].state.announced.bus_n >= finals[-1]
