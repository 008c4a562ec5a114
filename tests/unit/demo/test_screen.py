import io
from typing import Any

from rich.console import Console

from demo.call import DemoCall
from demo.screen import Screen, clock


def call(number: int, *said: tuple[int, float, str, bool]) -> DemoCall:
    made = DemoCall(
        name=f"call {number}", title="A test", duration_s=60, reference=None, tag=f"demo-{number}"
    )
    made.began_at_ms = 0
    for channel, start, text, is_final in said:
        made.heard.hear(result(channel, start, text, is_final=is_final))
    return made


def result(channel: int, start: float, text: str, *, is_final: bool) -> dict[str, Any]:
    return {
        "type": "Results",
        "channel_index": [channel, 2],
        "start": start,
        "duration": 1.0,
        "is_final": is_final,
        "channel": {"alternatives": [{"transcript": text, "words": []}]},
    }


def drawn(*calls: DemoCall, width: int, height: int = 20) -> list[str]:
    out = io.StringIO()
    screen = Screen(calls)
    screen.now_ms = 15_000
    Console(file=out, width=width, height=height).print(screen)
    return out.getvalue().splitlines()


def test_calls_stand_side_by_side_on_a_wide_terminal_and_below_each_other_on_a_narrow_one() -> None:
    calls = (call(1), call(2))
    assert any("call 1" in line and "call 2" in line for line in drawn(*calls, width=140))
    narrow = drawn(*calls, width=80)
    assert not any("call 1" in line and "call 2" in line for line in narrow)
    assert len(narrow) <= 20


def test_a_line_says_when_and_who_and_what() -> None:
    text = "\n".join(drawn(call(1, (1, 61.5, "good morning", True)), width=80))
    assert "01:01 agent    good morning" in text


def test_interim_text_is_marked_as_unfinished() -> None:
    assert "hello th …" in "\n".join(drawn(call(1, (0, 0, "hello th", False)), width=80))


def test_the_newest_lines_stay_when_there_are_too_many() -> None:
    said = [(0, float(n), f"sentence {n}", True) for n in range(60)]
    text = "\n".join(drawn(call(1, *said), width=80))
    assert "sentence 59" in text
    assert "sentence 0 " not in text


def test_progress_is_by_the_clock_and_never_beyond_the_end() -> None:
    assert "00:15 of 01:00" in "\n".join(drawn(call(1), width=80))
    late = call(1)
    late.duration_s = 5
    assert "00:05 of 00:05" in "\n".join(drawn(late, width=80))


def test_seconds_are_shown_as_minutes() -> None:
    assert [clock(0), clock(75.9), clock(3_600)] == ["00:00", "01:15", "60:00"]
