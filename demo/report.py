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
        console.print(f"[bold red]not as it should be:[/bold red] {fault}", highlight=False, soft_wrap=True)
    for complaint in complaints[-MAX_COMPLAINTS:]:
        console.print(f"  [dim]logged:[/dim] {complaint}", highlight=False, soft_wrap=True)


def print_words(console: Console, calls: Sequence[DemoCall], recogniser: str) -> None:
    """A row per call and side."""
    table = Table(title=f"Words ({recogniser})", title_justify="left", title_style="bold", box=None)
    for column in ("call", "side", "audio", "words heard", "in the script", "word error rate"):
        table.add_column(column, justify="left" if column in {"call", "side"} else "right")
    for call in calls:
        scores = call_scores(call)
        for channel in Channel:
            heard = len(call.heard.transcript(channel).split())
            scored = scores.get(channel)
            table.add_row(
                f"{call.name} · {call.title}",
                Text(channel.speaker, COLOURS[channel]),
                clock(call.duration_s),
                str(heard),
                str(scored.words) if scored else "-",
                f"{scored.rate:.1%}" if scored else "-",
            )
    console.print(table)


def print_hops(console: Console, hops: Sequence[Hop]) -> None:
    """A row per hop."""
    table = Table(title="Latency", title_justify="left", title_style="bold", box=None)
    table.add_column("hop")
    for column in ("p50 ms", "p99 ms", "measured"):
        table.add_column(column, justify="right")
    for hop in hops:
        if hop.values_ms:
            p50, p99 = (f"{percentile(hop.values_ms, percent):,.0f}" for percent in (50, 99))
            table.add_row(hop.name, p50, p99, str(len(hop.values_ms)))
    console.print(table)


def print_places(console: Console, folder: Path, shown: Sequence[tuple[str, str]]) -> None:
    """Where the run left what it saw."""
    console.print(f"[bold]Left in[/bold] {folder}")
    for name, meaning in shown:
        console.print(f"  {name:<16} {meaning}", highlight=False, soft_wrap=True)
