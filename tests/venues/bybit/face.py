"""Bybit on loopback, unified account: linear perpetuals in one-way mode and cross margin, or spot without borrowing.

bybit-exchange.github.io/docs/v5.

What it does as documented and a bot could stumble over: placing and cancelling answer with ids alone; a crossing
post-only order is taken and cancelled a moment later; a refused item of a batch is told beside the items; setting the
leverage that is set already is an error; a client id is used up for ever.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from opensqt.api.exchange import Exchange, MarketKind
from tests.venues.bybit import errors, records
from tests.venues.bybit.streams import Streams
from tests.venues.changes import Change
from tests.venues.core import Core
from tests.venues.faults import Operation
from tests.venues.keys import Key
from tests.venues.listing import Ended, Force, Intent, Listing, Order
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.server import Face
from tests.venues.sockets import Connection
from tests.venues.text import plain

Json = dict[str, Any]
LISTINGS = (
    Listing("BTCUSDT", "BTC", Decimal("0.1"), Decimal("0.001"), Decimal(5), Decimal("0.001"), Decimal(1190)),
    Listing("ETHUSDT", "ETH", Decimal("0.01"), Decimal("0.01"), Decimal(5), Decimal("0.01"), price=Decimal(3000)),
)
SPOT_LISTINGS = (
    Listing("BTCUSDT", "BTC", Decimal("0.01"), Decimal("0.000001"), Decimal(5), Decimal("0.000048"), Decimal("71.7"),
            maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), max_leverage=1, spot=True),
    Listing("ETHUSDT", "ETH", Decimal("0.01"), Decimal("0.00001"), Decimal(5), Decimal("0.00062"), Decimal("1229.2"),
            maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), max_leverage=1, price=Decimal(3000), spot=True),
)  # fmt: skip
BATCH = {"linear": 20, "spot": 10}
CLOSED_KEPT = 500
EXECUTIONS_SPAN_MS = 7 * 24 * 3600 * 1000
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")


@dataclass(frozen=True)
class Batch:
    """A batch's answer: what became of each item is beside the items."""

    items: list[Json]
    codes: list[Json]


class BybitFace(Face):
    exchange: ClassVar[Exchange] = Exchange.BYBIT

    def __init__(self, market: MarketKind = MarketKind.PERPETUAL) -> None:
        spot = market is MarketKind.SPOT
        super().__init__(Core(SPOT_LISTINGS if spot else LISTINGS, late_post_only=True), limit=600)
        self.category = "spot" if spot else "linear"
        self.product, self.dcp_topic = ("SPOT", "dcp.spot") if spot else ("DERIVATIVES", "dcp.future")
        self.codes = errors.SPOT_CODES if spot else errors.CODES
        self.streams = Streams(self.core, self.keys, self.category)
        self.dcp_enabled = True

    def routes(self) -> Iterable[Route]:
        yield Route("GET", "/v5/market/time", Operation.TIME, self._time, signed=False)
        yield Route("GET", "/v5/market/instruments-info", Operation.INSTRUMENTS, self._instruments, signed=False)
        yield Route("GET", "/v5/market/kline", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", "/v5/market/tickers", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", "/v5/user/query-api", Operation.KEY, self._query_api)
        yield Route("GET", "/v5/account/wallet-balance", Operation.BALANCE, self._balance)
        yield Route("GET", "/v5/account/fee-rate", Operation.FEES, self._fees)
        yield Route("GET", "/v5/position/list", Operation.POSITIONS, self._positions)
        yield Route("POST", "/v5/position/set-leverage", Operation.LEVERAGE, self._set_leverage, trading=True)
        yield Route("POST", "/v5/account/set-margin-mode", Operation.MODE, self._margin_mode, trading=True)
        yield Route("POST", "/v5/order/create", Operation.PLACE, self._place, trading=True)
        yield Route("POST", "/v5/order/create-batch", Operation.PLACE, self._place_batch, trading=True)
        yield Route("POST", "/v5/order/cancel", Operation.CANCEL, self._cancel, trading=True)
        yield Route("POST", "/v5/order/cancel-batch", Operation.CANCEL, self._cancel_batch, trading=True)
        yield Route("POST", "/v5/order/cancel-all", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("POST", "/v5/order/disconnected-cancel-all", Operation.DEAD_MAN, self._dead_man, trading=True)
        yield Route("GET", "/v5/account/query-dcp-info", Operation.DEAD_MAN, self._query_dcp)
        yield Route("GET", "/v5/order/realtime", Operation.ORDER, self._realtime)
        yield Route("GET", "/v5/order/history", Operation.FINISHED_ORDERS, self._history)
        yield Route("GET", "/v5/execution/list", Operation.FILLS, self._executions)

    # --- what Bybit says in its own way ---

    def authenticate(self, call: Call) -> Key:
        """Integration guidance: HMAC SHA256 of timestamp, key, recv_window and query or body, in hexadecimal."""
        headers = call.headers
        key = self.keys.get(headers.get("X-BAPI-API-KEY", ""))
        if key is None:
            raise RefusalError(Reason.BAD_KEY)
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "5000")
        if not stamp.isdigit() or not window.isdigit():
            raise RefusalError(Reason.BAD_PARAMETER, "timestamp")
        now_ms = self.core.now_ms()
        if not now_ms - int(window) <= int(stamp) < now_ms + 1000:
            raise RefusalError(Reason.CLOCK_SKEW)
        signed = stamp + key.api_key + window + (call.text if call.method == "POST" else call.query)
        expected = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers.get("X-BAPI-SIGN", ""), expected):
            raise RefusalError(Reason.BAD_SIGNATURE)
        return key

    def envelope(self, call: Call, result: Any) -> Any:
        answer = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": self.core.now_ms()}
        if isinstance(result, Batch):
            answer |= {"result": {"list": result.items}, "retExtInfo": {"list": result.codes}}
        return answer

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        status, code, message = self.codes[refusal.reason]
        return status, {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}, "time": self.core.now_ms()}

    def rate_headers(self, call: Call) -> dict[str, str]:
        return {
            "X-Bapi-Limit": str(self.meter.limit),
            "X-Bapi-Limit-Status": str(self.meter.left),
            "X-Bapi-Limit-Reset-Timestamp": str(self.meter.reset_ms),
        }

    def pause_headers(self, seconds: int) -> dict[str, str]:
        return {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(self.core.now_ms() + seconds * 1000)}

    async def opened(self, connection: Connection) -> bool:
        self.streams.keys = self.keys
        return connection.path in {"/v5/private", f"/v5/public/{self.category}"}

    async def said(self, connection: Connection, text: str) -> None:
        await self.streams.said(connection, text)
        if self.dcp_topic in connection.topics:
            self.dead_man.stop(self.product)

    def gone(self, connection: Connection) -> None:
        """The count starts when the last private WebSocket that has subscribed to its topic has ended."""
        if self.dcp_topic in connection.topics and self.dcp_enabled and not self.subscribed(self.dcp_topic):
            seconds = self.dead_man.set_to.get(self.product, 10)
            self.dead_man.set(self.product, seconds, lambda: self.core.cancel_all(None, Ended.DEAD_MAN))

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        return self.streams.news(connection, change)

    # --- market ---

    def _time(self, _: Call) -> Any:
        now_ms = self.core.now_ms()
        return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}

    def _instruments(self, call: Call) -> Any:
        listings = self.core.listings.values() if _category(call) == self.category else ()
        return self._page([records.instrument(listing) for listing in listings])

    def _candles(self, call: Call) -> Any:
        listing = self._listing(call)
        start, end = call.count_of("start", 0), call.count_of("end", 2**62)
        rows = [row for row in self.core.candles[listing.id] if start <= row.open_ms <= end]
        newest = rows[::-1][: call.count_of("limit", 200)]
        return {"category": self.category, "symbol": listing.id, "list": [records.candle(row) for row in newest]}

    def _tickers(self, call: Call) -> Any:
        listings = [self._listing(call)] if "symbol" in call.params else list(self.core.listings.values())
        return {"category": _category(call), "list": [records.ticker(self.core, listing) for listing in listings]}

    # --- account ---

    def _query_api(self, call: Call) -> Any:
        key = self.authenticate(call)
        permissions = {
            "ContractTrade": ["Order", "Position"] if key.may_trade and self.category == "linear" else [],
            "Spot": ["SpotTrade"] if key.may_trade and self.category == "spot" else [],
            "Wallet": ["AccountTransfer", "Withdraw"] if key.may_withdraw else [], "Options": [], "Derivatives": [],
            "CopyTrading": [], "BlockTrade": [], "Exchange": [], "NFT": [], "Affiliate": [],
        }  # fmt: skip
        return {"id": "13770661", "note": "bots", "apiKey": key.api_key, "readOnly": 0 if key.may_trade else 1,
                "secret": "", "permissions": permissions, "ips": list(key.addresses) or ["*"], "type": 1, "uta": 1,
                "unified": 0, "isMaster": True}  # fmt: skip

    def _balance(self, call: Call) -> Any:
        if call.text_of("accountType") != "UNIFIED":
            raise RefusalError(Reason.BAD_PARAMETER, "accountType only support UNIFIED.")
        return {"list": [records.wallet(self.core, spot=self.category == "spot")]}

    def _fees(self, call: Call) -> Any:
        listing = self._listing(call)
        rates = {"makerFeeRate": plain(listing.maker_fee), "takerFeeRate": plain(listing.taker_fee)}
        return {"category": self.category, "list": [{"symbol": listing.id, "baseCoin": "", **rates}]}

    def _positions(self, call: Call) -> Any:
        if "symbol" not in call.params and "settleCoin" not in call.params:
            raise RefusalError(Reason.BAD_PARAMETER, "symbol or settleCoin")
        self._only_linear()
        listings = [self._listing(call)] if call.text_of("symbol") else list(self.core.listings.values())
        shown = [records.position(self.core.position(listing), self.core.now_ms()) for listing in listings]
        if not call.text_of("symbol"):
            shown = [position for position in shown if position["side"]]
        if self.core.hedged:
            shown = [position | {"positionIdx": index, "size": "0"} for position in shown for index in (1, 2)]
        return self._page(shown)

    def _only_linear(self) -> None:
        if self.category != "linear":
            raise RefusalError(Reason.BAD_PARAMETER, "category only support linear or option")

    def _set_leverage(self, call: Call) -> Any:
        self._only_linear()
        listing, leverage = self._listing(call), call.text_of("buyLeverage")
        if leverage != call.text_of("sellLeverage") or not leverage:
            raise RefusalError(Reason.BAD_PARAMETER, "buy leverage must equal sell leverage")
        if int(Decimal(leverage)) == self.core.holding(listing).leverage:
            raise RefusalError(Reason.LEVERAGE_UNCHANGED)
        self.core.set_leverage(listing, int(Decimal(leverage)))
        return {}

    def _margin_mode(self, call: Call) -> Any:
        self.core.isolated = call.text_of("setMarginMode") == "ISOLATED_MARGIN"
        return {"reasons": []}

    # --- orders ---

    def _place(self, call: Call) -> Any:
        return _ids(self.core.place(self._intent(call.params)))

    def _place_batch(self, call: Call) -> Any:
        return self._batch(call, lambda item: self.core.place(self._intent(item | {"category": _category(call)})))

    def _batch(self, call: Call, carry_out: Any) -> Batch:
        category = _category(call)
        requests = call.params.get("request") or []
        if not 1 <= len(requests) <= BATCH.get(category, 0):
            raise RefusalError(Reason.BATCH_TOO_LONG)
        items: list[Json] = []
        codes: list[Json] = []
        for item in requests:
            shown = {"category": category, "symbol": item.get("symbol", ""), "orderId": item.get("orderId", ""),
                     "orderLinkId": item.get("orderLinkId", ""), "createAt": ""}  # fmt: skip
            try:
                items.append(shown | _ids(carry_out(item)))
                codes.append({"code": 0, "msg": "OK"})
            except RefusalError as refusal:
                _, code, message = self.codes[refusal.reason]
                items.append(shown)
                codes.append({"code": code, "msg": message})
        return Batch(items, codes)

    def _intent(self, params: Json) -> Intent:
        limit = params.get("orderType") == "Limit"
        client_id = str(params.get("orderLinkId") or "")
        force = str(params.get("timeInForce") or ("GTC" if limit else "IOC"))
        if params.get("category") != self.category or params.get("side") not in {"Buy", "Sell"}:
            raise RefusalError(Reason.BAD_PARAMETER, "category or side")
        if params.get("orderType") not in {"Limit", "Market"} or force not in records.FORCES:
            raise RefusalError(Reason.BAD_PARAMETER, "orderType or timeInForce")
        if client_id and not _CLIENT_ID.fullmatch(client_id):
            raise RefusalError(Reason.BAD_PARAMETER, "orderLinkId")
        if self.category == "spot":
            _check_spot(params, limit=limit)
        if int(params.get("positionIdx", 0)) != 0:
            raise RefusalError(Reason.POSITION_MODE)
        if not isinstance(params.get("qty"), str) or (limit and not isinstance(params.get("price"), str)):
            raise RefusalError(Reason.BAD_PARAMETER, "qty and price are strings")
        try:
            price = Decimal(params["price"]) if limit else None
            quantity = Decimal(params["qty"])
        except InvalidOperation as error:
            raise RefusalError(Reason.BAD_PARAMETER, "qty or price") from error
        return Intent(
            listing=self.core.listing(str(params.get("symbol"))),
            client_id=client_id,
            buy=params["side"] == "Buy",
            price=price,
            quantity=quantity,
            force=records.FORCES[force] if limit else Force.GTC,
            reduce_only=params.get("reduceOnly") is True,
        )

    def _cancel(self, call: Call) -> Any:
        return _ids(self.core.cancel(self._find(call.params)))

    def _cancel_batch(self, call: Call) -> Any:
        return self._batch(call, lambda item: self.core.cancel(self._find(item)))

    def _find(self, params: Json) -> Order:
        number = records.number_of(str(params["orderId"])) if params.get("orderId") else ""
        order = self.core.find(number, str(params.get("orderLinkId") or ""), Reason.NOT_CANCELLABLE)
        if order.listing is not self.core.listing(str(params.get("symbol"))):
            raise RefusalError(Reason.NOT_CANCELLABLE)
        return order

    def _cancel_all(self, call: Call) -> Any:
        listing = self._listing(call) if call.text_of("symbol") else None
        if listing is None and not call.text_of("settleCoin"):
            raise RefusalError(Reason.BAD_PARAMETER, "symbol or settleCoin")
        return {"list": [_ids(order) for order in self.core.cancel_all(listing)], "success": "1"}

    def _dead_man(self, call: Call) -> Any:
        """DCP: 3 to 300 seconds after the private WebSockets of the account have gone."""
        seconds = call.count_of("timeWindow", 0)
        if not 3 <= seconds <= 300:
            raise RefusalError(Reason.BAD_PARAMETER, "timeWindow")
        if call.text_of("product") != self.product:
            raise RefusalError(Reason.BAD_PARAMETER, "product")
        self.dead_man.set_to[self.product] = seconds
        return {}

    def _query_dcp(self, call: Call) -> Any:
        """DCP is there for accounts for which Bybit has switched it on."""
        window = str(int(self.dead_man.set_to.get(self.product, 10)))
        infos = [{"product": self.product, "dcpStatus": "ON", "timeWindow": window}]
        return {"dcpInfos": infos if self.dcp_enabled else []}

    def _realtime(self, call: Call) -> Any:
        """Open & closed orders: by id whatever its state, among the last 500 closed; otherwise the open ones."""
        closed = [order for order in self.core.orders.values() if not order.open][-CLOSED_KEPT:]
        orders = [*self.core.open_orders(), *closed]
        if call.text_of("orderId") or call.text_of("orderLinkId"):
            return self._page([records.order(order) for order in orders if _matches(order, call)])
        if not call.text_of("symbol") and not call.text_of("settleCoin") and self.category == "linear":
            raise RefusalError(Reason.BAD_PARAMETER, "symbol, settleCoin or baseCoin")
        wanted = closed if call.count_of("openOnly", 0) == 1 else self.core.open_orders()
        chosen = [order for order in wanted if call.text_of("symbol") in {"", order.listing.id}]
        return self._paged(call, [records.order(order) for order in reversed(chosen)], 50, 20)

    def _history(self, call: Call) -> Any:
        orders = [order for order in self.core.orders.values() if not order.open and _matches(order, call)]
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        shown = [records.order(order) for order in reversed(orders) if start <= order.created_ms <= end]
        status = call.text_of("orderStatus")
        return self._paged(call, [order for order in shown if status in {"", order["orderStatus"]}], 50, 20)

    def _executions(self, call: Call) -> Any:
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 0)
        if start and end and end - start > EXECUTIONS_SPAN_MS:
            raise RefusalError(Reason.BAD_PARAMETER, "startTime and endTime are more than 7 days apart")
        if start and not end:
            end = start + EXECUTIONS_SPAN_MS
        if not start:
            start = (end or self.core.now_ms()) - EXECUTIONS_SPAN_MS
        found = [(trade.time_ms, records.execution(trade)) for trade in self.core.trades if _matches(trade.order, call)]
        if not call.text_of("orderId") and not call.text_of("orderLinkId"):
            of = [each for each in self.core.fundings if call.text_of("symbol") in {"", each.listing.id}]
            found += [(each.time_ms, records.funding(each)) for each in of]
        found = [(at, item) for at, item in found if start <= at <= (end or 2**62)]
        newest = [item for _, item in sorted(found, key=lambda each: -each[0])]
        kind = call.text_of("execType")
        return self._paged(call, [item for item in newest if kind in {"", item["execType"]}], 100, 50)

    def _paged(self, call: Call, items: list[Json], most: int, default: int) -> Json:
        limit, start = call.count_of("limit", default), int(call.text_of("cursor").removeprefix("page") or 0)
        if not 1 <= limit <= most:
            raise RefusalError(Reason.BAD_PARAMETER, "limit")
        after = f"page{start + limit}" if start + limit < len(items) else ""
        return self._page(items[start : start + limit], after)

    def _page(self, items: list[Json], cursor: str = "") -> Json:
        return {"category": self.category, "list": items, "nextPageCursor": cursor}

    def _listing(self, call: Call) -> Listing:
        if _category(call) != self.category:
            raise RefusalError(Reason.UNKNOWN_SYMBOL, call.text_of("category"))
        return self.core.listing(call.text_of("symbol"))


def _category(call: Call) -> str:
    category = call.text_of("category")
    if category not in {"linear", "inverse", "spot", "option"}:
        raise RefusalError(Reason.BAD_PARAMETER, "category")
    return category


def _check_spot(params: Json, *, limit: bool) -> None:
    """Market buys are of a value unless marketUnit says otherwise; nothing is borrowed here. Raises RefusalError."""
    if int(params.get("isLeverage", 0)) or "reduceOnly" in params or params.get("orderFilter", "Order") != "Order":
        raise RefusalError(Reason.BAD_PARAMETER, "isLeverage, reduceOnly or orderFilter")
    if not limit and params.get("marketUnit", "quoteCoin" if params["side"] == "Buy" else "baseCoin") != "baseCoin":
        raise RefusalError(Reason.BAD_PARAMETER, "this simulator takes quantities of base coin alone: marketUnit")


def _ids(order: Order) -> Json:
    return {"orderId": records.order_id(order.number), "orderLinkId": order.client_id}


def _matches(order: Order, call: Call) -> bool:
    """By the first that is given: order id, then client id, then symbol."""
    if call.text_of("orderId"):
        return records.order_id(order.number) == call.text_of("orderId")
    if call.text_of("orderLinkId"):
        return order.client_id == call.text_of("orderLinkId")
    return call.text_of("symbol") in {"", order.listing.id}
