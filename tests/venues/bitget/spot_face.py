"""Bitget spot on loopback, classic account. bitget.com/api-doc/spot.

What it does as documented and a bot could stumble over: a client id finds an order only as long as nothing of it is
filled and it is open, and no order is an empty list; neither open nor finished orders tell their time in force; market
buys are of a value; fees are negative in lists and positive on the stream; a batch's refusals have words and no code.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.venues.bitget import errors, records, spot_records
from tests.venues.bitget.face import BATCH, CLIENT_ID, BitgetFace
from tests.venues.bitget.spot_streams import SpotStreams
from tests.venues.core import Core
from tests.venues.faults import Operation
from tests.venues.listing import Force, Intent, Listing, Order
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.text import plain

Json = dict[str, Any]
LISTINGS = (
    Listing("BTCUSDT", "BTC", Decimal("0.01"), Decimal("0.000001"), Decimal(1), Decimal("0.000001"),
            maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), max_leverage=1, spot=True),
    Listing("ETHUSDT", "ETH", Decimal("0.01"), Decimal("0.0001"), Decimal(1), Decimal("0.0001"),
            maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), max_leverage=1, price=Decimal(3000), spot=True),
)  # fmt: skip
ROOT = "/api/v2/spot"
HISTORY_SPAN_MS = 90 * 24 * 3600 * 1000


class BitgetSpotFace(BitgetFace):
    def __init__(self) -> None:
        super().__init__(Core(LISTINGS, late_post_only=True))
        self.streams = SpotStreams(self.core, self.keys)

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route(
            "GET", "/api/v2/public/time", Operation.TIME, lambda _: {"serverTime": str(core.now_ms())}, signed=False
        )
        yield Route("GET", f"{ROOT}/public/symbols", Operation.INSTRUMENTS, self._symbols, signed=False)
        yield Route("GET", "/api/v2/margin/currencies", Operation.INSTRUMENTS, lambda _: [], signed=False)
        yield Route("GET", f"{ROOT}/market/candles", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", f"{ROOT}/market/history-candles", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", f"{ROOT}/market/tickers", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", f"{ROOT}/account/info", Operation.KEY, self._key_info)
        yield Route("GET", "/api/v2/common/trade-rate", Operation.FEES, self._fees)
        yield Route("GET", f"{ROOT}/account/assets", Operation.BALANCE, lambda _: spot_records.assets(core))
        yield Route("POST", f"{ROOT}/trade/place-order", Operation.PLACE, self._place, trading=True)
        yield Route("POST", f"{ROOT}/trade/batch-orders", Operation.PLACE, self._place_batch, trading=True)
        yield Route("POST", f"{ROOT}/trade/cancel-order", Operation.CANCEL, self._cancel, trading=True)
        yield Route("POST", f"{ROOT}/trade/batch-cancel-order", Operation.CANCEL, self._cancel_batch, trading=True)
        yield Route("POST", f"{ROOT}/trade/cancel-symbol-order", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("GET", f"{ROOT}/trade/orderInfo", Operation.ORDER, self._order_info)
        yield Route("GET", f"{ROOT}/trade/unfilled-orders", Operation.OPEN_ORDERS, self._unfilled)
        yield Route("GET", f"{ROOT}/trade/history-orders", Operation.FINISHED_ORDERS, self._finished)
        yield Route("GET", f"{ROOT}/trade/fills", Operation.FILLS, self._fills)

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        status, code, message = errors.SPOT_CODES[refusal.reason]
        return status, {"code": code, "msg": message, "requestTime": self.core.now_ms(), "data": None}

    # --- market and account ---

    def _symbols(self, _: Call) -> Any:
        return [spot_records.symbol(listing) for listing in self.core.listings.values()]

    def _candles(self, call: Call) -> Any:
        """Oldest first."""
        listing = self._listing(call)
        if call.text_of("granularity") != "1min":
            raise RefusalError(Reason.BAD_PARAMETER, "granularity")
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        rows = [row for row in self.core.candles[listing.id] if start <= row.open_ms <= end]
        return [spot_records.candle(row) for row in rows[-call.count_of("limit", 100) :]]

    def _tickers(self, call: Call) -> Any:
        listings = [self._listing(call)] if call.text_of("symbol") else list(self.core.listings.values())
        return [spot_records.ticker(self.core, listing) | {"symbol": listing.id} for listing in listings]

    def _key_info(self, call: Call) -> Any:
        key = self.authenticate(call)
        rights = ["stor", "cpor", *(["stow"] if key.may_trade else []), *(["wwow"] if key.may_withdraw else [])]
        return super()._key_info(call) | {"authorities": rights}

    def _fees(self, call: Call) -> Any:
        if call.text_of("businessType") != "spot":
            raise RefusalError(Reason.BAD_PARAMETER, "businessType")
        listing = self._listing(call)
        return {"makerFeeRate": plain(listing.maker_fee), "takerFeeRate": plain(listing.taker_fee)}

    # --- orders ---

    def _cancel_batch(self, call: Call) -> Any:
        common = {"symbol": call.text_of("symbol")}
        return self._each(
            call.params.get("orderList"),
            lambda item: self.core.cancel(self._find(common | item, Reason.NOT_CANCELLABLE)),
        )

    def _cancel_all(self, call: Call) -> Any:
        listing = self._listing(call)
        self.core.cancel_all(listing)
        return {"symbol": listing.id}

    @staticmethod
    def _each(requests: Any, carry_out: Callable[[Json], Order]) -> Json:
        if not isinstance(requests, list) or not 1 <= len(requests) <= BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        taken, refused = [], []
        for item in requests:
            try:
                order = carry_out(item)
                taken.append({"orderId": records.order_id(order), "clientOid": order.client_id})
            except RefusalError as refusal:
                message = errors.SPOT_CODES[refusal.reason][2]
                refused.append({"orderId": "", "clientOid": item.get("clientOid", ""), "errorMsg": message})
        return {"successList": taken, "failureList": refused}

    def _intent(self, params: Json) -> Intent:
        kind, client_id = params.get("orderType"), str(params.get("clientOid") or "")
        force = str(params.get("force") or "gtc").lower()
        if kind not in {"limit", "market"} or params.get("side") not in {"buy", "sell"} or force not in records.FORCES:
            raise RefusalError(Reason.BAD_PARAMETER, "orderType, side or force")
        if {"marginMode", "productType", "reduceOnly", "tradeSide", "loanType"} & params.keys():
            raise RefusalError(Reason.BAD_PARAMETER, "not a parameter of spot")
        if client_id and not CLIENT_ID.fullmatch(client_id):
            raise RefusalError(Reason.BAD_PARAMETER, "clientOid")
        if kind == "market" and params["side"] == "buy":
            raise RefusalError(Reason.BAD_PARAMETER, "a market buy is of a value, which this simulator does not take")
        try:
            price = Decimal(str(params["price"])) if kind == "limit" else None
            quantity = Decimal(str(params["size"]))
        except (KeyError, InvalidOperation) as error:
            raise RefusalError(Reason.BAD_PARAMETER, "price or size") from error
        listing = self.core.listing(str(params.get("symbol")))
        chosen = records.FORCES[force] if kind == "limit" else Force.GTC
        return Intent(listing, client_id, params["side"] == "buy", price, quantity, chosen)

    def _find(self, params: Json, reason: Reason) -> Order:
        number = records.number_of(str(params["orderId"])) if params.get("orderId") else ""
        order = self.core.find(number, str(params.get("clientOid") or ""), reason)
        if order.listing is not self.core.listing(str(params.get("symbol"))):
            raise RefusalError(reason)
        return order

    def _order_info(self, call: Call) -> Any:
        """By id whatever its state; by client id only before any fill."""
        if call.text_of("orderId"):
            order = self.core.orders.get(int(records.number_of(call.text_of("orderId"))))
        else:
            order = self.core.by_client_id(call.text_of("clientOid"))
            order = order if order is not None and order.open and not order.filled else None
        return [] if order is None else [spot_records.order(order)]

    def _unfilled(self, call: Call) -> Any:
        return self._older(call, [spot_records.unfilled(order) for order in self.core.open_orders()], "orderId")

    def _finished(self, call: Call) -> Any:
        over = [order for order in self.core.orders.values() if not order.open]
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        chosen = [order for order in over if start <= order.created_ms <= end]
        return self._older(call, [spot_records.order(order) for order in chosen], "orderId")

    def _fills(self, call: Call) -> Any:
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        if {"startTime", "endTime"} <= call.params.keys() and end - start > HISTORY_SPAN_MS:
            raise RefusalError(Reason.BAD_PARAMETER, "startTime and endTime are more than 90 days apart")
        self._listing(call)
        fills = [spot_records.fill(trade) for trade in self.core.trades if start <= trade.time_ms <= end]
        if call.text_of("orderId"):
            fills = [fill for fill in fills if fill["orderId"] == call.text_of("orderId")]
        return self._older(call, fills, "tradeId")

    @staticmethod
    def _older(call: Call, items: list[Json], id_name: str) -> list[Json]:
        return call.older(items, cursor="idLessThan", id_name=id_name, symbol="symbol")

    def _listing(self, call: Call) -> Listing:
        return self.core.listing(call.text_of("symbol"))
