"""Gate's JSON, from gate.com/docs/developers/apiv4 and .../futures/ws: sizes in contracts, negative for sells.

Sections: futures: contracts, candlesticks, tickers, account, positions, orders, personal trading history; WebSocket:
tickers, candlesticks, orders, user trades, positions, balances. With the header X-Gate-Size-Decimal sizes are strings.
"""

from decimal import Decimal
from typing import Any

from tests.venues.changes import PositionView
from tests.venues.core import Core
from tests.venues.listing import Candle, Ended, Force, Funding, Listing, Order, Trade
from tests.venues.text import plain

Json = dict[str, Any]
USER = 1666

FORCES = {"gtc": Force.GTC, "ioc": Force.IOC, "fok": Force.FOK, "poc": Force.POST_ONLY}
_FORCE_NAMES = {force: name for name, force in FORCES.items()}
_FINISHED_AS = {
    Ended.BY_USER: "cancelled",
    Ended.POST_ONLY: "poc",
    Ended.NOTHING_TO_TAKE: "ioc",
    Ended.NOTHING_TO_REDUCE: "reduce_only",
    Ended.DEAD_MAN: "cancelled",
}


def contract(listing: Listing) -> Json:
    return {
        "name": listing.id, "type": "direct", "quanto_multiplier": plain(listing.contract), "leverage_min": "1",
        "leverage_max": str(listing.max_leverage), "maintenance_rate": "0.005", "mark_type": "index",
        "mark_price": plain(listing.price), "index_price": plain(listing.price), "last_price": plain(listing.price),
        "maker_fee_rate": plain(listing.maker_fee), "taker_fee_rate": plain(listing.taker_fee),
        "order_price_round": plain(listing.tick), "mark_price_round": "0.01", "funding_rate": "0.0001",
        "order_size_min": 1, "order_size_max": int(listing.max_quantity / listing.contract),
        "order_price_deviate": "0.2", "ref_discount_rate": "0", "ref_rebate_rate": "0.2", "orderbook_id": 2129638396,
        "trade_id": 3, "trade_size": 1, "position_size": 1, "config_change_time": 1547540148, "in_delisting": False,
        "orders_limit": 50, "enable_bonus": True, "enable_credit": True, "create_time": 1546905600,
        "funding_cap_ratio": "0.75", "enable_decimal": False, "status": "trading",
    }  # fmt: skip


def size(listing: Listing, quantity: Decimal, *, buy: bool = True, text: bool = False) -> int | str:
    count = int(quantity / listing.contract) * (1 if buy else -1)
    return str(count) if text else count


def text(order: Order) -> str:
    return f"t-{order.client_id}" if order.client_id else "api"


def order(order: Order, *, sizes_as_text: bool, trade: Trade | None = None) -> Json:
    """As it was after `trade`."""
    listing, intent = order.listing, order.intent
    left = order.quantity - trade.filled if trade else order.left
    over = not order.open and (trade is None or not left or (order.ended is not None and trade.filled == order.filled))
    shown = {
        "id": order.number, "user": USER, "contract": listing.id, "create_time": order.created_ms / 1000,
        "size": size(listing, order.quantity, buy=order.buy, text=sizes_as_text), "iceberg": 0,
        "left": size(listing, left, buy=order.buy, text=sizes_as_text), "price": plain(intent.price or Decimal(0)),
        "fill_price": plain(order.average), "mkfr": plain(listing.maker_fee), "tkfr": plain(listing.taker_fee),
        "tif": "ioc" if order.market else _FORCE_NAMES[intent.force], "refu": 0,
        "is_reduce_only": intent.reduce_only, "is_close": False, "is_liq": False, "text": text(order),
        "status": "finished" if over else "open", "stp_id": 0, "stp_act": "-", "amend_text": "-",
        "update_time": order.updated_ms / 1000,
    }  # fmt: skip
    if over:
        shown |= {"finish_as": finish_as(order, left), "finish_time": order.updated_ms / 1000}
    return shown


def finish_as(order: Order, left: Decimal) -> str:
    if not left:
        return "filled"
    return _FINISHED_AS[order.ended or Ended.BY_USER]


def order_push(order_: Order, trade: Trade | None) -> Json:
    """futures.orders: every change says what it is in `finish_as`."""
    pushed = order(order_, sizes_as_text=True, trade=trade)
    kind = pushed.get("finish_as") or ("_update" if trade else "_new")
    return pushed | {
        "create_time": order_.created_ms // 1000, "create_time_ms": order_.created_ms, "finish_as": kind,
        "finish_time": order_.updated_ms // 1000, "finish_time_ms": order_.updated_ms, "user": str(USER),
        "update_id": 1, "update_time": order_.updated_ms,
    }  # fmt: skip


def trade(trade: Trade, *, sizes_as_text: bool) -> Json:
    order = trade.order
    return {
        "trade_id": str(trade.number), "create_time": trade.time_ms / 1000, "contract": order.listing.id,
        "order_id": str(order.number),
        "size": size(order.listing, trade.quantity, buy=order.buy, text=sizes_as_text),
        "close_size": "0" if sizes_as_text else 0, "price": plain(trade.price),
        "role": "maker" if trade.maker else "taker", "text": text(order), "fee": plain(trade.fee), "point_fee": "0",
    }  # fmt: skip


def trade_push(trade_: Trade) -> Json:
    """futures.usertrades."""
    pushed = trade(trade_, sizes_as_text=True)
    del pushed["trade_id"], pushed["close_size"]
    return pushed | {
        "id": str(trade_.number), "create_time": trade_.time_ms // 1000, "create_time_ms": trade_.time_ms,
        "fee": float(trade_.fee), "point_fee": 0,
    }  # fmt: skip


def funding(funding: Funding) -> Json:
    """An entry of the account book; `text` is the contract."""
    return {
        "time": funding.time_ms / 1000, "change": plain(-funding.amount), "balance": "0", "type": "fund",
        "text": funding.listing.id, "contract": funding.listing.id, "trade_id": "", "id": str(funding.number),
    }  # fmt: skip


def position(position: PositionView, now_ms: int, *, sizes_as_text: bool) -> Json:
    listing = position.listing
    return {
        "user": USER, "contract": listing.id, "size": size(listing, position.quantity, text=sizes_as_text),
        "leverage": "0", "risk_limit": "100", "leverage_max": str(listing.max_leverage), "maintenance_rate": "0.005",
        "value": plain(abs(position.quantity) * position.mark), "margin": plain(position.margin),
        "entry_price": plain(position.entry), "liq_price": "0", "mark_price": plain(position.mark),
        "initial_margin": plain(position.margin), "maintenance_margin": "0",
        "unrealised_pnl": plain(position.unrealised), "realised_pnl": "0", "pnl_pnl": "0", "pnl_fund": "0",
        "pnl_fee": "0", "history_pnl": "0", "last_close_pnl": "0", "realised_point": "0", "history_point": "0",
        "adl_ranking": 5, "pending_orders": 0, "close_order": None, "mode": "single", "update_time": now_ms // 1000,
        "open_time": now_ms // 1000, "cross_leverage_limit": str(position.leverage),
    }  # fmt: skip


def position_push(position: PositionView, now_ms: int) -> Json:
    """futures.positions: without the unrealised profit."""
    listing = position.listing
    return {
        "contract": listing.id, "cross_leverage_limit": position.leverage, "entry_price": float(position.entry),
        "history_pnl": 0, "history_point": 0, "last_close_pnl": 0, "leverage": 0,
        "leverage_max": listing.max_leverage, "liq_price": 0, "maintenance_rate": 0.005,
        "margin": float(position.margin), "mode": "single", "realised_pnl": 0, "realised_point": 0, "risk_limit": 100,
        "size": size(listing, position.quantity, text=True), "time": now_ms // 1000, "time_ms": now_ms,
        "user": str(USER), "update_id": 1,
    }  # fmt: skip


def account(core: Core) -> Json:
    held = core.equity - core.available
    return {
        "user": USER, "currency": "USDT", "total": plain(core.wallet),
        "unrealised_pnl": plain(core.equity - core.wallet),
        "position_margin": "0", "order_margin": plain(held), "available": plain(core.available), "point": "0",
        "bonus": "0", "in_dual_mode": core.hedged, "enable_credit": True, "position_initial_margin": "0",
        "maintenance_margin": "0", "enable_evolved_classic": False, "cross_order_margin": plain(held),
        "cross_initial_margin": "0", "cross_available": plain(core.available), "cross_margin_balance": "0",
        "history": {"dnw": "10000", "pnl": "0", "fee": "0", "refr": "0", "fund": "0"},
    }  # fmt: skip


def balance_push(core: Core) -> Json:
    now_ms = core.now_ms()
    return {"balance": float(core.wallet), "change": 0.0, "text": "BTC_USDT:3914424", "time": now_ms // 1000,
            "time_ms": now_ms, "type": "fee", "user": str(USER), "currency": "usdt"}  # fmt: skip


def candle(candle: Candle, listing: Listing) -> Json:
    return {
        "t": candle.open_ms // 1000, "v": size(listing, candle.volume), "c": plain(candle.close),
        "h": plain(candle.high), "l": plain(candle.low), "o": plain(candle.open),
        "sum": plain(candle.volume * candle.close),
    }  # fmt: skip


def candle_push(candle_: Candle, listing: Listing) -> Json:
    return candle(candle_, listing) | {"n": f"1m_{listing.id}", "amount": plain(candle_.volume), "w": candle_.closed}


def ticker(core: Core, listing: Listing) -> Json:
    last = core.last(listing)
    shown = plain(last)
    return {
        "contract": listing.id, "last": shown, "change_percentage": "0", "total_size": "1", "volume_24h": "1",
        "volume_24h_base": "1", "volume_24h_quote": "1", "volume_24h_settle": "1", "mark_price": shown,
        "funding_rate": "0.0001", "funding_rate_indicative": "0.0001", "index_price": shown, "low_24h": shown,
        "high_24h": shown, "highest_bid": plain(last - listing.tick), "highest_size": "1",
        "lowest_ask": plain(last + listing.tick), "lowest_size": "1",
    }  # fmt: skip


def ticker_push(core: Core, listing: Listing) -> Json:
    """futures.tickers: without the best prices."""
    left_out = {"highest_bid", "lowest_ask", "highest_size", "lowest_size"}
    return {name: value for name, value in ticker(core, listing).items() if name not in left_out}
