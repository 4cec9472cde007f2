"""The venue's five kinds of streams, made of ccxt's watch calls."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import structlog

from opensqt.connector.ccxt_venue import convert
from opensqt.connector.ccxt_venue.dialect import Json, decimal
from opensqt.connector.ccxt_venue.fills import Fills
from opensqt.connector.ccxt_venue.funding import FundingHistory
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.ccxt_venue.watching import follow, merge
from opensqt.connector.venue import Gap, Kline, OrderUpdate, Position, Price, VenueFill
from opensqt.engine.events import OrderState

log = structlog.get_logger(__name__)

AUDIT_SECONDS = 20.0
"""So often the fills are read and compared with what the stream has told."""
FIRST_AUDIT_SECONDS = 3.0
"""After so long for the first time: what is filled while the stream is being subscribed nobody tells."""
LATE_US = 5_000_000
"""A fill that is older than this and was never told shows that the stream is dead, however well it answers pings."""
_SEEN_LIMIT = 20_000
_TOLD: Json = {}
"""In the place of what the exchange has sent of an order or trade that was dealt with: ccxt keeps hundreds of them, and
what was sent is the larger part of each. News of it brings the exchange's words again."""


class Streams:
    """Streams of one session; `market` finds a symbol's market. A symbol has one follower of each kind at a time."""

    def __init__(self, session: Session, fills: Fills, funding: FundingHistory, market: Callable[[str], Json]) -> None:
        self._session = session
        self._spot = session.dialect.profile.spot
        self._fills = fills
        self._funding = funding
        self._market = market

    async def prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        """Where a market is quiet, its last price again and again."""
        told: dict[str, Decimal] = {}
        source = follow(
            self._session,
            "ticker",
            lambda exchange: exchange.watch_tickers(list(symbols)),
            silence=self._session.dialect.profile.silence,
            quiet=lambda: self._unchanged(symbols, told),
        )
        async for tickers in source:
            if isinstance(tickers, Gap):
                yield tickers
                continue
            for ticker in tickers.values():
                price = convert.price_of(ticker, self._session.now_us()) if ticker["symbol"] in symbols else None
                if price is not None:
                    told[price.symbol] = price.last
                    yield price

    async def klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        """The candle under way at each of its changes, and once more as closed when the next one begins.

        A close that an interruption may have hidden shows as one more `Gap` instead.
        """
        dialect = self._session.dialect
        last: dict[str, list[Any]] = {}
        doubtful: set[str] = set()
        async for item in merge([self._candles(symbol, interval) for symbol in symbols]):
            if item is None:
                continue
            if isinstance(item, Gap):
                doubtful.update(last)
                yield item
                continue
            symbol, rows = item
            for row in rows:
                before = last.get(symbol)
                if before is not None and row[0] < before[0]:
                    continue
                if before is not None and row[0] > before[0] and symbol in doubtful:
                    yield Gap(f"ohlcv: a candle of {symbol} closed during the interruption")
                elif before is not None and row[0] > before[0]:
                    yield convert.kline_of(before, self._market(symbol), dialect, closed=True)
                doubtful.discard(symbol)
                last[symbol] = row
                yield convert.kline_of(row, self._market(symbol), dialect, closed=False)

    async def orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]:
        """Orders, fills, funding. A fill that the stream did not bring is read and sent, with a `Gap` after it."""
        followed = [source for symbol in symbols for source in self._sources(symbol)]
        seen: OrderedDict[str, None] = OrderedDict()
        since_us = self._session.now_us()
        async for item in merge([*followed, _audits()]):
            if isinstance(item, VenueFill):
                if _key(item) in seen:
                    continue
                _note(seen, item)
            if item is not None:
                yield item
                continue
            # Half the late time back, so that a fill at the edge of the last audit is seen by this one.
            missed, since_us = await self._missed(symbols, since_us - LATE_US, seen), self._session.now_us()
            for fill in missed:
                _note(seen, fill)
                yield fill
            if any(fill.time_us < since_us - LATE_US for fill in missed):
                log.warning("stream_missed_fills", count=len(missed))
                for name in ("order", "myTrades"):
                    await self._session.drop_streams(self._session.exchange, name)
                yield Gap("the order stream had missed fills")

    async def positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]:
        dialect = self._session.dialect
        async for positions in follow(
            self._session, "positions", lambda exchange: dialect.watch_positions(exchange, symbols)
        ):
            if isinstance(positions, Gap):
                yield positions
                continue
            for position in positions:
                if position["symbol"] in symbols:
                    yield convert.position_of(position, self._market(position["symbol"]), self._session.now_us())

    async def account_changes(self) -> AsyncIterator[bool | Gap]:
        """True whenever the exchange tells of a changed balance; most of these messages lack the equity."""
        async for changed in follow(self._session, "balance", lambda exchange: exchange.watch_balance()):
            yield changed if isinstance(changed, Gap) else True

    async def _unchanged(self, symbols: Sequence[str], told: Mapping[str, Decimal]) -> Json | None:
        """The tickers now; None where one differs from what the stream has told, or where nobody knows."""
        try:
            tickers: Json = await self._session.read(lambda exchange: exchange.fetch_tickers(list(symbols)))
        except CallError:
            return None
        now = {symbol: decimal(ticker.get("last")) for symbol, ticker in tickers.items()}
        return tickers if all(now.get(symbol) == price for symbol, price in told.items()) else None

    async def _candles(self, symbol: str, interval: str) -> AsyncIterator[tuple[str, list[list[Any]]] | Gap]:
        async for rows in follow(self._session, "ohlcv", lambda exchange: exchange.watch_ohlcv(symbol, interval)):
            yield rows if isinstance(rows, Gap) else (symbol, rows)

    def _sources(self, symbol: str) -> tuple[AsyncIterator[OrderUpdate | Gap], ...]:
        followed = self._orders(symbol), self._trades(symbol)
        return followed if self._spot else (*followed, self._funding.follow(symbol))

    async def _orders(self, symbol: str) -> AsyncIterator[OrderUpdate | Gap]:
        market = self._market(symbol)
        dialect = self._session.dialect
        told: OrderedDict[str, tuple[OrderState, Decimal]] = OrderedDict()
        async for orders in follow(self._session, "order", lambda exchange: dialect.watch_orders(exchange, symbol)):
            if isinstance(orders, Gap):
                yield orders
                continue
            for answer in orders:
                if answer["info"] is _TOLD:
                    continue
                order = convert.order_of(answer, market, dialect, self._session.now_us())
                answer["info"] = _TOLD
                self._fills.learn([order])
                if told.get(order.venue_id) != (order.state, order.filled):
                    told[order.venue_id] = (order.state, order.filled)
                    yield order
            while len(told) > _SEEN_LIMIT:
                told.popitem(last=False)

    async def _trades(self, symbol: str) -> AsyncIterator[OrderUpdate | Gap]:
        market = self._market(symbol)
        async for trades in follow(self._session, "myTrades", lambda exchange: exchange.watch_my_trades(symbol)):
            if isinstance(trades, Gap):
                yield trades
                continue
            fresh = [trade for trade in trades if trade["info"] is not _TOLD]
            try:
                fills = await self._fills.convert(symbol, market, fresh)
            except CallError as error:
                yield Gap(f"fills whose orders could not be looked up: {error.failure.message}")
                continue
            for trade in fresh:
                trade["info"] = _TOLD
            for fill in fills:
                yield fill

    async def _missed(self, symbols: Sequence[str], since_us: int, seen: Iterable[str]) -> list[VenueFill]:
        known = set(seen)
        missed: list[VenueFill] = []
        for symbol in symbols:
            try:
                fills = await self._fills.since(symbol, self._market(symbol), since_us)
            except CallError as error:
                log.info("audit_failed", symbol=symbol, message=error.failure.message)
                continue
            missed += [fill for fill in fills if _key(fill) not in known]
        return missed


async def _audits() -> AsyncIterator[None]:
    """Whenever an audit is due: by the clock, for a busy stream may keep something to itself as well."""
    await asyncio.sleep(min(FIRST_AUDIT_SECONDS, AUDIT_SECONDS))
    while True:
        yield None
        await asyncio.sleep(AUDIT_SECONDS)


def _key(fill: VenueFill) -> str:
    return f"{fill.symbol} {fill.trade_id}"


def _note(seen: OrderedDict[str, None], fill: VenueFill) -> None:
    seen[_key(fill)] = None
    if len(seen) > _SEEN_LIMIT:
        seen.popitem(last=False)
