import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from contracts.audio import Channel
from demo import report
from demo.call import DemoCall
from demo.latency import Hop
from demo.run import FILES
from demo.screen import console_of


def call(outcome: str | None, customer: str, agent: str, *, scored: bool = True) -> DemoCall:
    reference = {Channel.CUSTOMER: "my name is john", Channel.AGENT: "thank you john"} if scored else None
    made = DemoCall(name="call 1", title="A test", duration_s=75.4, reference=reference, tag="demo-1")
    made.outcome = outcome
    for channel, text in ((0, customer), (1, agent)):
        made.heard.hear(final(channel, text))
    return made


def final(channel: int, text: str) -> dict[str, Any]:
    alternatives: list[dict[str, Any]] = [{"transcript": text, "words": []}]
    return {
        "type": "Results",
        "channel_index": [channel, 2],
        "start": 0.0,
        "duration": 1.0,
        "is_final": True,
        "channel": {"alternatives": alternatives},
    }


def faults(made: DemoCall) -> list[str]:
    return report.faults([made], embedded_recogniser=True)


def test_a_complete_call_with_both_sides_has_no_faults() -> None:
    assert faults(call("completed", "my name is john", "thank you john")) == []


def test_a_failed_call_is_a_fault_with_its_reason() -> None:
    found = faults(call("stream_not_found: no such stream", "my name is john", "thank you john"))
    assert found == ["call 1: stream_not_found: no such stream"]


def test_a_silent_side_is_a_fault() -> None:
    assert "call 1: no words of the agent" in faults(call("completed", "my name is john", ""))


def test_too_many_wrong_words_are_a_fault_of_the_embedded_recogniser_only() -> None:
    made = call("completed", "completely other words here", "thank you john")
    assert [fault for fault in faults(made) if "word error rate is 57.1%" in fault]
    assert report.faults([made], embedded_recogniser=False) == []


def test_own_audio_is_not_scored() -> None:
    assert faults(call("completed", "anything", "", scored=False)) == []


def printed(print_it: Callable[[Console], None]) -> str:
    out = io.StringIO()
    print_it(Console(file=out, width=120))
    return out.getvalue()


def test_the_table_of_words_names_the_recogniser_and_both_sides() -> None:
    made = call("completed", "my name was john", "thank you john")
    text = printed(lambda console: report.print_words(console, [made], "demo vocabulary"))
    assert "Words (demo vocabulary)" in text
    rows = [line.split() for line in text.splitlines() if "01:15" in line]
    assert [row[-1] for row in rows] == ["25.0%", "0.0%"]


def test_a_hop_without_values_is_left_out() -> None:
    hops = [Hop("measured", [10, 20, 30]), Hop("not measured", [])]
    text = printed(lambda console: report.print_hops(console, hops))
    assert "not measured" not in text
    assert [line.split()[1:] for line in text.splitlines() if line.strip().startswith("measured")] == [
        ["20", "30", "3"]
    ]


def test_what_is_piped_fits_80_columns_and_no_line_ends_in_blanks() -> None:
    made = call("completed", "my name was john", "thank you john")
    made.title = "a[red]b, a recording with a name that is rather long"
    out = io.StringIO()
    console = console_of(width=80, file=out)
    report.print_words(console, [made], "Deepgram at wss://[::1]/v1/listen")
    report.print_hops(console, [Hop("  Deepgram's message at transcribe -> callback", [1_234, 5])])
    report.print_places(console, Path(".demo"), FILES)
    lines = out.getvalue().splitlines()
    assert lines[0] == "call 1  a[red]b, a recording with a name that is rather long"
    assert "Words (Deepgram at wss://[::1]/v1/listen)" in lines
    assert all(line == line.rstrip() and len(line) <= 80 for line in lines)
    assert sum("call 1" in line for line in lines) == 3
