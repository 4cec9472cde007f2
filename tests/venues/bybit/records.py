"""Bybit's JSON, from bybit-exchange.github.io/docs/v5.

Pages: market/instrument, market/kline, market/tickers; account/wallet-balance; position; order/open-order;
order/execution; websocket/private/order, execution, position, wallet; websocket/public/ticker, kline.
"""

from decimal import Decimal
from typing import Any

from tests.venues.changes import PositionView
from tests.venues.core import Core
from tests.venues.listing import Candle, Ended, Force, Funding, Listing, Order, Trade
from tests.venues.text import fixed, plain

Json = dict[str, Any]

FORCES = {"GTC": Force.GTC, "IOC": Force.IOC, "FOK": Force.FOK, "PostOnly": Force.POST_ONLY}
_FORCE_NAMES = {force: name for name, force in FORCES.items()}
_REASONS = {
    Ended.BY_USER: "EC_PerCancelRequest",
    Ended.POST_ONLY: "EC_PostOnlyWillTakeLiquidity",
    Ended.NOTHING_TO_TAKE: "EC_NoImmediateQtyToFill",
    Ended.NOTHING_TO_REDUCE: "EC_CancelForNoFullFill",
    Ended.DEAD_MAN: "EC_PerCancelRequest",
}


def order_id(number: int) -> str:
    return f"{number:08x}-5eed-4000-8000-{number:012x}"


def number_of(order_id: str) -> str:
    """The core's number of it, one that no order has where it is none of ours."""
    head = order_id.partition("-")[0]
    return str(int(head, 16)) if len(head) == 8 and all(digit in "0123456789abcdef" for digit in head) else "0"


def instrument(listing: Listing) -> Json:
    if listing.spot:
        return {
            "symbol": listing.id, "baseCoin": listing.base, "quoteCoin": listing.quote, "innovation": "0",
            "symbolType": "", "status": "Trading", "marginTrading": "utaOnly", "stTag": "0",
            "lotSizeFilter": {"basePrecision": plain(listing.lot), "quotePrecision": "0.0000001",
                              "minOrderQty": plain(listing.min_quantity), "maxOrderQty": plain(listing.max_quantity),
                              "minOrderAmt": plain(listing.min_notional), "maxOrderAmt": "4000000",
                              "maxLimitOrderQty": plain(listing.max_quantity), "maxMarketOrderQty": "41.9"},
            "priceFilter": {"tickSize": plain(listing.tick)},
            "riskParameters": {"priceLimitRatioX": "0.005", "priceLimitRatioY": "0.01"},
        }  # fmt: skip
    return {
        "symbol": listing.id, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": listing.base,
        "quoteCoin": listing.quote, "launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{listing.max_leverage}.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": fixed(listing.tick, Decimal("0.01")), "maxPrice": "1999999.80",
                        "tickSize": fixed(listing.tick, Decimal("0.01"))},
        "lotSizeFilter": {"maxOrderQty": plain(listing.max_quantity), "minOrderQty": plain(listing.min_quantity),
                          "qtyStep": plain(listing.lot), "postOnlyMaxOrderQty": plain(listing.max_quantity),
                          "maxMktOrderQty": "119", "minNotionalValue": plain(listing.min_notional)},
        "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": listing.quote, "copyTrading": "both",
        "upperFundingRate": "0.00375", "lowerFundingRate": "-0.00375", "isPreListing": False,
    }  # fmt: skip


def status(order: Order) -> str:
    if order.open:
        return "PartiallyFilled" if order.filled else "New"
    return "Filled" if order.whole else "Cancelled"


def order(order: Order, trade: Trade | None = None) -> Json:
    """As it was after `trade`."""
    filled = order.filled if trade is None else trade.filled
    state = status(order)
    if trade is not None:
        state = "Filled" if filled == order.quantity else "PartiallyFilled"
    over = state in {"Filled", "Cancelled"}
    price = order.intent.price or Decimal(0)
    left = Decimal(0) if over else order.quantity - filled
    cost = order.cost if filled == order.filled else filled * order.average
    record = {
        "orderId": order_id(order.number), "orderLinkId": order.client_id, "blockTradeId": "",
        "symbol": order.listing.id, "price": plain(price), "qty": plain(order.quantity), "side": _side(order),
        "isLeverage": "", "positionIdx": 0, "orderStatus": state, "createType": "CreateByUser",
        "cancelType": "CancelByUser" if order.ended is Ended.BY_USER else "UNKNOWN",
        "rejectReason": _REASONS[order.ended] if over and order.ended else "EC_NoError",
        "avgPrice": plain(order.average) if filled else "", "leavesQty": plain(left),
        "leavesValue": plain(left * price), "cumExecQty": plain(filled), "cumExecValue": plain(cost),
        "cumExecFee": plain(order.fee), "timeInForce": "IOC" if order.market else _FORCE_NAMES[order.intent.force],
        "orderType": "Market" if order.market else "Limit", "stopOrderType": "", "orderIv": "", "triggerPrice": "",
        "takeProfit": "", "stopLoss": "", "tpslMode": "", "tpTriggerBy": "", "slTriggerBy": "",
        "triggerDirection": 0, "triggerBy": "", "lastPriceOnCreated": plain(order.listing.price),
        "reduceOnly": order.intent.reduce_only, "closeOnTrigger": False, "placeType": "", "smpType": "None",
        "smpGroup": 0, "smpOrderId": "", "createdTime": str(order.created_ms), "updatedTime": str(order.updated_ms),
        "cumFeeDetail": {order.fee_currency: plain(order.fee)} if filled else {},
    }  # fmt: skip
    if order.listing.spot:
        for name in ("createType", "tpslMode", "lastPriceOnCreated"):  # which spot does not have
            del record[name]
        unit = "baseCoin" if order.market else ""
        record |= {"isLeverage": "0", "marketUnit": unit, "basePrice": plain(order.listing.price), "ocoTriggerBy": ""}
    return record


def execution(trade: Trade) -> Json:
    order = trade.order
    rate = order.listing.maker_fee if trade.maker else order.listing.taker_fee
    record = {
        "symbol": order.listing.id, "orderType": "Market" if order.market else "Limit", "underlyingPrice": "",
        "orderLinkId": order.client_id, "side": _side(order), "indexPrice": "", "orderId": order_id(order.number),
        "stopOrderType": "UNKNOWN", "leavesQty": plain(order.quantity - trade.filled), "execTime": str(trade.time_ms),
        "feeCurrency": "", "isMaker": trade.maker, "execFee": plain(trade.fee), "feeRate": plain(rate),
        "execId": f"{trade.number:08x}-fa11-4000-8000-000000000000", "tradeIv": "", "blockTradeId": "", "markIv": "",
        "execPrice": plain(trade.price), "markPrice": plain(trade.price),
        "orderQty": plain(order.quantity), "orderPrice": plain(order.intent.price or Decimal(0)),
        "execValue": plain(trade.price * trade.quantity), "execType": "Trade", "execQty": plain(trade.quantity),
        "closedSize": "", "seq": trade.number, "createType": "CreateByUser",
    }  # fmt: skip
    if order.listing.spot:
        del record["createType"]
        record |= {"isLeverage": "0", "feeCurrency": trade.currency, "extraFees": ""}
    return record


def funding(funding: Funding) -> Json:
    """An execution of type Funding, of the whole position; what was paid is its fee."""
    return {
        "symbol": funding.listing.id, "orderType": "UNKNOWN", "orderLinkId": "",
        "side": "Sell" if funding.quantity > 0 else "Buy", "orderId": f"{funding.number:08x}-f0d0-4000-8000-00000000",
        "stopOrderType": "UNKNOWN", "leavesQty": "0", "execTime": str(funding.time_ms), "feeCurrency": "",
        "isMaker": False, "execFee": plain(funding.amount), "feeRate": "0.0001",
        "execId": f"{funding.number:08x}-f0d1-4000-8000-000000000000", "execPrice": plain(funding.listing.price),
        "markPrice": plain(funding.listing.price), "orderQty": "0", "orderPrice": "0",
        "execValue": plain(abs(funding.quantity) * funding.listing.price), "execType": "Funding",
        "execQty": plain(abs(funding.quantity)), "closedSize": "", "seq": funding.number,
    }  # fmt: skip


def position(position: PositionView, now_ms: int) -> Json:
    side = "Buy" if position.quantity > 0 else "Sell" if position.quantity < 0 else ""
    size = abs(position.quantity)
    return {
        "positionIdx": 0, "riskId": 1, "riskLimitValue": "2000000", "symbol": position.listing.id, "side": side,
        "size": plain(size), "avgPrice": plain(position.entry), "positionValue": plain(size * position.entry),
        "tradeMode": 0, "positionStatus": "Normal", "autoAddMargin": 0, "adlRankIndicator": 0,
        "leverage": str(position.leverage), "positionBalance": "0", "markPrice": plain(position.mark), "liqPrice": "",
        "bustPrice": "", "positionMM": "0", "positionIM": plain(position.margin), "tpslMode": "Full",
        "takeProfit": "", "stopLoss": "", "trailingStop": "0", "unrealisedPnl": plain(position.unrealised),
        "curRealisedPnl": "0", "cumRealisedPnl": "0", "createdTime": str(now_ms), "updatedTime": str(now_ms),
        "seq": 4688002127, "isReduceOnly": False,
    }  # fmt: skip


def spot_wallet(core: Core) -> Json:
    """In USD there is no price here but of USDT."""
    names = ("availableToWithdraw", "free", "availableToBorrow")
    none = dict.fromkeys(
        ("spotHedgingQty", "borrowAmount", "accruedInterest", "totalOrderIM", "totalPositionIM", "totalPositionMM",
         "unrealisedPnl", "cumRealisedPnl", "bonus", "spotBorrow"), "0",
    ) | dict.fromkeys(names, "")  # fmt: skip
    coins = [
        {"coin": name, "equity": plain(coin.total), "usdValue": plain(coin.total), "walletBalance": plain(coin.total),
         "locked": plain(coin.locked), "marginCollateral": True, "collateralSwitch": True, **none}
        for name, coin in core.coins().items()
    ]  # fmt: skip
    account = {"accountType": "UNIFIED", "accountIMRate": "0", "accountMMRate": "0", "accountLTV": "0"}
    totals = ("Equity", "WalletBalance", "MarginBalance", "AvailableBalance", "PerpUPL", "InitialMargin",
              "MaintenanceMargin")  # fmt: skip
    return account | {f"total{name}": "0" for name in totals} | {"coin": coins}


def wallet(core: Core, *, spot: bool = False) -> Json:
    if spot:
        return spot_wallet(core)
    held, unrealised = core.equity - core.available, core.equity - core.wallet
    coin = {
        "coin": "USDT", "equity": plain(core.equity), "usdValue": plain(core.equity),
        "walletBalance": plain(core.wallet), "free": "", "locked": "0", "spotHedgingQty": "0", "borrowAmount": "0",
        "availableToWithdraw": "", "accruedInterest": "0", "totalOrderIM": plain(held), "totalPositionIM": "0",
        "totalPositionMM": "0", "unrealisedPnl": plain(unrealised), "cumRealisedPnl": "0", "bonus": "0",
        "marginCollateral": True, "collateralSwitch": True, "availableToBorrow": "",
    }  # fmt: skip
    return {
        "accountType": "UNIFIED", "accountIMRate": "0", "accountMMRate": "0", "totalEquity": plain(core.equity),
        "totalWalletBalance": plain(core.wallet), "totalMarginBalance": plain(core.equity),
        "totalAvailableBalance": plain(core.available), "totalPerpUPL": plain(unrealised),
        "totalInitialMargin": plain(held), "totalMaintenanceMargin": "0", "accountLTV": "0", "coin": [coin],
    }  # fmt: skip


def candle(candle: Candle) -> list[str]:
    prices = [plain(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    return [str(candle.open_ms), *prices, plain(candle.volume), plain(candle.volume * candle.close)]


def ticker(core: Core, listing: Listing) -> Json:
    last = core.last(listing)
    shown = plain(last)
    if listing.spot:
        return spot_ticker(core, listing) | {
            "bid1Price": plain(last - listing.tick), "bid1Size": "1", "ask1Price": plain(last + listing.tick),
            "ask1Size": "1",
        }  # fmt: skip
    return {
        "symbol": listing.id, "tickDirection": "PlusTick", "price24hPcnt": "0", "lastPrice": shown,
        "prevPrice24h": shown, "highPrice24h": shown, "lowPrice24h": shown, "prevPrice1h": shown, "markPrice": shown,
        "indexPrice": shown, "openInterest": "1", "openInterestValue": "1", "turnover24h": "1", "volume24h": "1",
        "nextFundingTime": "1673280000000", "fundingRate": "0.0001", "bid1Price": plain(last - listing.tick),
        "bid1Size": "1", "ask1Price": plain(last + listing.tick), "ask1Size": "1",
    }  # fmt: skip


def spot_ticker(core: Core, listing: Listing) -> Json:
    """As the stream has it, without the best prices."""
    shown = plain(core.last(listing))
    return {
        "symbol": listing.id, "lastPrice": shown, "highPrice24h": shown, "lowPrice24h": shown, "prevPrice24h": shown,
        "volume24h": "6780.866843", "turnover24h": "141946527.22907118", "price24hPcnt": "0.0196",
        "usdIndexPrice": shown,
    }  # fmt: skip


def ticker_delta(core: Core, listing: Listing) -> Json:
    """Only what has changed."""
    whole = ticker(core, listing)
    return {name: whole[name] for name in ("symbol", "lastPrice", "markPrice", "bid1Price", "ask1Price")}


def kline_push(candle_: Candle, now_ms: int) -> Json:
    names = ("open", "high", "low", "close")
    prices = {name: plain(getattr(candle_, name)) for name in names}
    return {
        "start": candle_.open_ms, "end": candle_.open_ms + 59_999, "interval": "1", **prices,
        "volume": plain(candle_.volume), "turnover": "1", "confirm": candle_.closed, "timestamp": now_ms,
    }  # fmt: skip


def _side(order: Order) -> str:
    return "Buy" if order.buy else "Sell"
