"""Binance spot. Codes: github.com/binance/binance-spot-api-docs, errors."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Json, KeyRights, decimal
from opensqt.connector.ccxt_venue.exchanges.binance import Binance
from opensqt.connector.ccxt_venue.profile import Guard
from opensqt.connector.ccxt_venue.spot import Spot
from opensqt.engine.events import Remedy

REJECTIONS = {
    "insufficient balance": Remedy.INSUFFICIENT_MARGIN,
    "Duplicate order": Remedy.DUPLICATE,
    "immediately match and take": Remedy.WOULD_CROSS,
    "Market is closed": Remedy.HALT,
    "disabled on this account": Remedy.HALT,
    "may not place or cancel": Remedy.HALT,
    "not permitted for this account": Remedy.HALT,
    "restricted for this account": Remedy.HALT,
}
"""What the matching engine says, all under one code; the words are added to it."""
SPOT_CODES = {
    "-1000": Remedy.LOOK_UP,  # unknown error while processing
    "-1001": Remedy.LOOK_UP,  # internal error, disconnected
    "-1002": Remedy.FIX_CREDENTIALS,  # unauthorized
    "-1003": Remedy.BACK_OFF,  # too many requests, or banned
    "-1006": Remedy.LOOK_UP,  # unexpected response, execution status unknown
    "-1007": Remedy.LOOK_UP,  # time-out at the back end, execution status unknown
    "-1008": Remedy.BACK_OFF,  # overloaded
    "-1013": Remedy.FIX_REQUEST,  # a filter: price, lot, notional
    "-1015": Remedy.BACK_OFF,  # too many orders
    "-1016": Remedy.HALT,  # service shutting down
    "-1021": Remedy.RETRY,  # timestamp outside recvWindow: not taken; the clock is compared again
    "-1022": Remedy.FIX_CREDENTIALS,  # signature
    "-1034": Remedy.BACK_OFF,  # too many connections
    "-2010": Remedy.FIX_REQUEST,
    "-2011": Remedy.UNKNOWN_ORDER,  # cancel rejected
    "-2013": Remedy.UNKNOWN_ORDER,
    "-2014": Remedy.FIX_CREDENTIALS,
    "-2015": Remedy.FIX_CREDENTIALS,  # key, IP or permissions
    "-2026": Remedy.UNKNOWN_ORDER,  # cancelled without a fill, archived after 90 days
} | {f"-2010 {words}": remedy for words, remedy in REJECTIONS.items()}
_DAY_MS = 24 * 3600 * 1000


class BinanceSpot(Spot, Binance):
    profile = replace(
        Binance.profile,
        ccxt_id="binance",
        parent=None,
        codes=SPOT_CODES,
        spot=True,
        place_batch=1,
        cancel_batch=1,
        cancel_answers_whole_order=False,  # its client id is the cancel's own
        # 6000 weights a minute and an address; ccxt's table counts five of them as one. A quarter is left to others.
        rate=15,
        burst=30,
        options={"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot", "fetchMargins": False},
        fills_window_ms=_DAY_MS,
        guard=Guard.NONE,
        weaknesses=(
            "no batches: orders and cancels go one by one, side by side",
            "a client id may be taken twice, after its order: the connector looks it up before it sends it again",
            "an order that was cancelled without a fill can be looked up for 90 days only",
        ),
    )
    weights_a_minute, orders_in_10_s, orders_a_minute = 6000, 100, 0

    def code(self, body: Any) -> str:
        code, message = super().code(body), self.message(body)
        words = next((words for words in REJECTIONS if words in message), "") if code == "-2010" else ""
        return f"{code} {words}".rstrip()

    def log_in_ended(self, message: Any) -> bool:
        # ccxt lets those who wait for orders wait on.
        event = message.get("event") if isinstance(message, dict) else None
        return isinstance(event, dict) and event.get("e") == "eventStreamTerminated"

    async def fees(self, exchange: Any, symbol: str) -> tuple[Any, Any]:
        # ccxt asks a host that the demo environment lacks. A discount for paying in BNB is not counted.
        found: Json = await exchange.privateGetAccountCommission({"symbol": exchange.market(symbol)["id"]})
        rates = [found.get(name) or {} for name in ("standardCommission", "specialCommission", "taxCommission")]
        maker, taker = (sum((decimal(rate.get(kind)) for rate in rates), Decimal(0)) for kind in ("maker", "taker"))
        return maker, taker

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        trade = bool((await exchange.privateGetAccount({"omitZeroBalances": True})).get("canTrade", True))
        if not live:
            return KeyRights(trade=trade)
        limits = await exchange.sapiGetAccountApiRestrictions()
        return KeyRights(
            trade=trade and bool(limits.get("enableSpotAndMarginTrading", True)),
            withdraw=bool(limits.get("enableWithdrawals")),
            bound=bool(limits.get("ipRestrict")),
        )
