"""OKX's JSON, from okx.com/docs-v5: quantities in contracts, fees negative where paid, every number a string.

Sections: public data, get instruments; market data; trading account, get balance, get positions, get configuration;
order book trading, trade: order details, order list, transaction details; WebSocket: order, account, positions,
tickers, candlesticks channels.
"""

from decimal import Decimal
from typing import Any

from tests.venues.changes import PositionView
from tests.venues.core import Core
from tests.venues.listing import Candle, Ended, Force, Funding, Listing, Order, Trade
from tests.venues.text import plain

Json = dict[str, Any]

FORCES = {"limit": Force.GTC, "ioc": Force.IOC, "fok": Force.FOK, "post_only": Force.POST_ONLY}
_FORCE_NAMES = {force: name for name, force in FORCES.items()}
_SOURCES = {
    Ended.BY_USER: "1",
    Ended.POST_ONLY: "31",
    Ended.NOTHING_TO_TAKE: "14",
    Ended.NOTHING_TO_REDUCE: "17",
    Ended.DEAD_MAN: "20",
}


def contracts(listing: Listing, quantity: Decimal) -> str:
    return plain(quantity / listing.contract)


def kind(listing: Listing) -> str:
    return "SPOT" if listing.spot else "SWAP"


def side_of_position(listing: Listing) -> str:
    return "" if listing.spot else "net"


def instrument(listing: Listing) -> Json:
    lot = contracts(listing, listing.lot)
    if listing.spot:
        return {
            "alias": "", "auctionEndTime": "", "baseCcy": listing.base, "category": "1", "contTdSwTime": "",
            "ctMult": "", "ctType": "", "ctVal": "", "ctValCcy": "", "expTime": "", "futureSettlement": False,
            "instFamily": "", "instId": listing.id, "instType": "SPOT", "lever": "10", "listTime": "1548133413000",
            "lotSz": lot, "maxIcebergSz": "9999999999", "maxLmtAmt": "20000000", "maxLmtSz": "9999999999",
            "maxMktAmt": "1000000", "maxMktSz": "1000000", "maxStopSz": "1000000", "maxTriggerSz": "9999999999",
            "maxTwapSz": "9999999999", "minSz": plain(listing.min_quantity), "openType": "call_auction",
            "optType": "", "quoteCcy": listing.quote, "settleCcy": "", "state": "live", "ruleType": "normal",
            "stk": "", "tickSz": plain(listing.tick), "uly": "",
        }  # fmt: skip
    return {
        "alias": "", "auctionEndTime": "", "baseCcy": "", "category": "1", "ctMult": "1", "ctType": "linear",
        "ctVal": plain(listing.contract), "ctValCcy": listing.base, "expTime": "",
        "instFamily": f"{listing.base}-{listing.quote}", "instId": listing.id, "instType": "SWAP",
        "lever": str(listing.max_leverage), "listTime": "1573557408000", "lotSz": lot, "maxIcebergSz": "100000000",
        "maxLmtAmt": "20000000", "maxLmtSz": contracts(listing, listing.max_quantity), "maxMktAmt": "",
        "maxMktSz": "12000", "maxTwapSz": "100000000", "minSz": lot, "optType": "", "quoteCcy": "",
        "settleCcy": listing.quote, "state": "live", "ruleType": "normal", "stk": "", "tickSz": plain(listing.tick),
        "uly": f"{listing.base}-{listing.quote}",
    }  # fmt: skip


def state(order: Order) -> str:
    if order.open:
        return "partially_filled" if order.filled else "live"
    return "filled" if order.whole else "canceled"


def order(order: Order, trade: Trade | None = None) -> Json:
    """As it was after `trade`, which is the last one where there is none given."""
    listing, intent = order.listing, order.intent
    filled = order.filled if trade is None else trade.filled
    now = state(order)
    if trade is not None:
        now = "filled" if filled == order.quantity else "partially_filled"
    return {
        "accFillSz": contracts(listing, filled), "algoClOrdId": "", "algoId": "", "attachAlgoClOrdId": "",
        "attachAlgoOrds": [], "avgPx": plain(order.average) if filled else "", "cTime": str(order.created_ms),
        "cancelSource": _SOURCES[order.ended] if order.ended and now == "canceled" else "",
        "cancelSourceReason": "", "category": "normal", "ccy": "", "clOrdId": order.client_id,
        "fee": plain(-order.fee), "feeCcy": order.fee_currency, "fillPx": plain(trade.price) if trade else "",
        "fillSz": contracts(listing, trade.quantity) if trade else "0",
        "fillTime": str(trade.time_ms) if trade else "", "instId": listing.id, "instType": kind(listing),
        "isTpLimit": "false", "lever": "" if listing.spot else "10", "linkedAlgoOrd": {"algoId": ""},
        "ordId": order_id(order),
        "ordType": "market" if order.market else _FORCE_NAMES[intent.force], "pnl": "0",
        "posSide": side_of_position(listing),
        "px": "" if intent.price is None else plain(intent.price), "pxType": "", "pxUsd": "", "pxVol": "",
        "quickMgnType": "", "rebate": "0",
        "rebateCcy": listing.base if order.fee_currency == listing.quote and listing.spot else listing.quote,
        "reduceOnly": "true" if intent.reduce_only else "false", "side": _side(order), "slOrdPx": "",
        "slTriggerPx": "", "slTriggerPxType": "", "source": "", "state": now, "stpId": "", "stpMode": "cancel_maker",
        "sz": contracts(listing, order.quantity), "tag": "", "tdMode": "cash" if listing.spot else "cross",
        "tgtCcy": "base_ccy" if listing.spot and order.market else "", "tpOrdPx": "",
        "tpTriggerPx": "", "tpTriggerPxType": "", "tradeId": str(trade.number) if trade else "",
        "uTime": str(order.updated_ms),
    }  # fmt: skip


def order_push(order_: Order, trade: Trade | None) -> Json:
    """What the orders channel adds."""
    pushed = order(order_, trade) | {"amendResult": "", "code": "0", "msg": "", "reqId": "", "lastPx": ""}
    if trade is not None:
        pushed |= {
            "fillFee": plain(-trade.fee), "fillFeeCcy": trade.currency, "fillPnl": "0",
            "execType": "M" if trade.maker else "T", "fillNotionalUsd": plain(trade.price * trade.quantity),
        }  # fmt: skip
    return pushed


def fill(trade: Trade) -> Json:
    listing = trade.order.listing
    return {
        "side": _side(trade.order), "fillSz": contracts(listing, trade.quantity), "fillPx": plain(trade.price),
        "fillPxVol": "", "fillFwdPx": "", "fee": plain(-trade.fee), "fillPnl": "0",
        "ordId": order_id(trade.order), "feeRate": "-0.0002", "instType": kind(listing), "fillPxUsd": "",
        "instId": listing.id, "clOrdId": trade.order.client_id, "posSide": side_of_position(listing),
        "billId": bill_id(trade),
        "subType": "1", "fillMarkVol": "", "tag": "", "fillTime": str(trade.time_ms),
        "execType": "M" if trade.maker else "T", "fillIdxPx": "", "tradeId": str(trade.number), "fillMarkPx": "",
        "feeCcy": trade.currency, "ts": str(trade.time_ms),
    }  # fmt: skip


def funding(funding: Funding) -> Json:
    """A bill of type 8."""
    return {
        "bal": "0", "balChg": plain(-funding.amount), "billId": f"61{funding.number:016d}", "ccy": "USDT",
        "clOrdId": "", "execType": "", "fee": "0", "from": "", "instId": funding.listing.id, "instType": "SWAP",
        "interest": "0", "mgnMode": "cross", "notes": "", "ordId": "", "pnl": plain(-funding.amount), "posBal": "0",
        "posBalChg": "0", "px": plain(funding.listing.price), "subType": "173" if funding.amount > 0 else "174",
        "sz": contracts(funding.listing, abs(funding.quantity)), "tag": "", "to": "", "tradeId": "",
        "ts": str(funding.time_ms), "type": "8",
    }  # fmt: skip


def order_id(order: Order) -> str:
    return f"31226986{order.number:010d}"


def number_of(order_id: str) -> str:
    """The core's number of it."""
    return str(int(order_id[8:])) if order_id.startswith("31226986") and order_id.isdigit() else "0"


def bill_id(trade: Trade) -> str:
    return f"61{trade.number:016d}"


def position(position: PositionView, now_ms: int) -> Json:
    listing = position.listing
    return {
        "adl": "1", "availPos": "", "avgPx": plain(position.entry), "baseBal": "", "bePx": plain(position.entry),
        "cTime": str(now_ms), "ccy": listing.quote, "fee": "0", "fundingFee": "0", "idxPx": plain(position.mark),
        "imr": plain(position.margin), "instId": listing.id, "instType": "SWAP", "interest": "",
        "last": plain(position.mark), "lever": str(position.leverage), "liqPenalty": "0", "liqPx": "",
        "margin": "", "markPx": plain(position.mark), "mgnMode": "cross", "mgnRatio": "100", "mmr": "0",
        "notionalUsd": plain(abs(position.quantity) * position.mark), "pnl": "0",
        "pos": contracts(listing, position.quantity), "posCcy": "", "posId": "1752810569801498626", "posSide": "net",
        "realizedPnl": "0", "tradeId": "1", "uTime": str(now_ms), "upl": plain(position.unrealised), "uplRatio": "0",
    }  # fmt: skip


def spot_balance(core: Core) -> Json:
    names = ("borrowFroz", "crossLiab", "fixedBal", "imr", "interest", "isoEq", "liab", "maxLoan", "mgnRatio", "mmr",
             "notionalLever", "upl", "availEq")  # fmt: skip
    details = [
        dict.fromkeys(names, "") | {
            "availBal": plain(coin.free), "cashBal": plain(coin.total), "ccy": name, "disEq": plain(coin.total),
            "eq": plain(coin.total), "eqUsd": plain(coin.total), "frozenBal": plain(coin.locked),
            "ordFrozen": plain(coin.locked), "spotBal": plain(coin.total), "uTime": str(core.now_ms()),
        }
        for name, coin in core.coins().items()
    ]  # fmt: skip
    return {
        "adjEq": "", "borrowFroz": "", "details": details, "imr": "", "isoEq": "", "mgnRatio": "", "mmr": "",
        "notionalUsd": "", "ordFroz": "", "totalEq": plain(core.equity), "uTime": str(core.now_ms()), "upl": "",
    }  # fmt: skip


def balance(core: Core, *, spot: bool = False) -> Json:
    if spot:
        return spot_balance(core)
    held = core.equity - core.available
    detail = {
        "availBal": plain(core.available), "availEq": plain(core.available), "borrowFroz": "",
        "cashBal": plain(core.wallet), "ccy": "USDT", "crossLiab": "", "disEq": plain(core.equity),
        "eq": plain(core.equity), "eqUsd": plain(core.equity), "fixedBal": "0", "frozenBal": plain(held),
        "imr": plain(held), "interest": "", "isoEq": "0", "liab": "", "maxLoan": "", "mgnRatio": "", "mmr": "0",
        "notionalLever": "0", "ordFrozen": plain(held), "uTime": str(core.now_ms()), "upl": plain(_unrealised(core)),
    }  # fmt: skip
    return {
        "adjEq": "", "borrowFroz": "", "details": [detail], "imr": "", "isoEq": "0", "mgnRatio": "", "mmr": "",
        "notionalUsd": "", "ordFroz": "", "totalEq": plain(core.equity), "uTime": str(core.now_ms()), "upl": "",
    }  # fmt: skip


def candle(candle: Candle, listing: Listing) -> list[str]:
    prices = [plain(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    volume = contracts(listing, candle.volume)
    other = candle.volume * candle.close if listing.spot else candle.volume
    return [str(candle.open_ms), *prices, volume, plain(other), "1", "1" if candle.closed else "0"]


def ticker(core: Core, listing: Listing) -> Json:
    last = core.last(listing)
    shown = plain(last)
    return {
        "instType": kind(listing), "instId": listing.id, "last": shown, "lastSz": "0.1",
        "askPx": plain(last + listing.tick), "askSz": "1", "bidPx": plain(last - listing.tick), "bidSz": "1",
        "open24h": shown, "high24h": shown, "low24h": shown, "volCcy24h": "1", "vol24h": "1", "sodUtc0": shown,
        "sodUtc8": shown, "ts": str(core.now_ms()),
    }  # fmt: skip


def _unrealised(core: Core) -> Decimal:
    return core.equity - core.wallet


def _side(order: Order) -> str:
    return "buy" if order.buy else "sell"
