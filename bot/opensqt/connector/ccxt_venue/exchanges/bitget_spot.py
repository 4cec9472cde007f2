"""Bitget spot, classic account. Codes: bitget.com/api-doc/common/error-code/restapi."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Json, Rejection, decimal
from opensqt.connector.ccxt_venue.exchanges.bitget import CODES, Bitget
from opensqt.connector.ccxt_venue.spot import Spot
from opensqt.connector.venue import VenueOrder
from opensqt.engine.actions import TimeInForce
from opensqt.engine.events import Remedy

SPOT_CODES = CODES | {
    "40708": Remedy.DUPLICATE,
    "43118": Remedy.DUPLICATE,
    "45034": Remedy.DUPLICATE,
    "50060": Remedy.DUPLICATE,
    "43025": Remedy.UNKNOWN_ORDER,
}
_WORDS = {"duplicate": "43118", "nsufficient": "43012", "not exist": "43001"}
"""A batch's refusals may come without a code."""
_KNOWN_LIMIT = 20_000


class BitgetSpot(Spot, Bitget):
    profile = replace(
        Bitget.profile,
        codes=SPOT_CODES,
        spot=True,
        market_buys_by_value=True,
        forgets_client_ids=True,
        options={"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot", "uta": False},
        funding_window_ms=0,
        weaknesses=(
            "classic accounts only, no unified trading account yet",
            "an order answers to its client id until its first fill; later open and the last 500 finished are searched",
            "a post-only order that is cancelled unfilled within 100 ms is taken for one that would have crossed",
            "after a restart only the stream tells that an order was post-only",
        ),
    )
    trading_rights = frozenset({"trade", "stow"})

    def __init__(self) -> None:
        self._placed: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        """The exchange's id of each client id, and whether it is post-only: no look-up tells."""

    def accepted(self, order: VenueOrder) -> None:
        self._placed[order.client_id] = order.venue_id, order.time_in_force is TimeInForce.POST_ONLY
        if len(self._placed) > _KNOWN_LIMIT:
            self._placed.popitem(last=False)

    def adapt(self, exchange: Any) -> None:
        parse = exchange.parse_order

        def parse_order(order: Json, market: Any = None) -> Any:
            # ccxt reads the fees as JSON, and before the first fill they are none. Fees are told with the fills.
            parsed = parse({name: value for name, value in order.items() if name != "feeDetail"}, market)
            _, post_only = self._placed.get(str(order.get("clientOid")), ("", False))
            return parsed | {"postOnly": post_only or parsed.get("postOnly")}

        exchange.parse_order = parse_order

    def rejection(self, info: Json) -> Rejection | None:
        found = super().rejection(info)
        if found is None or found.code:
            return found
        return Rejection(next((code for words, code in _WORDS.items() if words in found.message), ""), found.message)

    def fee(self, info: Json) -> Any:
        # Negative in lists and positive on the stream; there are no rebates.
        details = info.get("feeDetail")
        details = [details] if isinstance(details, dict) else details or []
        return sum((abs(decimal(detail.get("totalFee"))) for detail in details), Decimal(0))

    def post_only_rejected(self, info: Json) -> bool:
        _, post_only = self._placed.get(str(info.get("clientOid")), ("", False))
        return super().post_only_rejected(info | {"force": info.get("force") or ("post_only" if post_only else "")})

    async def find_order(self, exchange: Any, symbol: str, client_id: str) -> Json:
        venue_id, _ = self._placed.get(client_id, ("", False))
        if venue_id:
            return await self.order_by_venue_id(exchange, symbol, venue_id)
        return await super().find_order(exchange, symbol, client_id)

    async def newest_orders(self, exchange: Any, symbol: str) -> list[Json]:
        # The open ones first: what ends in between is then among the finished ones as well.
        still_open = await self.open_orders(exchange, symbol)
        finished = await self.newest_finished(exchange.fetch_canceled_and_closed_orders, symbol)
        return [*finished, *still_open]

    async def cancel_many(self, exchange: Any, symbol: str, client_ids: Sequence[str]) -> None:
        market = exchange.market(symbol)
        await exchange.privateSpotPostV2SpotTradeBatchCancelOrder(
            {"symbol": market["id"], "orderList": [{"clientOid": client_id} for client_id in client_ids]}
        )
