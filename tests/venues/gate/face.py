"""Gate USDT perpetuals on loopback, single mode and cross margin. gate.com/docs/developers/apiv4.

What it does as documented and a bot could stumble over: sizes are contracts; a client id is a `text` that starts with
t-, answers for a minute after its order is over, and is nowhere said to be refused a second time; times are seconds;
in cross margin the leverage is 0.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import unquote

from opensqt.api.exchange import Exchange
from tests.venues.changes import Change
from tests.venues.core import Core, Uniqueness
from tests.venues.faults import Operation
from tests.venues.gate import errors, records
from tests.venues.gate.streams import Streams
from tests.venues.keys import Key
from tests.venues.listing import Ended, Force, Intent, Listing, Order
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.server import Face
from tests.venues.sockets import Connection
from tests.venues.text import plain

Json = dict[str, Any]
LISTINGS = (
    Listing(
        "BTC_USDT", "BTC", Decimal("0.1"), Decimal("0.0001"), min_quantity=Decimal("0.0001"),
        contract=Decimal("0.0001"), maker_fee=Decimal("-0.0001"), taker_fee=Decimal("0.00075"),
    ),
    Listing(
        "ETH_USDT", "ETH", Decimal("0.01"), Decimal("0.01"), min_quantity=Decimal("0.01"), contract=Decimal("0.01"),
        price=Decimal(3000),
    ),
)  # fmt: skip
PLACE_BATCH, CANCEL_BATCH = 10, 20
WINDOW_SECONDS = 60
FINISHED_BY_TEXT_MS = 60_000
TEXT = re.compile(r"t-[0-9A-Za-z_.-]{1,28}")
ROOT = "/api/v4/futures/usdt"


class GateFace(Face):
    exchange: ClassVar[Exchange] = Exchange.GATE

    def __init__(self, core: Core | None = None) -> None:
        super().__init__(core or Core(LISTINGS, uniqueness=Uniqueness.NOWHERE))
        self.streams = Streams(self.core, self.keys)

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route("GET", "/api/v4/spot/time", Operation.TIME, lambda _: {"server_time": core.now_ms()}, signed=False)
        yield Route("GET", f"{ROOT}/contracts", Operation.INSTRUMENTS, self._contracts, signed=False)
        yield Route("GET", f"{ROOT}/candlesticks", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", f"{ROOT}/tickers", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", f"{ROOT}/accounts", Operation.BALANCE, lambda _: records.account(core))
        yield Route("GET", "/api/v4/account/detail", Operation.KEY, self._detail)
        yield Route("GET", f"{ROOT}/account_book", Operation.FUNDING, self._book)
        yield Route("GET", f"{ROOT}/fee", Operation.FEES, self._fees)
        yield Route("GET", f"{ROOT}/positions", Operation.POSITIONS, self._positions)
        yield Route("GET", f"{ROOT}/positions/{{contract}}", Operation.POSITIONS, self._positions)
        yield Route("POST", f"{ROOT}/positions/{{contract}}/leverage", Operation.LEVERAGE, self._lever, trading=True)
        yield Route("POST", f"{ROOT}/orders", Operation.PLACE, self._place, trading=True)
        yield Route("POST", f"{ROOT}/batch_orders", Operation.PLACE, self._place_batch, trading=True)
        yield Route("GET", f"{ROOT}/orders", Operation.OPEN_ORDERS, self._orders)
        yield Route("DELETE", f"{ROOT}/orders", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("GET", f"{ROOT}/orders/{{order_id}}", Operation.ORDER, self._order)
        yield Route("DELETE", f"{ROOT}/orders/{{order_id}}", Operation.CANCEL, self._cancel, trading=True)
        yield Route("POST", f"{ROOT}/batch_cancel_orders", Operation.CANCEL, self._cancel_batch, trading=True)
        yield Route("POST", f"{ROOT}/countdown_cancel_all", Operation.DEAD_MAN, self._dead_man, trading=True)
        yield Route("GET", f"{ROOT}/my_trades", Operation.FILLS, self._trades)
        yield Route("GET", f"{ROOT}/my_trades_timerange", Operation.FILLS, self._trades_between)

    # --- what Gate says in its own way ---

    def authenticate(self, call: Call) -> Key:
        """Authentication: HMAC SHA512 of method, path, query, SHA512 of the body, and time in seconds, in lines."""
        key = self.keys.get(call.headers.get("KEY", ""))
        if key is None:
            raise RefusalError(Reason.BAD_KEY)
        stamp = call.headers.get("Timestamp", "")
        if not stamp.isdigit() or abs(int(stamp) - self.core.now_ms() // 1000) > WINDOW_SECONDS:
            raise RefusalError(Reason.CLOCK_SKEW)
        body = hashlib.sha512(call.text.encode()).hexdigest()
        lines = "\n".join((call.method, call.path, unquote(call.query), body, stamp))
        expected = hmac.new(key.secret.encode(), lines.encode(), hashlib.sha512).hexdigest()
        if not hmac.compare_digest(call.headers.get("SIGN", ""), expected):
            raise RefusalError(Reason.BAD_SIGNATURE)
        expires = call.headers.get("X-Gate-Exptime", "")
        if expires and int(expires) < self.core.now_ms():
            raise RefusalError(Reason.EXPIRED)
        return key

    def envelope(self, call: Call, result: Any) -> Any:
        return result

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        if refusal.reason is Reason.BAN:
            return 403, "<html>403 Forbidden</html>"  # not Gate itself, but what is in front of it
        status, label, message = errors.LABELS[refusal.reason]
        return status, {"label": label, "message": message}

    def rate_headers(self, call: Call) -> dict[str, str]:
        return {
            "X-Gate-RateLimit-Requests-Remain": str(self.meter.left),
            "X-Gate-RateLimit-Limit": str(self.meter.limit),
            "X-Gate-RateLimit-Reset-Timestamp": str(self.meter.reset_ms // 1000),
        }

    def pause_headers(self, seconds: int) -> dict[str, str]:
        reset = str(self.core.now_ms() // 1000 + seconds)
        return {"X-Gate-RateLimit-Requests-Remain": "0", "X-Gate-RateLimit-Reset-Timestamp": reset}

    async def opened(self, connection: Connection) -> bool:
        self.streams.keys = self.keys
        return connection.path.startswith("/v4/ws/")

    async def said(self, connection: Connection, text: str) -> None:
        await self.streams.said(connection, text)

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        return self.streams.news(connection, change)

    # --- market and account ---

    def _contracts(self, _: Call) -> Any:
        return [records.contract(listing) for listing in self.core.listings.values()]

    def _candles(self, call: Call) -> Any:
        """Oldest first; `limit` does not go with `from` and `to`."""
        listing = self._listing(call)
        start, end = call.count_of("from", 0) * 1000, call.count_of("to", 2**40) * 1000
        if "limit" in call.params and ("from" in call.params or "to" in call.params):
            raise RefusalError(Reason.BAD_PARAMETER, "limit")
        rows = [row for row in self.core.candles[listing.id] if start <= row.open_ms <= end]
        return [records.candle(row, listing) for row in rows[-call.count_of("limit", 2000) :]]

    def _tickers(self, call: Call) -> Any:
        listings = [self._listing(call)] if "contract" in call.params else self.core.listings.values()
        return [records.ticker(self.core, listing) for listing in listings]

    def _fees(self, call: Call) -> Any:
        listing = self._listing(call)
        return {listing.id: {"maker_fee": plain(listing.maker_fee), "taker_fee": plain(listing.taker_fee)}}

    def _book(self, call: Call) -> Any:
        """Newest first."""
        start, end = call.count_of("from", 0), call.count_of("to", 2**40)
        of = [each for each in self.core.fundings if call.text_of("contract") in {"", each.listing.id}]
        of = [each for each in of if start <= each.time_ms / 1000 <= end and call.text_of("type") in {"", "fund"}]
        return [records.funding(funding) for funding in self._page(call, of[::-1])]

    def _detail(self, call: Call) -> Any:
        key = self.authenticate(call)
        return {"user_id": records.USER, "ip_whitelist": list(key.addresses), "currency_pairs": [], "tier": 0,
                "key": {"mode": 1}, "copy_trading_role": 0}  # fmt: skip

    def _positions(self, call: Call) -> Any:
        if "contract" in call.names:
            return self._position(self.core.listing(call.names["contract"]), call)
        return [self._position(listing, call) for listing in self.core.listings.values()]

    def _position(self, listing: Listing, call: Call) -> Json:
        held = self.core.position(listing)
        shown = records.position(held, self.core.now_ms(), sizes_as_text=_decimal(call))
        isolated = {"leverage": str(held.leverage), "cross_leverage_limit": "0"} if self.core.isolated else {}
        return shown | isolated

    def _lever(self, call: Call) -> Any:
        """Leverage 0 is cross margin, whose leverage is the limit; any other is that of isolated margin."""
        listing, leverage = self.core.listing(call.names["contract"]), call.count_of("leverage", 0)
        self.core.set_leverage(listing, leverage or call.count_of("cross_leverage_limit", 0))
        self.core.isolated = leverage > 0
        return self._position(listing, call)

    # --- orders ---

    def _place(self, call: Call) -> Any:
        return self._shown(self.core.place(self._intent(call.params)), call)

    def _place_batch(self, call: Call) -> Any:
        if not 1 <= len(call.payload) <= PLACE_BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        return [self._item(call, lambda item=item: self.core.place(self._intent(item))) for item in call.payload]  # type: ignore[misc]

    def _item(self, call: Call, carry_out: Callable[[], Order]) -> Json:
        try:
            return {"succeeded": True, **self._shown(carry_out(), call)}
        except RefusalError as refusal:
            _, label, message = errors.LABELS[refusal.reason]
            return {"succeeded": False, "label": label, "detail": message}

    def _intent(self, params: Json) -> Intent:
        listing = self.core.listing(str(params.get("contract")))
        force, text = str(params.get("tif", "gtc")), str(params.get("text") or "")
        if force not in records.FORCES:
            raise RefusalError(Reason.BAD_PARAMETER, "tif")
        if text and not TEXT.fullmatch(text):
            raise RefusalError(Reason.BAD_PARAMETER, "text")
        try:
            size, price = Decimal(str(params["size"])), Decimal(str(params.get("price", "0")))
        except (KeyError, InvalidOperation) as error:
            raise RefusalError(Reason.BAD_PARAMETER, "size or price") from error
        if size != int(size) or (not price and force not in {"ioc", "fok"}):
            raise RefusalError(Reason.BAD_PARAMETER, "size, or tif of a market order")
        return Intent(
            listing=listing,
            client_id=text.removeprefix("t-"),
            buy=size > 0,
            price=price or None,
            quantity=abs(size) * listing.contract,
            force=records.FORCES[force] if price else Force.GTC,
            reduce_only=params.get("reduce_only") is True,
        )

    def _find(self, call: Call, reason: Reason) -> Order:
        """By id; by text as long as it is open, and a minute longer."""
        name = call.names["order_id"]
        if not name.startswith("t-"):
            return self.core.find(name, None, reason)
        order = self.core.find(None, name.removeprefix("t-"), reason)
        if not order.open and self.core.now_ms() - order.updated_ms > FINISHED_BY_TEXT_MS:
            raise RefusalError(reason)
        return order

    def _order(self, call: Call) -> Any:
        return self._shown(self._find(call, Reason.UNKNOWN_ORDER), call)

    def _cancel(self, call: Call) -> Any:
        return self._shown(self.core.cancel(self._find(call, Reason.NOT_CANCELLABLE)), call)

    def _cancel_batch(self, call: Call) -> Any:
        if not 1 <= len(call.payload) <= CANCEL_BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        answers = []
        for number in call.payload:
            answer: Json = {"user_id": records.USER, "id": str(number), "succeeded": True, "message": ""}
            try:
                self.core.cancel(self.core.find(str(number), None, Reason.NOT_CANCELLABLE))
            except RefusalError as refusal:
                answer |= {"succeeded": False, "message": errors.LABELS[refusal.reason][1]}
            answers.append(answer)
        return answers

    def _cancel_all(self, call: Call) -> Any:
        return [self._shown(order, call) for order in self.core.cancel_all(self._listing(call))]

    def _dead_man(self, call: Call) -> Any:
        """Countdown cancel: 0, or at least 5 seconds."""
        seconds = call.count_of("timeout", -1)
        if seconds != 0 and seconds < 5:
            raise RefusalError(Reason.BAD_PARAMETER, "timeout")
        listing = self._listing(call) if call.text_of("contract") else None
        name = listing.id if listing else "all"
        self.dead_man.set(name, seconds, lambda: self.core.cancel_all(listing, Ended.DEAD_MAN))
        return {"triggerTime": self.core.now_ms() + seconds * 1000 if seconds else 0}

    def _orders(self, call: Call) -> Any:
        """Newest first."""
        status, contract = call.text_of("status"), call.text_of("contract")
        if status not in {"open", "finished"}:
            raise RefusalError(Reason.BAD_PARAMETER, "status")
        chosen = [order for order in self.core.orders.values() if order.open is (status == "open")]
        chosen = [order for order in reversed(chosen) if contract in {"", order.listing.id}]
        return [self._shown(order, call) for order in self._page(call, chosen)]

    def _trades(self, call: Call) -> Any:
        """Newest first, of one order or of all."""
        order = call.text_of("order") or call.text_of("order_id")
        trades = [trade for trade in reversed(self.core.trades) if order in {"", str(trade.order.number)}]
        shown = [records.trade(trade, sizes_as_text=_decimal(call)) for trade in self._page(call, trades)]
        return [trade | {"id": int(trade.pop("trade_id"))} for trade in shown]

    def _trades_between(self, call: Call) -> Any:
        """From and to are whole seconds, the trades' times are not."""
        start, end = call.count_of("from", 0), call.count_of("to", 2**40)
        contract = call.text_of("contract")
        trades = [trade for trade in reversed(self.core.trades) if contract in {"", trade.order.listing.id}]
        chosen = [trade for trade in trades if start <= trade.time_ms / 1000 <= end]
        return [records.trade(trade, sizes_as_text=_decimal(call)) for trade in self._page(call, chosen)]

    @staticmethod
    def _page(call: Call, items: list[Any]) -> list[Any]:
        limit, offset = call.count_of("limit", 100), call.count_of("offset", 0)
        if not 1 <= limit <= 1000 or offset < 0:
            raise RefusalError(Reason.BAD_PARAMETER, "limit or offset")
        return items[offset : offset + limit]

    @staticmethod
    def _shown(order: Order, call: Call) -> Json:
        return records.order(order, sizes_as_text=_decimal(call))

    def _listing(self, call: Call) -> Listing:
        return self.core.listing(call.text_of("contract"))


def _decimal(call: Call) -> bool:
    return call.headers.get("X-Gate-Size-Decimal") == "1"
