"""The live table: the columns of `kubectl get gridbots`, the newest fills, and how far the data has been played."""

from collections import deque
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from opensqt.cli.run.fills import Fill
from opensqt.cli.run.picture import Picture, duration, market_time
from opensqt.cli.run.report import plain
from opensqt.cli.run.screen import summary_lines

NOTES_SHOWN = 5
_STYLES = {
    "Running": "green",
    "Stopped": "dim",
    "Paused": "yellow",
    "Halted": "bold red",
    "True": "green",
    "False": "red",
    "Closed": "green",
    "Open": "bold red",
}


class LiveScreen:
    """Redraws in place; what must stay is written above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self.notes: deque[Text] = deque(maxlen=NOTES_SHOWN)
        self.last: Picture | None = None
        """The newest picture."""

    def step(self, text: str) -> None:
        self._console.print(Text(text, style="dim"), soft_wrap=True)

    def trouble(self, text: str) -> None:
        self._console.print(Text(f"! {text}", style="red"), soft_wrap=True)

    def event(self, bot: str, reason: str, message: str) -> None:
        self.notes.append(Text(f"{bot}: {reason}: {message}", overflow="ellipsis", no_wrap=True))

    def fill(self, bot: str, symbol: str, fill: Fill) -> None:
        """Fills come with the picture."""

    def show(self, picture: Picture) -> None:
        self.last = picture
        if not self._live.is_started:
            self._live.start()
        self._live.update(drawn(picture, list(self.notes)), refresh=True)

    def summary(self, document: dict[str, Any]) -> None:
        self.close()
        for line in summary_lines(document):
            self._console.print(Text(line, style="red" if line.startswith("!") else ""), soft_wrap=True)

    def close(self) -> None:
        if self._live.is_started:
            self._live.stop()


def drawn(picture: Picture, notes: list[Text]) -> RenderableType:
    """The picture for a terminal."""
    parts: list[RenderableType] = [_bots(picture), Text()]
    if picture.fills:
        parts += [_fills(picture), Text()]
    parts += notes
    parts += [Text(f"! {trouble}", style="red") for trouble in picture.troubles]
    parts += [_progress(picture)]
    return Group(*parts)


def _bots(picture: Picture) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name in picture.columns:
        table.add_column(name, no_wrap=True)
    for row in picture.rows:
        table.add_row(*(Text(cell, style=_style(name, cell)) for name, cell in zip(picture.columns, row, strict=True)))
    return table


def _style(column: str, cell: str) -> str:
    if column in {"PNL", "REALISED"}:
        return "red" if cell.startswith("-") else "green"
    return _STYLES.get(cell, "") if column in {"STATE", "READY", "BREAKER"} else ""


def _fills(picture: Picture) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name in ("FILLS", "MARKET TIME", "SIDE"):
        table.add_column(name, no_wrap=True)
    for name in ("QUANTITY", "PRICE", "FEE"):
        table.add_column(name, justify="right", no_wrap=True)
    for bot, _, fill in picture.fills:
        table.add_row(
            bot,
            market_time(fill.time_us),
            Text(fill.side, style="green" if fill.side == "Buy" else "magenta"),
            plain(fill.quantity),
            plain(fill.price),
            plain(round(fill.fee, 6)),
        )
    return table


def _progress(picture: Picture) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for one in picture.progress:
        table.add_row(
            one.symbol,
            market_time(one.market_time_us),
            ProgressBar(total=1.0, completed=one.fraction, width=30),
            "ended" if one.ended else f"{one.fraction:.1%}",
            f"{duration(picture.elapsed)} elapsed",
            Text("Ctrl-C winds down", style="dim"),
        )
    return table
