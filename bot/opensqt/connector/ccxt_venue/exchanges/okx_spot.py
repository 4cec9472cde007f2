"""OKX spot, API v5, without margin (tdMode cash). Codes: okx.com/docs-v5, error code."""

from dataclasses import replace
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Json, decimal, first
from opensqt.connector.ccxt_venue.exchanges.okx import CODES, Okx
from opensqt.connector.ccxt_venue.spot import Spot
from opensqt.connector.venue import Account
from opensqt.engine.events import Remedy


class OkxSpot(Spot, Okx):
    profile = replace(
        Okx.profile,
        codes=CODES | {"51154": Remedy.HALT},  # region
        spot=True,
        # A market order's quantity is of base currency, buys too (tgtCcy): ccxt's default, said once more.
        options={"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot", "tgtCcy": "base_ccy"},
    )
    instrument_type = "SPOT"

    def order_params(self) -> Json:
        return {"tdMode": "cash"}

    def fee_currency(self, info: Json) -> str:
        # On the stream ccxt has that of the whole order.
        return str(info.get("fillFeeCcy") or info.get("feeCcy") or "")

    async def fees(self, exchange: Any, symbol: str) -> tuple[Any, Any]:
        # What is charged is negative; those with U are of perpetuals.
        info: Json = (await exchange.fetch_trading_fee(symbol, {"instType": "SPOT"}))["info"]
        return -decimal(info.get("maker")), -decimal(info.get("taker"))

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        details = first(balance["info"].get("data")).get("details") or ()
        entry: Json = next((entry for entry in details if entry.get("ccy") == currency), {})
        cash = decimal(entry.get("cashBal"))
        # What spot can spend; the equity of a currency has profits of perpetuals in it.
        return Account(
            currency, equity=cash, available=decimal(entry.get("availBal")), wallet_balance=cash, time_us=now_us
        )
