"""Binance spot on loopback.

github.com/binance/binance-spot-api-docs: rest-api, web-socket-api, user-data-stream, errors.

What it does as documented and a bot could stumble over: there are no batches, neither of orders nor of cancels; most
refusals of the matching engine have one code and differ in their words; a cancel has a client id of its own, which
takes the order's place in the answer and on the stream; trades are told for a day at a time and carry no client id;
the user data stream is subscribed to by a signed request on the WebSocket API.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.venues.binance import errors, spot_records, streams
from tests.venues.binance.face import BinanceFace
from tests.venues.changes import Change
from tests.venues.core import Core, Uniqueness
from tests.venues.faults import Operation
from tests.venues.listing import Force, Intent, Listing
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.sockets import Connection
from tests.venues.text import plain

LISTINGS = (
    Listing("BTCUSDT", "BTC", Decimal("0.01"), Decimal("0.00001"), Decimal(5), Decimal("0.00001"), Decimal(9000),
            maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), max_leverage=1, spot=True),
    Listing("ETHUSDT", "ETH", Decimal("0.01"), Decimal("0.0001"), Decimal(5), Decimal("0.0001"), Decimal(9000),
            maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), max_leverage=1, price=Decimal(3000), spot=True),
)  # fmt: skip
TRADES_SPAN_MS = 24 * 3600 * 1000
USER_DATA = "userDataStream"


class BinanceSpotFace(BinanceFace):
    def __init__(self) -> None:
        super().__init__(Core(LISTINGS, uniqueness=Uniqueness.AMONG_OPEN), limit=6000)

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route("GET", "/api/v3/time", Operation.TIME, lambda _: {"serverTime": core.now_ms()}, signed=False)
        yield Route("GET", "/api/v3/exchangeInfo", Operation.INSTRUMENTS, self._instruments, signed=False, weight=20)
        yield Route("GET", "/api/v3/klines", Operation.CANDLES, self._candles, signed=False, weight=2)
        yield Route("GET", "/api/v3/ticker/24hr", Operation.TICKER, self._ticker, signed=False, weight=2)
        yield Route("GET", "/api/v3/account", Operation.BALANCE, self._account, weight=20)
        yield Route("GET", "/api/v3/account/commission", Operation.FEES, self._commission, weight=20)
        yield Route("GET", "/sapi/v1/account/apiRestrictions", Operation.KEY, self._restrictions)
        yield Route("POST", "/api/v3/order", Operation.PLACE, self._place, trading=True)
        yield Route("GET", "/api/v3/order", Operation.ORDER, self._get, weight=4)
        yield Route("DELETE", "/api/v3/order", Operation.CANCEL, self._cancel, trading=True)
        yield Route("DELETE", "/api/v3/openOrders", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("GET", "/api/v3/openOrders", Operation.OPEN_ORDERS, self._open_orders, weight=6)
        yield Route("GET", "/api/v3/myTrades", Operation.FILLS, self._my_trades, weight=20)

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        return errors.form(refusal, errors.SPOT_CODES)

    # --- streams ---

    async def opened(self, connection: Connection) -> bool:
        return connection.path.startswith("/ws")

    async def said(self, connection: Connection, text: str) -> None:
        if connection.path != "/ws-api/v3":
            await streams.command(connection, text)
            return
        request = json.loads(text)
        answer: dict[str, Any] = {"id": request.get("id"), "status": 200}
        try:
            self._subscribe(connection, str(request.get("method")), request.get("params") or {})
            answer["result"] = {"subscriptionId": 0}
        except RefusalError as refusal:
            answer["status"], answer["error"] = errors.form(refusal, errors.SPOT_CODES)
        await connection.answer(answer | {"rateLimits": []})

    def _subscribe(self, connection: Connection, method: str, params: dict[str, Any]) -> None:
        """HMAC SHA256 of the parameters in the order of their names, in hexadecimal. Raises RefusalError."""
        if method != "userDataStream.subscribe.signature":
            raise RefusalError(Reason.BAD_PARAMETER, "method")
        key = self.keys.get(str(params.get("apiKey")))
        if key is None:
            raise RefusalError(Reason.BAD_KEY)
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
        expected = hmac.new(key.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(str(params.get("signature")), expected):
            raise RefusalError(Reason.BAD_SIGNATURE)
        now_ms, window = self.core.now_ms(), int(params.get("recvWindow", 5000))
        if not now_ms - window <= int(params.get("timestamp", 0)) <= now_ms + 1000:
            raise RefusalError(Reason.CLOCK_SKEW)
        connection.key = key
        connection.topics[USER_DATA] = None

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        if USER_DATA in connection.topics:
            for event in spot_records.user_events(change, self.core):
                yield {"subscriptionId": 0, "event": event}
        else:
            yield from streams.market_news(connection, change, self.core)

    async def expire_listen_keys(self) -> None:
        """The subscription has ended: the stream says so, and stays up in silence."""
        for connection in self.private:
            connection.topics.clear()
            event = {"e": "eventStreamTerminated", "E": self.core.now_ms()}
            await connection.answer({"subscriptionId": 0, "event": event})

    # --- requests ---

    def _instruments(self, _: Call) -> Any:
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
        symbols = [spot_records.instrument(listing) for listing in self.core.listings.values()]
        return {"timezone": "UTC", "serverTime": self.core.now_ms(), "rateLimits": limits, "exchangeFilters": [],
                "symbols": symbols}  # fmt: skip

    def _account(self, call: Call) -> Any:
        return spot_records.account(self.core, can_trade=self._key(call).may_trade)

    def _restrictions(self, call: Call) -> Any:
        key = self._key(call)
        return {"ipRestrict": bool(key.addresses), "createTime": 1623840271000, "enableReading": True,
                "enableWithdrawals": key.may_withdraw, "enableInternalTransfer": False, "enableMargin": False,
                "enableFutures": False, "enableSpotAndMarginTrading": key.may_trade}  # fmt: skip

    def _commission(self, call: Call) -> Any:
        listing = self._listing(call)
        none = dict.fromkeys(("maker", "taker", "buyer", "seller"), "0.00000000")
        standard = none | {"maker": plain(listing.maker_fee), "taker": plain(listing.taker_fee)}
        discount = {"enabledForAccount": False, "enabledForSymbol": True, "discountAsset": "BNB", "discount": "0.75"}
        return {"symbol": listing.id, "standardCommission": standard, "specialCommission": none,
                "taxCommission": none, "discount": discount}  # fmt: skip

    def _place(self, call: Call) -> Any:
        order = self.core.place(self._intent(call.params))
        trades = [trade for trade in self.core.trades if trade.order is order]
        return spot_records.placed(order, trades)

    def _intent(self, params: dict[str, Any]) -> Intent:
        if {"reduceOnly", "positionSide", "quoteOrderQty", "sideEffectType"} & params.keys():
            raise RefusalError(Reason.BAD_PARAMETER, "not a parameter of spot")
        maker = params.get("type") == "LIMIT_MAKER"
        if params.get("timeInForce") == "GTX" or (maker and "timeInForce" in params):
            raise RefusalError(Reason.BAD_PARAMETER, "timeInForce")
        if not maker:
            return super()._intent(params)
        limit = super()._intent(params | {"type": "LIMIT", "timeInForce": "GTC"})
        return Intent(limit.listing, limit.client_id, limit.buy, limit.price, limit.quantity, Force.POST_ONLY)

    def _get(self, call: Call) -> Any:
        return spot_records.order(self._find(call, Reason.UNKNOWN_ORDER))

    def _cancel(self, call: Call) -> Any:
        return spot_records.cancelled(self.core.cancel(self._find(call, Reason.NOT_CANCELLABLE)))

    def _cancel_all(self, call: Call) -> Any:
        return [spot_records.cancelled(order) for order in self.core.cancel_all(self._listing(call))]

    def _open_orders(self, call: Call) -> Any:
        listing = self._listing(call) if "symbol" in call.params else None
        return [spot_records.order(order) for order in self.core.open_orders(listing)]

    def _my_trades(self, call: Call) -> Any:
        listing, limit = self._listing(call), call.count_of("limit", 500)
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        if {"startTime", "endTime"} <= call.params.keys() and end - start > TRADES_SPAN_MS:
            raise RefusalError(Reason.BAD_PARAMETER, "More than 24 hours between startTime and endTime.")
        if limit > 1000 or ("orderId" in call.params and {"startTime", "endTime"} & call.params.keys()):
            raise RefusalError(Reason.BAD_PARAMETER, "limit, or orderId with times")
        chosen = [trade for trade in self.core.trades if trade.order.listing is listing]
        chosen = [trade for trade in chosen if start <= trade.time_ms <= end]
        if "orderId" in call.params:
            chosen = [trade for trade in chosen if str(trade.order.number) == call.text_of("orderId")]
        chosen = chosen[:limit] if "startTime" in call.params else chosen[-limit:]
        return [spot_records.trade(trade) for trade in chosen]
