"""A transferred call: its audio goes on under another contact, and so does its session."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pytest

from embedded import trigger_function
from embedded.system import System
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.flow import Action, Flow
from emulators.connect.functions import ContactEvents, LambdaFunction, RuleTarget, lambda_client
from emulators.deepgram.script import encode_call
from emulators.deepgram.verdict import judge, received_words
from tests.system.run import play

FIRST, SECOND = "transfer-leg-1", "transfer-leg-2"
SECONDS = 12
BLOCK_SAMPLES = 512
END = Action("end", "EndFlowExecution", {}, None, {}, ())
NOTHING_TO_DO = Flow(END.identifier, {END.identifier: END})
"""The flow of the second leg: the call's transcription was started by the first."""


def transferring(told: ContactEvents) -> ContactEvents:
    """Tells that the second leg begins before it tells that the first is over, as Connect does."""

    async def tell(event: Mapping[str, object]) -> None:
        detail = cast("dict[str, object]", event["detail"])
        if detail["contactId"] == FIRST:
            began = {"eventType": "INITIATED", "contactId": SECOND, "disconnectTimestamp": None}
            links = {"initialContactId": FIRST, "previousContactId": FIRST}
            await told({**event, "detail": {**detail, **began, **links}})
        await told(event)

    return tell


@pytest.mark.timeout(120)
async def test_a_transferred_call_is_one_transcript_of_both_legs(
    system: System, trigger: LambdaFunction
) -> None:
    scripts = [encode_call(seed, SECONDS) for seed in (411, 412)]

    def calls(callback: str) -> Sequence[Call]:
        first, second = (PcmSource(one.samples.astype("<i2").tobytes()) for one in scripts)
        stream = "transferred-calls"
        return [
            Call(
                source=first,
                contact_id=FIRST,
                stream_name=stream,
                attributes={"dg_callback": callback},
            ),
            Call(
                source=second,
                contact_id=SECOND,
                stream_name=stream,
                flows=[NOTHING_TO_DO],
                previous_contact_id=FIRST,
                initial_contact_id=FIRST,
            ),
        ]

    async with lambda_client() as client:
        events = transferring(RuleTarget(client, trigger_function.CONTACT_EVENTS_NAME))
        gathered = await play(system, trigger, calls, stagger_s=SECONDS + 1.5, contact_events=events)

    first, second = gathered.played
    offset = (second.started.start_at_ms - first.started.start_at_ms) * 8
    said = [
        *scripts[0].words,
        *(
            replace(
                word,
                start_sample=word.start_sample + offset,
                end_sample=word.end_sample + offset,
                ordinal=word.ordinal + len(scripts[0].words),
            )
            for word in scripts[1].words
        ),
    ]
    verdict = judge(said, received_words(gathered.messages(FIRST)), tolerance_samples=BLOCK_SAMPLES)
    assert verdict.clean, str(verdict)
    assert gathered.requests[SECOND] == []
    ended = gathered.event(FIRST, "Session Ended")
    assert ended is not None
    assert ended["reason"] == "disconnected"
    assert ended["duration_s"] == pytest.approx(offset / 8_000 + SECONDS, abs=0.2)
