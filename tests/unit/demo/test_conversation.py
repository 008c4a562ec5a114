from typing import Any

from contracts.audio import Channel
from demo.conversation import Conversation


def results(channel: int, start: float, text: str, *, is_final: bool) -> dict[str, Any]:
    return {
        "type": "Results",
        "channel_index": [channel, 2],
        "start": start,
        "duration": 1.0,
        "is_final": is_final,
        "channel": {"alternatives": [{"transcript": text, "words": []}]},
    }


def test_final_text_replaces_the_interim_text_of_its_side_only() -> None:
    call = Conversation()
    call.hear(results(0, 0, "hel", is_final=False))
    call.hear(results(1, 0, "good mor", is_final=False))
    line = call.hear(results(0, 0, "hello", is_final=True))
    assert line is not None
    assert line.text == "hello"
    assert [interim.text for interim in call.interim] == ["good mor"]


def test_lines_stand_in_the_order_in_which_they_were_said() -> None:
    call = Conversation()
    for channel, start, text in ((1, 5, "second"), (0, 2, "first"), (1, 9, "third")):
        call.hear(results(channel, start, text, is_final=True))
    assert [line.text for line in call.finals] == ["first", "second", "third"]
    assert call.transcript(Channel.AGENT) == "second third"


def test_an_empty_final_makes_no_line_and_ends_the_interim_text() -> None:
    call = Conversation()
    call.hear(results(0, 0, "uh", is_final=False))
    assert call.hear(results(0, 0, "", is_final=True)) is None
    assert (call.finals, call.interim) == ((), ())


def test_metadata_completes_the_call_and_unknown_messages_are_ignored() -> None:
    call = Conversation()
    call.hear({"type": "SomethingNew"})
    assert not call.is_complete
    call.hear({"type": "Metadata"})
    assert call.is_complete
