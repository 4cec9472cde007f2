"""Between ccxt's structures and ours: contracts to base currency, strings to Decimal, one set of order states."""

import re
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, decimal
from opensqt.connector.venue import Failure, Kline, NewOrder, Position, Price, SymbolRules, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy

CLIENT_ID = re.compile(r"[0-9A-Za-z]{1,28}")
"""What all five exchanges take as a client id."""

_STATES = {
    "open": OrderState.OPEN,
    "canceling": OrderState.OPEN,
    "canceled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
_TIMES_IN_FORCE = {
    "PO": TimeInForce.POST_ONLY,
    "POST_ONLY": TimeInForce.POST_ONLY,
    "GTX": TimeInForce.POST_ONLY,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.IOC,
}


def contract_size(market: Mapping[str, Any]) -> Decimal:
    """Base currency in one contract; 1 where the exchange counts in base currency."""
    return Decimal(str(market.get("contractSize") or 1))


def to_contracts(quantity: Decimal, market: Mapping[str, Any]) -> Decimal:
    """The quantity in the exchange's unit, floored to its lot: never more than was meant."""
    lot = Decimal(str(market["precision"]["amount"]))
    return (quantity / contract_size(market) / lot).to_integral_value(ROUND_FLOOR) * lot


def plain(value: Decimal) -> str:
    """Without an exponent and trailing zeros, as exchanges want numbers."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rules(market: Mapping[str, Any]) -> SymbolRules:
    """Of what is largest, 0 where the exchange does not say it with the market."""
    size = contract_size(market)
    limits = market["limits"]
    lot = Decimal(str(market["precision"]["amount"])) * size
    return SymbolRules(
        symbol=market["symbol"],
        base=market["base"],
        quote=market["quote"],
        tick_size=Decimal(str(market["precision"]["price"])),
        lot_size=lot,
        min_quantity=max(lot, decimal((limits.get("amount") or {}).get("min")) * size),
        min_notional=decimal((limits.get("cost") or {}).get("min")),
        maker_fee=decimal(market.get("maker")),
        taker_fee=decimal(market.get("taker")),
        max_leverage=1 if market.get("spot") else int(decimal((limits.get("leverage") or {}).get("max"))),
        max_quantity=_largest(market, "amount", ("maxOrderQty",)) * size,
        max_market_quantity=_largest(market, "market", ("maxMarketOrderQty", "maxMktOrderQty", "maxMktSz")) * size,
    )


def _largest(market: Mapping[str, Any], limit: str, names: tuple[str, ...]) -> Decimal:
    """In the exchange's unit: what ccxt says, or for perpetuals the exchange itself under one of these names."""
    info = {} if market.get("spot") else market.get("info") or {}
    said = [(market["limits"].get(limit) or {}).get("max")]
    said += [(info.get("lotSizeFilter") or info).get(name) for name in names]
    return next((number for number in map(decimal, said) if number), Decimal(0))


def fault(order: NewOrder, market: Mapping[str, Any]) -> str:
    """What is wrong with an order before it is sent, empty where nothing is.

    An order off the tick or the lot is refused, not rounded: the journal and the exchange must have the same order.
    """
    tick = Decimal(str(market["precision"]["price"]))
    if not CLIENT_ID.fullmatch(order.client_id):
        return f"client id {order.client_id!r} must be 1 to 28 letters and digits"
    if order.quantity <= 0:
        return f"quantity {order.quantity} must be positive"
    if to_contracts(order.quantity, market) * contract_size(market) != order.quantity:
        return f"quantity {order.quantity} is not a multiple of the lot {plain(rules(market).lot_size)}"
    if order.price is None:
        return "" if order.time_in_force is not TimeInForce.POST_ONLY else "a market order cannot be post-only"
    if order.price <= 0 or order.price % tick:
        return f"price {order.price} is not a positive multiple of the tick {plain(tick)}"
    return ""


def spot_fault(order: NewOrder, dialect: Dialect) -> str:
    """What spot does not have, empty for perpetuals."""
    if not dialect.profile.spot:
        return ""
    if order.reduce_only:
        return "there is no reduce-only on spot"
    if order.price is None and order.side is OrderSide.BUY and dialect.profile.market_buys_by_value:
        return f"a market buy on {dialect.profile.name} spot is of a value, not of a quantity: give it a price"
    return ""


def request(order: NewOrder, market: Mapping[str, Any], dialect: Dialect) -> Json:
    """The order as ccxt's createOrders takes it; numbers are strings, exact."""
    params: Json = {"clientOrderId": order.client_id, **dialect.order_params()}
    if order.reduce_only:
        params["reduceOnly"] = True
    if order.time_in_force is TimeInForce.POST_ONLY:
        params["postOnly"] = True
    elif order.price is not None:
        params["timeInForce"] = order.time_in_force.value
    return {
        "symbol": order.symbol,
        "type": "market" if order.price is None else "limit",
        "side": order.side.value.lower(),
        "amount": plain(to_contracts(order.quantity, market)),
        "price": None if order.price is None else plain(order.price),
        "params": params,
    }


def placed(order: NewOrder, answer: Json, market: Mapping[str, Any], dialect: Dialect, now_us: int) -> VenueOrder:
    """The order after its acceptance: exchanges that answer with ids only have it open and not filled."""
    filled = decimal(answer.get("filled")) * contract_size(market)
    state = _state(answer, filled, order.quantity, dialect)
    return VenueOrder(
        symbol=order.symbol,
        client_id=order.client_id,
        venue_id=str(answer.get("id") or ""),
        side=order.side,
        price=order.price,
        quantity=order.quantity,
        filled=filled,
        state=state,
        reduce_only=order.reduce_only,
        time_in_force=order.time_in_force,
        time_us=_time_us(answer, now_us),
        failure=_ended(state, answer, dialect),
    )


def order_of(answer: Json, market: Mapping[str, Any], dialect: Dialect, now_us: int) -> VenueOrder:
    size = contract_size(market)
    told = dialect.filled(answer.get("info") or {})
    filled = decimal(answer.get("filled") if told is None else told) * size
    quantity = decimal(answer.get("amount")) * size
    price = decimal(answer.get("price"))
    state = _state(answer, filled, quantity, dialect)
    force = str(answer.get("timeInForce") or "").upper()
    return VenueOrder(
        symbol=market["symbol"],
        client_id=dialect.client_id(answer.get("clientOrderId")),
        venue_id=str(answer.get("id") or ""),
        side=OrderSide.BUY if answer.get("side") == "buy" else OrderSide.SELL,
        price=price if price and answer.get("type") != "market" else None,
        quantity=quantity,
        filled=filled,
        state=state,
        reduce_only=bool(answer.get("reduceOnly")),
        time_in_force=TimeInForce.POST_ONLY if answer.get("postOnly") else _TIMES_IN_FORCE.get(force, TimeInForce.GTC),
        time_us=_time_us(answer, now_us),
        failure=_ended(state, answer, dialect),
    )


def fill_of(trade: Json, market: Mapping[str, Any], client_id: str, dialect: Dialect) -> VenueFill:
    """Fees are positive where paid and negative where rebated."""
    told = dialect.fee(trade.get("info") or {})
    fee: Json = trade.get("fee") or next(iter(trade.get("fees") or ()), {}) or {}
    return VenueFill(
        symbol=market["symbol"],
        client_id=client_id,
        trade_id=str(trade["id"]),
        side=OrderSide.BUY if trade["side"] == "buy" else OrderSide.SELL,
        price=Decimal(str(trade["price"])),
        quantity=Decimal(str(trade["amount"])) * contract_size(market),
        fee=decimal(fee.get("cost") if told is None else told),
        fee_currency=dialect.fee_currency(trade.get("info") or {})
        or str(fee.get("currency") or market.get("settle") or market["quote"]),
        maker=trade.get("takerOrMaker") == "maker",
        time_us=int(trade.get("timestamp") or 0) * 1000,
    )


def position_of(position: Json, market: Mapping[str, Any], now_us: int) -> Position:
    quantity = abs(decimal(position.get("contracts"))) * contract_size(market)
    return Position(
        symbol=market["symbol"],
        quantity=-quantity if position.get("side") == "short" else quantity,
        entry_price=decimal(position.get("entryPrice")),
        unrealised_pnl=decimal(position.get("unrealizedPnl")),
        leverage=int(decimal(position.get("leverage"))),
        time_us=_time_us(position, now_us),
    )


def price_of(ticker: Json, now_us: int) -> Price | None:
    """None where the update has no last price; the best prices are the last one where the stream leaves them out."""
    last = decimal(ticker.get("last"))
    if last <= 0:
        return None
    return Price(
        ticker["symbol"],
        last,
        decimal(ticker.get("bid")) or last,
        decimal(ticker.get("ask")) or last,
        _time_us(ticker, now_us),
    )


def kline_of(row: list[Any], market: Mapping[str, Any], dialect: Dialect, *, closed: bool) -> Kline:
    opened, high, low, close, volume = (decimal(value) for value in row[1:6])
    if dialect.profile.candles_in_contracts:
        volume *= contract_size(market)
    return Kline(market["symbol"], int(row[0]) * 1000, opened, high, low, close, volume, closed)


def _state(answer: Json, filled: Decimal, quantity: Decimal, dialect: Dialect) -> OrderState:
    status = answer.get("status") or "open"
    over = status == "closed" or (status not in _STATES and dialect.ended(answer.get("info") or {}))
    if over:
        return OrderState.FILLED if filled >= quantity else OrderState.CANCELLED
    return _STATES.get(status, OrderState.OPEN)


def _ended(state: OrderState, answer: Json, dialect: Dialect) -> Failure | None:
    info = answer.get("info")
    if (
        state not in {OrderState.OPEN, OrderState.FILLED}
        and isinstance(info, dict)
        and dialect.post_only_rejected(info)
    ):
        return Failure(Remedy.WOULD_CROSS, f"{dialect.profile.name} ended the post-only order: it would have taken")
    return None


def _time_us(answer: Json, now_us: int) -> int:
    stamp = answer.get("lastUpdateTimestamp") or answer.get("lastTradeTimestamp") or answer.get("timestamp")
    return int(stamp) * 1000 if stamp else now_us
