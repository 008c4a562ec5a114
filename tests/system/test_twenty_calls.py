from collections.abc import Sequence

import pytest

from embedded.system import System
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.functions import LambdaFunction
from emulators.deepgram.script import CallScript, encode_call
from emulators.deepgram.verdict import judge, received_words
from tests.system.run import play

CALLS = 20
SECONDS = 32
BLOCK_SAMPLES = 512
"""Of a 1024-byte block: a word may not be further off than that."""


def call_of(script: CallScript, callback: str) -> Call:
    return Call(
        source=PcmSource(script.samples.astype("<i2").tobytes()),
        attributes={"dg_model": "nova-3", "dg_interim_results": "true", "dg_callback": callback},
    )


@pytest.mark.timeout(180)
async def test_every_word_of_twenty_simultaneous_calls_arrives_once_in_order_and_in_its_place(
    system: System, trigger: LambdaFunction
) -> None:
    scripts = [encode_call(seed, SECONDS + seed % 4) for seed in range(1, CALLS + 1)]

    def calls(callback: str) -> Sequence[Call]:
        return [call_of(script, callback) for script in scripts]

    gathered = await play(system, trigger, calls)

    for script, played in zip(scripts, gathered.played, strict=True):
        contact_id = played.started.contact_id
        verdict = judge(
            script.words, received_words(gathered.messages(contact_id)), tolerance_samples=BLOCK_SAMPLES
        )
        assert verdict.clean, f"call {script.seed}: {verdict}"
        assert len({word.channel for word in script.words}) == 2

        requests = gathered.requests[contact_id]
        sequences = [int(request.headers["x-sequence"]) for request in requests]
        assert sequences == sorted(set(sequences))
        assert len({request.headers["webhook-id"] for request in requests}) == len(requests)
        assert gathered.messages(contact_id)[-1]["type"] == "Metadata"

        ended = gathered.event(contact_id, "Session Ended")
        assert ended is not None
        assert ended["duration_s"] == pytest.approx(script.seconds, abs=0.1)
        segments = [
            e["detail"] for e in gathered.events[contact_id] if e["detail-type"] == "Transcript Segment"
        ]
        told = [word["text"] for s in sorted(segments, key=lambda s: s["n"]) for word in s["words"]]
        assert sorted(told) == sorted(word.text for word in script.words)
