"""Binance USDⓈ-M futures on loopback, one-way mode and cross margin. developers.binance.com: derivatives.

What it does as documented and a bot could stumble over: a client id is refused a second time only while its first
order is open; a crossing post-only order is refused at once; trades carry no client id; the user data stream has no
log-in but a listen key, which a stream outlives silently.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from opensqt.api.exchange import Exchange
from tests.venues.binance import errors, records, streams
from tests.venues.changes import Change
from tests.venues.core import Core, Uniqueness
from tests.venues.faults import Operation
from tests.venues.keys import Key
from tests.venues.listing import Ended, Force, Intent, Listing, Order
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.server import Face
from tests.venues.sockets import Connection
from tests.venues.text import plain

LISTINGS = (
    Listing("BTCUSDT", "BTC", Decimal("0.1"), Decimal("0.001"), Decimal(5), Decimal("0.001"), max_leverage=125),
    Listing(
        "ETHUSDT", "ETH", Decimal("0.01"), Decimal("0.001"), Decimal(5), Decimal("0.001"), price=Decimal(3000)
    ),
)  # fmt: skip
PLACE_BATCH, CANCEL_BATCH = 5, 10
LONGEST_WINDOW_MS = 60_000
TRADES_SPAN_MS = 7 * 24 * 3600 * 1000
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


class BinanceFace(Face):
    exchange: ClassVar[Exchange] = Exchange.BINANCE

    def __init__(self, core: Core | None = None, *, limit: int = 2400) -> None:
        super().__init__(core or Core(LISTINGS, uniqueness=Uniqueness.AMONG_OPEN), limit=limit)
        self.listen_keys = streams.ListenKeys()

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route("GET", "/fapi/v1/time", Operation.TIME, lambda _: {"serverTime": core.now_ms()}, signed=False)
        yield Route("GET", "/fapi/v1/exchangeInfo", Operation.INSTRUMENTS, self._instruments, signed=False)
        yield Route("GET", "/fapi/v1/klines", Operation.CANDLES, self._candles, signed=False, weight=5)
        yield Route("GET", "/fapi/v1/ticker/24hr", Operation.TICKER, self._ticker, signed=False)
        yield Route("GET", "/fapi/v3/account", Operation.BALANCE, lambda _: records.account(core), weight=5)
        yield Route("GET", "/fapi/v1/commissionRate", Operation.FEES, self._fees, weight=20)
        yield Route("GET", "/fapi/v1/accountConfig", Operation.KEY, self._account_config, weight=5)
        yield Route("GET", "/sapi/v1/account/apiRestrictions", Operation.KEY, self._restrictions)
        yield Route("GET", "/fapi/v1/positionSide/dual", Operation.MODE, self._position_mode, weight=30)
        yield Route("GET", "/fapi/v2/positionRisk", Operation.POSITIONS, self._positions, weight=5)
        yield Route("GET", "/fapi/v3/positionRisk", Operation.POSITIONS, self._positions, weight=5)
        yield Route("GET", "/fapi/v1/leverageBracket", Operation.LEVERAGE, self._brackets)
        yield Route("POST", "/fapi/v1/leverage", Operation.LEVERAGE, self._set_leverage, trading=True)
        yield Route("POST", "/fapi/v1/marginType", Operation.MODE, self._margin_type, trading=True)
        yield Route("POST", "/fapi/v1/order", Operation.PLACE, self._place, trading=True)
        yield Route("POST", "/fapi/v1/batchOrders", Operation.PLACE, self._place_batch, trading=True, weight=5)
        yield Route("GET", "/fapi/v1/order", Operation.ORDER, self._get)
        yield Route("DELETE", "/fapi/v1/order", Operation.CANCEL, self._cancel, trading=True)
        yield Route("DELETE", "/fapi/v1/batchOrders", Operation.CANCEL, self._cancel_batch, trading=True)
        yield Route("DELETE", "/fapi/v1/allOpenOrders", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("POST", "/fapi/v1/countdownCancelAll", Operation.DEAD_MAN, self._countdown, trading=True, weight=10)
        yield Route("GET", "/fapi/v1/openOrders", Operation.OPEN_ORDERS, self._open_orders)
        yield Route("GET", "/fapi/v1/userTrades", Operation.FILLS, self._user_trades, weight=5)
        yield Route("GET", "/fapi/v1/income", Operation.FUNDING, self._income, weight=30)
        for method, handler in (("POST", self._listen), ("PUT", self._listen), ("DELETE", self._listen_no_more)):
            yield Route(method, "/fapi/v1/listenKey", Operation.LISTEN_KEY, handler, signed=False)

    # --- what Binance says in its own way ---

    def authenticate(self, call: Call) -> Key:
        """General info: endpoint security type. HMAC SHA256 of everything before `&signature=`, in hexadecimal."""
        key = self._key(call)
        signed = call.query or call.text
        payload, _, signature = signed.rpartition("&signature=")
        expected = hmac.new(key.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            raise RefusalError(Reason.BAD_SIGNATURE)
        stamp, window = call.count_of("timestamp", 0), call.count_of("recvWindow", 5000)
        now_ms = self.core.now_ms()
        if window > LONGEST_WINDOW_MS:
            raise RefusalError(Reason.BAD_PARAMETER, "recvWindow")
        if stamp > now_ms + 1000 or stamp < now_ms - window:
            raise RefusalError(Reason.CLOCK_SKEW)
        return key

    def envelope(self, call: Call, result: Any) -> Any:
        return result

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        return errors.form(refusal)

    def rate_headers(self, call: Call) -> dict[str, str]:
        orders = str(len(self.sent(Operation.PLACE)))
        return {
            "X-MBX-USED-WEIGHT-1M": str(self.meter.used),
            "X-MBX-ORDER-COUNT-10S": orders,
            "X-MBX-ORDER-COUNT-1M": orders,
        }

    async def opened(self, connection: Connection) -> bool:
        # Binance takes a stream of an unknown listen key too: it never tells anything.
        connection.key = self.listen_keys.owners.get(streams.listen_key(connection))
        if connection.key is not None:
            connection.topics["listenKey"] = None
        return True

    async def said(self, connection: Connection, text: str) -> None:
        await streams.command(connection, text)

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        if streams.listen_key(connection):
            if streams.listen_key(connection) in self.listen_keys.owners:
                yield from streams.user_news(change, self.core)
        else:
            yield from streams.market_news(connection, change, self.core)

    async def expire_listen_keys(self) -> None:
        """An hour without a keep-alive has passed: the stream says so, and stays up in silence."""
        gone = set(self.listen_keys.owners)
        self.listen_keys.owners.clear()
        for connection in self.connections:
            if streams.listen_key(connection) in gone:
                event = {"e": "listenKeyExpired", "E": self.core.now_ms(), "listenKey": streams.listen_key(connection)}
                await connection.answer(event)

    # --- requests ---

    def _key(self, call: Call) -> Key:
        key = self.keys.get(call.headers.get("X-MBX-APIKEY", ""))
        if key is None:
            raise RefusalError(Reason.BAD_KEY)
        return key

    def _instruments(self, _: Call) -> Any:
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}]
        symbols = [records.instrument(listing) for listing in self.core.listings.values()]
        return {"timezone": "UTC", "serverTime": self.core.now_ms(), "rateLimits": limits, "symbols": symbols}

    def _candles(self, call: Call) -> Any:
        rows = self.core.candles[self._listing(call).id]
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        chosen = [row for row in rows if start <= row.open_ms <= end]
        limit = call.count_of("limit", 500)
        chosen = chosen[:limit] if "startTime" in call.params else chosen[-limit:]
        return [records.candle(row) for row in chosen]

    def _ticker(self, call: Call) -> Any:
        if "symbol" in call.params:
            return records.ticker(self.core, self._listing(call))
        return [records.ticker(self.core, listing) for listing in self.core.listings.values()]

    def _account_config(self, call: Call) -> Any:
        can_trade = self._key(call).may_trade
        return {"feeTier": 0, "canTrade": can_trade, "canDeposit": True, "canWithdraw": True,
                "dualSidePosition": self.core.hedged, "multiAssetsMargin": False}  # fmt: skip

    def _restrictions(self, call: Call) -> Any:
        key = self._key(call)
        return {"ipRestrict": bool(key.addresses), "createTime": 1623840271000, "enableReading": True,
                "enableWithdrawals": key.may_withdraw, "enableInternalTransfer": False,
                "enableFutures": key.may_trade}  # fmt: skip

    def _fees(self, call: Call) -> Any:
        listing = self._listing(call)
        return {"symbol": listing.id, "makerCommissionRate": plain(listing.maker_fee),
                "takerCommissionRate": plain(listing.taker_fee)}  # fmt: skip

    def _position_mode(self, _: Call) -> Any:
        return {"dualSidePosition": self.core.hedged}

    def _positions(self, call: Call) -> Any:
        listings = [self._listing(call)] if "symbol" in call.params else self.core.listings.values()
        return [records.position(self.core.position(listing), self.core.now_ms()) for listing in listings]

    def _brackets(self, call: Call) -> Any:
        listings = [self._listing(call)] if "symbol" in call.params else self.core.listings.values()
        return [records.brackets(listing) for listing in listings]

    def _set_leverage(self, call: Call) -> Any:
        listing, leverage = self._listing(call), call.count_of("leverage", 0)
        self.core.set_leverage(listing, leverage)
        return {"symbol": listing.id, "leverage": leverage, "maxNotionalValue": "1000000"}

    def _margin_type(self, call: Call) -> Any:
        self._listing(call)
        self.core.isolated = call.text_of("marginType") == "ISOLATED"
        return {"code": 200, "msg": "success"}

    def _place(self, call: Call) -> Any:
        return records.order(self.core.place(self._intent(call.params)))

    def _place_batch(self, call: Call) -> Any:
        items = json.loads(call.text_of("batchOrders"))
        if not 1 <= len(items) <= PLACE_BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        return [self._item(lambda item=item: self.core.place(self._intent(item))) for item in items]

    def _item(self, carry_out: Any) -> Any:
        try:
            return records.order(carry_out())
        except RefusalError as refusal:
            return errors.form(refusal)[1]

    def _intent(self, params: dict[str, Any]) -> Intent:
        client_id = str(params.get("newClientOrderId") or f"auto{self.core.matching.orders}")
        if not _CLIENT_ID.fullmatch(client_id):
            raise RefusalError(Reason.BAD_PARAMETER, "newClientOrderId")
        limit = params.get("type") == "LIMIT"
        force = params.get("timeInForce", "" if limit else "GTC")
        if params.get("type") not in {"LIMIT", "MARKET"} or params.get("side") not in {"BUY", "SELL"}:
            raise RefusalError(Reason.BAD_PARAMETER, "type or side")
        if force not in records.FORCES or (not limit and "price" in params):
            raise RefusalError(Reason.BAD_PARAMETER, "timeInForce or price")
        if params.get("positionSide", "BOTH") != "BOTH":
            raise RefusalError(Reason.POSITION_MODE)
        if str(params.get("symbol")) not in self.core.listings:
            raise RefusalError(Reason.UNKNOWN_SYMBOL)
        try:
            price = Decimal(str(params["price"])) if limit else None
            quantity = Decimal(str(params["quantity"]))
        except (KeyError, InvalidOperation) as error:
            raise RefusalError(Reason.BAD_PARAMETER, "price or quantity") from error
        return Intent(
            listing=self.core.listing(str(params["symbol"])),
            client_id=client_id,
            buy=params["side"] == "BUY",
            price=price,
            quantity=quantity,
            force=records.FORCES[force] if limit else Force.GTC,
            reduce_only=str(params.get("reduceOnly", "")).lower() == "true",
        )

    def _find(self, call: Call, reason: Reason) -> Order:
        listing = self._listing(call)
        order = self.core.find(call.text_of("orderId"), call.text_of("origClientOrderId"), reason)
        if order.listing is not listing:
            raise RefusalError(reason)
        return order

    def _get(self, call: Call) -> Any:
        return records.order(self._find(call, Reason.UNKNOWN_ORDER))

    def _cancel(self, call: Call) -> Any:
        return records.order(self.core.cancel(self._find(call, Reason.NOT_CANCELLABLE)))

    def _cancel_batch(self, call: Call) -> Any:
        self._listing(call)
        numbers = [(str(number), "") for number in json.loads(call.text_of("orderidlist") or "[]")]
        names = [("", name) for name in json.loads(call.text_of("origclientorderidlist") or "[]")]
        if not 1 <= len(numbers + names) <= CANCEL_BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        return [
            self._item(lambda ids=ids: self.core.cancel(self.core.find(ids[0], ids[1], Reason.NOT_CANCELLABLE)))
            for ids in numbers + names
        ]

    def _cancel_all(self, call: Call) -> Any:
        self.core.cancel_all(self._listing(call))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _countdown(self, call: Call) -> Any:
        """Auto-cancel all open orders: 0 switches it off."""
        listing, countdown = self._listing(call), call.count_of("countdownTime", -1)
        if countdown < 0:
            raise RefusalError(Reason.BAD_PARAMETER, "countdownTime")
        self.dead_man.set(listing.id, countdown / 1000, lambda: self.core.cancel_all(listing, Ended.DEAD_MAN))
        return {"symbol": listing.id, "countdownTime": str(countdown)}

    def _open_orders(self, call: Call) -> Any:
        listing = self._listing(call) if "symbol" in call.params else None
        return [records.order(order) for order in self.core.open_orders(listing)]

    def _user_trades(self, call: Call) -> Any:
        listing, limit = self._listing(call), call.count_of("limit", 500)
        start, end = call.count_of("startTime", 0), call.count_of("endTime", 2**62)
        if {"startTime", "endTime"} <= call.params.keys() and end - start > TRADES_SPAN_MS:
            raise RefusalError(Reason.BAD_PARAMETER, "Invalid time interval")
        if limit > 1000:
            raise RefusalError(Reason.BAD_PARAMETER, "limit")
        chosen = [trade for trade in self.core.trades if trade.order.listing is listing]
        chosen = [trade for trade in chosen if start <= trade.time_ms <= end]
        if "orderId" in call.params:
            chosen = [trade for trade in chosen if str(trade.order.number) == call.text_of("orderId")]
        chosen = chosen[:limit] if "startTime" in call.params else chosen[-limit:]
        return [records.trade(trade) for trade in chosen]

    def _income(self, call: Call) -> Any:
        """Oldest first."""
        start, end, limit = call.count_of("startTime", 0), call.count_of("endTime", 2**62), call.count_of("limit", 100)
        if limit > 1000:
            raise RefusalError(Reason.BAD_PARAMETER, "limit")
        of = [each for each in self.core.fundings if call.text_of("symbol") in {"", each.listing.id}]
        wanted = call.text_of("incomeType") in {"", "FUNDING_FEE"}
        return [records.funding(each) for each in of if wanted and start <= each.time_ms <= end][:limit]

    def _listen(self, call: Call) -> Any:
        return {"listenKey": self.listen_keys.start(self._key(call))}

    def _listen_no_more(self, call: Call) -> Any:
        self.listen_keys.end(self._key(call))
        return {}

    def _listing(self, call: Call) -> Listing:
        return self.core.listing(call.text_of("symbol"))
