"""Gate's WebSocket of spot. gate.com/docs/developers/apiv4/ws: as that of perpetuals, without the user id."""

from collections.abc import Iterable
from typing import Any

from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.gate import spot_records
from tests.venues.gate.streams import Streams
from tests.venues.sockets import Connection


class SpotStreams(Streams):
    prefix = "spot"
    private = frozenset({"spot.orders", "spot.usertrades", "spot.balances"})
    by_user = False

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        core = self._core

        def wants(channel: str, pair: str) -> bool:
            return bool(connection.topics.keys() & {(channel, pair), (channel, "!all")})

        if isinstance(change, OrderChanged):
            pair = change.order.listing.id
            if wants("spot.orders", pair):
                yield self._update("spot.orders", [spot_records.order_push(change.order, change.trade)])
            if change.trade is not None and wants("spot.usertrades", pair):
                yield self._update("spot.usertrades", [spot_records.trade_push(change.trade)])
        elif isinstance(change, AccountChanged) and wants("spot.balances", "!all"):
            yield self._update("spot.balances", spot_records.balances_push(core))
        elif isinstance(change, PriceChanged) and wants("spot.tickers", change.listing.id):
            yield self._update("spot.tickers", spot_records.ticker(core, change.listing))
        elif isinstance(change, CandleChanged) and wants("spot.candlesticks", f"1m_{change.listing.id}"):
            yield self._update("spot.candlesticks", spot_records.candle_push(change.candle, change.listing))
