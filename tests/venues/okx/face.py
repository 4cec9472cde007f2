"""OKX on loopback: USDT swaps in net mode and cross margin, or spot without margin. okx.com/docs-v5.

What it does as documented and a bot could stumble over: quantities are contracts; placing and cancelling answer with
ids, each with a code of its own, and HTTP 200 whatever became of them; a crossing post-only order is taken and
cancelled a moment later; flat positions are left out.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from opensqt.api.exchange import Exchange, MarketKind
from tests.venues.changes import Change
from tests.venues.core import Core
from tests.venues.faults import Operation
from tests.venues.keys import Key
from tests.venues.listing import Ended, Force, Intent, Listing, Order
from tests.venues.okx import errors, records
from tests.venues.okx.streams import Streams
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.server import Face
from tests.venues.sockets import Connection
from tests.venues.text import plain

Json = dict[str, Any]
LISTINGS = (
    Listing(
        "BTC-USDT-SWAP", "BTC", Decimal("0.1"), Decimal("0.0001"), min_quantity=Decimal("0.0001"),
        contract=Decimal("0.01"),
    ),
    Listing(
        "ETH-USDT-SWAP", "ETH", Decimal("0.01"), Decimal("0.001"), min_quantity=Decimal("0.001"),
        contract=Decimal("0.1"), price=Decimal(3000),
    ),
)  # fmt: skip
SPOT_LISTINGS = (
    Listing("BTC-USDT", "BTC", Decimal("0.1"), Decimal("0.00000001"), min_quantity=Decimal("0.00001"),
            maker_fee=Decimal("0.0008"), taker_fee=Decimal("0.001"), max_leverage=1, spot=True),
    Listing("ETH-USDT", "ETH", Decimal("0.01"), Decimal("0.000001"), min_quantity=Decimal("0.0001"),
            maker_fee=Decimal("0.0008"), taker_fee=Decimal("0.001"), max_leverage=1, price=Decimal(3000), spot=True),
)  # fmt: skip
BATCH = 20
WINDOW_MS = 30_000
FILLS_DAYS_MS = 3 * 24 * 3600 * 1000
_CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True)
class Items:
    """What became of each order, with a code of its own."""

    items: list[Json]


class OkxFace(Face):
    exchange: ClassVar[Exchange] = Exchange.OKX

    def __init__(self, market: MarketKind = MarketKind.PERPETUAL) -> None:
        self.spot = market is MarketKind.SPOT
        self.kind = "SPOT" if self.spot else "SWAP"
        super().__init__(Core(SPOT_LISTINGS if self.spot else LISTINGS, late_post_only=True))
        self.streams = Streams(self.core, self.keys)

    def routes(self) -> Iterable[Route]:
        core = self.core
        yield Route("GET", "/api/v5/public/time", Operation.TIME, lambda _: [{"ts": str(core.now_ms())}], signed=False)
        yield Route("GET", "/api/v5/public/instruments", Operation.INSTRUMENTS, self._instruments, signed=False)
        yield Route("GET", "/api/v5/account/instruments", Operation.INSTRUMENTS, self._instruments)
        yield Route("GET", "/api/v5/market/candles", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", "/api/v5/market/history-candles", Operation.CANDLES, self._candles, signed=False)
        yield Route("GET", "/api/v5/market/ticker", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", "/api/v5/market/tickers", Operation.TICKER, self._tickers, signed=False)
        yield Route("GET", "/api/v5/account/config", Operation.KEY, self._config)
        yield Route("GET", "/api/v5/account/trade-fee", Operation.FEES, self._fees)
        yield Route("GET", "/api/v5/account/balance", Operation.BALANCE, self._balance)
        yield Route("GET", "/api/v5/account/positions", Operation.POSITIONS, self._positions)
        yield Route("GET", "/api/v5/account/bills-archive", Operation.FUNDING, self._bills)
        yield Route("GET", "/api/v5/account/leverage-info", Operation.LEVERAGE, self._leverage_info)
        yield Route("POST", "/api/v5/account/set-leverage", Operation.LEVERAGE, self._set_leverage, trading=True)
        yield Route("POST", "/api/v5/trade/order", Operation.PLACE, self._place, trading=True)
        yield Route("POST", "/api/v5/trade/batch-orders", Operation.PLACE, self._place_batch, trading=True)
        yield Route("POST", "/api/v5/trade/cancel-order", Operation.CANCEL, self._cancel, trading=True)
        yield Route("POST", "/api/v5/trade/cancel-batch-orders", Operation.CANCEL, self._cancel_batch, trading=True)
        yield Route("POST", "/api/v5/trade/cancel-all-after", Operation.DEAD_MAN, self._dead_man, trading=True)
        yield Route("GET", "/api/v5/trade/order", Operation.ORDER, self._order)
        yield Route("GET", "/api/v5/trade/orders-pending", Operation.OPEN_ORDERS, self._pending)
        yield Route("GET", "/api/v5/trade/orders-history", Operation.FINISHED_ORDERS, self._finished)
        yield Route("GET", "/api/v5/trade/fills", Operation.FILLS, self._fills)
        yield Route("GET", "/api/v5/trade/fills-history", Operation.FILLS, self._fills)

    # --- what OKX says in its own way ---

    def authenticate(self, call: Call) -> Key:
        """Overview, REST authentication: HMAC SHA256 of timestamp, method, path with query, and body, in Base64."""
        headers = call.headers
        key = self.keys.get(headers.get("OK-ACCESS-KEY", ""))
        if key is None:
            raise RefusalError(Reason.BAD_KEY)
        stamp = headers.get("OK-ACCESS-TIMESTAMP", "")
        try:
            stamp_ms = datetime.fromisoformat(stamp).timestamp() * 1000
        except ValueError as error:
            raise RefusalError(Reason.CLOCK_SKEW) from error
        if abs(stamp_ms - self.core.now_ms()) > WINDOW_MS or not stamp.endswith("Z"):
            raise RefusalError(Reason.CLOCK_SKEW)
        if headers.get("OK-ACCESS-PASSPHRASE") != key.passphrase:
            raise RefusalError(Reason.BAD_PASSPHRASE)
        target = call.path + (f"?{call.query}" if call.query else "")
        signed = hmac.new(key.secret.encode(), f"{stamp}{call.method}{target}{call.text}".encode(), hashlib.sha256)
        if not hmac.compare_digest(headers.get("OK-ACCESS-SIGN", ""), base64.b64encode(signed.digest()).decode()):
            raise RefusalError(Reason.BAD_SIGNATURE)
        deadline = headers.get("expTime", "")
        if deadline and int(deadline) < self.core.now_ms():
            raise RefusalError(Reason.EXPIRED)
        return key

    def envelope(self, call: Call, result: Any) -> Any:
        if not isinstance(result, Items):
            return {"code": "0", "msg": "", "data": result}
        bad = sum(item["sCode"] != "0" for item in result.items)
        code, message = "0", ""
        if bad:
            whole = bad == len(result.items)
            code, message = ("1", "All operations failed") if whole else ("2", "Bulk operation partially succeeded.")
        now_us = str(self.core.now_ms() * 1000)
        return {"code": code, "msg": message, "data": result.items, "inTime": now_us, "outTime": now_us}

    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        status, code, message = errors.CODES[refusal.reason]
        if refusal.reason in errors.OF_AN_ORDER and call.operation in {Operation.PLACE, Operation.CANCEL}:
            item = _item("", call.text_of("clOrdId"), code, message)
            return 200, {"code": "1", "msg": "All operations failed", "data": [item]}
        return status, {"code": code, "msg": message, "data": []}

    def pause_headers(self, seconds: int) -> dict[str, str]:
        return {}

    async def opened(self, connection: Connection) -> bool:
        self.streams.keys = self.keys
        return connection.path in {"/ws/v5/public", "/ws/v5/private", "/ws/v5/business"}

    async def said(self, connection: Connection, text: str) -> None:
        await self.streams.said(connection, text)

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        return self.streams.news(connection, change)

    # --- market ---

    def _instruments(self, call: Call) -> Any:
        if call.text_of("instType") != self.kind:
            return []
        return [records.instrument(listing) for listing in self.core.listings.values()]

    def _candles(self, call: Call) -> Any:
        """Newest first; `after` asks for older ones than it, `before` for newer ones."""
        listing = self._listing(call)
        older, newer = call.count_of("after", 2**62), call.count_of("before", 0)
        rows = [row for row in self.core.candles[listing.id] if newer < row.open_ms < older]
        return [records.candle(row, listing) for row in rows[::-1][: call.count_of("limit", 100)]]

    def _tickers(self, call: Call) -> Any:
        listings = [self._listing(call)] if "instId" in call.params else list(self.core.listings.values())
        return [records.ticker(self.core, listing) for listing in listings]

    # --- account ---

    def _config(self, call: Call) -> Any:
        key = self.authenticate(call)
        rights = ["read_only", *(["trade"] if key.may_trade else []), *(["withdraw"] if key.may_withdraw else [])]
        mode = "long_short_mode" if self.core.hedged else "net_mode"
        return [{"acctLv": "2", "acctStpMode": "cancel_maker", "autoLoan": False, "ctIsoMode": "automatic",
                 "greeksType": "PA", "ip": ",".join(key.addresses), "kycLv": "3", "label": "bots", "level": "Lv1",
                 "mainUid": "1", "perm": ",".join(rights), "posMode": mode, "roleType": "0", "type": "0",
                 "uid": "77982378738415879"}]  # fmt: skip

    def _balance(self, _: Call) -> Any:
        return [records.balance(self.core, spot=self.spot)]

    def _fees(self, call: Call) -> Any:
        """`maker` and `taker` are of contracts margined in coins, those with U of contracts margined in USDT.

        Of spot pairs against USDT they are `maker` and `taker`.
        """
        if self.spot:
            pair = self._listing(call)
            if call.text_of("instType") != "SPOT":
                raise RefusalError(Reason.BAD_PARAMETER, "instType")
            return [{"category": "1", "delivery": "", "exercise": "", "instType": "SPOT", "level": "Lv1",
                     "maker": plain(-pair.maker_fee), "makerU": "", "makerUSDC": "-0.0001", "settle": "",
                     "taker": plain(-pair.taker_fee), "takerU": "", "takerUSDC": "-0.0003", "ruleType": "normal",
                     "ts": str(self.core.now_ms())}]  # fmt: skip
        families = {f"{listing.base}-{listing.quote}": listing for listing in self.core.listings.values()}
        listing = families.get(call.text_of("uly") or call.text_of("instFamily"))
        if listing is None or call.text_of("instType") != "SWAP":
            raise RefusalError(Reason.BAD_PARAMETER, "instType or instFamily")
        return [{"category": "1", "delivery": "", "exercise": "", "instType": "SWAP", "level": "Lv1",
                 "maker": "-0.0007", "makerU": plain(-listing.maker_fee), "makerUSDC": "-0.0008", "taker": "-0.0009",
                 "takerU": plain(-listing.taker_fee), "takerUSDC": "0", "ts": str(self.core.now_ms())}]  # fmt: skip

    def _positions(self, call: Call) -> Any:
        if self.spot:
            return []
        wanted = set(filter(None, call.text_of("instId").split(",")))
        held = [self.core.position(listing) for listing in self.core.listings.values()]
        return [
            records.position(position, self.core.now_ms())
            for position in held
            if position.quantity and (not wanted or position.listing.id in wanted)
        ]

    def _bills(self, call: Call) -> Any:
        """The funding fees among the bills of the last three months, newest first."""
        wanted = call.text_of("type") in {"", "8"} and call.text_of("instType") in {"", "SWAP"}
        bills = [records.funding(funding) for funding in self.core.fundings if wanted]
        return self._older(call, bills, "billId")

    def _leverage_info(self, call: Call) -> Any:
        return [self._leverage(call)]

    def _set_leverage(self, call: Call) -> Any:
        listing = self._listing(call)
        if self.spot:
            raise RefusalError(Reason.BAD_PARAMETER, "spot without margin has no leverage")
        if call.text_of("mgnMode") not in {"cross", "isolated"}:
            raise RefusalError(Reason.BAD_PARAMETER, "mgnMode")
        self.core.set_leverage(listing, int(Decimal(call.text_of("lever") or "0")))
        self.core.isolated = call.text_of("mgnMode") == "isolated"
        return [self._leverage(call)]

    def _leverage(self, call: Call) -> Json:
        listing = self._listing(call)
        lever = str(self.core.holding(listing).leverage)
        return {"lever": lever, "mgnMode": call.text_of("mgnMode"), "instId": listing.id, "posSide": "net"}

    # --- orders ---

    def _place(self, call: Call) -> Any:
        return self._each([call.params], lambda item: self.core.place(self._intent(item)))

    def _place_batch(self, call: Call) -> Any:
        return self._each(call.payload, lambda item: self.core.place(self._intent(item)))

    def _cancel(self, call: Call) -> Any:
        return self._each([call.params], lambda item: self.core.cancel(self._find(item, Reason.NOT_CANCELLABLE)))

    def _cancel_batch(self, call: Call) -> Any:
        return self._each(call.payload, lambda item: self.core.cancel(self._find(item, Reason.NOT_CANCELLABLE)))

    @staticmethod
    def _each(requests: list[Json], carry_out: Callable[[Json], Order]) -> Items:
        if not 1 <= len(requests) <= BATCH:
            raise RefusalError(Reason.BATCH_TOO_LONG)
        items = []
        for request in requests:
            client_id = str(request.get("clOrdId") or "")
            try:
                order = carry_out(request)
                items.append(_item(records.order_id(order), order.client_id, "0", "Order placed"))
            except RefusalError as refusal:
                _, code, message = errors.CODES[refusal.reason]
                items.append(_item(str(request.get("ordId") or ""), client_id, code, message))
        return Items(items)

    def _intent(self, params: Json) -> Intent:
        kind, client_id = params.get("ordType"), str(params.get("clOrdId") or "")
        market = kind == "market"
        if (not market and kind not in records.FORCES) or params.get("side") not in {"buy", "sell"}:
            raise RefusalError(Reason.BAD_PARAMETER, "ordType or side")
        if client_id and not _CLIENT_ID.fullmatch(client_id):
            raise RefusalError(Reason.BAD_PARAMETER, "clOrdId")
        if params.get("tdMode") not in ({"cash"} if self.spot else {"cross", "isolated"}):
            raise RefusalError(Reason.BAD_PARAMETER, "tdMode")
        if params.get("posSide", "net") != "net":
            raise RefusalError(Reason.POSITION_MODE)
        if self.spot and market and params["side"] == "buy" and params.get("tgtCcy", "quote_ccy") != "base_ccy":
            raise RefusalError(Reason.BAD_PARAMETER, "this simulator takes quantities of base currency alone: tgtCcy")
        listing = self.core.listing(str(params.get("instId")))
        try:
            price = None if market else Decimal(str(params["px"]))
            quantity = Decimal(str(params["sz"])) * listing.contract
        except (KeyError, InvalidOperation) as error:
            raise RefusalError(Reason.BAD_PARAMETER, "px or sz") from error
        return Intent(
            listing=listing,
            client_id=client_id,
            buy=params["side"] == "buy",
            price=price,
            quantity=quantity,
            force=Force.GTC if market else records.FORCES[str(kind)],
            reduce_only=params.get("reduceOnly") in {True, "true"},
        )

    def _find(self, params: Json, reason: Reason) -> Order:
        number = records.number_of(str(params["ordId"])) if params.get("ordId") else ""
        order = self.core.find(number, str(params.get("clOrdId") or ""), reason)
        if order.listing is not self.core.listing(str(params.get("instId"))):
            raise RefusalError(reason)
        return order

    def _dead_man(self, call: Call) -> Any:
        """Cancel all after: 0, or 10 to 120 seconds."""
        seconds = call.count_of("timeOut", -1)
        if seconds != 0 and not 10 <= seconds <= 120:
            raise RefusalError(Reason.BAD_PARAMETER, "timeOut")
        self.dead_man.set("account", seconds, lambda: self.core.cancel_all(None, Ended.DEAD_MAN))
        now_ms = self.core.now_ms()
        trigger = str(now_ms + seconds * 1000) if seconds else "0"
        return [{"triggerTime": trigger, "tag": "", "ts": str(now_ms)}]

    def _order(self, call: Call) -> Any:
        order = self._find(call.params, Reason.UNKNOWN_ORDER)
        trades = [trade for trade in self.core.trades if trade.order is order]
        return [records.order(order) | _last_fill(order, trades[-1] if trades else None)]

    def _pending(self, call: Call) -> Any:
        return self._older(call, [records.order(order) for order in self.core.open_orders()], "ordId")

    def _finished(self, call: Call) -> Any:
        if call.text_of("instType") != self.kind:
            raise RefusalError(Reason.BAD_PARAMETER, "instType")
        over = [records.order(order) for order in self.core.orders.values() if not order.open]
        return self._older(call, [each for each in over if call.text_of("state") in {"", each["state"]}], "ordId")

    def _fills(self, call: Call) -> Any:
        start, end = call.count_of("begin", 0), call.count_of("end", 2**62)
        if call.text_of("instType") not in {"", self.kind}:
            return []
        if call.path.endswith("/fills"):
            start = max(start, self.core.now_ms() - FILLS_DAYS_MS)
        trades = [trade for trade in self.core.trades if start <= trade.time_ms <= end]
        fills = [records.fill(trade) for trade in trades]
        if call.text_of("ordId"):
            fills = [fill for fill in fills if fill["ordId"] == call.text_of("ordId")]
        return self._older(call, fills, "billId")

    @staticmethod
    def _older(call: Call, items: list[Json], id_name: str) -> list[Json]:
        return call.older(items, cursor="after", id_name=id_name, symbol="instId")

    def _listing(self, call: Call) -> Listing:
        return self.core.listing(call.text_of("instId"))


def _item(order_id: str, client_id: str, code: str, message: str) -> Json:
    return {"clOrdId": client_id, "ordId": order_id, "tag": "", "ts": "1695190491421", "sCode": code, "sMsg": message}


def _last_fill(order: Order, trade: Any) -> Json:
    if trade is None:
        return {}
    return {
        "tradeId": str(trade.number), "fillPx": plain(trade.price), "fillTime": str(trade.time_ms),
        "fillSz": records.contracts(order.listing, trade.quantity),
    }  # fmt: skip
