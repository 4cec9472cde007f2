"""Binance's JSON of spot, from github.com/binance/binance-spot-api-docs.

Pages: rest-api (exchange information, new order, query order, cancel order, account information, account trade list)
and user-data-stream (account update, order update).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.venues.binance.records import status
from tests.venues.changes import AccountChanged, Change, OrderChanged
from tests.venues.core import Core
from tests.venues.listing import Ended, Force, Listing, Order, Trade
from tests.venues.text import plain

Json = dict[str, Any]


def instrument(listing: Listing) -> Json:
    least, most, step = plain(listing.min_quantity), plain(listing.max_quantity), plain(listing.lot)
    return {
        "symbol": listing.id, "status": "TRADING", "baseAsset": listing.base, "baseAssetPrecision": 8,
        "quoteAsset": listing.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True, "ocoAllowed": True, "otoAllowed": True, "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True, "cancelReplaceAllowed": True, "amendAllowed": True, "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": plain(listing.tick), "maxPrice": "1000000.00000000",
             "tickSize": plain(listing.tick)},
            {"filterType": "LOT_SIZE", "minQty": least, "maxQty": most, "stepSize": step},
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "120", "stepSize": "0.00000000"},
            {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
             "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
            {"filterType": "NOTIONAL", "minNotional": plain(listing.min_notional), "applyMinToMarket": True,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ],
        "permissions": [], "permissionSets": [["SPOT", "MARGIN"]], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }  # fmt: skip


def _common(order: Order) -> Json:
    return {
        "symbol": order.listing.id, "orderId": order.number, "orderListId": -1, "clientOrderId": order.client_id,
        "price": plain(order.intent.price or Decimal(0)), "origQty": plain(order.quantity),
        "executedQty": plain(order.filled), "origQuoteOrderQty": "0.000000", "cummulativeQuoteQty": plain(order.cost),
        "status": status(order), "timeInForce": _force(order), "type": _type(order), "side": _side(order),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }  # fmt: skip


def order(order: Order) -> Json:
    return _common(order) | {
        "stopPrice": "0.00000000", "icebergQty": "0.00000000", "time": order.created_ms,
        "updateTime": order.updated_ms, "isWorking": True, "workingTime": order.created_ms,
    }  # fmt: skip


def placed(order: Order, trades: Iterable[Trade]) -> Json:
    """FULL, with the trades that it made at once."""
    fills = [
        {"price": plain(trade.price), "qty": plain(trade.quantity), "commission": plain(trade.fee),
         "commissionAsset": trade.currency, "tradeId": trade.number}
        for trade in trades
    ]  # fmt: skip
    return _common(order) | {"transactTime": order.created_ms, "workingTime": order.created_ms, "fills": fills}


def cancelled(order: Order) -> Json:
    return _common(order) | {
        "origClientOrderId": order.client_id, "clientOrderId": _cancel_id(order), "transactTime": order.updated_ms,
    }  # fmt: skip


def trade(trade: Trade) -> Json:
    return {
        "symbol": trade.order.listing.id, "id": trade.number, "orderId": trade.order.number, "orderListId": -1,
        "price": plain(trade.price), "qty": plain(trade.quantity), "quoteQty": plain(trade.price * trade.quantity),
        "commission": plain(trade.fee), "commissionAsset": trade.currency, "time": trade.time_ms,
        "isBuyer": trade.order.buy, "isMaker": trade.maker, "isBestMatch": True,
    }  # fmt: skip


def account(core: Core, *, can_trade: bool) -> Json:
    return {
        "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
        "commissionRates": {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0", "seller": "0"},
        "canTrade": can_trade, "canWithdraw": True, "canDeposit": True, "brokered": False,
        "requireSelfTradePrevention": False, "preventSor": False, "updateTime": core.now_ms(), "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": plain(coin.free), "locked": plain(coin.locked)}
            for name, coin in core.coins().items()
        ],
        "permissions": ["SPOT"], "uid": 354937868,
    }  # fmt: skip


def user_events(change: Change, core: Core) -> Iterable[Json]:
    if isinstance(change, OrderChanged):
        yield order_event(change.order, change.trade, core.now_ms())
    elif isinstance(change, AccountChanged):
        yield account_event(core)


def order_event(order_: Order, trade_: Trade | None, now_ms: int) -> Json:
    """executionReport; a cancel's own client id is in the place of the order's, which is then in C."""
    state = status(order_)
    kind = "TRADE" if trade_ else {"CANCELED": "CANCELED", "EXPIRED": "EXPIRED"}.get(state, "NEW")
    filled = trade_.filled if trade_ else order_.filled
    if trade_ is not None:
        state = "FILLED" if filled == order_.quantity else "PARTIALLY_FILLED"
    by_user = kind == "CANCELED" and order_.ended is Ended.BY_USER
    event: Json = {
        "e": "executionReport", "E": now_ms, "s": order_.listing.id,
        "c": _cancel_id(order_) if by_user else order_.client_id, "S": _side(order_), "o": _type(order_),
        "f": _force(order_), "q": plain(order_.quantity), "p": plain(order_.intent.price or Decimal(0)),
        "P": "0.00000000", "F": "0.00000000", "g": -1, "C": order_.client_id if by_user else "", "x": kind, "X": state,
        "r": "NONE", "i": order_.number, "l": "0.00000000", "z": plain(filled), "L": "0.00000000", "n": "0", "N": None,
        "T": now_ms, "t": -1, "I": 8641984, "w": order_.open, "m": False, "M": False, "O": order_.created_ms,
        "Z": plain(order_.cost), "Y": "0.00000000", "Q": "0.00000000", "W": order_.created_ms, "V": "EXPIRE_MAKER",
    }  # fmt: skip
    if trade_ is not None:
        event |= {
            "l": plain(trade_.quantity), "L": plain(trade_.price), "t": trade_.number, "m": trade_.maker,
            "n": plain(trade_.fee), "N": trade_.currency, "T": trade_.time_ms,
            "Y": plain(trade_.price * trade_.quantity),
        }  # fmt: skip
    return event


def account_event(core: Core) -> Json:
    """outboundAccountPosition."""
    balances = [{"a": name, "f": plain(coin.free), "l": plain(coin.locked)} for name, coin in core.coins().items()]
    now_ms = core.now_ms()
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": balances}


def _cancel_id(order: Order) -> str:
    return f"cancel{order.number}"


def _force(order: Order) -> str:
    return {Force.IOC: "IOC", Force.FOK: "FOK"}.get(order.intent.force, "GTC")


def _type(order: Order) -> str:
    if order.market:
        return "MARKET"
    return "LIMIT_MAKER" if order.intent.force is Force.POST_ONLY else "LIMIT"


def _side(order: Order) -> str:
    return "BUY" if order.buy else "SELL"
