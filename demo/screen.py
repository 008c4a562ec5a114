"""The calls side by side while they go on: progress, one colour per side, interim text until it is final."""

from collections.abc import Sequence
from typing import IO

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from contracts.audio import Channel
from demo.call import DemoCall
from demo.conversation import Line

COLOURS = {Channel.CUSTOMER: "cyan", Channel.AGENT: "green"}
MARGIN = 15
"""Columns of `00:12 customer `."""
MAX_LINES = 24
"""Of the transcript that are shown at once; the newest stay."""
_SIDE_BY_SIDE_COLUMNS = 110
_FRAME_LINES = 4
"""Lines of a panel that are not transcript: its borders, the progress bar and a blank."""


def console_of(width: int | None = None, file: IO[str] | None = None) -> Console:
    """What every line goes to. Nothing in a text is markup: names of files are the user's own."""
    return Console(width=width, file=file, markup=False, emoji=False, highlight=False)


def clock(seconds: float) -> str:
    """`75.4` as `01:15`."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def spoken(line: Line, *, interim: bool = False) -> tuple[Text, Text]:
    """When and who, `MARGIN` wide; and what was said."""
    colour = COLOURS[line.channel]
    margin = Text.assemble(
        (f"{clock(line.start_s)} ", "dim"), (f"{line.channel.speaker:<9}", f"bold {colour}")
    )
    text = Text(line.text + " …", f"{colour} dim italic") if interim else Text(line.text, colour)
    return margin, text


def _wrapped(console: Console, margin: Text, text: Text, width: int) -> list[Text]:
    first, *rest = text.wrap(console, width - MARGIN)
    return [margin + first, *(Text(" " * MARGIN) + line for line in rest)]


class Screen:
    """A rich renderable of all calls; `now_ms` is set before each refresh."""

    def __init__(self, calls: Sequence[DemoCall]) -> None:
        self._calls = calls
        self.now_ms = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Side by side where the terminal is wide enough, else one above the other."""
        side_by_side = options.max_width >= _SIDE_BY_SIDE_COLUMNS and len(self._calls) > 1
        rows = 1 if side_by_side else len(self._calls)
        width = options.max_width // (len(self._calls) if side_by_side else 1) - 4
        height = min(MAX_LINES, max(4, (console.height - 2) // rows - _FRAME_LINES))
        grid = Table.grid(expand=True)
        panels = [self._panel(console, call, width, height) for call in self._calls]
        if side_by_side:
            for _ in panels:
                grid.add_column(ratio=1)
            grid.add_row(*panels)
        else:
            grid.add_column(ratio=1)
            for panel in panels:
                grid.add_row(panel)
        yield grid

    def _panel(self, console: Console, call: DemoCall, width: int, height: int) -> Panel:
        said = [spoken(line) for line in call.heard.finals]
        said += [spoken(line, interim=True) for line in call.heard.interim]
        lines = [line for margin, text in said for line in _wrapped(console, margin, text, width)]
        lines = lines[-height:] + [Text()] * (height - len(lines))
        played_s = call.played_s(self.now_ms)
        progress = Table.grid(expand=True, padding=(0, 1))
        progress.add_column(ratio=1)
        progress.add_column(justify="right")
        bar = ProgressBar(total=call.duration_s, completed=played_s, complete_style="white")
        progress.add_row(bar, Text(f"{clock(played_s)} of {clock(call.duration_s)}", "dim"))
        colour = {None: "white", "completed": "green"}.get(call.outcome, "red")
        return Panel(
            Group(*lines, Text(), progress),
            title=Text(f"{call.name} · {call.title} · {call.status}", "bold"),
            title_align="left",
            border_style=colour,
        )
