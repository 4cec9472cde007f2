"""OKX USDT swaps, API v5. Codes: okx.com/docs-v5, error code."""

from collections.abc import Sequence
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, KeyRights, Rejection, decimal, first
from opensqt.connector.ccxt_venue.profile import Guard, Profile
from opensqt.connector.venue import Account
from opensqt.engine.events import Remedy

CODES = {
    "50001": Remedy.HALT,  # matching engine upgrading
    "50004": Remedy.LOOK_UP,  # endpoint time-out: neither success nor failure
    "50005": Remedy.HALT,  # API offline
    "50007": Remedy.HALT,  # account blocked
    "50008": Remedy.FIX_CREDENTIALS,
    "50009": Remedy.HALT,  # liquidation
    "50011": Remedy.BACK_OFF,
    "50012": Remedy.HALT,  # account status
    "50013": Remedy.BACK_OFF,  # busy
    "50026": Remedy.LOOK_UP,  # system error
    "50027": Remedy.HALT,  # restricted from trading
    "50028": Remedy.HALT,
    "50030": Remedy.FIX_CREDENTIALS,
    "50036": Remedy.RETRY,  # expTime has passed: not taken
    "50040": Remedy.BACK_OFF,
    "50061": Remedy.BACK_OFF,  # order rate of the account
    "50100": Remedy.FIX_CREDENTIALS,
    "50101": Remedy.FIX_CREDENTIALS,  # key of another environment (demo or live)
    "50102": Remedy.RETRY,  # timestamp expired
    "50103": Remedy.FIX_CREDENTIALS,
    "50104": Remedy.FIX_CREDENTIALS,
    "50105": Remedy.FIX_CREDENTIALS,  # passphrase
    "50106": Remedy.FIX_CREDENTIALS,
    "50107": Remedy.FIX_CREDENTIALS,
    "50110": Remedy.FIX_CREDENTIALS,  # IP
    "50111": Remedy.FIX_CREDENTIALS,
    "50112": Remedy.RETRY,  # timestamp invalid
    "50113": Remedy.FIX_CREDENTIALS,  # signature
    "50114": Remedy.FIX_CREDENTIALS,
    "50119": Remedy.FIX_CREDENTIALS,  # key does not exist
    "50120": Remedy.FIX_CREDENTIALS,  # key lacks the permission
    "51008": Remedy.INSUFFICIENT_MARGIN,
    "51009": Remedy.HALT,  # order placement blocked
    "51010": Remedy.HALT,  # account mode cannot trade this
    "51011": Remedy.DUPLICATE,
    "51016": Remedy.DUPLICATE,  # client order id
    "51021": Remedy.HALT,
    "51022": Remedy.HALT,
    "51024": Remedy.HALT,
    "51027": Remedy.HALT,
    "51028": Remedy.HALT,
    "51029": Remedy.BACK_OFF,  # settlement
    "51030": Remedy.BACK_OFF,  # funding fee being settled
    "51119": Remedy.INSUFFICIENT_MARGIN,
    "51127": Remedy.INSUFFICIENT_MARGIN,
    "51131": Remedy.INSUFFICIENT_MARGIN,
    "51155": Remedy.HALT,  # location
    "51169": Remedy.FIX_REQUEST,  # reduce-only without a position
    "51400": Remedy.UNKNOWN_ORDER,
    "51401": Remedy.UNKNOWN_ORDER,  # already cancelled
    "51402": Remedy.UNKNOWN_ORDER,  # already filled
    "51405": Remedy.UNKNOWN_ORDER,
    "51410": Remedy.LOOK_UP,  # cancel pending
    "51502": Remedy.INSUFFICIENT_MARGIN,
    "51503": Remedy.UNKNOWN_ORDER,
    "51603": Remedy.UNKNOWN_ORDER,
    "63999": Remedy.LOOK_UP,  # internal error
}


class Okx(Dialect):
    instrument_type = "SWAP"
    profile = Profile(
        name="okx",
        ccxt_id="okx",
        codes=CODES,
        passphrase=True,
        place_batch=20,
        cancel_batch=20,
        # Limits are each endpoint's, of 2 seconds, and in orders where it takes many; no header tells what is left.
        rate=30,
        burst=40,
        endpoint_window=(16.4, 2.0),
        batches_count_items=True,
        options={"fetchMarkets": {"types": ["swap"]}, "defaultType": "swap"},
        cancel_all=False,
        fills_window_ms=90 * 24 * 3600 * 1000,
        expiry_header="expTime",
        reasons={
            "50110": "AddressNotAllowed",
            "50120": "MissingPermission",
            "50030": "MissingPermission",
            "51010": "MissingPermission",
        },
        guard=Guard.ACCOUNT,
        weaknesses=(
            "no cancel-all: open orders are listed and cancelled in batches",
            "a crossing post-only order is accepted first and cancelled a moment later",
            "an order that was cancelled without a fill can be looked up for 2 hours only",
        ),
    )

    def code(self, body: Any) -> str:
        if not isinstance(body, dict):
            return ""
        item = next(
            (
                str(item["sCode"])
                for item in body.get("data") or ()
                if isinstance(item, dict) and item.get("sCode") not in {None, "", "0"}
            ),
            "",
        )
        return item or super().code(body)

    def message(self, body: Any) -> str:
        if not isinstance(body, dict):
            return ""
        return str(first(body.get("data")).get("sMsg") or body.get("msg") or "")

    def rejection(self, info: Json) -> Rejection | None:
        code = str(info.get("sCode", "0"))
        return Rejection(code, str(info.get("sMsg", ""))) if code not in {"", "0"} else None

    def batch_items(self, body: Any) -> list[Json]:
        data = body.get("data") if isinstance(body, dict) else None
        return [item for item in data if isinstance(item, dict) and "sCode" in item] if isinstance(data, list) else []

    def item_client_id(self, item: Json) -> str:
        return str(item.get("clOrdId") or "")

    def page_after(self, page: Sequence[Json], count: int) -> Json:
        return {"after": str(min(int(order["id"]) for order in page))}

    def post_only_rejected(self, info: Json) -> bool:
        return str(info.get("cancelSource", "")) == "31"

    def fee(self, info: Json) -> Any:
        # The stream's fills: OKX writes what is charged as negative, and ccxt leaves it so.
        return -decimal(info["fillFee"]) if info.get("fillFee") not in {None, ""} else None

    def trade_client_id(self, info: Json) -> str:
        return str(info.get("clOrdId") or "")

    async def trades_page(self, exchange: Any, symbol: str, venue_id: str, params: Json) -> list[Json]:
        # The last three days, at once; the long history lags.
        market = exchange.market(symbol)
        answer = await exchange.privateGetTradeFills(
            {"instType": self.instrument_type, "instId": market["id"], "ordId": venue_id, **params}
        )
        trades: list[Json] = exchange.parse_trades(answer.get("data") or [], market)
        return trades or await exchange.fetch_my_trades(symbol, None, None, {"ordId": venue_id, **params})

    def trades_after(self, page: Sequence[Json], count: int) -> Json:
        return {"after": str(min(int(trade["info"]["billId"]) for trade in page))}

    async def cancel_many(self, exchange: Any, symbol: str, client_ids: Sequence[str]) -> None:
        await exchange.cancel_orders([], symbol, {"clientOrderId": list(client_ids)})

    def order_params(self) -> Json:
        return {"tdMode": "cross"}

    async def set_dead_man_switch(self, exchange: Any, seconds: int, symbols: Sequence[str]) -> str:
        await exchange.cancel_all_orders_after(seconds * 1000)
        return ""

    async def fees(self, exchange: Any, symbol: str) -> tuple[Any, Any]:
        # ccxt takes those of contracts that are margined in coins; and what is charged is negative.
        info: Json = (await exchange.fetch_trading_fee(symbol))["info"]
        return -decimal(info.get("makerU") or info.get("maker")), -decimal(info.get("takerU") or info.get("taker"))

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        config = first((await exchange.privateGetAccountConfig()).get("data"))
        rights = str(config.get("perm") or "")
        if not rights:
            return KeyRights()
        return KeyRights(trade="trade" in rights, withdraw="withdraw" in rights, bound=bool(config.get("ip")))

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        details = first(balance["info"].get("data")).get("details") or ()
        entry: Json = next((entry for entry in details if entry.get("ccy") == currency), {})
        return Account(
            currency,
            equity=decimal(entry.get("eq")),
            available=decimal(entry.get("availEq") or entry.get("availBal")),
            wallet_balance=decimal(entry.get("cashBal")),
            time_us=now_us,
        )
