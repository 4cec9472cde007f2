"""Binance's JSON, from developers.binance.com: derivatives, USDⓈ-M futures.

Pages: exchange information; new order; query order; account trade list; position information V2; account information
V3; notional and leverage brackets; kline data; event order update; event balance and position update.
"""

from decimal import Decimal
from typing import Any

from tests.venues.changes import PositionView
from tests.venues.core import Core
from tests.venues.listing import Candle, Ended, Force, Funding, Listing, Order, Trade
from tests.venues.text import fixed, plain

Json = dict[str, Any]

FORCES = {"GTC": Force.GTC, "IOC": Force.IOC, "FOK": Force.FOK, "GTX": Force.POST_ONLY}
_FORCE_NAMES = {force: name for name, force in FORCES.items()}


def instrument(listing: Listing) -> Json:
    return {
        "symbol": listing.id, "pair": listing.id, "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000, "status": "TRADING", "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": listing.base, "quoteAsset": listing.quote,
        "marginAsset": listing.quote, "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8,
        "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": ["PoW"], "triggerProtect": "0.0500",
        "liquidationFee": "0.012500", "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": plain(listing.tick), "maxPrice": "4529764",
             "tickSize": fixed(listing.tick, Decimal("0.01"))},
            {"filterType": "LOT_SIZE", "minQty": plain(listing.min_quantity), "maxQty": plain(listing.max_quantity),
             "stepSize": plain(listing.lot)},
            {"filterType": "MARKET_LOT_SIZE", "minQty": plain(listing.min_quantity), "maxQty": "120",
             "stepSize": plain(listing.lot)},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": plain(listing.min_notional)},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500",
             "multiplierDecimal": "4"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }  # fmt: skip


def status(order: Order) -> str:
    if order.open:
        return "PARTIALLY_FILLED" if order.filled else "NEW"
    if order.whole:
        return "FILLED"
    return "CANCELED" if order.ended in {Ended.BY_USER, Ended.DEAD_MAN} else "EXPIRED"


def order(order: Order) -> Json:
    intent = order.intent
    return {
        "avgPrice": plain(order.average), "clientOrderId": order.client_id, "cumQuote": plain(order.cost),
        "executedQty": plain(order.filled), "orderId": order.number, "origQty": plain(order.quantity),
        "origType": _type(order), "price": plain(intent.price or Decimal(0)), "reduceOnly": intent.reduce_only,
        "side": _side(order), "positionSide": "BOTH", "status": status(order), "stopPrice": "0",
        "closePosition": False, "symbol": order.listing.id, "time": order.created_ms,
        "timeInForce": _FORCE_NAMES[intent.force], "type": _type(order), "updateTime": order.updated_ms,
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0,
    }  # fmt: skip


def trade(trade: Trade) -> Json:
    return {
        "buyer": trade.order.buy, "commission": plain(trade.fee), "commissionAsset": trade.order.listing.quote,
        "id": trade.number, "maker": trade.maker, "orderId": trade.order.number, "price": plain(trade.price),
        "qty": plain(trade.quantity), "quoteQty": plain(trade.price * trade.quantity), "realizedPnl": "0",
        "side": _side(trade.order), "positionSide": "BOTH", "symbol": trade.order.listing.id, "time": trade.time_ms,
    }  # fmt: skip


def funding(funding: Funding) -> Json:
    return {
        "symbol": funding.listing.id, "incomeType": "FUNDING_FEE", "income": plain(-funding.amount), "asset": "USDT",
        "info": "FUNDING_FEE", "time": funding.time_ms, "tranId": funding.number, "tradeId": "",
    }  # fmt: skip


def position(position: PositionView, now_ms: int) -> Json:
    return {
        "symbol": position.listing.id, "positionAmt": plain(position.quantity), "entryPrice": plain(position.entry),
        "breakEvenPrice": plain(position.entry), "markPrice": plain(position.mark),
        "unRealizedProfit": plain(position.unrealised), "liquidationPrice": "0", "leverage": str(position.leverage),
        "maxNotionalValue": "20000000", "marginType": "cross", "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false", "positionSide": "BOTH", "notional": plain(position.quantity * position.mark),
        "isolatedWallet": "0", "updateTime": now_ms,
    }  # fmt: skip


def account(core: Core) -> Json:
    unrealised, held = core.equity - core.wallet, core.equity - core.available
    asset = {
        "asset": "USDT", "walletBalance": plain(core.wallet), "unrealizedProfit": plain(unrealised),
        "marginBalance": plain(core.equity), "maintMargin": "0", "initialMargin": plain(held),
        "positionInitialMargin": "0", "openOrderInitialMargin": plain(held), "crossWalletBalance": plain(core.wallet),
        "crossUnPnl": plain(unrealised), "availableBalance": plain(core.available),
        "maxWithdrawAmount": plain(core.available), "updateTime": core.now_ms(),
    }  # fmt: skip
    return {
        "totalInitialMargin": plain(held), "totalMaintMargin": "0", "totalWalletBalance": plain(core.wallet),
        "totalUnrealizedProfit": plain(unrealised), "totalMarginBalance": plain(core.equity),
        "availableBalance": plain(core.available), "assets": [asset], "positions": [],
    }  # fmt: skip


def brackets(listing: Listing) -> Json:
    bracket = {
        "bracket": 1, "initialLeverage": listing.max_leverage, "notionalCap": 50000, "notionalFloor": 0,
        "maintMarginRatio": 0.004, "cum": 0.0,
    }  # fmt: skip
    return {"symbol": listing.id, "notionalCoef": 1.5, "brackets": [bracket]}


def candle(candle: Candle) -> list[Any]:
    quote = plain(candle.volume * candle.close)
    prices = [plain(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    return [candle.open_ms, *prices, plain(candle.volume), candle.open_ms + 59_999, quote, 2, "1", quote, "0"]


def ticker(core: Core, listing: Listing) -> Json:
    last = plain(core.last(listing))
    return {
        "symbol": listing.id, "priceChange": "0", "priceChangePercent": "0", "weightedAvgPrice": last,
        "lastPrice": last, "lastQty": "0.001", "openPrice": last, "highPrice": last, "lowPrice": last, "volume": "1",
        "quoteVolume": last, "openTime": core.now_ms() - 86_400_000, "closeTime": core.now_ms(), "firstId": 1,
        "lastId": 2, "count": 2,
    }  # fmt: skip


def order_event(order_: Order, trade_: Trade | None, now_ms: int) -> Json:
    """ORDER_TRADE_UPDATE."""
    state = status(order_)
    kind = "TRADE" if trade_ else {"CANCELED": "CANCELED", "EXPIRED": "EXPIRED"}.get(state, "NEW")
    filled = trade_.filled if trade_ else order_.filled
    if trade_ is not None:
        state = "FILLED" if filled == order_.quantity else "PARTIALLY_FILLED"
    event: Json = {
        "s": order_.listing.id, "c": order_.client_id, "S": _side(order_), "o": _type(order_),
        "f": _FORCE_NAMES[order_.intent.force], "q": plain(order_.quantity),
        "p": plain(order_.intent.price or Decimal(0)), "ap": plain(order_.average), "sp": "0", "x": kind, "X": state,
        "i": order_.number, "l": "0", "z": plain(filled), "L": "0", "T": now_ms, "t": 0, "b": "0", "a": "0",
        "m": False, "R": order_.intent.reduce_only, "wt": "CONTRACT_PRICE", "ot": _type(order_), "ps": "BOTH",
        "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0,
    }  # fmt: skip
    if trade_ is not None:
        event |= {
            "l": plain(trade_.quantity), "L": plain(trade_.price), "t": trade_.number, "m": trade_.maker,
            "n": plain(trade_.fee), "N": order_.listing.quote, "T": trade_.time_ms,
        }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": event["T"], "o": event}


def account_event(core: Core, listing: Listing | None) -> Json:
    """ACCOUNT_UPDATE."""
    positions = []
    if listing is not None:
        held = core.position(listing)
        positions = [{
            "s": listing.id, "pa": plain(held.quantity), "ep": plain(held.entry), "bep": plain(held.entry), "cr": "0",
            "up": plain(held.unrealised), "mt": "cross", "iw": "0", "ps": "BOTH",
        }]  # fmt: skip
    balance = {"a": "USDT", "wb": plain(core.wallet), "cw": plain(core.wallet), "bc": "0"}
    now_ms = core.now_ms()
    return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": {"m": "ORDER", "B": [balance], "P": positions}}


def mini_ticker_event(core: Core, listing: Listing) -> Json:
    last = plain(core.last(listing))
    return {
        "e": "24hrMiniTicker", "E": core.now_ms(), "s": listing.id, "c": last, "o": last, "h": last, "l": last,
        "v": "1", "q": last,
    }  # fmt: skip


def kline_event(listing: Listing, candle_: Candle, now_ms: int) -> Json:
    kline = {
        "t": candle_.open_ms, "T": candle_.open_ms + 59_999, "s": listing.id, "i": "1m", "f": 1, "L": 2,
        "o": plain(candle_.open), "c": plain(candle_.close), "h": plain(candle_.high), "l": plain(candle_.low),
        "v": plain(candle_.volume), "n": 2, "x": candle_.closed, "q": "1", "V": "1", "Q": "1", "B": "0",
    }  # fmt: skip
    return {"e": "kline", "E": now_ms, "s": listing.id, "k": kline}


def _type(order: Order) -> str:
    return "MARKET" if order.market else "LIMIT"


def _side(order: Order) -> str:
    return "BUY" if order.buy else "SELL"
