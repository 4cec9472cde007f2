"""Gate spot on loopback, spot account. gate.com/docs/developers/apiv4, spot; github.com/gateio/gateapi-python, SpotApi.

What it does as documented and a bot could stumble over: a client id (`text`) finds an order only as long as it is open;
open orders are listed for all pairs, page by page; market buys are of a value in quote currency; candles carry two
volumes; a client id is nowhere said to be refused a second time.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.venues.core import Core, Uniqueness
from tests.venues.faults import Operation
from tests.venues.gate import errors, spot_records
from tests.venues.gate.face import PLACE_BATCH, TEXT, GateFace
from tests.venues.gate.records import USER
from tests.venues.gate.spot_streams import SpotStreams
from tests.venues.listing import Ended, Force, Intent, Listing, Order
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.sockets import Connection
from tests.venues.text import plain

Json = dict[str, Any]
LISTINGS = (
    Listing("BTC_USDT", "BTC", Decimal("0.1"), Decimal("0.000001"), Decimal(3), Decimal("0.000001"),
            maker_fee=Decimal("0.002"), taker_fee=Decimal("0.002"), max_leverage=1, spot=True),
    Listing("ETH_USDT", "ETH", Decimal("0.01"), Decimal("0.0001"), Decimal(3), Decimal("0.0001"),
            maker_fee=Decimal("0.002"), taker_fee=Decimal("0.002"), max_leverage=1, price=Decimal(3000), spot=True),
)  # fmt: skip
ROOT = "/api/v4/spot"
TRADES_SPAN_SECONDS = 30 * 24 * 3600


class GateSpotFace(GateFace):
    def __init__(self) -> None:
        super().__init__(Core(LISTINGS, uniqueness=Uniqueness.NOWHERE))
        self.streams = SpotStreams(self.core, self.keys)

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route("GET", f"{ROOT}/time", Operation.TIME, lambda _: {"server_time": core.now_ms()}, signed=False)
        yield Route("GET", f"{ROOT}/currency_pairs", Operation.INSTRUMENTS, self._pairs, signed=False)
        yield Route("GET", "/api/v4/margin/currency_pairs", Operation.INSTRUMENTS, lambda _: [], signed=False)
        yield Route("GET", f"{ROOT}/candlesticks", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", f"{ROOT}/tickers", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", f"{ROOT}/accounts", Operation.BALANCE, lambda _: spot_records.accounts(core))
        yield Route("GET", "/api/v4/account/detail", Operation.KEY, self._detail)
        yield Route("GET", "/api/v4/account/main_keys", Operation.KEY, self._main_keys)
        yield Route("GET", f"{ROOT}/fee", Operation.FEES, self._fees)
        yield Route("POST", f"{ROOT}/orders", Operation.PLACE, self._place, trading=True)
        yield Route("POST", f"{ROOT}/batch_orders", Operation.PLACE, self._place_batch, trading=True)
        yield Route("GET", f"{ROOT}/open_orders", Operation.OPEN_ORDERS, self._open_orders)
        yield Route("GET", f"{ROOT}/orders", Operation.FINISHED_ORDERS, self._orders)
        yield Route("DELETE", f"{ROOT}/orders", Operation.CANCEL_ALL, self._cancel_all, trading=True)
        yield Route("GET", f"{ROOT}/orders/{{order_id}}", Operation.ORDER, self._order)
        yield Route("DELETE", f"{ROOT}/orders/{{order_id}}", Operation.CANCEL, self._cancel, trading=True)
        yield Route("POST", f"{ROOT}/countdown_cancel_all", Operation.DEAD_MAN, self._dead_man, trading=True)
        yield Route("GET", f"{ROOT}/my_trades", Operation.FILLS, self._trades)

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        if refusal.reason is Reason.BAN:
            return super().refusal(call, refusal)
        status, label, message = errors.SPOT_LABELS[refusal.reason]
        return status, {"label": label, "message": message}

    async def opened(self, connection: Connection) -> bool:
        self.streams.keys = self.keys
        return connection.path.rstrip("/") in {"/ws/v4", "/v4/ws/spot"}

    # --- market and account ---

    def _pairs(self, _: Call) -> Any:
        return [spot_records.currency_pair(listing) for listing in self.core.listings.values()]

    def _candles(self, call: Call) -> Any:
        """Oldest first, 1000 at most; `limit` does not go with `from` and `to`."""
        listing, between = self._listing(call), bool({"from", "to"} & call.params.keys())
        start, end = call.count_of("from", 0) * 1000, call.count_of("to", 2**40) * 1000
        rows = [row for row in self.core.candles[listing.id] if start <= row.open_ms <= end]
        limit = call.count_of("limit", 1000 if between else 100)
        if ("limit" in call.params and between) or limit > 1000 or (between and len(rows) > 1000):
            raise RefusalError(Reason.BAD_PARAMETER, "limit, or too many points")
        return [spot_records.candle(row) for row in rows[-limit:]]

    def _tickers(self, call: Call) -> Any:
        listings = [self._listing(call)] if "currency_pair" in call.params else list(self.core.listings.values())
        return [spot_records.ticker(self.core, listing) for listing in listings]

    def _fees(self, call: Call) -> Any:
        listing = self._listing(call)
        return {"user_id": USER, "taker_fee": plain(listing.taker_fee),
                "maker_fee": plain(listing.maker_fee), "gt_discount": False, "gt_taker_fee": "0", "gt_maker_fee": "0",
                "loan_fee": "0.18", "point_type": "1", "currency_pair": listing.id, "debit_fee": 3}  # fmt: skip

    def _main_keys(self, call: Call) -> Any:
        """All keys of the account, each with the start of its name."""
        key = self.authenticate(call)
        perms = [{"name": "account", "read_only": True}, {"name": "spot", "read_only": not key.may_trade}]
        perms += [{"name": "withdraw", "read_only": False}] if key.may_withdraw else []
        another = {"key": "another*****", "perms": [{"name": "withdraw", "read_only": False}], "ip_whitelist": []}
        ours = {"key": f"{key.api_key[:12]}*****", "perms": perms, "ip_whitelist": list(key.addresses)}
        return [another, ours]

    # --- orders ---

    def _place(self, call: Call) -> Any:
        return spot_records.order(self.core.place(self._intent(call.params)))

    def _item(self, call: Call, carry_out: Callable[[], Order]) -> Json:
        try:
            return {"succeeded": True, "label": "", "message": "", **spot_records.order(carry_out())}
        except RefusalError as refusal:
            _, label, message = errors.SPOT_LABELS[refusal.reason]
            return {"succeeded": False, "label": label, "message": message}

    def _place_batch(self, call: Call) -> Any:
        pairs = {item.get("currency_pair") for item in call.payload}
        if not 1 <= len(call.payload) <= PLACE_BATCH * len(pairs) or len(pairs) > 4:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        if not all(item.get("text") for item in call.payload):
            raise RefusalError(Reason.BAD_PARAMETER, "text")
        items = []
        for item in call.payload:
            answer = self._item(call, lambda item=item: self.core.place(self._intent(item)))  # type: ignore[misc]
            items.append({"text": item["text"]} | answer)
        return items

    def _intent(self, params: Json) -> Intent:
        listing = self.core.listing(str(params.get("currency_pair")))
        limit, buy, text = params.get("type", "limit") == "limit", params.get("side") == "buy", str(params.get("text"))
        force = str(params.get("time_in_force", "gtc"))
        if params.get("type", "limit") not in {"limit", "market"} or params.get("side") not in {"buy", "sell"}:
            raise RefusalError(Reason.BAD_PARAMETER, "type or side")
        if force not in spot_records.FORCES or (not limit and force not in {"ioc", "fok"}):
            raise RefusalError(Reason.BAD_PARAMETER, "time_in_force")
        if params.get("account", "spot") != "spot" or params.get("auto_borrow"):
            raise RefusalError(Reason.BAD_PARAMETER, "account")
        if "text" in params and not TEXT.fullmatch(text):
            raise RefusalError(Reason.BAD_PARAMETER, "text")
        if buy and not limit:
            raise RefusalError(Reason.BAD_PARAMETER, "a market buy is of a value, which this simulator does not take")
        try:
            amount = Decimal(str(params["amount"]))
            price = Decimal(str(params["price"])) if limit else None
        except (KeyError, InvalidOperation) as error:
            raise RefusalError(Reason.BAD_PARAMETER, "amount or price") from error
        client_id = text.removeprefix("t-") if "text" in params else ""
        return Intent(listing, client_id, buy, price, amount, spot_records.FORCES[force] if limit else Force.GTC)

    def _find(self, call: Call, reason: Reason) -> Order:
        """By id; by text as long as it is open. The pair is needed."""
        name, listing = call.names["order_id"], self._listing(call)
        order = self.core.find(None, name.removeprefix("t-"), reason) if name.startswith("t-") else None
        order = order or self.core.find(name, None, reason)
        if order.listing is not listing or (name.startswith("t-") and not order.open):
            raise RefusalError(reason)
        return order

    def _order(self, call: Call) -> Any:
        return spot_records.order(self._find(call, Reason.UNKNOWN_ORDER))

    def _cancel(self, call: Call) -> Any:
        return spot_records.order(self.core.cancel(self._find(call, Reason.NOT_CANCELLABLE)))

    def _cancel_all(self, call: Call) -> Any:
        return [spot_records.order(order) | {"succeeded": True} for order in self.core.cancel_all(self._listing(call))]

    def _dead_man(self, call: Call) -> Any:
        """Countdown cancel: 0, or at least 5 seconds."""
        seconds = call.count_of("timeout", -1)
        if seconds != 0 and seconds < 5:
            raise RefusalError(Reason.BAD_PARAMETER, "timeout")
        listing = self._listing(call) if call.text_of("currency_pair") else None
        name = listing.id if listing else "all"
        self.dead_man.set(name, seconds, lambda: self.core.cancel_all(listing, Ended.DEAD_MAN))
        return {"triggerTime": self.core.now_ms() + seconds * 1000 if seconds else 0}

    def _open_orders(self, call: Call) -> Any:
        """Of every pair that has any, a page of each, newest first."""
        answer = []
        for listing in self.core.listings.values():
            orders = self.core.open_orders(listing)[::-1]
            page = [spot_records.order(order) for order in self._page(call, orders)]
            if page:
                answer.append({"currency_pair": listing.id, "total": len(orders), "orders": page})
        return answer

    def _orders(self, call: Call) -> Any:
        """Newest first."""
        listing, status = self._listing(call), call.text_of("status")
        if status not in {"open", "finished"}:
            raise RefusalError(Reason.BAD_PARAMETER, "status")
        chosen = [order for order in self.core.orders.values() if order.open is (status == "open")]
        chosen = [order for order in reversed(chosen) if order.listing is listing]
        return [spot_records.order(order) for order in self._page(call, chosen)]

    def _trades(self, call: Call) -> Any:
        """Newest first; of the last week where no time is given. From and to are whole seconds."""
        now, listing = self.core.now_ms() // 1000, self._listing(call)
        start, end = call.count_of("from", now - 7 * 24 * 3600), call.count_of("to", now + 60)
        if end - start > TRADES_SPAN_SECONDS:
            raise RefusalError(Reason.BAD_PARAMETER, "from and to")
        wanted = call.text_of("order_id")
        trades = [trade for trade in reversed(self.core.trades) if trade.order.listing is listing]
        trades = [trade for trade in trades if start <= trade.time_ms / 1000 <= end]
        trades = [trade for trade in trades if wanted in {"", str(trade.order.number)}]
        return [spot_records.trade(trade) for trade in self._page(call, trades)]

    @staticmethod
    def _page(call: Call, items: list[Any]) -> list[Any]:
        limit, page = call.count_of("limit", 100), call.count_of("page", 1)
        most = 100 if call.operation is Operation.OPEN_ORDERS else 1000
        if not 1 <= limit <= most or page < 1 or "offset" in call.params:
            raise RefusalError(Reason.BAD_PARAMETER, "limit or page")
        return items[(page - 1) * limit : page * limit]

    def _listing(self, call: Call) -> Listing:
        return self.core.listing(call.text_of("currency_pair"))
