"""Paper markets at live prices: each price that a real exchange tells is played as it comes."""

import asyncio
import time
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN
from typing import TYPE_CHECKING

import structlog

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.paper.candles import Candles
from opensqt.connector.paper.clock import VALUES_SECONDS
from opensqt.connector.paper.exchange import PaperExchange
from opensqt.connector.paper.instrument import Instrument
from opensqt.connector.paper.tape import Tape
from opensqt.connector.venue import Gap, Price, VenueError

if TYPE_CHECKING:
    from opensqt.connector.ccxt_venue.public import PublicMarkets

log = structlog.get_logger(__name__)
Source = tuple[Exchange, MarketKind]


class LiveTape(Tape):
    """Knows the newest price alone; it has no steps to come, and never ends."""

    live = True

    def __init__(self) -> None:
        super().__init__(Candles.empty())
        self._newest, self._newest_us = 0, 0

    def push(self, price: int, time_us: int) -> None:
        self._newest, self._newest_us = price, max(time_us, self._newest_us)

    def resume(self, time_us: int) -> None:
        """No price is older than what the books have reached."""
        self._newest_us = time_us
        self.played = 1

    def price(self, step: int) -> int:
        return self._newest

    def time_us(self, step: int) -> int:
        return self._newest_us


class LivePrices:
    """The public streams of the exchanges that the markets of a spec name; `changed` is told of news of the health."""

    def __init__(self, sources: Mapping[str, Exchange], changed: Callable[[], None]) -> None:
        from opensqt.connector.ccxt_venue.public import PublicMarkets  # noqa: PLC0415 - other markets do without ccxt

        self._sources = {symbol: (exchange, MarketKind.of(symbol)) for symbol, exchange in sources.items()}
        self._markets = {source: PublicMarkets(*source) for source in set(self._sources.values())}
        self._changed = changed
        self._fresh: set[str] = set()
        self._faults: dict[Source, str] = {}

    def of(self, symbol: str) -> "PublicMarkets | None":
        """Where a symbol's prices come from; None where from its own data."""
        source = self._sources.get(symbol)
        return None if source is None else self._markets[source]

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Reason and message, as long as some market has no price that is live."""
        for (exchange, _), fault in self._faults.items():
            return "BadMarketData", f"livePrices of {exchange.value}: {fault}"
        lacking = sorted(self._sources.keys() - self._fresh)
        if not lacking:
            return None
        markets = self._markets[self._sources[lacking[0]]]
        return "PricesUnavailable", f"no live price of {', '.join(lacking)}: {markets.name}: {markets.health().message}"

    async def close(self) -> None:
        for markets in self._markets.values():
            await markets.close()

    async def play(self, exchange: PaperExchange, instruments: Mapping[str, Instrument]) -> None:
        """For ever: fills what each price touches."""
        await asyncio.gather(*(self._play(source, exchange, instruments) for source in self._markets))

    async def _play(self, source: Source, exchange: PaperExchange, instruments: Mapping[str, Instrument]) -> None:
        symbols = [symbol for symbol, named in self._sources.items() if named == source]
        markets, values_due = self._markets[source], 0.0
        await markets.open()
        try:
            async for item in markets.prices(symbols):
                if isinstance(item, Gap):
                    self._set_fresh(symbols, fresh=False)
                    continue
                # While the books take nothing the market stands still.
                if exchange.commits.failing is None and _move(exchange, instruments[item.symbol], item):
                    self._set_fresh([item.symbol], fresh=True)
                    if time.monotonic() >= values_due:
                        exchange.tell_values()
                        values_due = time.monotonic() + VALUES_SECONDS
        except VenueError as error:
            log.warning("live_prices_ended", exchange=source[0].value, reason=error.failure.message)
            self._faults[source] = error.failure.message
            self._changed()

    def _set_fresh(self, symbols: list[str], *, fresh: bool) -> None:
        before = len(self._fresh)
        self._fresh = self._fresh | set(symbols) if fresh else self._fresh - set(symbols)
        if len(self._fresh) != before:
            self._changed()


def _move(exchange: PaperExchange, instrument: Instrument, price: Price) -> bool:
    """Plays a price on the nearest tick (half to even); False where that is none."""
    ticks = int((price.last / instrument.tick_size).to_integral_value(ROUND_HALF_EVEN))
    if ticks <= 0:
        return False
    tape = exchange.markets.tapes[price.symbol]
    assert isinstance(tape, LiveTape)  # noqa: S101 - the spec says that it is
    # Of several markets in one time order: no price comes before the one that was played last.
    tape.push(ticks, max(price.time_us, exchange.matching.time_us))
    exchange.markets.play(price.symbol)
    exchange.commits.ask()
    return True
