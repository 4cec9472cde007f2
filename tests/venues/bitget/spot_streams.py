"""Bitget's WebSockets of spot. bitget.com/api-doc/spot/websocket: orders are followed pair by pair."""

from collections.abc import Iterable
from typing import Any

from tests.venues.bitget import spot_records
from tests.venues.bitget.streams import Streams
from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.sockets import Connection

Json = dict[str, Any]


class SpotStreams(Streams):
    product = "SPOT"
    private = frozenset({"orders", "fill", "account"})

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        core, topics = self._core, connection.topics
        if isinstance(change, OrderChanged):
            pair = change.order.listing.id
            if ("orders", pair) in topics:
                yield self._pushed("orders", pair, [spot_records.order_push(change.order, change.trade)])
            if change.trade is not None and ("fill", "default") in topics:
                yield self._pushed("fill", "default", [spot_records.fill_push(change.trade)])
        elif isinstance(change, AccountChanged):
            if ("account", "default") in topics:
                yield self._account()
        elif isinstance(change, PriceChanged) and ("ticker", change.listing.id) in topics:
            yield self._pushed("ticker", change.listing.id, [spot_records.ticker(core, change.listing)])
        elif isinstance(change, CandleChanged) and ("candle1m", change.listing.id) in topics:
            yield self._pushed("candle1m", change.listing.id, [spot_records.candle(change.candle)], action="update")

    def _known(self, channel: str, of: str) -> bool:
        return of == "default" if channel in {"fill", "account"} else of in self._core.listings

    async def _snapshot(self, connection: Connection, channel: str, of: str) -> None:
        core = self._core
        if channel == "ticker":
            await connection.push(self._pushed(channel, of, [spot_records.ticker(core, core.listing(of))]))
        elif channel == "account":
            await connection.push(self._account())
        elif channel == "candle1m":
            await connection.push(self._pushed(channel, of, [spot_records.candle(row) for row in core.candles[of]]))

    def _balance(self) -> list[Json]:
        return spot_records.assets(self._core)
