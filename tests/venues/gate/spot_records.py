"""Gate's JSON of spot, from gate.com/docs/developers/apiv4 (spot) and .../apiv4/ws; github.com/gateio/gateapi-python.

Sections: currency pairs, candlesticks, tickers, accounts, orders, personal trading history; WebSocket: tickers,
candlesticks, orders, user trades, balances.
"""

from decimal import Decimal
from typing import Any

from tests.venues.core import Core
from tests.venues.gate.records import USER, finish_as, text
from tests.venues.listing import Candle, Force, Listing, Order, Trade
from tests.venues.text import plain

Json = dict[str, Any]
FORCES = {"gtc": Force.GTC, "ioc": Force.IOC, "fok": Force.FOK, "poc": Force.POST_ONLY}
_FORCE_NAMES = {force: name for name, force in FORCES.items()}


def currency_pair(listing: Listing) -> Json:
    return {
        "id": listing.id, "base": listing.base, "base_name": listing.base, "quote": listing.quote,
        "quote_name": listing.quote, "fee": "0.2", "min_base_amount": plain(listing.min_quantity),
        "min_quote_amount": plain(listing.min_notional), "max_quote_amount": "5000000",
        "amount_precision": -listing.lot.normalize().as_tuple().exponent,  # type: ignore[operator]
        "precision": -listing.tick.normalize().as_tuple().exponent,  # type: ignore[operator]
        "trade_status": "tradable", "sell_start": 1516378650, "buy_start": 1516378650, "delisting_time": 0,
        "type": "normal", "st_tag": False,
    }  # fmt: skip


def order(order: Order, trade: Trade | None = None) -> Json:
    """As it was after `trade`."""
    left = order.quantity - trade.filled if trade else order.left
    filled = order.quantity - left
    over = not order.open and (trade is None or not left)
    return {
        "id": str(order.number), "text": text(order), "amend_text": "-", "create_time": str(order.created_ms // 1000),
        "update_time": str(order.updated_ms // 1000), "create_time_ms": order.created_ms,
        "update_time_ms": order.updated_ms, "status": ("cancelled" if left else "closed") if over else "open",
        "currency_pair": order.listing.id, "type": "market" if order.market else "limit", "account": "spot",
        "side": _side(order), "amount": plain(order.quantity), "price": plain(order.intent.price or Decimal(0)),
        "time_in_force": "ioc" if order.market else _FORCE_NAMES[order.intent.force], "iceberg": "0",
        "left": plain(left), "filled_amount": plain(filled), "fill_price": plain(order.cost),
        "filled_total": plain(order.cost), "avg_deal_price": plain(order.average), "fee": plain(order.fee),
        "fee_currency": order.fee_currency, "point_fee": "0", "gt_fee": "0", "gt_maker_fee": "0", "gt_taker_fee": "0",
        "gt_discount": False, "rebated_fee": "0", "rebated_fee_currency": "USDT", "stp_id": 0, "stp_act": "-",
        "finish_as": finish_as(order, left) if over else "open",
    }  # fmt: skip


def order_push(order_: Order, trade: Trade | None) -> Json:
    """spot.orders: `event` is put, update or finish; there is no status."""
    pushed = order(order_, trade)
    over = pushed.pop("status") != "open"
    event = "finish" if over else "update" if trade else "put"
    return pushed | {
        "create_time_ms": str(order_.created_ms), "update_time_ms": str(order_.updated_ms), "user": USER,
        "event": event, "biz_info": "-",
    }  # fmt: skip


def trade(trade: Trade) -> Json:
    order = trade.order
    return {
        "id": str(trade.number), "create_time": str(trade.time_ms // 1000), "create_time_ms": f"{trade.time_ms}.000000",
        "currency_pair": order.listing.id, "side": _side(order), "role": "maker" if trade.maker else "taker",
        "amount": plain(trade.quantity), "price": plain(trade.price), "order_id": str(order.number),
        "fee": plain(trade.fee), "fee_currency": trade.currency, "point_fee": "0", "gt_fee": "0", "amend_text": "-",
        "sequence_id": str(trade.number), "text": text(order),
    }  # fmt: skip


def trade_push(trade_: Trade) -> Json:
    """spot.usertrades."""
    pushed = trade(trade_)
    del pushed["sequence_id"]
    return pushed | {"id": trade_.number, "user_id": USER, "create_time": trade_.time_ms // 1000}


def accounts(core: Core) -> list[Json]:
    return [
        {"currency": name, "available": plain(coin.free), "locked": plain(coin.locked), "update_id": 98,
         "refresh_time": core.now_ms() // 1000}
        for name, coin in core.coins().items()
    ]  # fmt: skip


def balances_push(core: Core) -> list[Json]:
    now_ms = core.now_ms()
    return [
        {"timestamp": str(now_ms // 1000), "timestamp_ms": str(now_ms), "user": str(USER), "currency": name,
         "change": "0", "total": plain(coin.total), "available": plain(coin.free), "freeze": plain(coin.locked),
         "freeze_change": "0", "change_type": "order-create"}
        for name, coin in core.coins().items()
    ]  # fmt: skip


def candle(candle: Candle) -> list[str]:
    """The volume in quote currency stands before the prices, the one in base currency after them."""
    quote = plain(candle.volume * candle.close)
    prices = [plain(price) for price in (candle.close, candle.high, candle.low, candle.open)]
    return [str(candle.open_ms // 1000), quote, *prices, plain(candle.volume), "true" if candle.closed else "false"]


def candle_push(candle_: Candle, listing: Listing) -> Json:
    """`v` is in quote currency, `a` in base currency."""
    return {
        "t": str(candle_.open_ms // 1000), "v": plain(candle_.volume * candle_.close), "c": plain(candle_.close),
        "h": plain(candle_.high), "l": plain(candle_.low), "o": plain(candle_.open), "n": f"1m_{listing.id}",
        "a": plain(candle_.volume), "w": candle_.closed,
    }  # fmt: skip


def ticker(core: Core, listing: Listing) -> Json:
    last = core.last(listing)
    shown = plain(last)
    return {
        "currency_pair": listing.id, "last": shown, "lowest_ask": plain(last + listing.tick),
        "highest_bid": plain(last - listing.tick), "change_percentage": "0", "base_volume": "1", "quote_volume": "1",
        "high_24h": shown, "low_24h": shown,
    }  # fmt: skip


def _side(order: Order) -> str:
    return "buy" if order.buy else "sell"
