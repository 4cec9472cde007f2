"""Bybit spot, API v5, unified account, nothing borrowed. Codes: bybit-exchange.github.io/docs/v5/error, spot trade."""

from dataclasses import replace

from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.exchanges.bybit import CODES, Bybit
from opensqt.connector.ccxt_venue.spot import Spot
from opensqt.engine.events import Remedy

SPOT_CODES = CODES | {
    "170001": Remedy.LOOK_UP,  # internal error
    "170005": Remedy.BACK_OFF,  # too many new orders
    "170032": Remedy.LOOK_UP,  # network error
    "170033": Remedy.INSUFFICIENT_MARGIN,
    "170034": Remedy.INSUFFICIENT_MARGIN,
    "170131": Remedy.INSUFFICIENT_MARGIN,
    "170139": Remedy.UNKNOWN_ORDER,  # filled
    "170141": Remedy.DUPLICATE,  # orderLinkId
    "170142": Remedy.UNKNOWN_ORDER,  # cancelled
    "170143": Remedy.UNKNOWN_ORDER,
    "170146": Remedy.LOOK_UP,  # creation timed out
    "170147": Remedy.LOOK_UP,  # cancellation timed out
    "170149": Remedy.LOOK_UP,  # creation failed
    "170150": Remedy.LOOK_UP,  # cancellation failed
    "170151": Remedy.HALT,  # pair not open yet
    "170157": Remedy.HALT,  # pair not for API trading
    "170190": Remedy.UNKNOWN_ORDER,  # finished
    "170191": Remedy.RETRY,  # cannot cancel now
    "170201": Remedy.HALT,  # account restricted
    "170209": Remedy.HALT,  # region
    "170212": Remedy.LOOK_UP,  # cancel under way
    "170213": Remedy.UNKNOWN_ORDER,
    "170215": Remedy.HALT,
    "170218": Remedy.WOULD_CROSS,
    "170219": Remedy.HALT,
    "170220": Remedy.HALT,
    "170223": Remedy.HALT,
    "170224": Remedy.HALT,
    "170226": Remedy.HALT,
    "170234": Remedy.LOOK_UP,  # system error
    "170241": Remedy.HALT,  # risk disclosure to be confirmed
}


class BybitSpot(Spot, Bybit):
    profile = replace(
        Bybit.profile,
        codes=SPOT_CODES,
        spot=True,
        options={
            **Bybit.profile.options,
            "fetchMarkets": {"types": ["spot"]},
            "defaultType": "spot",
        },
        funding_window_ms=0,
    )
    category = "spot"
    product, dcp_topic = "SPOT", "dcp.spot"
    trading_rights = ("Spot",)

    def fee_currency(self, info: Json) -> str:
        # ccxt guesses it from side and sign.
        return str(info.get("feeCurrency") or "")
