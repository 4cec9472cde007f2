"""What people see of a run: plain lines, for pipes and logs. `live.py` has the table for terminals."""

import time
from collections.abc import Sequence
from typing import IO, Any, Protocol

from opensqt.cli.run.fills import Fill
from opensqt.cli.run.picture import Picture, duration, market_time
from opensqt.cli.run.report import plain

STATUS_EVERY = 15.0


class Screen(Protocol):
    """Where a run shows itself. Nothing here fails because nobody looks."""

    def step(self, text: str) -> None:
        """A step of start or end, before it is taken."""

    def trouble(self, text: str) -> None:
        """Something that a person should know."""

    def event(self, bot: str, reason: str, message: str) -> None: ...

    def fill(self, bot: str, symbol: str, fill: Fill) -> None: ...

    def show(self, picture: Picture) -> None:
        """The newest picture; called a few times a second."""

    def summary(self, document: dict[str, Any]) -> None: ...

    def close(self) -> None:
        """Gives the terminal back."""


class PlainScreen:
    """A line for each thing that happens, and now and then one about each bot."""

    def __init__(self, out: IO[str], *, fills: bool = True) -> None:
        self._out = out
        self._fills = fills
        self._next_status = 0.0
        self._last_rows: Sequence[Sequence[str]] = ()
        self._last_troubles: Sequence[str] = ()

    def step(self, text: str) -> None:
        self._line(text)

    def trouble(self, text: str) -> None:
        self._line(f"! {text}")

    def event(self, bot: str, reason: str, message: str) -> None:
        self._line(f"{bot}: {reason}: {message}")

    def fill(self, bot: str, symbol: str, fill: Fill) -> None:
        if self._fills:
            self._line(f"{bot}: {fill_line(symbol, fill)}")

    def show(self, picture: Picture) -> None:
        for trouble in picture.troubles:
            if trouble not in self._last_troubles:
                self.trouble(trouble)
        self._last_troubles = picture.troubles
        states = [row[3:6] for row in picture.rows]
        changed = states != [row[3:6] for row in self._last_rows]
        if not changed and time.monotonic() < self._next_status:
            return
        self._next_status = time.monotonic() + STATUS_EVERY
        self._last_rows = picture.rows
        played = ", ".join(
            f"{one.symbol} at {market_time(one.market_time_us)}, {one.fraction:.1%}" for one in picture.progress
        )
        for row in picture.rows:
            cells = " ".join(
                f"{name}={cell or '-'}"
                for name, cell in zip(picture.columns[1:], row[1:], strict=True)
                if name != "AGE"
            )
            self._line(f"{row[0]}: {cells}")
        if played:
            self._line(f"{duration(picture.elapsed)}: {played}")

    def summary(self, document: dict[str, Any]) -> None:
        for line in summary_lines(document):
            self._line(line)

    def close(self) -> None:
        """Nothing to give back."""

    def _line(self, text: str) -> None:
        try:
            print(text, file=self._out, flush=True)
        except BrokenPipeError:
            # Nobody reads any more (`| head`): the run goes on, and the bots with it.
            self._out = open("/dev/null", "w", encoding="utf-8")  # noqa: SIM115, PTH123


def fill_line(symbol: str, fill: Fill) -> str:
    """`2022-01-03 10:20:00 Buy 0.004 BTC at 46319.5, fee 0.037`."""
    base = symbol.partition("/")[0]
    return (
        f"{market_time(fill.time_us)} {fill.side} {plain(fill.quantity)} {base} at {plain(fill.price)}, "
        f"fee {plain(round(fill.fee, 6))}"
    )


def summary_lines(document: dict[str, Any]) -> list[str]:
    """The end of a run in words."""
    currencies = {one["name"]: one["currency"] for one in document["connectors"]}
    lines = []
    for bot in document["bots"]:
        currency = currencies[bot["connector"]]
        base = bot["symbol"].partition("/")[0]
        at = f" at {bot['averageEntryPrice']}" if bot["position"] != "0" else ""
        breaker = bot["breaker"]
        lines.append(
            f"{bot['name']}: {len(bot['fills'])} fills, {bot['cycles']} cycles; realised {bot['realisedPnl']}, "
            f"unrealised {bot['unrealisedPnl']}, fees {bot['fees']} {currency}; position {bot['position']} {base}{at}; "
            f"{len(bot['openOrders'])} open orders; breaker {breaker['state']}"
            + (f" ({breaker['reason']}: {breaker['message']})" if breaker["state"] == "Open" else "")
        )
        if bot["state"] == "Halted":
            lines.append(f"! {bot['name']} has halted: {bot['reason']}: {bot['message']}")
    return lines
