"""Binance USDⓈ-M futures. Codes: developers.binance.com, derivatives, USDⓈ-M futures, error code."""

from collections.abc import Mapping, Sequence
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, KeyRights, Rejection, decimal, first, number
from opensqt.connector.ccxt_venue.limits import Allowance, Counts
from opensqt.connector.ccxt_venue.profile import Guard, Profile
from opensqt.connector.venue import Account
from opensqt.engine.events import Remedy

CODES = {
    "-1000": Remedy.LOOK_UP,  # unknown error while processing
    "-1001": Remedy.LOOK_UP,  # internal error, disconnected
    "-1002": Remedy.FIX_CREDENTIALS,  # unauthorized
    "-1003": Remedy.BACK_OFF,  # too many requests, or banned
    "-1004": Remedy.RETRY,  # server busy: not taken
    "-1006": Remedy.LOOK_UP,  # unexpected response, execution status unknown
    "-1007": Remedy.LOOK_UP,  # time-out at the back end, execution status unknown
    "-1008": Remedy.BACK_OFF,  # overloaded: throttled before the matching engine
    "-1015": Remedy.BACK_OFF,  # too many orders
    "-1016": Remedy.HALT,  # service shutting down
    "-1021": Remedy.RETRY,  # timestamp outside recvWindow: not taken; the clock is compared again
    "-1022": Remedy.FIX_CREDENTIALS,  # signature
    "-1099": Remedy.FIX_CREDENTIALS,
    "-1109": Remedy.FIX_CREDENTIALS,  # invalid account
    "-2010": Remedy.FIX_REQUEST,
    "-2011": Remedy.UNKNOWN_ORDER,  # cancel rejected
    "-2013": Remedy.UNKNOWN_ORDER,
    "-2014": Remedy.FIX_CREDENTIALS,
    "-2015": Remedy.FIX_CREDENTIALS,  # key, IP or permissions
    "-2017": Remedy.FIX_CREDENTIALS,  # key locked
    "-2018": Remedy.INSUFFICIENT_MARGIN,
    "-2019": Remedy.INSUFFICIENT_MARGIN,
    "-2022": Remedy.FIX_REQUEST,  # reduce-only refused
    "-2023": Remedy.HALT,  # account in liquidation
    "-2024": Remedy.INSUFFICIENT_MARGIN,
    "-2025": Remedy.FIX_REQUEST,  # too many open orders
    "-2027": Remedy.INSUFFICIENT_MARGIN,  # position over what the leverage allows
    "-2028": Remedy.INSUFFICIENT_MARGIN,  # leverage smaller than permitted: margin balance too low
    "-4050": Remedy.INSUFFICIENT_MARGIN,
    "-4051": Remedy.INSUFFICIENT_MARGIN,
    "-4087": Remedy.HALT,  # reduce-only permission of the account
    "-4088": Remedy.HALT,  # no permission to place orders
    "-4111": Remedy.DUPLICATE,
    "-4116": Remedy.DUPLICATE,  # clientOrderId is duplicated
    "-4131": Remedy.FIX_REQUEST,
    "-4140": Remedy.HALT,  # symbol not open for trading
    "-4164": Remedy.FIX_REQUEST,  # notional below the minimum
    "-4192": Remedy.HALT,  # trading of the account cooled off
    "-4400": Remedy.HALT,  # only reduce-only orders for this account
    "-4401": Remedy.HALT,
    "-5022": Remedy.WOULD_CROSS,
    "-5028": Remedy.RETRY,  # timestamp outside the matching engine's recvWindow
}


WEIGHTS_A_MINUTE, ORDERS_IN_10_S, ORDERS_A_MINUTE = 2400, 300, 1200
"""Of an address, an account and an account. developers.binance.com, general info, limits; exchangeInfo, rateLimits."""


class Binance(Dialect):
    weights_a_minute, orders_in_10_s, orders_a_minute = WEIGHTS_A_MINUTE, ORDERS_IN_10_S, ORDERS_A_MINUTE
    profile = Profile(
        name="binance",
        ccxt_id="binanceusdm",
        parent="binance",
        codes=CODES,
        demo="demo",
        place_batch=5,
        cancel_batch=10,
        # 2400 weights a minute and an address; ccxt's table is in the same weights. A quarter is left to others.
        rate=30,
        burst=60,
        options={"fetchMarkets": {"types": ["linear"]}, "defaultType": "swap", "fetchPositionsRisk": {"useV2": True}},
        cancel_answers_whole_order=True,
        fills_page=1000,
        # A placement has limits of its own, which are followed beside the weights: of those it costs none, and ccxt
        # says 4. developers.binance.com, USDS-M futures, new order, request weight.
        weights={"POST fapiPrivate order": 1.0},
        orders_page=None,
        refuses_duplicates=False,
        positions_at_once=True,
        guard=Guard.SYMBOL,
        weaknesses=(
            "a client id may be taken twice, after its order: the connector looks it up before it sends it again",
            "an order that was cancelled without a fill can be looked up for 3 days only",
        ),
    )

    def rejection(self, info: Json) -> Rejection | None:
        code = str(info.get("code", ""))
        return Rejection(code, str(info.get("msg", ""))) if code not in {"", "0", "200"} else None

    def batch_items(self, body: Any) -> list[Json]:
        return [item for item in body if isinstance(item, dict)] if isinstance(body, list) else []

    def code(self, body: Any) -> str:
        return super().code(first(body) if isinstance(body, list) else body)

    def message(self, body: Any) -> str:
        return super().message(first(body) if isinstance(body, list) else body)

    def item_client_id(self, item: Json) -> str:
        return str(item.get("clientOrderId") or "")

    def post_only_rejected(self, info: Json) -> bool:
        # In the stream's order "o" is its type; around it, in the event, it is the order.
        order = info["o"] if isinstance(info.get("o"), dict) else info
        status, force = order.get("X", order.get("status")), order.get("f", order.get("timeInForce"))
        return bool(status == "EXPIRED" and force == "GTX")

    def trade_client_id(self, info: Json) -> str:
        return str(info.get("c", ""))

    def log_in_ended(self, message: Any) -> bool:
        # ccxt knows no such event; the stream stays up and silent.
        return isinstance(message, dict) and message.get("e") == "listenKeyExpired"

    def forget_log_in(self, exchange: Any) -> None:
        # ccxt would use the same listen key for 20 minutes more.
        exchange.options["linear"] = {**exchange.options.get("linear", {}), "lastAuthenticatedTime": 0}

    async def cancel_many(self, exchange: Any, symbol: str, client_ids: Sequence[str]) -> None:
        await exchange.cancel_orders([], symbol, {"clientOrderIds": list(client_ids)})

    def allowances(self, headers: Mapping[str, str], now_ms: int) -> Sequence[Allowance]:
        # Windows are the clock's minutes, and tens of seconds.
        minute, ten = 60 - now_ms / 1000 % 60, 10 - now_ms / 1000 % 10
        told = (
            (Counts.REQUESTS, "x-mbx-used-weight-1m", self.weights_a_minute, minute),
            (Counts.PLACEMENTS, "x-mbx-order-count-10s", self.orders_in_10_s, ten),
            (Counts.PLACEMENTS, "x-mbx-order-count-1m", self.orders_a_minute, minute),
        )
        allowances = [
            Allowance(counts, whole - used, whole, seconds)
            for counts, name, whole, seconds in told
            if whole and (used := number(headers, name)) is not None
        ]
        # Of two windows of placements the scarcer one counts, and stands last.
        return sorted(allowances, key=lambda allowance: -allowance.share)

    async def set_dead_man_switch(self, exchange: Any, seconds: int, symbols: Sequence[str]) -> str:
        for symbol in symbols:
            await exchange.fapiPrivatePostCountdownCancelAll(
                {"symbol": exchange.market(symbol)["id"], "countdownTime": seconds * 1000}
            )
        return ""

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        config = await exchange.fapiPrivateGetAccountConfig()
        trade = bool(config.get("canTrade", True))
        if not live:
            return KeyRights(trade=trade)
        # Of the spot host, which the demo environment lacks.
        limits = await exchange.sapiGetAccountApiRestrictions()
        return KeyRights(
            trade=trade and bool(limits.get("enableFutures", True)),
            withdraw=bool(limits.get("enableWithdrawals")),
            bound=bool(limits.get("ipRestrict")),
        )

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        info = balance["info"]
        asset: Json = next((asset for asset in info.get("assets", ()) if asset.get("asset") == currency), {})
        return Account(
            currency,
            equity=decimal(asset.get("marginBalance")),
            available=decimal(asset.get("availableBalance")),
            wallet_balance=decimal(asset.get("walletBalance")),
            time_us=now_us,
        )
