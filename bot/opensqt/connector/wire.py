"""The venue's vocabulary as protos and back: used by the connector's server and by its client.

What comes from a server is taken as it is; what comes from a caller is checked in `requests`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from opensqt.connector.venue import (
    Account,
    Capabilities,
    Failure,
    FundingPayment,
    Kline,
    MarketProgress,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    SymbolRules,
    VenueFill,
    VenueHealth,
    VenueOrder,
)
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb

REMEDY_TO_PROTO: Mapping[Remedy, pb.Remedy.ValueType] = {
    remedy: pb.Remedy.Value(f"REMEDY_{remedy.name}") for remedy in Remedy
}
STATE_TO_PROTO: Mapping[OrderState, pb.OrderStatus.ValueType] = {
    state: pb.OrderStatus.Value(f"ORDER_STATUS_{state.name}") for state in OrderState
}
TIME_IN_FORCE_TO_PROTO: Mapping[TimeInForce, pb.TimeInForce.ValueType] = {
    tif: pb.TimeInForce.Value(f"TIME_IN_FORCE_{tif.name}") for tif in TimeInForce
}
SIDE_TO_PROTO: Mapping[OrderSide, pb.Side.ValueType] = {side: pb.Side.Value(f"SIDE_{side.name}") for side in OrderSide}

SIDE_FROM_PROTO = {value: side for side, value in SIDE_TO_PROTO.items()}
TIME_IN_FORCE_FROM_PROTO = {value: tif for tif, value in TIME_IN_FORCE_TO_PROTO.items()}
_STATE_FROM_PROTO = {value: state for state, value in STATE_TO_PROTO.items()}
_REMEDY_FROM_PROTO = {value: remedy for remedy, value in REMEDY_TO_PROTO.items()}

_LIMIT = pb.ORDER_TYPE_LIMIT
_MARKET = pb.ORDER_TYPE_MARKET


def _decimal(text: str) -> Decimal:
    return Decimal(text or 0)


def failure_to_proto(failure: Failure) -> pb.Failure:
    return pb.Failure(
        remedy=REMEDY_TO_PROTO[failure.remedy],
        message=failure.message,
        venue_code=failure.venue_code,
        retry_after_ms=failure.retry_after_ms,
    )


def failure_from_proto(failure: pb.Failure) -> Failure:
    """A remedy that this version does not know is LOOK_UP: the one that is safe whatever happened."""
    return Failure(
        remedy=_REMEDY_FROM_PROTO.get(failure.remedy, Remedy.LOOK_UP),
        message=failure.message,
        venue_code=failure.venue_code,
        retry_after_ms=failure.retry_after_ms,
    )


def new_order_to_proto(order: NewOrder) -> pb.NewOrder:
    price = order.price
    return pb.NewOrder(
        symbol=order.symbol,
        client_id=order.client_id,
        side=SIDE_TO_PROTO[order.side],
        type=_MARKET if price is None else _LIMIT,
        price="" if price is None else f"{price:f}",
        quantity=f"{order.quantity:f}",
        reduce_only=order.reduce_only,
        time_in_force=TIME_IN_FORCE_TO_PROTO[order.time_in_force],
    )


def order_to_proto(order: VenueOrder) -> pb.Order:
    return pb.Order(**_order_fields(order))


def _order_fields(order: VenueOrder) -> dict[str, Any]:
    price = order.price
    filled = order.filled
    return {
        "symbol": order.symbol,
        "client_id": order.client_id,
        "venue_id": order.venue_id,
        "side": SIDE_TO_PROTO[order.side],
        "type": _MARKET if price is None else _LIMIT,
        "price": "" if price is None else f"{price:f}",
        "quantity": f"{order.quantity:f}",
        "filled": f"{filled:f}" if filled else "0",
        "status": STATE_TO_PROTO[order.state],
        "reduce_only": order.reduce_only,
        "time_in_force": TIME_IN_FORCE_TO_PROTO[order.time_in_force],
        "time_us": order.time_us,
        "failure": None if order.failure is None else failure_to_proto(order.failure),
    }


def order_from_proto(order: pb.Order) -> VenueOrder:
    return VenueOrder(
        symbol=order.symbol,
        client_id=order.client_id,
        venue_id=order.venue_id,
        side=SIDE_FROM_PROTO[order.side],
        price=Decimal(order.price) if order.price else None,
        quantity=_decimal(order.quantity),
        filled=_decimal(order.filled),
        state=_STATE_FROM_PROTO[order.status],
        reduce_only=order.reduce_only,
        time_in_force=TIME_IN_FORCE_FROM_PROTO.get(order.time_in_force, TimeInForce.GTC),
        time_us=order.time_us,
        failure=failure_from_proto(order.failure) if order.HasField("failure") else None,
    )


def fill_to_proto(fill: VenueFill) -> pb.Fill:
    return pb.Fill(
        symbol=fill.symbol,
        client_id=fill.client_id,
        trade_id=fill.trade_id,
        side=SIDE_TO_PROTO[fill.side],
        price=f"{fill.price:f}",
        quantity=f"{fill.quantity:f}",
        fee=f"{fill.fee:f}",
        fee_currency=fill.fee_currency,
        maker=fill.maker,
        time_us=fill.time_us,
    )


def fill_from_proto(fill: pb.Fill) -> VenueFill:
    return VenueFill(
        symbol=fill.symbol,
        client_id=fill.client_id,
        trade_id=fill.trade_id,
        side=SIDE_FROM_PROTO[fill.side],
        price=_decimal(fill.price),
        quantity=_decimal(fill.quantity),
        fee=_decimal(fill.fee),
        fee_currency=fill.fee_currency,
        maker=fill.maker,
        time_us=fill.time_us,
    )


def result_fields(client_id: str, outcome: VenueOrder | Failure) -> dict[str, Any]:
    """The fields of a PlaceResult or CancelResult, to be given to its constructor or to a repeated field's `add`.

    As fields, the order within is copied once less than as a message: this is the hot path.
    """
    if isinstance(outcome, Failure):
        return {"client_id": client_id, "failure": failure_to_proto(outcome)}
    return {"client_id": client_id, "order": _order_fields(outcome)}


def account_to_proto(account: Account) -> pb.Account:
    return pb.Account(
        currency=account.currency,
        equity=f"{account.equity:f}",
        available=f"{account.available:f}",
        wallet_balance=f"{account.wallet_balance:f}",
        time_us=account.time_us,
    )


def account_from_proto(account: pb.Account) -> Account:
    return Account(
        currency=account.currency,
        equity=_decimal(account.equity),
        available=_decimal(account.available),
        wallet_balance=_decimal(account.wallet_balance),
        time_us=account.time_us,
    )


def position_to_proto(position: Position) -> pb.Position:
    return pb.Position(
        symbol=position.symbol,
        quantity=f"{position.quantity:f}",
        entry_price=f"{position.entry_price:f}",
        unrealised_pnl=f"{position.unrealised_pnl:f}",
        leverage=position.leverage,
        time_us=position.time_us,
    )


def position_from_proto(position: pb.Position) -> Position:
    return Position(
        symbol=position.symbol,
        quantity=_decimal(position.quantity),
        entry_price=_decimal(position.entry_price),
        unrealised_pnl=_decimal(position.unrealised_pnl),
        leverage=position.leverage,
        time_us=position.time_us,
    )


def symbol_rules_to_proto(rules: SymbolRules) -> pb.SymbolRules:
    return pb.SymbolRules(
        symbol=rules.symbol,
        base=rules.base,
        quote=rules.quote,
        tick_size=f"{rules.tick_size:f}",
        lot_size=f"{rules.lot_size:f}",
        min_quantity=f"{rules.min_quantity:f}",
        min_notional=f"{rules.min_notional:f}",
        maker_fee=f"{rules.maker_fee:f}",
        taker_fee=f"{rules.taker_fee:f}",
        max_leverage=rules.max_leverage,
        max_quantity=f"{rules.max_quantity:f}",
        max_market_quantity=f"{rules.max_market_quantity:f}",
    )


def symbol_rules_from_proto(rules: pb.SymbolRules) -> SymbolRules:
    return SymbolRules(
        symbol=rules.symbol,
        base=rules.base,
        quote=rules.quote,
        tick_size=_decimal(rules.tick_size),
        lot_size=_decimal(rules.lot_size),
        min_quantity=_decimal(rules.min_quantity),
        min_notional=_decimal(rules.min_notional),
        maker_fee=_decimal(rules.maker_fee),
        taker_fee=_decimal(rules.taker_fee),
        max_leverage=rules.max_leverage,
        max_quantity=_decimal(rules.max_quantity),
        max_market_quantity=_decimal(rules.max_market_quantity),
    )


def capabilities_to_proto(capabilities: Capabilities) -> pb.Capabilities:
    return pb.Capabilities(
        look_up_by_client_id=capabilities.look_up_by_client_id,
        cancel_all=capabilities.cancel_all,
        batch_cancel=capabilities.batch_cancel,
        place_batch_limit=capabilities.place_batch_limit,
        cancel_batch_limit=capabilities.cancel_batch_limit,
        dead_man_switch=capabilities.dead_man_switch,
        lockstep=capabilities.lockstep,
        weaknesses=capabilities.weaknesses,
    )


def capabilities_from_proto(capabilities: pb.Capabilities) -> Capabilities:
    return Capabilities(
        look_up_by_client_id=capabilities.look_up_by_client_id,
        cancel_all=capabilities.cancel_all,
        batch_cancel=capabilities.batch_cancel,
        place_batch_limit=capabilities.place_batch_limit,
        cancel_batch_limit=capabilities.cancel_batch_limit,
        dead_man_switch=capabilities.dead_man_switch,
        lockstep=capabilities.lockstep,
        weaknesses=tuple(capabilities.weaknesses),
    )


def progress_to_proto(progress: MarketProgress) -> pb.MarketProgress:
    return pb.MarketProgress(
        symbol=progress.symbol,
        played=progress.played,
        total=progress.total,
        market_time_us=progress.market_time_us,
        ended=progress.ended,
    )


def progress_from_proto(progress: pb.MarketProgress) -> MarketProgress:
    return MarketProgress(
        symbol=progress.symbol,
        played=progress.played,
        total=progress.total,
        market_time_us=progress.market_time_us,
        ended=progress.ended,
    )


def health_from_proto(status: pb.GetConnectorStatusResponse) -> VenueHealth:
    return VenueHealth(
        ready=status.ready,
        reason=status.reason,
        message=status.message,
        clock_skew_us=status.clock_skew_us,
        markets=tuple(progress_from_proto(progress) for progress in status.markets),
    )


def price_to_proto(sequence: int, price: Price) -> pb.SubscribePriceResponse:
    return pb.SubscribePriceResponse(
        sequence=sequence,
        symbol=price.symbol,
        last=f"{price.last:f}",
        bid=f"{price.bid:f}",
        ask=f"{price.ask:f}",
        time_us=price.time_us,
    )


def price_from_proto(message: pb.SubscribePriceResponse) -> Price:
    return Price(
        symbol=message.symbol,
        last=_decimal(message.last),
        bid=_decimal(message.bid),
        ask=_decimal(message.ask),
        time_us=message.time_us,
    )


def kline_to_proto(kline: Kline) -> pb.Kline:
    return pb.Kline(
        open_time_us=kline.open_time_us,
        open=f"{kline.open:f}",
        high=f"{kline.high:f}",
        low=f"{kline.low:f}",
        close=f"{kline.close:f}",
        volume=f"{kline.volume:f}",
        closed=kline.closed,
    )


def kline_from_proto(symbol: str, kline: pb.Kline) -> Kline:
    return Kline(
        symbol=symbol,
        open_time_us=kline.open_time_us,
        open=_decimal(kline.open),
        high=_decimal(kline.high),
        low=_decimal(kline.low),
        close=_decimal(kline.close),
        volume=_decimal(kline.volume),
        closed=kline.closed,
    )


def funding_to_proto(payment: FundingPayment) -> pb.FundingPayment:
    return pb.FundingPayment(
        symbol=payment.symbol,
        funding_id=payment.funding_id,
        amount=f"{payment.amount:f}",
        currency=payment.currency,
        quantity="" if payment.quantity is None else f"{payment.quantity:f}",
        time_us=payment.time_us,
    )


def funding_from_proto(payment: pb.FundingPayment) -> FundingPayment:
    return FundingPayment(
        symbol=payment.symbol,
        funding_id=payment.funding_id,
        amount=_decimal(payment.amount),
        currency=payment.currency,
        quantity=Decimal(payment.quantity) if payment.quantity else None,
        time_us=payment.time_us,
    )


def order_update_to_proto(sequence: int, update: OrderUpdate | None) -> pb.SubscribeOrdersResponse:
    """None is a heartbeat."""
    if update is None:
        return pb.SubscribeOrdersResponse(sequence=sequence)
    if isinstance(update, FundingPayment):
        return pb.SubscribeOrdersResponse(sequence=sequence, funding=funding_to_proto(update))
    if isinstance(update, VenueFill):
        return pb.SubscribeOrdersResponse(sequence=sequence, fill=fill_to_proto(update))
    return pb.SubscribeOrdersResponse(sequence=sequence, order=order_to_proto(update))
