"""Bitget's JSON of spot, from bitget.com/api-doc/spot.

Pages: market: Get-Symbols, Get-Candle-Data, Get-Tickers; account: Get-Account-Assets; trade: Get-Order-Info,
Get-Unfilled-Orders, Get-History-Orders, Get-Fills; websocket/private: Order-Channel, Fill-Channel, Account-Channel;
websocket/public: Tickers-Channel, Candlesticks-Channel.
"""

import json
from decimal import Decimal
from typing import Any

from tests.venues.bitget.records import FORCES, order_id
from tests.venues.core import Core
from tests.venues.listing import Candle, Listing, Order, Trade
from tests.venues.text import plain

Json = dict[str, Any]
_FORCE_NAMES = {force: name for name, force in FORCES.items()}


def symbol(listing: Listing) -> Json:
    return {
        "symbol": listing.id, "baseCoin": listing.base, "quoteCoin": listing.quote, "minTradeAmount": "0",
        "maxTradeAmount": "900000000000000000000", "takerFeeRate": plain(listing.taker_fee),
        "makerFeeRate": plain(listing.maker_fee), "pricePrecision": _places(listing.tick),
        "quantityPrecision": _places(listing.lot), "quotePrecision": "8", "status": "online",
        "minTradeUSDT": plain(listing.min_notional), "buyLimitPriceRatio": "0.05", "sellLimitPriceRatio": "0.05",
        "areaSymbol": "no", "orderQuantity": "200", "openTime": "1532454360000", "offTime": "",
    }  # fmt: skip


def status(order: Order) -> str:
    if order.open:
        return "partially_filled" if order.filled else "live"
    return "filled" if order.whole else "cancelled"


def _common(order: Order) -> Json:
    return {
        "userId": "7264631750", "symbol": order.listing.id, "orderId": order_id(order), "clientOid": order.client_id,
        "size": plain(order.quantity), "orderType": _type(order), "side": _side(order), "status": status(order),
        "baseVolume": plain(order.filled), "quoteVolume": plain(order.cost), "enterPointSource": "API",
        "orderSource": "market" if order.market else "normal", "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
    }  # fmt: skip


def order(order: Order) -> Json:
    """As single orders and finished ones are told: without the time in force."""
    return _common(order) | {
        "price": "0" if order.market else plain(order.intent.price or Decimal(0)), "priceAvg": plain(order.average),
        "feeDetail": _fees_of(order), "cancelReason": "normal_cancel" if status(order) == "cancelled" else "",
    }  # fmt: skip


def unfilled(order: Order) -> Json:
    """As open orders are listed: `priceAvg` is the order's own price, and `basePrice` that of its fills."""
    return _common(order) | {
        "priceAvg": plain(order.intent.price or Decimal(0)), "basePrice": plain(order.average),
        "triggerPrice": None, "tpslType": "normal",
    }  # fmt: skip


def order_push(order_: Order, trade: Trade | None) -> Json:
    """`size` is a value; the quantity is `newSize`. `baseVolume` is the last fill's, and `accBaseVolume` of all."""
    filled = trade.filled if trade else order_.filled
    now = status(order_)
    if trade is not None:
        now = "filled" if filled == order_.quantity else "partially_filled"
    worth = plain(order_.quantity * (order_.intent.price or order_.listing.price))
    pushed: Json = {
        "instId": order_.listing.id, "orderId": order_id(order_), "clientOid": order_.client_id, "size": worth,
        "newSize": plain(order_.quantity), "notional": worth, "orderType": _type(order_), "force": _force(order_),
        "side": _side(order_), "fillPrice": "0", "tradeId": "0", "baseVolume": "0", "fillFee": "0", "fillFeeCoin": "",
        "tradeScope": "", "accBaseVolume": plain(filled), "priceAvg": plain(order_.average), "status": now,
        "cTime": str(order_.created_ms), "uTime": str(order_.updated_ms), "stpMode": "none", "feeDetail": [],
        "enterPointSource": "API", "cancelReason": "normal_cancel" if now == "cancelled" else "",
    }  # fmt: skip
    if not order_.market:
        pushed["price"] = plain(order_.intent.price or Decimal(0))
    if trade is not None:
        pushed |= {
            "fillPrice": plain(trade.price), "tradeId": str(trade.number), "baseVolume": plain(trade.quantity),
            "fillTime": str(trade.time_ms), "fillFee": plain(-trade.fee), "fillFeeCoin": trade.currency,
            "tradeScope": "M" if trade.maker else "T",
            "feeDetail": [{"feeCoin": trade.currency, "fee": plain(-order_.fee)}],
        }  # fmt: skip
    return pushed


def fill(trade: Trade) -> Json:
    order = trade.order
    return {
        "userId": "7264631750", "symbol": order.listing.id, "orderId": order_id(order), "tradeId": str(trade.number),
        "orderType": _type(order), "side": _side(order), "priceAvg": plain(trade.price), "size": plain(trade.quantity),
        "amount": plain(trade.price * trade.quantity),
        "feeDetail": {"deduction": "no", "feeCoin": trade.currency, "totalDeductionFee": "",
                      "totalFee": plain(-trade.fee)},
        "tradeScope": "maker" if trade.maker else "taker", "cTime": str(trade.time_ms), "uTime": str(trade.time_ms),
    }  # fmt: skip


def fill_push(trade: Trade) -> Json:
    """A list of fees, which are positive here."""
    pushed = fill(trade)
    del pushed["userId"]
    fee = pushed["feeDetail"] | {"totalDeductionFee": "0", "totalFee": plain(trade.fee)}
    return pushed | {"feeDetail": [fee]}


def assets(core: Core) -> list[Json]:
    return [
        {"coin": name, "available": plain(coin.free), "frozen": plain(coin.locked), "locked": "0",
         "limitAvailable": "0", "uTime": str(core.now_ms())}
        for name, coin in core.coins().items()
    ]  # fmt: skip


def candle(candle: Candle) -> list[str]:
    prices = [plain(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    quote = plain(candle.volume * candle.close)
    return [str(candle.open_ms), *prices, plain(candle.volume), quote, quote]


def ticker(core: Core, listing: Listing) -> Json:
    last = core.last(listing)
    shown = plain(last)
    return {
        "instId": listing.id, "lastPr": shown, "open24h": shown, "high24h": shown, "low24h": shown, "change24h": "0",
        "bidPr": plain(last - listing.tick), "askPr": plain(last + listing.tick), "bidSz": "1", "askSz": "1",
        "baseVolume": "1", "quoteVolume": "1", "openUtc": shown, "changeUtc24h": "0", "ts": str(core.now_ms()),
    }  # fmt: skip


def _fees_of(order: Order) -> str:
    """JSON in a string, empty before any fill."""
    if not order.filled:
        return ""
    fee = -float(order.fee)
    return json.dumps(
        {
            "newFees": {"c": 0, "d": 0, "deduction": False, "r": fee, "t": fee, "totalDeductionFee": 0},
            order.fee_currency: {
                "deduction": False, "feeCoinCode": order.fee_currency, "totalDeductionFee": 0, "totalFee": fee,
            },
        }
    )  # fmt: skip


def _places(unit: Decimal) -> str:
    return str(-int(unit.normalize().as_tuple().exponent))


def _force(order: Order) -> str:
    return "gtc" if order.market else _FORCE_NAMES[order.intent.force]


def _side(order: Order) -> str:
    return "buy" if order.buy else "sell"


def _type(order: Order) -> str:
    return "market" if order.market else "limit"
