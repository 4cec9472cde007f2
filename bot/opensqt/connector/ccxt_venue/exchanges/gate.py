"""Gate USDT perpetuals, API v4. Labels: gate.com/docs/developers/apiv4, error handling."""

from collections.abc import Mapping, Sequence
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, KeyRights, Rejection, decimal, first, number
from opensqt.connector.ccxt_venue.limits import Allowance, Counts
from opensqt.connector.ccxt_venue.profile import Guard, Profile
from opensqt.connector.venue import Account
from opensqt.engine.events import Remedy

CODES = {
    "INVALID_CREDENTIALS": Remedy.FIX_CREDENTIALS,
    "INVALID_KEY": Remedy.FIX_CREDENTIALS,
    "INVALID_SIGNATURE": Remedy.FIX_CREDENTIALS,
    "AUTHENTICATION_FAILED": Remedy.FIX_CREDENTIALS,
    "MISSING_REQUIRED_HEADER": Remedy.FIX_CREDENTIALS,
    "IP_FORBIDDEN": Remedy.FIX_CREDENTIALS,
    "READ_ONLY": Remedy.FIX_CREDENTIALS,
    "FORBIDDEN": Remedy.FIX_CREDENTIALS,
    "USER_NOT_FOUND": Remedy.FIX_CREDENTIALS,  # the futures account was never opened
    "REQUEST_EXPIRED": Remedy.RETRY,  # timestamp: not taken
    "ACCOUNT_LOCKED": Remedy.HALT,
    "SUB_ACCOUNT_LOCKED": Remedy.HALT,
    "ACCOUNT_EXCEPTION": Remedy.HALT,
    "TRADE_RESTRICTED": Remedy.HALT,
    "CONTRACT_IN_DELISTING": Remedy.HALT,
    "POSITION_IN_LIQUIDATION": Remedy.HALT,
    "INSUFFICIENT_AVAILABLE": Remedy.INSUFFICIENT_MARGIN,
    "BALANCE_NOT_ENOUGH": Remedy.INSUFFICIENT_MARGIN,
    "MARGIN_NOT_ENOUGH": Remedy.INSUFFICIENT_MARGIN,
    "MARGIN_BALANCE_NOT_ENOUGH": Remedy.INSUFFICIENT_MARGIN,
    "FUTURES_BALANCE_NOT_ENOUGH": Remedy.INSUFFICIENT_MARGIN,
    "INITIAL_MARGIN_TOO_LOW": Remedy.INSUFFICIENT_MARGIN,
    "LIQUIDATE_IMMEDIATELY": Remedy.INSUFFICIENT_MARGIN,
    "RISK_LIMIT_EXCEEDED": Remedy.INSUFFICIENT_MARGIN,
    "INCREASE_POSITION": Remedy.FIX_REQUEST,  # a reduce-only order would increase the position
    "POSITION_EMPTY": Remedy.FIX_REQUEST,
    "ORDER_NOT_FOUND": Remedy.UNKNOWN_ORDER,
    "CLIENT_ID_NOT_FOUND": Remedy.UNKNOWN_ORDER,
    "ORDER_CLOSED": Remedy.UNKNOWN_ORDER,
    "ORDER_CANCELLED": Remedy.UNKNOWN_ORDER,
    "ORDER_FINISHED": Remedy.UNKNOWN_ORDER,
    "ORDER_NOT_OWNED": Remedy.UNKNOWN_ORDER,
    "ORDER_POC_IMMEDIATE": Remedy.WOULD_CROSS,
    "POC_FILL_IMMEDIATELY": Remedy.WOULD_CROSS,
    "REPEATED_CREATION": Remedy.DUPLICATE,
    "DUPLICATE_REQUEST": Remedy.DUPLICATE,
    "ORDER_EXISTS": Remedy.DUPLICATE,
    "TEXT_DUPLICATE": Remedy.DUPLICATE,
    "CLIENT_ID_DUPLICATE": Remedy.DUPLICATE,
    "TOO_MANY_REQUESTS": Remedy.BACK_OFF,
    "TOO_FAST": Remedy.BACK_OFF,
    "TOO_BUSY": Remedy.BACK_OFF,
    "INTERNAL": Remedy.LOOK_UP,
    "SERVER_ERROR": Remedy.LOOK_UP,
    "TOO_MANY_ORDERS": Remedy.FIX_REQUEST,
}
_PREFIX = "t-"
_RECENT = 100


class Gate(Dialect):
    trading_right = "futures"
    profile = Profile(
        name="gate",
        ccxt_id="gate",
        codes=CODES,
        place_batch=10,
        cancel_batch=1,
        rate=40,
        burst=40,
        endpoint_window=(18, 1.0),
        options={
            "fetchMarkets": {"types": ["swap"]},
            "swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}},
            "defaultType": "swap",
            "unifiedAccount": False,
        },
        cancel_answers_whole_order=True,
        candles_in_contracts=True,
        fills_window_ms=30 * 24 * 3600 * 1000,
        fills_page=1000,
        fills_step_ms=1000,
        refuses_duplicates=False,
        forgets_client_ids=True,
        expiry_header="X-Gate-Exptime",
        reasons={
            "READ_ONLY": "MissingPermission",
            "FORBIDDEN": "MissingPermission",
            "IP_FORBIDDEN": "AddressNotAllowed",
        },
        positions_at_once=True,
        guard=Guard.ACCOUNT,
        weaknesses=(
            "a finished order answers to its client id for a minute; later the last 500 finished ones are searched",
            "a client id may be taken twice: the connector looks it up before it sends it again",
            "cancels go one by one: the batch takes no client ids",
            "what a key may do is known only where it may read the account",
        ),
    )

    def code(self, body: Any) -> str:
        return str(body.get("label", "")) if isinstance(body, dict) else ""

    def message(self, body: Any) -> str:
        return str(body.get("message") or body.get("detail") or "") if isinstance(body, dict) else ""

    def rejection(self, info: Json) -> Rejection | None:
        if info.get("succeeded", True) in {True, "true"}:
            return None
        return Rejection(str(info.get("label", "")), str(info.get("detail", "")))

    def batch_items(self, body: Any) -> list[Json]:
        return [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []

    def client_id(self, shown: str | None) -> str:
        return (shown or "").removeprefix(_PREFIX)

    def trade_client_id(self, info: Json) -> str:
        return self.client_id(info.get("text"))

    def ended(self, info: Json) -> bool:
        return info.get("status") == "finished"

    def item_client_id(self, item: Json) -> str:
        return self.client_id(item.get("text"))

    def page_after(self, page: Sequence[Json], count: int) -> Json:
        return {"offset": count}

    def post_only_rejected(self, info: Json) -> bool:
        return info.get("finish_as") == "poc"

    async def signed_in(self, exchange: Any, balance: Json) -> None:
        # Its private streams are subscribed to by user id.
        exchange.uid = str(first(balance["info"]).get("user") or "") or None

    async def watch_orders(self, exchange: Any, symbol: str) -> list[Json]:
        # ccxt's own returns the newest of all symbols.
        await exchange.watch_orders(symbol)
        return [order for order in list(exchange.orders) if order["symbol"] == symbol][-_RECENT:]

    async def find_order(self, exchange: Any, symbol: str, client_id: str) -> Json:
        found: Json = await exchange.fetch_order(_PREFIX + client_id, symbol)
        return found

    async def newest_orders(self, exchange: Any, symbol: str) -> list[Json]:
        return await self.newest_finished(exchange.fetch_closed_orders, symbol)

    async def trades_page(self, exchange: Any, symbol: str, venue_id: str, params: Json) -> list[Json]:
        market, limit = exchange.market(symbol), self.profile.fills_page
        answer = await exchange.privateFuturesGetSettleMyTrades(
            {"settle": market["settleId"], "contract": market["id"], "order": venue_id, "limit": limit, **params}
        )
        trades: list[Json] = exchange.parse_trades(answer, market)
        return trades

    async def cancel_one(self, exchange: Any, symbol: str, client_id: str) -> Json:
        cancelled: Json = await exchange.cancel_order(_PREFIX + client_id, symbol)
        return cancelled

    async def fees(self, exchange: Any, symbol: str) -> tuple[Any, Any]:
        # ccxt asks the wallet, which a key for futures may not.
        market = exchange.market(symbol)
        answer = await exchange.privateFuturesGetSettleFee({"settle": market["settleId"], "contract": market["id"]})
        fee: Json = answer.get(market["id"]) or {}
        return fee.get("maker_fee"), fee.get("taker_fee")

    async def hedged(self, exchange: Any, symbol: str) -> bool:
        account = await exchange.privateFuturesGetSettleAccounts({"settle": exchange.market(symbol)["settleId"]})
        return str(account.get("in_dual_mode", "")).lower() == "true"

    async def set_leverage(self, exchange: Any, symbol: str, leverage: int) -> None:
        await exchange.set_leverage(leverage, symbol, {"marginMode": "cross"})

    def allowances(self, headers: Mapping[str, str], now_ms: int) -> Sequence[Allowance]:
        left, whole = number(headers, "x-gate-ratelimit-requests-remain"), number(headers, "x-gate-ratelimit-limit")
        if left is None:
            return ()
        # In whole seconds; it is now, as long as the limit is not reached.
        reset = (number(headers, "x-gate-ratelimit-reset-timestamp") or 0.0) - now_ms / 1000
        return (Allowance(Counts.ENDPOINT, left, whole or 0.0, max(reset, 1.0)),)

    async def set_dead_man_switch(self, exchange: Any, seconds: int, symbols: Sequence[str]) -> str:
        await exchange.privateFuturesPostSettleCountdownCancelAll({"settle": "usdt", "timeout": seconds})
        return ""

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        if not live:
            return KeyRights()  # the test network's keys are of no account
        try:
            answer = await exchange.privateAccountGetMainKeys()
        except Exception as error:
            # Only a key that may read the account is told of itself.
            if type(error).__name__ not in {"PermissionDenied", "AuthenticationError"}:
                raise
            return KeyRights()
        ours = [answer] if isinstance(answer, dict) else [key for key in answer if _is(exchange.apiKey, key.get("key"))]
        if len(ours) != 1:
            return KeyRights()
        writable = {right.get("name") for right in ours[0].get("perms") or () if not right.get("read_only")}
        return KeyRights(
            trade=self.trading_right in writable,
            withdraw="withdraw" in writable,
            bound=bool(ours[0].get("ip_whitelist")),
        )

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        info = first(balance["info"])
        wallet = decimal(info.get("total"))
        return Account(
            currency,
            equity=wallet + decimal(info.get("unrealised_pnl")),
            available=decimal(info.get("cross_available") or info.get("available")),
            wallet_balance=wallet,
            time_us=now_us,
        )


def _is(key: str, shown: Any) -> bool:
    """Gate shows the start of each key of the account, such as "c5dcfbf1f3a7*****"."""
    start = str(shown or "").split("*", 1)[0]
    return bool(start) and key.startswith(start)
