"""Bitget USDT futures on loopback, classic account, one-way mode and cross margin. bitget.com/api-doc/contract.

What it does as documented and a bot could stumble over: a batch answers with two lists, of what was taken and what was
not; placing and cancelling answer with ids alone; fills carry no client id; flat positions are left out. What a
crossing post-only order meets with is not documented: here it is taken, and cancelled like any other.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import unquote

from opensqt.api.exchange import Exchange
from tests.venues.bitget import errors, records
from tests.venues.bitget.streams import PRODUCT, Streams
from tests.venues.changes import Change
from tests.venues.core import Core
from tests.venues.faults import Operation
from tests.venues.keys import Key
from tests.venues.listing import Force, Intent, Listing, Order
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.server import Face
from tests.venues.sockets import Connection
from tests.venues.text import plain

Json = dict[str, Any]
LISTINGS = (
    Listing(
        "BTCUSDT", "BTC", Decimal("0.1"), Decimal("0.0001"), Decimal(5), Decimal("0.0001"),
        taker_fee=Decimal("0.0006"), max_leverage=125,
    ),
    Listing("ETHUSDT", "ETH", Decimal("0.01"), Decimal("0.01"), Decimal(5), Decimal("0.01"), price=Decimal(3000)),
)  # fmt: skip
BATCH = 50
WINDOW_MS = 30_000
FILLS_SPAN_MS = 7 * 24 * 3600 * 1000
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,32}")
ROOT = "/api/v2/mix"


class BitgetFace(Face):
    exchange: ClassVar[Exchange] = Exchange.BITGET

    def __init__(self, core: Core | None = None) -> None:
        super().__init__(core or Core(LISTINGS, late_post_only=True))
        self.streams = Streams(self.core, self.keys)

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route(
            "GET", "/api/v2/public/time", Operation.TIME, lambda _: {"serverTime": str(core.now_ms())}, signed=False
        )
        yield Route("GET", f"{ROOT}/market/contracts", Operation.INSTRUMENTS, self._contracts, signed=False)
        yield Route("GET", f"{ROOT}/market/candles", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", f"{ROOT}/market/history-candles", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", f"{ROOT}/market/ticker", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", f"{ROOT}/market/tickers", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", "/api/v2/spot/account/info", Operation.KEY, self._key_info)
        yield Route("GET", f"{ROOT}/account/bill", Operation.FUNDING, self._bills)
        yield Route("GET", "/api/v2/common/trade-rate", Operation.FEES, self._fees)
        yield Route("GET", f"{ROOT}/account/accounts", Operation.BALANCE, lambda _: [records.account(core)])
        yield Route("GET", f"{ROOT}/account/account", Operation.MODE, self._account)
        yield Route("POST", f"{ROOT}/account/set-leverage", Operation.LEVERAGE, self._set_leverage, trading=True)
        yield Route("GET", f"{ROOT}/position/all-position", Operation.POSITIONS, self._positions)
        yield Route("GET", f"{ROOT}/position/single-position", Operation.POSITIONS, self._positions)
        yield Route("POST", f"{ROOT}/order/place-order", Operation.PLACE, self._place, trading=True)
        yield Route("POST", f"{ROOT}/order/batch-place-order", Operation.PLACE, self._place_batch, trading=True)
        yield Route("POST", f"{ROOT}/order/cancel-order", Operation.CANCEL, self._cancel, trading=True)
        yield Route("POST", f"{ROOT}/order/batch-cancel-orders", Operation.CANCEL, self._cancel_batch, trading=True)
        yield Route("POST", f"{ROOT}/order/cancel-all-orders", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("GET", f"{ROOT}/order/detail", Operation.ORDER, self._detail)
        yield Route("GET", f"{ROOT}/order/orders-pending", Operation.OPEN_ORDERS, self._pending)
        yield Route("GET", f"{ROOT}/order/orders-history", Operation.FINISHED_ORDERS, self._history)
        yield Route("GET", f"{ROOT}/order/fills", Operation.FILLS, self._fills)
        yield Route("GET", f"{ROOT}/order/fill-history", Operation.FILLS, self._fills)

    # --- what Bitget says in its own way ---

    def authenticate(self, call: Call) -> Key:
        """Signature: HMAC SHA256 of timestamp, method, path with query, and body, in Base64."""
        headers = call.headers
        key = self.keys.get(headers.get("ACCESS-KEY", ""))
        if key is None:
            raise RefusalError(Reason.BAD_KEY)
        stamp = headers.get("ACCESS-TIMESTAMP", "")
        if not stamp.isdigit() or abs(int(stamp) - self.core.now_ms()) > WINDOW_MS:
            raise RefusalError(Reason.CLOCK_SKEW)
        target = call.path + (f"?{unquote(call.query)}" if call.query else "")
        signed = hmac.new(key.secret.encode(), f"{stamp}{call.method}{target}{call.text}".encode(), hashlib.sha256)
        if not hmac.compare_digest(headers.get("ACCESS-SIGN", ""), base64.b64encode(signed.digest()).decode()):
            raise RefusalError(Reason.BAD_SIGNATURE)
        if headers.get("ACCESS-PASSPHRASE") != key.passphrase:
            raise RefusalError(Reason.BAD_PASSPHRASE)
        return key

    def envelope(self, call: Call, result: Any) -> Any:
        return {"code": "00000", "msg": "success", "requestTime": self.core.now_ms(), "data": result}

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        status, code, message = errors.CODES[refusal.reason]
        return status, {"code": code, "msg": message, "requestTime": self.core.now_ms(), "data": None}

    def rate_headers(self, call: Call) -> dict[str, str]:
        return {"x-mbx-used-remain-limit": str(self.meter.left)}

    def pause_headers(self, seconds: int) -> dict[str, str]:
        return {"x-mbx-used-remain-limit": "0"}

    async def opened(self, connection: Connection) -> bool:
        self.streams.keys = self.keys
        return connection.path in {"/v2/ws/public", "/v2/ws/private"}

    async def said(self, connection: Connection, text: str) -> None:
        await self.streams.said(connection, text)

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        return self.streams.news(connection, change)

    # --- market and account ---

    def _contracts(self, call: Call) -> Any:
        if call.text_of("productType") != PRODUCT:
            return []
        return [records.contract(listing) for listing in self.core.listings.values()]

    def _candles(self, call: Call) -> Any:
        """Oldest first."""
        listing = self._listing(call)
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        rows = [row for row in self.core.candles[listing.id] if start <= row.open_ms <= end]
        return [records.candle(row) for row in rows[-call.count_of("limit", 100) :]]

    def _tickers(self, call: Call) -> Any:
        listings = [self._listing(call)] if call.text_of("symbol") else list(self.core.listings.values())
        return [records.ticker(self.core, listing) for listing in listings]

    def _key_info(self, call: Call) -> Any:
        key = self.authenticate(call)
        rights = ["coor", "cpor", *(["coow", "cpow"] if key.may_trade else []), *(["wwow"] if key.may_withdraw else [])]
        return {
            "userId": "1", "inviterId": "", "channelCode": "", "channel": "", "ips": ",".join(key.addresses),
            "authorities": rights, "parentId": 1, "traderType": "not_trader", "regisTime": "1246566789345",
        }  # fmt: skip

    def _bills(self, call: Call) -> Any:
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        wanted = call.text_of("businessType") in {"", "contract_settle_fee"}
        bills = [records.funding(each) for each in self.core.fundings if wanted and start <= each.time_ms <= end]
        chosen = self._older(call, bills, "billId")
        return {"bills": chosen or None, "endId": chosen[-1]["billId"] if chosen else None}

    def _fees(self, call: Call) -> Any:
        if call.text_of("businessType") != "mix":
            raise RefusalError(Reason.BAD_PARAMETER, "businessType")
        listing = self.core.listing(call.text_of("symbol"))
        return {"makerFeeRate": plain(listing.maker_fee), "takerFeeRate": plain(listing.taker_fee)}

    def _account(self, call: Call) -> Any:
        listing = self._listing(call)
        lever = self.core.holding(listing).leverage
        return records.account(self.core) | {
            "posMode": "hedge_mode" if self.core.hedged else "one_way_mode", "marginMode": "crossed",
            "crossedMarginLeverage": lever, "isolatedLongLever": lever, "isolatedShortLever": lever,
        }  # fmt: skip

    def _set_leverage(self, call: Call) -> Any:
        listing = self._listing(call)
        if call.text_of("marginCoin") != listing.quote:
            raise RefusalError(Reason.BAD_PARAMETER, "marginCoin")
        self.core.set_leverage(listing, call.count_of("leverage", 0))
        lever = str(self.core.holding(listing).leverage)
        return {"symbol": listing.id, "marginCoin": listing.quote, "longLeverage": lever, "shortLeverage": lever,
                "crossMarginLeverage": lever, "marginMode": "crossed"}  # fmt: skip

    def _positions(self, call: Call) -> Any:
        listings = [self._listing(call)] if call.text_of("symbol") else list(self.core.listings.values())
        held = [self.core.position(listing) for listing in listings]
        return [records.position(position, self.core.now_ms()) for position in held if position.quantity]

    # --- orders ---

    def _place(self, call: Call) -> Any:
        return _ids(self.core.place(self._intent(call.params)))

    def _place_batch(self, call: Call) -> Any:
        common = {name: value for name, value in call.params.items() if name != "orderList"}
        return self._each(call.params.get("orderList"), lambda item: self.core.place(self._intent(common | item)))

    def _cancel(self, call: Call) -> Any:
        return _ids(self.core.cancel(self._find(call.params, Reason.NOT_CANCELLABLE)))

    def _cancel_batch(self, call: Call) -> Any:
        """Without a list all of the symbol's."""
        if "orderIdList" not in call.params:
            return self._cancel_all(call)
        common = {"symbol": call.text_of("symbol"), "productType": call.text_of("productType")}
        return self._each(
            call.params.get("orderIdList"),
            lambda item: self.core.cancel(self._find(common | item, Reason.NOT_CANCELLABLE)),
        )

    def _cancel_all(self, call: Call) -> Any:
        listing = self._listing(call) if call.text_of("symbol") else None
        return {"successList": [_ids(order) for order in self.core.cancel_all(listing)], "failureList": []}

    @staticmethod
    def _each(requests: Any, carry_out: Callable[[Json], Order]) -> Json:
        if not isinstance(requests, list) or not 1 <= len(requests) <= BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        taken, refused = [], []
        for item in requests:
            try:
                taken.append(_ids(carry_out(item)))
            except RefusalError as refusal:
                _, code, message = errors.CODES[refusal.reason]
                refused.append({"orderId": "", "clientOid": item.get("clientOid", ""), "errorMsg": message,
                                "errorCode": code})  # fmt: skip
        return {"successList": taken, "failureList": refused}

    def _intent(self, params: Json) -> Intent:
        kind, client_id = params.get("orderType"), str(params.get("clientOid") or "")
        force = str(params.get("force") or "gtc").lower()
        if kind not in {"limit", "market"} or params.get("side") not in {"buy", "sell"} or force not in records.FORCES:
            raise RefusalError(Reason.BAD_PARAMETER, "orderType, side or force")
        if params.get("marginMode") not in {"crossed", "isolated"} or params.get("marginCoin") != "USDT":
            raise RefusalError(Reason.BAD_PARAMETER, "marginMode or marginCoin")
        if params.get("productType") != PRODUCT or (client_id and not CLIENT_ID.fullmatch(client_id)):
            raise RefusalError(Reason.BAD_PARAMETER, "productType or clientOid")
        if params.get("tradeSide"):
            raise RefusalError(Reason.POSITION_MODE)
        try:
            price = Decimal(str(params["price"])) if kind == "limit" else None
            quantity = Decimal(str(params["size"]))
        except (KeyError, InvalidOperation) as error:
            raise RefusalError(Reason.BAD_PARAMETER, "price or size") from error
        return Intent(
            listing=self.core.listing(str(params.get("symbol"))),
            client_id=client_id,
            buy=params["side"] == "buy",
            price=price,
            quantity=quantity,
            force=records.FORCES[force] if kind == "limit" else Force.GTC,
            reduce_only=params.get("reduceOnly") == "YES",
        )

    def _find(self, params: Json, reason: Reason) -> Order:
        number = records.number_of(str(params["orderId"])) if params.get("orderId") else ""
        order = self.core.find(number, str(params.get("clientOid") or ""), reason)
        if order.listing is not self.core.listing(str(params.get("symbol"))) or params.get("productType") != PRODUCT:
            raise RefusalError(reason)
        return order

    def _detail(self, call: Call) -> Any:
        return records.order(self._find(call.params, Reason.UNKNOWN_ORDER), detail=True)

    def _pending(self, call: Call) -> Any:
        return self._orders(call, self.core.open_orders())

    def _history(self, call: Call) -> Any:
        return self._orders(call, [order for order in self.core.orders.values() if not order.open])

    def _orders(self, call: Call, orders: list[Order]) -> Any:
        shown = [records.order(order) for order in orders]
        chosen = self._older(call, shown, "orderId")
        return {"entrustedList": chosen or None, "endId": chosen[-1]["orderId"] if chosen else None}

    def _fills(self, call: Call) -> Any:
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        if {"startTime", "endTime"} <= call.params.keys() and end - start > FILLS_SPAN_MS:
            raise RefusalError(Reason.BAD_PARAMETER, "startTime and endTime are more than 7 days apart")
        fills = [records.fill(trade) for trade in self.core.trades if start <= trade.time_ms <= end]
        if call.text_of("orderId"):
            fills = [fill for fill in fills if fill["orderId"] == call.text_of("orderId")]
        chosen = self._older(call, fills, "tradeId")
        return {"fillList": chosen or None, "endId": chosen[-1]["tradeId"] if chosen else None}

    @staticmethod
    def _older(call: Call, items: list[Json], id_name: str) -> list[Json]:
        if call.text_of("productType") != PRODUCT:
            raise RefusalError(Reason.BAD_PARAMETER, "productType")
        return call.older(items, cursor="idLessThan", id_name=id_name, symbol="symbol")

    def _listing(self, call: Call) -> Listing:
        if call.text_of("productType") != PRODUCT:
            raise RefusalError(Reason.BAD_PARAMETER, "productType")
        return self.core.listing(call.text_of("symbol"))


def _ids(order: Order) -> Json:
    return {"orderId": records.order_id(order), "clientOid": order.client_id}
