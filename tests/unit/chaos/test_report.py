import json
from dataclasses import replace
from typing import Any

from emulators.deepgram.script import CallScript, encode_call
from emulators.receiver.recorder import Received
from tests.chaos.report import RunReport, report

BEGUN_MS = 1_700_000_000_000
SCRIPT = encode_call(5, 10)
ENDED = [{"detail-type": "Session Ended", "detail": {"session_id": "s"}}]


def request(n: int, *words: Any, at_ms: int = 0) -> Received:
    """A final with the script's words, as the callback received it."""
    message = {
        "type": "Results",
        "is_final": True,
        "channel_index": [words[0].channel, 2],
        "channel": {
            "alternatives": [
                {
                    "words": [
                        {"word": w.text, "start": w.start_sample / 8_000, "end": w.end_sample / 8_000}
                        for w in words
                    ]
                }
            ]
        },
    }
    headers = {"webhook-id": f"s-{n}", "x-sequence": str(n * 1_000_000)}
    return Received(
        number=n,
        received_at_ms=at_ms,
        method="POST",
        path="/",
        headers=headers,
        body=json.dumps(message),
        signature="unchecked",
        status=200,
        peer_port=0,
    )


def all_words(script: CallScript = SCRIPT) -> list[Received]:
    return [request(n, word) for n, word in enumerate(script.words, 1)]


def test_a_call_with_every_word_once_in_order_is_clean() -> None:
    made = report(SCRIPT, "c", all_words(), ENDED)
    assert made.clean
    assert RunReport([made]).counts()["words"] == len(SCRIPT.words)


def test_a_missing_word_is_lost() -> None:
    made = report(SCRIPT, "c", all_words()[1:], ENDED)
    assert not made.clean
    assert [case.text for case in made.verdict.lost] == [SCRIPT.words[0].text]


def test_the_same_request_again_is_counted_apart_and_allowed() -> None:
    requests = all_words()
    made = report(SCRIPT, "c", [*requests[:2], requests[1], *requests[2:]], ENDED)
    assert made.clean
    assert made.redelivered == 1


def test_a_word_under_two_ids_is_doubled() -> None:
    requests = all_words()
    again = request(len(requests) + 1, SCRIPT.words[-1])
    made = report(SCRIPT, "c", [*requests, again], ENDED)
    assert [case.text for case in made.verdict.doubled] == [SCRIPT.words[-1].text]


def test_a_sequence_that_goes_back_is_out_of_order() -> None:
    first, second, *rest = all_words()
    made = report(SCRIPT, "c", [second, first, *rest], ENDED)
    [told] = made.backwards
    assert told.startswith("final Results s-1 ")
    assert "came after final Results s-2 " in told
    assert RunReport([made]).counts()["out_of_order"] == 1


def test_a_session_without_its_end_is_named() -> None:
    made = report(
        SCRIPT, "c", all_words(), [{"detail-type": "Session Started", "detail": {"session_id": "s"}}]
    )
    assert made.outcome == "no end"
    assert not made.clean
    assert RunReport([made]).counts()["not_ended"] == 1


def test_a_deviation_is_told_with_session_word_and_what_happened_before() -> None:
    word = SCRIPT.words[-1]
    at_s = word.start_sample / 8_000
    resumed = {"session_id": "s", "epoch": 2, "cause": "taken_over", "from_s": at_s - 0.5}
    later = {"session_id": "s", "epoch": 3, "cause": "deepgram", "from_s": at_s + 5}
    events = [
        *ENDED,
        {"detail-type": "Session Resumed", "detail": resumed},
        {"detail-type": "Session Resumed", "detail": later},
    ]
    made = report(SCRIPT, "c", all_words()[:-1], events)
    [line] = made.deviations()
    assert f"lost: {word.text}" in line
    assert "taken_over (epoch 2)" in line
    assert "session s" in str(made)


def test_a_call_of_which_nothing_was_heard_says_so() -> None:
    assert report(SCRIPT, "c", [], []).outcome == "never requested"


def test_it_is_told_how_long_after_a_word_was_said_its_final_came() -> None:
    """Of the 100 words of ten calls all take a second, but one two, and one more than a minute."""
    words = SCRIPT.words[:10]
    late_ms = [2_000, 70_000, *[1_000] * 98]
    reports = [
        report(
            SCRIPT, "c", [late(n, word, late_ms.pop()) for n, word in enumerate(words, 1)], ENDED, BEGUN_MS
        )
        for _ in range(10)
    ]
    made = RunReport(reports)
    assert made.delays() == {"p50": 1.0, "p99": 2.0, "max": 70.0}
    assert "p99 2.0 s" in str(made)
    assert RunReport([]).delays() == {}
    assert report(SCRIPT, "c", [request(1, replace(words[0], text="odd"))], ENDED, BEGUN_MS).delays_s == ()


def late(n: int, word: Any, by_ms: int) -> Received:
    """A final with the word, so long after its end."""
    return request(n, word, at_ms=BEGUN_MS + word.end_sample // 8 + by_ms)
