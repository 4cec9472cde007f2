"""Bitget USDT futures, API v2. Codes: bitget.com/api-doc/contract, REST API error code."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, KeyRights, Rejection, decimal, number
from opensqt.connector.ccxt_venue.limits import Allowance, Counts
from opensqt.connector.ccxt_venue.profile import Profile
from opensqt.connector.venue import Account
from opensqt.engine.events import Remedy

CODES = {
    "429": Remedy.BACK_OFF,
    "30007": Remedy.BACK_OFF,  # too many requests
    "22001": Remedy.UNKNOWN_ORDER,  # no order to cancel
    "22002": Remedy.FIX_REQUEST,  # no position to close
    "40001": Remedy.FIX_CREDENTIALS,
    "40002": Remedy.FIX_CREDENTIALS,
    "40003": Remedy.FIX_CREDENTIALS,
    "40004": Remedy.RETRY,  # timestamp expired
    "40005": Remedy.RETRY,  # timestamp invalid
    "40006": Remedy.FIX_CREDENTIALS,  # key
    "40008": Remedy.RETRY,  # timestamp expired
    "40009": Remedy.FIX_CREDENTIALS,  # signature
    "40010": Remedy.LOOK_UP,  # request timed out
    "40011": Remedy.FIX_CREDENTIALS,  # passphrase missing
    "40012": Remedy.FIX_CREDENTIALS,  # key or passphrase
    "40013": Remedy.HALT,  # user status
    "40014": Remedy.FIX_CREDENTIALS,  # permissions
    "40015": Remedy.LOOK_UP,  # system abnormal
    "40018": Remedy.FIX_CREDENTIALS,  # IP
    "40031": Remedy.HALT,  # account cancelled
    "40037": Remedy.FIX_CREDENTIALS,  # key does not exist
    "40109": Remedy.UNKNOWN_ORDER,
    "40200": Remedy.HALT,  # server upgrade
    "40308": Remedy.HALT,  # contract under maintenance
    "40309": Remedy.HALT,  # contract removed
    "40604": Remedy.BACK_OFF,  # server busy
    "40710": Remedy.HALT,  # account status
    "40711": Remedy.INSUFFICIENT_MARGIN,
    "40712": Remedy.INSUFFICIENT_MARGIN,
    "40725": Remedy.LOOK_UP,  # service returned an error
    "40754": Remedy.INSUFFICIENT_MARGIN,  # balance not enough
    "40762": Remedy.INSUFFICIENT_MARGIN,
    "40768": Remedy.UNKNOWN_ORDER,
    "40774": Remedy.FIX_REQUEST,  # position mode is not one-way
    "40786": Remedy.DUPLICATE,  # clientOid
    "40808": Remedy.FIX_REQUEST,
    "41103": Remedy.FIX_REQUEST,
    "41114": Remedy.HALT,  # pair under maintenance
    "43001": Remedy.UNKNOWN_ORDER,
    "43011": Remedy.FIX_REQUEST,
    "43012": Remedy.INSUFFICIENT_MARGIN,
    "43115": Remedy.HALT,  # pair not open yet
    "45001": Remedy.LOOK_UP,  # unknown error
    "45110": Remedy.FIX_REQUEST,  # below the minimum amount
    "45113": Remedy.FIX_REQUEST,
    "50009": Remedy.BACK_OFF,
    "50010": Remedy.HALT,  # account frozen
}
_AT_ONCE_MS = 100


class Bitget(Dialect):
    trading_rights = frozenset({"trade", "coow", "stow"})
    profile = Profile(
        name="bitget",
        ccxt_id="bitget",
        codes=CODES,
        passphrase=True,
        demo="demo",
        place_batch=50,
        cancel_batch=20,
        # 6000 requests a minute and an address; each endpoint has its own limit.
        rate=60,
        burst=60,
        endpoint_window=(18, 1.0),
        options={
            "fetchMarkets": {"types": ["swap"]},
            "defaultType": "swap",
            "defaultSubType": "linear",
            "uta": False,
        },
        batch_of_one_symbol=True,
        reasons={"40014": "MissingPermission", "40018": "AddressNotAllowed"},
        weaknesses=(
            "classic accounts only, no unified trading account yet",
            "a post-only order that is cancelled unfilled within 100 ms is taken for one that would have crossed",
        ),
        positions_at_once=True,
    )

    def rejection(self, info: Json) -> Rejection | None:
        if info.get("errorMsg") is None:
            return None
        return Rejection(str(info.get("errorCode", "")), str(info["errorMsg"]))

    def batch_items(self, body: Any) -> list[Json]:
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            return []
        return [item for name in ("successList", "failureList") for item in data.get(name) or ()]

    def filled(self, info: Json) -> Any:
        # ccxt takes the volume of the last fill, which is what `baseVolume` means on the stream.
        return info.get("accBaseVolume")

    def fee(self, info: Json) -> Any:
        # ccxt drops the sign of the stream's fees, and with it rebates.
        details = info.get("feeDetail")
        if not isinstance(details, list) or not details:
            return None
        return -sum((decimal(detail.get("totalFee")) for detail in details), Decimal(0))

    def trade_client_id(self, info: Json) -> str:
        return str(info.get("clientOid") or "")

    def item_client_id(self, item: Json) -> str:
        return str(item.get("clientOid") or "")

    def page_after(self, page: Sequence[Json], count: int) -> Json:
        return {"idLessThan": str(min(int(order["id"]) for order in page))}

    def post_only_rejected(self, info: Json) -> bool:
        # Which reason it gives is not documented: what was cancelled unfilled as soon as it had come would have taken.
        force = str(info.get("force", "")).lower()
        ended = str(info.get("status", info.get("state", ""))) in {"canceled", "cancelled"}
        if not ended or force != "post_only" or decimal(self.filled(info) or info.get("baseVolume")):
            return False
        lived_ms = decimal(info.get("uTime")) - decimal(info.get("cTime"))
        return "post_only" in str(info.get("cancelReason", "")).lower() or lived_ms <= _AT_ONCE_MS

    async def cancel_many(self, exchange: Any, symbol: str, client_ids: Sequence[str]) -> None:
        # ccxt's own knows no client ids.
        market = exchange.market(symbol)
        await exchange.privateMixPostV2MixOrderBatchCancelOrders(
            {
                "symbol": market["id"],
                "productType": "USDT-FUTURES",
                "orderIdList": [{"clientOid": client_id} for client_id in client_ids],
            }
        )

    async def watch_positions(self, exchange: Any, symbols: Sequence[str]) -> list[Json]:
        # It tells all that are held: one that is left out is flat.
        told: list[Json] = await exchange.watch_positions(None)
        held = {position["symbol"] for position in told}
        return [*told, *({"symbol": symbol, "contracts": "0"} for symbol in symbols if symbol not in held)]

    def allowances(self, headers: Mapping[str, str], now_ms: int) -> Sequence[Allowance]:
        # Of this second; it does not say of how many.
        left = number(headers, "x-mbx-used-remain-limit")
        return () if left is None else (Allowance(Counts.ENDPOINT, left, 0.0, 1.0),)

    async def hedged(self, exchange: Any, symbol: str) -> bool:
        market = exchange.market(symbol)
        answer = await exchange.privateMixGetV2MixAccountAccount(
            {"symbol": market["id"], "productType": "USDT-FUTURES", "marginCoin": market["settleId"]}
        )
        return str(answer["data"].get("posMode", "")) == "hedge_mode"

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        data = (await exchange.privateSpotGetV2SpotAccountInfo()).get("data") or {}
        rights = data.get("authorities")
        if not isinstance(rights, list) or not rights:
            return KeyRights()
        return KeyRights(
            trade=bool(self.trading_rights & set(rights)),
            withdraw="withdraw" in rights or "wwow" in rights,
            bound=bool(data.get("ips")),
        )

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        entry: Json = next((entry for entry in balance["info"] if entry.get("marginCoin") == currency), {})
        equity = decimal(entry.get("accountEquity"))
        return Account(
            currency,
            equity=equity,
            available=decimal(entry.get("crossedMaxAvailable", entry.get("available"))),
            wallet_balance=equity - decimal(entry.get("unrealizedPL")),
            time_us=now_us,
        )
