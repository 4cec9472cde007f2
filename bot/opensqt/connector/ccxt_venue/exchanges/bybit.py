"""Bybit linear perpetuals, API v5, unified account. Codes: bybit-exchange.github.io/docs/v5/error."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, KeyRights, Rejection, decimal, first, number
from opensqt.connector.ccxt_venue.limits import Allowance, Counts
from opensqt.connector.ccxt_venue.profile import Guard, Profile
from opensqt.connector.venue import Account
from opensqt.engine.events import Remedy

CODES = {
    "10000": Remedy.LOOK_UP,  # server time-out
    "10002": Remedy.RETRY,  # timestamp outside the window
    "10003": Remedy.FIX_CREDENTIALS,
    "10004": Remedy.FIX_CREDENTIALS,  # signature
    "10005": Remedy.FIX_CREDENTIALS,  # permission
    "10006": Remedy.BACK_OFF,
    "10007": Remedy.FIX_CREDENTIALS,
    "10008": Remedy.HALT,  # user banned
    "10009": Remedy.BACK_OFF,  # address banned
    "10010": Remedy.FIX_CREDENTIALS,  # IP
    "10014": Remedy.LOOK_UP,  # duplicate request
    "10016": Remedy.LOOK_UP,  # server error
    "10018": Remedy.BACK_OFF,
    "10024": Remedy.HALT,  # compliance
    "10027": Remedy.HALT,  # trading banned
    "10028": Remedy.HALT,  # unified account needed
    "33004": Remedy.FIX_CREDENTIALS,  # key expired
    "110001": Remedy.UNKNOWN_ORDER,
    "110004": Remedy.INSUFFICIENT_MARGIN,
    "110006": Remedy.INSUFFICIENT_MARGIN,
    "110007": Remedy.INSUFFICIENT_MARGIN,
    "110008": Remedy.UNKNOWN_ORDER,  # finished
    "110010": Remedy.UNKNOWN_ORDER,  # cancelled
    "110012": Remedy.INSUFFICIENT_MARGIN,
    "110014": Remedy.INSUFFICIENT_MARGIN,
    "110017": Remedy.FIX_REQUEST,  # reduce-only not satisfied
    "110019": Remedy.UNKNOWN_ORDER,
    "110020": Remedy.FIX_REQUEST,  # too many open orders
    "110030": Remedy.DUPLICATE,
    "110040": Remedy.INSUFFICIENT_MARGIN,
    "110044": Remedy.INSUFFICIENT_MARGIN,
    "110045": Remedy.INSUFFICIENT_MARGIN,
    "110051": Remedy.INSUFFICIENT_MARGIN,
    "110052": Remedy.INSUFFICIENT_MARGIN,
    "110053": Remedy.INSUFFICIENT_MARGIN,
    "110063": Remedy.BACK_OFF,  # settlement
    "110066": Remedy.HALT,  # no trading at this time
    "110072": Remedy.DUPLICATE,  # orderLinkId
    "110094": Remedy.FIX_REQUEST,  # notional below the minimum
    "170007": Remedy.LOOK_UP,
    "170222": Remedy.BACK_OFF,
}
_UNCHANGED = frozenset({"110043"})


class Bybit(Dialect):
    category = "linear"
    product, dcp_topic = "DERIVATIVES", "dcp.future"
    """Of the dead-man switch."""
    trading_rights: tuple[str, ...] = ("ContractTrade", "Derivatives")

    profile = Profile(
        name="bybit",
        ccxt_id="bybit",
        codes=CODES,
        demo="demo",
        place_batch=10,
        cancel_batch=10,
        orders_page=50,
        funding_window_ms=7 * 24 * 3600 * 1000,
        # 600 requests in 5 s and an address; each endpoint has its own limit, in orders where it takes many.
        rate=90,
        burst=100,
        endpoint_window=(45, 1.0),
        batches_count_items=True,
        mode_of_symbol=True,
        ban_seconds=600,
        options={
            "fetchMarkets": {"types": ["linear"]},
            "defaultType": "swap",
            "defaultSubType": "linear",
            "defaultSettle": "USDT",
            "enableUnifiedMargin": False,
            "enableUnifiedAccount": True,
            "unifiedMarginStatus": 6,
        },
        reasons={"10005": "MissingPermission", "10010": "AddressNotAllowed"},
        guard=Guard.CONNECTION,
        weaknesses=(
            "unified accounts only",
            "a crossing post-only order is accepted first and cancelled a moment later",
            "open orders and the last 500 finished ones answer at once; older ones after a delay, from the history",
        ),
    )

    def code(self, body: Any) -> str:
        return str(body.get("retCode", "")) if isinstance(body, dict) else ""

    def message(self, body: Any) -> str:
        return str(body.get("retMsg", "")) if isinstance(body, dict) else ""

    def rejection(self, info: Json) -> Rejection | None:
        code = str(info.get("code", "0"))
        return Rejection(code, str(info.get("msg", ""))) if code not in {"", "0"} else None

    def batch_items(self, body: Any) -> list[Json]:
        # The items' codes are beside the items, in the same order.
        if not isinstance(body, dict):
            return []
        items = (body.get("result") or {}).get("list") or []
        codes = (body.get("retExtInfo") or {}).get("list") or []
        return [{**item, **(codes[at] if at < len(codes) else {})} for at, item in enumerate(items)]

    def item_client_id(self, item: Json) -> str:
        return str(item.get("orderLinkId") or "")

    def page_after(self, page: Sequence[Json], count: int) -> Json:
        cursors = (str(order["info"].get("nextPageCursor") or "") for order in page)
        return {"cursor": next(filter(None, cursors), "")}

    def post_only_rejected(self, info: Json) -> bool:
        return info.get("rejectReason") == "EC_PostOnlyWillTakeLiquidity"

    def funding_paid(self, payment: Json) -> Decimal:
        # An execution of type Funding: its execFee is what was paid, and ccxt passes it on as it is.
        return decimal((payment.get("info") or {}).get("execFee"))

    def is_fill(self, info: Json) -> bool:
        # Funding comes among the executions, with the size of the whole position.
        return self._ours(info) and info.get("execType") not in {"Funding", "SessionSettlePnL", "MovePosition"}

    def _ours(self, info: Json) -> bool:
        # The streams are of all categories, and BTCUSDT is in more than one.
        return info.get("category") in {None, "", self.category}

    async def watch_orders(self, exchange: Any, symbol: str) -> list[Json]:
        return [order for order in await exchange.watch_orders(symbol) if self._ours(order["info"])]

    def trade_client_id(self, info: Json) -> str:
        return str(info.get("orderLinkId") or "")

    async def find_order(self, exchange: Any, symbol: str, client_id: str) -> Json:
        return await self._find(exchange, symbol, {"orderLinkId": client_id})

    async def order_by_venue_id(self, exchange: Any, symbol: str, venue_id: str) -> Json:
        return await self._find(exchange, symbol, {"orderId": venue_id})

    async def _find(self, exchange: Any, symbol: str, query: Json) -> Json:
        for fetch in (exchange.fetch_open_orders, exchange.fetch_canceled_and_closed_orders):
            found: list[Json] = await fetch(symbol, None, None, query)
            if found:
                return found[0]
        raise exchange.exceptions["exact"]["110001"]("bybit has no such order")

    async def cancel_one(self, exchange: Any, symbol: str, client_id: str) -> Json:
        cancelled: Json = await exchange.cancel_order(None, symbol, {"orderLinkId": client_id})
        return cancelled

    async def cancel_many(self, exchange: Any, symbol: str, client_ids: Sequence[str]) -> None:
        market = exchange.market(symbol)
        request = [{"symbol": market["id"], "orderLinkId": client_id} for client_id in client_ids]
        await exchange.privatePostV5OrderCancelBatch({"category": self.category, "request": request})

    async def hedged(self, exchange: Any, symbol: str) -> bool:
        answer = await exchange.privateGetV5PositionList(
            {"category": "linear", "symbol": exchange.market(symbol)["id"]}
        )
        entries = answer.get("result", {}).get("list") or ()
        return any(str(entry.get("positionIdx", "0")) != "0" for entry in entries)

    async def set_leverage(self, exchange: Any, symbol: str, leverage: int) -> None:
        try:
            await exchange.set_leverage(leverage, symbol)
        except Exception as error:
            if not any(code in str(error) for code in _UNCHANGED):
                raise

    def allowances(self, headers: Mapping[str, str], now_ms: int) -> Sequence[Allowance]:
        left, whole = number(headers, "x-bapi-limit-status"), number(headers, "x-bapi-limit")
        if left is None:
            return ()
        # The time of the reset is now, as long as the limit is not reached; windows are of a second.
        reset = ((number(headers, "x-bapi-limit-reset-timestamp") or 0.0) - now_ms) / 1000
        return (Allowance(Counts.ENDPOINT, left, whole or 0.0, max(reset, 1.0)),)

    async def set_dead_man_switch(self, exchange: Any, seconds: int, symbols: Sequence[str]) -> str:
        if not seconds:
            return ""  # it cannot be set to 0; whoever does not subscribe to its topic is not watched
        await exchange.privatePostV5OrderDisconnectedCancelAll({"product": self.product, "timeWindow": seconds})
        told = (await exchange.privateGetV5AccountQueryDcpInfo()).get("result", {}).get("dcpInfos") or ()
        status: Json = next((info for info in told if info.get("product") == self.product), {})
        return "" if status.get("dcpStatus") == "ON" else "Bybit switches it on for an account on request only"

    async def hold_dead_man_switch(self, exchange: Any) -> None:
        url = await exchange.get_url_by_market_type(None, True, "watchOrders")
        await exchange.authenticate(url)
        await exchange.watch_topics(url, [self.dcp_topic], [self.dcp_topic])

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        if not live:
            return KeyRights()  # the demo environment does not tell
        result = (await exchange.privateGetV5UserQueryApi()).get("result") or {}
        rights = result.get("permissions") or {}
        return KeyRights(
            trade=str(result.get("readOnly", "0")) == "0" and any(rights.get(name) for name in self.trading_rights),
            withdraw="Withdraw" in (rights.get("Wallet") or ()),
            bound="*" not in (result.get("ips") or ("*",)),
        )

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        entry = first(balance["info"].get("result", {}).get("list"))
        coin: Json = next((coin for coin in entry.get("coin", ()) if coin.get("coin") == currency), {})
        return Account(
            currency,
            equity=decimal(coin.get("equity")),
            available=decimal(entry.get("totalAvailableBalance") or balance.get(currency, {}).get("free")),
            wallet_balance=decimal(coin.get("walletBalance")),
            time_us=now_us,
        )
