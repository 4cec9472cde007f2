"""Bitget's JSON, from bitget.com/api-doc/contract: quantities in base currency, fees negative where paid.

Pages: market: Get-All-Symbols-Contracts, Get-Candle-Data, Get-Ticker; account: Get-Account-List, Get-Single-Account;
position: get-all-position; trade: Get-Order-Details, Get-Orders-Pending, Get-Order-Fills; websocket/private:
Order-Channel, Fill-Channel, Positions-Channel, Account-Channel; websocket/public: Tickers-Channel,
Candlesticks-Channel.
"""

from decimal import Decimal
from typing import Any

from tests.venues.changes import PositionView
from tests.venues.core import Core
from tests.venues.listing import Candle, Force, Funding, Listing, Order, Trade
from tests.venues.text import plain

Json = dict[str, Any]

FORCES = {"gtc": Force.GTC, "ioc": Force.IOC, "fok": Force.FOK, "post_only": Force.POST_ONLY}
_FORCE_NAMES = {force: name for name, force in FORCES.items()}


def contract(listing: Listing) -> Json:
    places = -int(listing.tick.normalize().as_tuple().exponent)
    return {
        "symbol": listing.id, "baseCoin": listing.base, "quoteCoin": listing.quote, "buyLimitPriceRatio": "0.01",
        "sellLimitPriceRatio": "0.01", "feeRateUpRatio": "0.005", "makerFeeRate": plain(listing.maker_fee),
        "takerFeeRate": plain(listing.taker_fee), "openCostUpRatio": "0.01", "supportMarginCoins": [listing.quote],
        "minTradeNum": plain(listing.min_quantity), "priceEndStep": "1",
        "volumePlace": str(-int(listing.lot.normalize().as_tuple().exponent)), "pricePlace": str(places),
        "sizeMultiplier": plain(listing.lot), "symbolType": "perpetual", "minTradeUSDT": plain(listing.min_notional),
        "maxSymbolOrderNum": "200", "maxProductOrderNum": "400", "maxPositionNum": "150", "symbolStatus": "normal",
        "offTime": "-1", "limitOpenTime": "-1", "deliveryTime": "", "deliveryStartTime": "", "launchTime": "",
        "fundInterval": "8", "minLever": "1", "maxLever": str(listing.max_leverage), "posLimit": "0.05",
        "maintainTime": "", "maxMarketOrderQty": "120", "maxOrderQty": plain(listing.max_quantity),
    }  # fmt: skip


def state(order: Order) -> str:
    if order.open:
        return "partially_filled" if order.filled else "live"
    return "filled" if order.whole else "canceled"


def order_id(order: Order) -> str:
    return f"12{order.number:017d}"


def number_of(order_id: str) -> str:
    """The core's number of it."""
    return str(int(order_id[2:])) if order_id.isdigit() and len(order_id) == 19 else "0"


def order(order: Order, *, detail: bool = False) -> Json:
    """The single order has `state` where lists have `status`."""
    shown = {
        "symbol": order.listing.id, "size": plain(order.quantity), "orderId": order_id(order),
        "clientOid": order.client_id, "baseVolume": plain(order.filled), "fee": plain(-order.fee),
        "price": "" if order.market else plain(order.intent.price or Decimal(0)),
        "priceAvg": plain(order.average) if order.filled else "", "side": _side(order), "force": _force(order),
        "totalProfits": "0", "posSide": "net", "marginCoin": order.listing.quote,
        "quoteVolume": plain(order.cost), "orderType": _type(order), "leverage": "10", "marginMode": "crossed",
        "reduceOnly": _reduce_only(order), "enterPointSource": "API", "tradeSide": f"{_side(order)}_single",
        "posMode": "one_way_mode", "orderSource": "normal", "presetStopSurplusPrice": "", "presetStopLossPrice": "",
        "cancelReason": "normal_cancel" if state(order) == "canceled" else "", "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
    }  # fmt: skip
    return shown | {"state" if detail else "status": state(order)}


def order_push(order_: Order, trade: Trade | None) -> Json:
    """`baseVolume` is the last fill's here, and `accBaseVolume` is of all."""
    filled = trade.filled if trade else order_.filled
    now = state(order_)
    if trade is not None:
        now = "filled" if filled == order_.quantity else "partially_filled"
    quote = order_.listing.quote
    pushed: Json = {
        "accBaseVolume": plain(filled), "cTime": str(order_.created_ms), "cancelReason": "",
        "clientOid": order_.client_id, "enterPointSource": "API", "feeDetail": [], "force": _force(order_),
        "instId": order_.listing.id, "leverage": "10", "marginCoin": quote, "marginMode": "crossed",
        "notionalUsd": plain(order_.quantity * (order_.intent.price or order_.listing.price)),
        "orderId": order_id(order_), "orderType": _type(order_), "pnl": "0", "posMode": "one_way_mode",
        "posSide": "net", "price": plain(order_.intent.price or Decimal(0)), "priceAvg": plain(order_.average),
        "reduceOnly": _reduce_only(order_).lower(), "stpMode": "none", "side": _side(order_),
        "size": plain(order_.quantity), "status": now, "tradeSide": f"{_side(order_)}_single",
        "presetStopSurplusPrice": "", "presetStopLossPrice": "", "totalProfits": "0", "uTime": str(order_.updated_ms),
    }  # fmt: skip
    if now == "canceled":
        pushed["cancelReason"] = "normal_cancel"
    if trade is not None:
        pushed |= {
            "baseVolume": plain(trade.quantity), "fillPrice": plain(trade.price), "fillTime": str(trade.time_ms),
            "fillFee": plain(-trade.fee), "fillFeeCoin": quote, "tradeId": str(trade.number),
            "fillNotionalUsd": plain(trade.price * trade.quantity), "tradeScope": "M" if trade.maker else "T",
            "feeDetail": [{"feeCoin": quote, "fee": plain(-order_.fee)}],
        }  # fmt: skip
    return pushed


def fill(trade: Trade) -> Json:
    order = trade.order
    return {
        "tradeId": str(trade.number), "symbol": order.listing.id, "orderId": order_id(order),
        "price": plain(trade.price), "baseVolume": plain(trade.quantity),
        "feeDetail": [_fee(trade)], "side": _side(order), "quoteVolume": plain(trade.price * trade.quantity),
        "profit": "0", "enterPointSource": "api", "tradeSide": f"{_side(order)}_single", "posMode": "one_way_mode",
        "tradeScope": "maker" if trade.maker else "taker", "cTime": str(trade.time_ms),
    }  # fmt: skip


def fill_push(trade: Trade) -> Json:
    order = trade.order
    return {
        "orderId": order_id(order), "clientOid": order.client_id, "tradeId": str(trade.number),
        "symbol": order.listing.id, "orderType": _type(order), "side": _side(order), "price": plain(trade.price),
        "baseVolume": plain(trade.quantity), "quoteVolume": plain(trade.price * trade.quantity), "profit": "0",
        "tradeSide": f"{_side(order)}_single", "posMode": "one_way_mode",
        "tradeScope": "maker" if trade.maker else "taker", "feeDetail": [_fee(trade)], "cTime": str(trade.time_ms),
        "uTime": str(trade.time_ms),
    }  # fmt: skip


def funding(funding: Funding) -> Json:
    return {
        "billId": str(funding.number), "symbol": funding.listing.id, "amount": plain(-funding.amount), "fee": "0",
        "feeByCoupon": "", "businessType": "contract_settle_fee", "coin": "USDT", "balance": "0",
        "cTime": str(funding.time_ms),
    }  # fmt: skip


def position(position: PositionView, now_ms: int) -> Json:
    quantity = plain(abs(position.quantity))
    return {
        "marginCoin": position.listing.quote, "symbol": position.listing.id, "holdSide": _hold_side(position),
        "openDelegateSize": "0", "marginSize": plain(position.margin), "available": quantity, "locked": "0",
        "total": quantity, "leverage": str(position.leverage), "achievedProfits": "0",
        "openPriceAvg": plain(position.entry), "marginMode": "crossed", "posMode": "one_way_mode",
        "unrealizedPL": plain(position.unrealised), "liquidationPrice": "0", "keepMarginRate": "0.004",
        "markPrice": plain(position.mark), "marginRatio": "0", "breakEvenPrice": plain(position.entry),
        "totalFee": "", "deductedFee": "0", "grant": "", "assetMode": "single", "autoMargin": "off",
        "takeProfit": "", "stopLoss": "", "takeProfitId": "", "stopLossId": "", "cTime": str(now_ms),
        "uTime": str(now_ms),
    }  # fmt: skip


def position_push(position_: PositionView, now_ms: int) -> Json:
    shown = position(position_, now_ms)
    shown |= {"posId": "1", "instId": shown.pop("symbol"), "frozen": "0", "unrealizedPLR": "0", "marginRate": "0"}
    shown["leverage"] = position_.leverage
    return shown


def account(core: Core) -> Json:
    unrealised, available = plain(core.equity - core.wallet), plain(core.available)
    return {
        "marginCoin": "USDT", "locked": plain(core.equity - core.available), "available": plain(core.wallet),
        "crossedMaxAvailable": available, "isolatedMaxAvailable": available, "maxTransferOut": available,
        "accountEquity": plain(core.equity), "usdtEquity": plain(core.equity), "btcEquity": "0.2",
        "crossedRiskRate": "0", "unrealizedPL": unrealised, "coupon": "0", "unionTotalMargin": "",
        "unionAvailable": "", "unionMm": "", "assetList": [], "isolatedMargin": "0", "crossedMargin": "0",
        "crossedUnrealizedPL": unrealised, "isolatedUnrealizedPL": "0", "assetMode": "single",
    }  # fmt: skip


def account_push(core: Core) -> Json:
    return {
        "marginCoin": "USDT", "frozen": plain(core.equity - core.available), "available": plain(core.available),
        "maxOpenPosAvailable": plain(core.available), "maxTransferOut": plain(core.available),
        "equity": plain(core.equity), "usdtEquity": plain(core.equity), "crossedRiskRate": "0",
        "unrealizedPL": plain(core.equity - core.wallet),
    }  # fmt: skip


def candle(candle: Candle) -> list[str]:
    prices = [plain(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    return [str(candle.open_ms), *prices, plain(candle.volume), plain(candle.volume * candle.close)]


def ticker(core: Core, listing: Listing) -> Json:
    last = core.last(listing)
    shown = plain(last)
    return {
        "symbol": listing.id, "lastPr": shown, "askPr": plain(last + listing.tick),
        "bidPr": plain(last - listing.tick), "bidSz": "1", "askSz": "1", "high24h": shown, "low24h": shown,
        "ts": str(core.now_ms()), "change24h": "0", "baseVolume": "1", "quoteVolume": "1", "usdtVolume": "1",
        "openUtc": shown, "changeUtc24h": "0", "indexPrice": shown, "fundingRate": "0.0001", "holdingAmount": "1",
        "deliveryStartTime": None, "deliveryTime": None, "deliveryStatus": "", "open24h": shown, "markPrice": shown,
    }  # fmt: skip


def _fee(trade: Trade) -> Json:
    return {"deduction": "no", "feeCoin": trade.order.listing.quote, "totalDeductionFee": "0",
            "totalFee": plain(-trade.fee)}  # fmt: skip


def _force(order: Order) -> str:
    return "gtc" if order.market else _FORCE_NAMES[order.intent.force]


def _hold_side(position: PositionView) -> str:
    return "short" if position.quantity < 0 else "long"


def _reduce_only(order: Order) -> str:
    return "YES" if order.intent.reduce_only else "NO"


def _side(order: Order) -> str:
    return "buy" if order.buy else "sell"


def _type(order: Order) -> str:
    return "market" if order.market else "limit"
