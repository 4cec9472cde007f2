"""What goes over the wire comes back as it was."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector import wire
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

amounts = st.decimals(min_value=0, max_value=10**15, places=8, allow_nan=False)
signed = st.decimals(min_value=-(10**15), max_value=10**15, places=8, allow_nan=False)
words = st.text(max_size=20)
times = st.integers(min_value=0, max_value=2**62)
small = st.integers(min_value=0, max_value=2**31 - 1)
failures = st.builds(Failure, st.sampled_from(Remedy), words, words, small)
orders = st.builds(
    VenueOrder, words, words, words, st.sampled_from(OrderSide), st.none() | amounts, amounts, amounts,
    st.sampled_from(OrderState), st.booleans(), st.sampled_from(TimeInForce), times, st.none() | failures,
)  # fmt: skip
fills = st.builds(
    VenueFill, words, words, words, st.sampled_from(OrderSide), amounts, amounts, signed, words, st.booleans(), times
)


@given(failures)
def test_failures(failure: Failure) -> None:
    assert wire.failure_from_proto(wire.failure_to_proto(failure)) == failure


@given(orders)
def test_orders(order: VenueOrder) -> None:
    assert wire.order_from_proto(wire.order_to_proto(order)) == order


@given(fills)
def test_fills(fill: VenueFill) -> None:
    assert wire.fill_from_proto(wire.fill_to_proto(fill)) == fill


@given(orders | failures)
def test_results(outcome: VenueOrder | Failure) -> None:
    for result in (
        pb.PlaceResult(**wire.result_fields("x1", outcome)),
        pb.CancelResult(**wire.result_fields("x1", outcome)),
    ):
        assert result.client_id == "x1"
        if isinstance(outcome, Failure):
            assert result.WhichOneof("outcome") == "failure"
            assert wire.failure_from_proto(result.failure) == outcome
        else:
            assert result.WhichOneof("outcome") == "order"
            assert wire.order_from_proto(result.order) == outcome


payments = st.builds(FundingPayment, words, words, signed, words, st.none() | signed, times)


@given(orders | fills | payments)
def test_order_updates(update: OrderUpdate) -> None:
    message = wire.order_update_to_proto(7, update)
    assert message.sequence == 7
    if isinstance(update, VenueFill):
        assert wire.fill_from_proto(message.fill) == update
    elif isinstance(update, FundingPayment):
        assert wire.funding_from_proto(message.funding) == update
    else:
        assert wire.order_from_proto(message.order) == update


@given(st.builds(Account, words, signed, signed, signed, times))
def test_accounts(account: Account) -> None:
    assert wire.account_from_proto(wire.account_to_proto(account)) == account


@given(st.builds(Position, words, signed, amounts, signed, small, times))
def test_positions(position: Position) -> None:
    assert wire.position_from_proto(wire.position_to_proto(position)) == position


@given(st.builds(SymbolRules, words, words, words, amounts, amounts, amounts, amounts, amounts, amounts, small))
def test_symbol_rules(rules: SymbolRules) -> None:
    assert wire.symbol_rules_from_proto(wire.symbol_rules_to_proto(rules)) == rules


@given(
    st.builds(
        Capabilities, st.booleans(), st.booleans(), st.booleans(), small, small, st.booleans(), st.booleans(),
        st.lists(words, max_size=3).map(tuple),
    )
)  # fmt: skip
def test_capabilities(capabilities: Capabilities) -> None:
    assert wire.capabilities_from_proto(wire.capabilities_to_proto(capabilities)) == capabilities


@given(st.builds(Price, words.filter(bool), amounts, amounts, amounts, times))
def test_prices(price: Price) -> None:
    message = wire.price_to_proto(3, price)
    assert message.sequence == 3
    assert wire.price_from_proto(message) == price


@given(st.builds(Kline, st.just("A/B"), times, amounts, amounts, amounts, amounts, amounts, st.booleans()))
def test_klines(kline: Kline) -> None:
    assert wire.kline_from_proto("A/B", wire.kline_to_proto(kline)) == kline


@given(st.builds(MarketProgress, words, small, small, times, st.booleans()), words)
def test_health(progress: MarketProgress, message: str) -> None:
    status = pb.GetConnectorStatusResponse(
        ready=True, reason="Ready", message=message, clock_skew_us=-5, markets=[wire.progress_to_proto(progress)]
    )
    assert wire.health_from_proto(status) == VenueHealth(True, "Ready", message, -5, (progress,))


@given(
    st.builds(
        NewOrder,
        words,
        words,
        st.sampled_from(OrderSide),
        st.none() | amounts,
        amounts,
        st.booleans(),
        st.sampled_from(TimeInForce),
    )
)
def test_new_orders_keep_their_fields(order: NewOrder) -> None:
    sent = wire.new_order_to_proto(order)
    assert (sent.symbol, sent.client_id, sent.reduce_only) == (order.symbol, order.client_id, order.reduce_only)
    assert sent.type == (pb.ORDER_TYPE_MARKET if order.price is None else pb.ORDER_TYPE_LIMIT)
    assert (Decimal(sent.price) if sent.price else None) == order.price
    assert Decimal(sent.quantity) == order.quantity


def test_decimals_are_written_plainly() -> None:
    price = Price("A/B", Decimal("1E+5"), Decimal("1E-9"), Decimal("0E-7"), 1)
    message = wire.price_to_proto(1, price)
    assert (message.last, message.bid, message.ask) == ("100000", "0.000000001", "0.0000000")


def test_an_unknown_remedy_asks_for_a_look_up() -> None:
    failure = pb.Failure(message="new")
    failure.remedy = 99  # type: ignore[assignment]
    assert wire.failure_from_proto(failure).remedy is Remedy.LOOK_UP


def test_every_remedy_and_state_has_its_own_number() -> None:
    assert len(set(wire.REMEDY_TO_PROTO.values())) == len(Remedy)
    assert len(set(wire.STATE_TO_PROTO.values())) == len(OrderState)
