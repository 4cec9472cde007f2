"""All fills of a symbol since a time, each with its client id, whatever the exchange's pages and longest span are."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from opensqt.connector.ccxt_venue import convert
from opensqt.connector.ccxt_venue.dialect import Json, decimal
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.ccxt_venue.shared_reads import SharedReads
from opensqt.connector.venue import VenueFill, VenueOrder
from opensqt.engine.events import Remedy

_KNOWN_LIMIT = 20_000
_AHEAD_MS = 2_000
"""So much further than now is read: the exchange's clock is known only roughly."""
_RECENT_US = 600_000_000
"""Who asks for no older fills shares one reading: nobody waits for another's week."""


class Fills:
    """Reads fills; remembers which order of the exchange is which of ours."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.dialect
        self._client_ids: OrderedDict[str, str] = OrderedDict()
        self._recent = SharedReads(self._read_recent)
        self._recent_since: dict[str, int] = {}
        """What the oldest is of all that the next reading is for, by symbol."""

    def learn(self, orders: Iterable[object]) -> None:
        """Notes the two ids of every order that passes."""
        for order in orders:
            if isinstance(order, VenueOrder) and order.venue_id and order.client_id:
                self._note(order.venue_id, order.client_id)

    async def of_order(self, symbol: str, market: Json, order: VenueOrder, created_us: int) -> list[VenueFill]:
        """All fills of one order, oldest first; `created_us` is when it was placed, 0 where that is not known."""
        if not order.filled:
            return []
        trades = await self._session.read(lambda exchange: self._dialect.order_trades(exchange, symbol, order.venue_id))
        mine = [trade for trade in trades if str(trade.get("order") or order.venue_id) == order.venue_id]
        fills = _sorted(convert.fill_of(trade, market, order.client_id, self._dialect) for trade in mine)
        if created_us and sum(fill.quantity for fill in fills) < order.filled:
            # Not there yet: read again by time.
            every = await self.since(symbol, market, created_us)
            fills = [fill for fill in every if fill.client_id == order.client_id]
        return fills

    async def since(self, symbol: str, market: Json, since_us: int) -> list[VenueFill]:
        """Oldest first, from `since_us` to now."""
        if since_us < self._session.now_us() - _RECENT_US:
            trades = await self._read(symbol, since_us)
        else:
            self._recent_since[symbol] = min(since_us, self._recent_since.get(symbol, since_us))
            trades = await self._recent.get(symbol)
        return await self.convert(
            symbol, market, [trade for trade in trades if (trade["timestamp"] or 0) * 1000 >= since_us]
        )

    async def _read_recent(self, symbol: str) -> list[Json]:
        return await self._read(symbol, self._recent_since.pop(symbol))

    async def _read(self, symbol: str, since_us: int) -> list[Json]:
        """ccxt's trades."""
        now_ms = self._session.now_us() // 1000 + _AHEAD_MS
        start = since_us // 1000
        span = self._dialect.profile.fills_window_ms
        trades: dict[str, Json] = {}
        while start < now_ms:
            end = min(start + span, now_ms)
            for trade in await self._between(symbol, start, end):
                trades[str(trade["id"])] = trade
            start = end
        return list(trades.values())

    async def convert(self, symbol: str, market: Json, trades: Iterable[Json]) -> list[VenueFill]:
        """ccxt's trades with their client ids, which some exchanges leave out; oldest first."""
        chosen = [trade for trade in trades if self._counts(trade)]
        ids = [self._known(trade) for trade in chosen]
        if not all(ids):
            ids = await asyncio.gather(*(self._client_id(symbol, market, trade) for trade in chosen))
        return _sorted(
            convert.fill_of(trade, market, client_id, self._dialect)
            for trade, client_id in zip(chosen, ids, strict=True)
        )

    def _counts(self, trade: Json) -> bool:
        return bool(decimal(trade.get("amount"))) and self._dialect.is_fill(trade.get("info") or {})

    async def _between(self, symbol: str, start: int, end: int) -> list[Json]:
        """A full page may have lost some: both halves of the span are then asked for."""
        limit, step = self._dialect.profile.fills_page, self._dialect.profile.fills_step_ms
        until = -(-end // step) * step
        page: list[Json] = await self._session.read(
            lambda exchange: exchange.fetch_my_trades(symbol, start, limit, {"until": until})
        )
        if len(page) < limit or end - start <= step:  # more at one time are told with their order
            return page
        middle = (start + end) // 2
        return [*await self._between(symbol, start, middle), *await self._between(symbol, middle, end)]

    def _known(self, trade: Json) -> str:
        """Empty where somebody must be asked."""
        told = self._dialect.trade_client_id(trade.get("info") or {})
        return told or self._client_ids.get(str(trade.get("order") or ""), "")

    async def _client_id(self, symbol: str, market: Json, trade: Json) -> str:
        venue_id, told = str(trade.get("order") or ""), self._known(trade)
        if told or not venue_id:
            return told
        try:
            found = await self._session.read(
                lambda exchange: self._dialect.order_by_venue_id(exchange, symbol, venue_id)
            )
        except CallError as error:
            if error.failure.remedy is Remedy.UNKNOWN_ORDER:
                return ""  # long gone, and none of ours: ours are looked up while they live
            raise
        client_id = convert.order_of(found, market, self._dialect, 0).client_id
        self._note(venue_id, client_id)
        return client_id

    def _note(self, venue_id: str, client_id: str) -> None:
        self._client_ids[venue_id] = client_id
        self._client_ids.move_to_end(venue_id)
        if len(self._client_ids) > _KNOWN_LIMIT:
            self._client_ids.popitem(last=False)


def _sorted(fills: Iterable[VenueFill]) -> list[VenueFill]:
    return sorted(fills, key=lambda fill: (fill.time_us, fill.trade_id))
