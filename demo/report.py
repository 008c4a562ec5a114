"""The summary after the calls: words against the reference, latency of each hop, where to see more."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.audio import Channel
from demo.call import DemoCall
from demo.latency import Hop, percentile
from demo.score import Score, score, total
from demo.screen import COLOURS, clock

MAX_COMPLAINTS = 8
"""Kinds of warnings of the services that are shown."""
MAX_WORD_ERROR_RATE = 0.20
"""Above it, the embedded recogniser or the audio's way to it is broken."""


def call_scores(call: DemoCall) -> dict[Channel, Score]:
    """Heard words against the reference, per side; empty without a reference."""
    return {
        channel: score(text, call.heard.transcript(channel))
        for channel, text in (call.reference or {}).items()
    }


def faults(calls: Sequence[DemoCall], *, embedded_recogniser: bool) -> list[str]:
    """What is wrong with a run, in sentences; empty when all is well."""
    found = [f"{call.name}: {call.outcome}" for call in calls if call.outcome != "completed"]
    scores = [scored for call in calls for scored in call_scores(call).values()]
    for call in calls:
        silent = [channel.speaker for channel in Channel if not call.heard.transcript(channel)]
        if call.reference and silent:
            found.append(f"{call.name}: no words of the {' and the '.join(silent)}")
    if scores and embedded_recogniser and total(scores).rate > MAX_WORD_ERROR_RATE:
        found.append(f"the word error rate is {total(scores).rate:.1%}, above {MAX_WORD_ERROR_RATE:.0%}")
    return found


def print_faults(console: Console, found: Sequence[str], complaints: Sequence[str]) -> None:
    """What is wrong, and what the services said about it."""
    console.print()
    for fault in found:
        console.print(Text.assemble(("not as it should be: ", "bold red"), fault), soft_wrap=True)
    for complaint in complaints[:MAX_COMPLAINTS]:
        console.print(Text.assemble(("  logged: ", "dim"), complaint), soft_wrap=True)


def print_words(console: Console, calls: Sequence[DemoCall], recogniser: str) -> None:
    """The calls by name, then a row per call and side."""
    for call in calls:
        console.print(Text.assemble((call.name, "bold"), f"  {call.title}"), soft_wrap=True)
    console.print()
    table = _table(f"Words ({recogniser})")
    for column in ("call", "side", "audio", "words heard", "in the script", "word error rate"):
        table.add_column(column, justify="left" if column in {"call", "side"} else "right")
    for call in calls:
        scores = call_scores(call)
        for channel in Channel:
            heard = len(call.heard.transcript(channel).split())
            scored = scores.get(channel)
            table.add_row(
                call.name,
                Text(channel.speaker, COLOURS[channel]),
                clock(call.duration_s),
                str(heard),
                str(scored.words) if scored else "-",
                f"{scored.rate:.1%}" if scored else "-",
            )
    _print(console, table)


def print_hops(console: Console, hops: Sequence[Hop]) -> None:
    """A row per hop."""
    table = _table("Latency")
    table.add_column("hop")
    for column in ("p50 ms", "p99 ms", "measured"):
        table.add_column(column, justify="right")
    for hop in hops:
        if hop.values_ms:
            p50, p99 = (f"{percentile(hop.values_ms, percent):,.0f}" for percent in (50, 99))
            table.add_row(hop.name, p50, p99, str(len(hop.values_ms)))
    _print(console, table)


def print_places(console: Console, folder: Path, shown: Sequence[tuple[str, str]]) -> None:
    """Where the run left what it saw."""
    console.print(Text.assemble(("Left in ", "bold"), str(folder)))
    for name, meaning in shown:
        console.print(f"  {name:<16} {meaning}", soft_wrap=True)


def _table(title: str) -> Table:
    return Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False)


def _print(console: Console, table: Table) -> None:
    """Without blanks at the ends of lines where they would be kept."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as shown:
        console.print(table)
    console.print("\n".join(line.rstrip() for line in shown.get().splitlines()), soft_wrap=True)
