"""Past candles of an exchange, page by page: whole windows of time, so that what is missing is missing there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.ccxt_venue import convert, simulator
from opensqt.connector.ccxt_venue.exchanges import dialect_of
from opensqt.connector.ccxt_venue.public import PublicSession
from opensqt.connector.ccxt_venue.session import CallError
from opensqt.connector.venue import VenueError
from opensqt.engine.events import Remedy

WAITED_OUT = frozenset({Remedy.RETRY, Remedy.BACK_OFF, Remedy.HALT})
"""Failures after which the same page is asked for again, however long it takes."""
PAUSE = 2.0
PAGE_CANDLES = {
    Exchange.BINANCE: 1000,
    Exchange.BITGET: 200,
    Exchange.GATE: 1000,
    Exchange.OKX: 100,
    Exchange.BYBIT: 1000,
}
"""The most that each gives of its past in one answer."""


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices in quote currency, the volume in base currency; `time_ms` is when it opens."""

    time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class History:
    """Candles of one symbol. Raises `VenueError` where the exchange refuses."""

    def __init__(
        self, exchange: Exchange, symbol: str, interval: str, *, waiting: Callable[[str], None] = lambda _: None
    ) -> None:
        """`waiting` is told why nothing comes for a while."""
        self._session = PublicSession(dialect_of(exchange, MarketKind.of(symbol)), endpoint=simulator())
        self._symbol = symbol
        self._interval = interval
        self._page = PAGE_CANDLES[exchange]
        self._in_contracts = self._session.dialect.profile.candles_in_contracts
        self._waiting = waiting
        self.step_ms = 0

    async def open(self) -> int:
        """Its time in ms, as soon as it answers. Raises `ValueError` for a symbol or interval that it does not have."""
        await self._session.open()
        while not self._session.exchange.markets:
            self._waiting(self._session.health.message)
            await self._session.health_changed()
        market = self._session.exchange.markets.get(self._symbol)
        if market is None:
            raise ValueError(f"{self._session.dialect.profile.name} has no market {self._symbol!r}")
        if self._interval not in (self._session.exchange.timeframes or {}):
            known = ", ".join(self._session.exchange.timeframes or ())
            raise ValueError(
                f"{self._session.dialect.profile.name} has no candles of {self._interval!r}; it has {known}"
            )
        self.step_ms = int(self._session.exchange.parse_timeframe(self._interval)) * 1000
        return self._session.now_us() // 1000

    async def close(self) -> None:
        await self._session.close()

    async def pages(self, start_ms: int, end_ms: int) -> AsyncIterator[tuple[int, list[Candle]]]:
        """The candles that open from `start_ms` on and before `end_ms`, oldest first, with how far they reach."""
        while start_ms < end_ms:
            until_ms = min(end_ms, start_ms + self._page * self.step_ms)
            rows = await self._ask(start_ms, until_ms)
            candles = {int(row[0]): self._candle(row) for row in rows if start_ms <= int(row[0]) < until_ms}
            yield until_ms, [candles[time_ms] for time_ms in sorted(candles)]
            start_ms = until_ms

    async def _ask(self, start_ms: int, until_ms: int) -> list[list[Any]]:
        count = (until_ms - start_ms) // self.step_ms
        while True:
            try:
                rows: list[list[Any]] = await self._session.read(
                    lambda exchange: exchange.fetch_ohlcv(
                        self._symbol, self._interval, start_ms, count, {"until": until_ms - 1}
                    )
                )
            except CallError as error:
                if error.failure.remedy not in WAITED_OUT:
                    raise VenueError(error.failure) from None
                self._waiting(error.failure.message)
                await asyncio.sleep(max(PAUSE, error.failure.retry_after_ms / 1000))
            else:
                return rows

    def _candle(self, row: list[Any]) -> Candle:
        opened, high, low, close, volume = (Decimal(str(value or 0)) for value in row[1:6])
        if self._in_contracts:
            volume *= convert.contract_size(self._session.exchange.markets[self._symbol])
        return Candle(int(str(row[0])), opened, high, low, close, volume)
