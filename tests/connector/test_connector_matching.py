"""The matching engine: its rules one by one, and all of them against a plain reference."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.paper import PaperFees, PaperMarket
from opensqt.connector.paper.instrument import Instrument
from opensqt.connector.paper.matching import Matching
from opensqt.connector.venue import Failure, NewOrder, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.engine.market import MONEY_SCALE, from_money
from tests.connector.reference_exchange import ReferenceExchange, ReferenceOrder

SYMBOL = "BTC/USDT:USDT"
BUY, SELL = OrderSide.BUY, OrderSide.SELL
GTC, POST_ONLY, IOC = TimeInForce.GTC, TimeInForce.POST_ONLY, TimeInForce.IOC


def instrument(symbol: str = SYMBOL, **fields: str) -> Instrument:
    market = {"symbol": symbol, "tickSize": "0.5", "lotSize": "0.01", "minNotional": "5"} | fields
    return Instrument.from_spec(PaperMarket.model_validate(market), PaperFees())


class Bench:
    """A market at 100 with 10,000 in the account, and orders by few words."""

    def __init__(self, leverage: int = 10, balance: int = 10_000) -> None:
        self.matching = Matching([instrument(), instrument("ETH/USDT:USDT")], balance * MONEY_SCALE)
        self.price("100")
        assert self.matching.set_leverage(SYMBOL, leverage) is None
        self.ids = 0

    def price(self, price: str, symbol: str = SYMBOL) -> list[Any]:
        """Plays a price; returns the fills as (client id, price, quantity, fee)."""
        self.matching.take_changes()
        self.matching.play(symbol, int(Decimal(price) / Decimal("0.5")), self.matching.time_us + 15_000_000)
        updates = self.matching.take_changes().updates
        return [(f.client_id, f.price, f.quantity, f.fee) for f in updates if isinstance(f, VenueFill)]

    def order(self, side: OrderSide, price: str | None, quantity: str, tif: TimeInForce = GTC, **more: Any) -> Any:
        self.ids += 1
        new = NewOrder(
            SYMBOL, f"o{self.ids}", side, None if price is None else Decimal(price), Decimal(quantity), False, tif
        )
        return self.matching.place(replace(new, **more))

    @property
    def position(self) -> Decimal:
        return self.matching.account.holdings[SYMBOL].lots * Decimal("0.01")

    @property
    def balance(self) -> Decimal:
        return from_money(self.matching.account.balance)

    @property
    def available(self) -> Decimal:
        return from_money(self.matching.account.available)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(outcome: Any) -> Remedy:
    assert isinstance(outcome, Failure), outcome
    return outcome.remedy


def state(outcome: Any) -> OrderState:
    assert isinstance(outcome, VenueOrder), outcome
    return outcome.state


def test_a_resting_buy_fills_whole_at_its_own_price_when_touched(bench: Bench) -> None:
    assert state(bench.order(BUY, "99", "1")) is OrderState.OPEN
    assert bench.price("99.5") == []
    assert bench.price("97") == [("o1", Decimal("99.0"), Decimal("1.00"), Decimal("0.0198"))]
    assert bench.position == 1
    assert bench.balance == Decimal("9999.9802")
    assert bench.price("90") == []


def test_a_price_that_just_touches_fills(bench: Bench) -> None:
    bench.order(BUY, "99", "1")
    bench.order(SELL, "101", "1")
    assert [fill[0] for fill in bench.price("99")] == ["o1"]
    assert [fill[0] for fill in bench.price("101")] == ["o2"]


def test_fills_of_one_step_come_best_price_first_then_oldest(bench: Bench) -> None:
    for price in ("98", "99", "98.5", "99"):
        bench.order(BUY, price, "1")
    assert [fill[0] for fill in bench.price("90")] == ["o2", "o4", "o3", "o1"]
    for price in ("95", "93", "94", "93"):
        bench.order(SELL, price, "1", reduce_only=True)
    assert [fill[0] for fill in bench.price("99")] == ["o6", "o8", "o7", "o5"]


@pytest.mark.parametrize("price", [None, "100", "105"])
def test_what_takes_fills_at_the_last_price_for_the_taker_fee(bench: Bench, price: str | None) -> None:
    order = bench.order(BUY, price, "2")
    assert state(order) is OrderState.FILLED
    assert order.filled == 2
    fill, told = bench.matching.take_changes().updates
    assert isinstance(fill, VenueFill)
    assert (fill.price, fill.fee, fill.maker, fill.fee_currency) == (Decimal(100), Decimal("0.1"), False, "USDT")
    assert told == order


def test_post_only_never_takes(bench: Bench) -> None:
    assert refused(bench.order(BUY, "100", "1", POST_ONLY)) is Remedy.WOULD_CROSS
    assert refused(bench.order(SELL, "100", "1", POST_ONLY)) is Remedy.WOULD_CROSS
    assert refused(bench.order(BUY, None, "1", POST_ONLY)) is Remedy.FIX_REQUEST
    assert state(bench.order(BUY, "99.5", "1", POST_ONLY)) is OrderState.OPEN
    assert state(bench.order(SELL, "100.5", "1", POST_ONLY)) is OrderState.OPEN


def test_immediate_or_cancel(bench: Bench) -> None:
    assert state(bench.order(BUY, "99", "1", IOC)) is OrderState.EXPIRED
    assert state(bench.order(BUY, "100", "1", IOC)) is OrderState.FILLED
    assert bench.price("90") == []


def test_a_cancelled_order_never_fills_and_is_then_unknown(bench: Bench) -> None:
    bench.order(BUY, "99", "1")
    assert refused(bench.matching.cancel("ETH/USDT:USDT", "o1")) is Remedy.UNKNOWN_ORDER
    assert state(bench.matching.cancel(SYMBOL, "o1")) is OrderState.CANCELLED
    assert refused(bench.matching.cancel(SYMBOL, "o1")) is Remedy.UNKNOWN_ORDER
    assert refused(bench.matching.cancel(SYMBOL, "never")) is Remedy.UNKNOWN_ORDER
    assert bench.price("90") == []
    assert bench.available == 10_000


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"price": Decimal("99.3")}, "price: 99.3 is no multiple of the tick size 0.5"),
        ({"quantity": Decimal("0.015")}, "quantity: 0.015 is no multiple of the lot size 0.01"),
        ({"quantity": Decimal("0.05")}, "quantity: the order is worth less than 5 USDT"),
        ({"quantity": Decimal("999999999999999999.99")}, "quantity: 9"),
        ({"symbol": "NO/PE"}, "symbol: this exchange has no market NO/PE"),
        ({"reduce_only": True}, "reduce_only: there is no position"),
    ],
)
def test_what_can_never_succeed_is_refused_by_name(bench: Bench, fields: dict[str, Any], said: str) -> None:
    sound = NewOrder(SYMBOL, "o1", BUY, Decimal(99), Decimal(1), False, GTC)
    outcome = bench.matching.place(replace(sound, **fields))
    assert isinstance(outcome, Failure)
    assert outcome.remedy is Remedy.FIX_REQUEST
    assert outcome.message.startswith(said)


def test_before_the_first_price_nothing_can_be_placed(bench: Bench) -> None:
    assert refused(bench.order(BUY, "99", "1", symbol="ETH/USDT:USDT")) is Remedy.RETRY


def test_margin_bounds_what_can_be_placed() -> None:
    bench = Bench(leverage=10, balance=100)
    assert state(bench.order(BUY, "99.5", "10")) is OrderState.OPEN
    assert bench.available == Decimal("0.5")
    assert refused(bench.order(BUY, "99.5", "0.1")) is Remedy.INSUFFICIENT_MARGIN
    # The largest side counts, so that the other one is free.
    assert state(bench.order(SELL, "100.5", "9.9")) is OrderState.OPEN
    assert refused(bench.order(SELL, "100.5", "0.1")) is Remedy.INSUFFICIENT_MARGIN
    bench.matching.cancel(SYMBOL, "o1")
    assert bench.available == Decimal("0.505")


def test_the_taker_fee_must_be_there_too() -> None:
    bench = Bench(leverage=1, balance=100)
    assert refused(bench.order(BUY, None, "1")) is Remedy.INSUFFICIENT_MARGIN
    assert state(bench.order(BUY, None, "0.99")) is OrderState.FILLED


def test_leverage_cannot_be_lowered_below_what_the_account_carries() -> None:
    bench = Bench(leverage=10, balance=100)
    bench.order(BUY, "99.5", "10")
    outcome = bench.matching.set_leverage(SYMBOL, 1)
    assert outcome is not None
    assert outcome.remedy is Remedy.INSUFFICIENT_MARGIN
    assert bench.matching.account.holdings[SYMBOL].leverage == 10


def test_closing_needs_no_margin_even_when_nothing_is_free() -> None:
    bench = Bench(leverage=10, balance=100)
    bench.order(BUY, None, "9")
    bench.price("91")
    assert bench.available < 0
    assert refused(bench.order(BUY, "90.5", "0.1")) is Remedy.INSUFFICIENT_MARGIN
    assert state(bench.order(SELL, None, "4")) is OrderState.FILLED
    assert state(bench.order(SELL, "95", "5", reduce_only=True)) is OrderState.OPEN


def test_profit_is_realised_against_the_average_entry(bench: Bench) -> None:
    bench.order(BUY, None, "1")
    bench.price("110")
    bench.order(BUY, None, "1")
    bench.price("120")
    assert from_money(bench.matching.account.holdings[SYMBOL].unrealised) == 30
    bench.order(SELL, None, "1", reduce_only=True)
    fees = Decimal("0.0005") * (100 + 110 + 120)
    assert bench.balance == 10_000 + 15 - fees
    assert bench.position == 1


def test_a_position_turns_around(bench: Bench) -> None:
    bench.order(BUY, None, "1")
    bench.order(SELL, None, "3")
    assert bench.position == -2
    bench.price("90")
    bench.order(BUY, None, "2", reduce_only=True)
    assert bench.position == 0
    assert bench.balance == 10_000 + 20 - Decimal("0.0005") * (100 + 300 + 180)


def test_reduce_only_fills_as_far_as_there_is_a_position(bench: Bench) -> None:
    bench.order(BUY, None, "1")
    bench.order(SELL, "101", "0.6", reduce_only=True)
    bench.order(SELL, "102", "0.6", reduce_only=True)
    bench.order(SELL, "103", "0.6", reduce_only=True)
    bench.matching.take_changes()
    bench.matching.play(SYMBOL, 220, 1)
    updates = bench.matching.take_changes().updates
    fills = [(update.client_id, update.quantity) for update in updates if isinstance(update, VenueFill)]
    orders = {update.client_id: update for update in updates if isinstance(update, VenueOrder)}
    assert fills == [("o2", Decimal("0.60")), ("o3", Decimal("0.40"))]
    assert [orders[each].state for each in ("o2", "o3", "o4")] == [
        OrderState.FILLED,
        OrderState.EXPIRED,
        OrderState.EXPIRED,
    ]
    assert [orders[each].filled for each in ("o3", "o4")] == [Decimal("0.40"), 0]
    failure = orders["o4"].failure
    assert failure is not None
    assert "no position was left" in failure.message
    assert bench.position == 0


def test_reduce_only_in_the_positions_own_direction_is_refused(bench: Bench) -> None:
    bench.order(BUY, None, "1")
    assert refused(bench.order(BUY, "99", "1", reduce_only=True)) is Remedy.FIX_REQUEST


def test_a_small_reduce_only_order_is_taken_for_it_must_be_possible_to_close(bench: Bench) -> None:
    bench.order(BUY, None, "0.05")
    assert refused(bench.order(SELL, "101", "0.02")) is Remedy.FIX_REQUEST
    assert state(bench.order(SELL, "101", "0.02", reduce_only=True)) is OrderState.OPEN


def test_equity_is_of_all_markets(bench: Bench) -> None:
    bench.price("50", "ETH/USDT:USDT")
    bench.order(BUY, None, "1", symbol="ETH/USDT:USDT")
    bench.price("60", "ETH/USDT:USDT")
    assert from_money(bench.matching.account.equity) == 10_010 - Decimal("0.025")
    assert bench.available == 10_010 - Decimal("0.025") - 50


# --- against the reference ---

sides = st.sampled_from((1, -1))
steps = st.one_of(
    st.tuples(st.just("price"), st.integers(60, 140), st.integers(0, 50)),
    st.tuples(
        st.just("place"), sides, st.none() | st.integers(60, 140), st.integers(1, 60), st.booleans(),
        st.sampled_from(("GTC", "GTC", "PostOnly", "IOC")),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.integers(100, 20_000), st.integers(1, 20), st.booleans(), st.lists(steps, max_size=60))
def test_it_does_what_the_reference_does(balance: int, leverage: int, in_parts: bool, script: list[Any]) -> None:
    market = PaperMarket.model_validate(
        {"symbol": SYMBOL, "tickSize": "1", "lotSize": "1", "minNotional": "100"}
        | ({"fillShare": "1"} if in_parts else {})
    )
    fees = PaperFees()
    matching = Matching([Instrument.from_spec(market, fees)], balance * MONEY_SCALE)
    matching.set_leverage(SYMBOL, leverage)
    naive = ReferenceExchange(Fraction(balance), leverage, Fraction(fees.maker), Fraction(fees.taker), 100)
    for number, step in enumerate([("price", 100, 30), *script]):
        match step:
            case ("price", price, depth):
                matching.play(SYMBOL, price, number, depth)
                naive.play(price, depth if in_parts else None)
            case ("cancel", target):
                outcome = matching.cancel(SYMBOL, f"o{target}")
                said = outcome.remedy.value if isinstance(outcome, Failure) else outcome.state.value
                assert said == naive.cancel(f"o{target}")
            case ("place", side, price, lots, reduce_only, tif):
                order = ReferenceOrder(f"o{number}", side, price, lots, reduce_only, tif)
                outcome = matching.place(
                    NewOrder(
                        SYMBOL, order.client_id, BUY if side == 1 else SELL, None if price is None else Decimal(price),
                        Decimal(lots), reduce_only, TimeInForce(tif),
                    )
                )  # fmt: skip
                said = outcome.remedy.value if isinstance(outcome, Failure) else outcome.state.value
                assert said == naive.place(order)
        agree(matching, naive, balance)


def agree(matching: Matching, naive: ReferenceExchange, start: int) -> None:
    account = matching.account
    holding = account.holdings[SYMBOL]
    assert (holding.lots, Fraction(holding.cost)) == (naive.position, naive.cost)
    assert Fraction(account.balance, MONEY_SCALE) == naive.balance
    assert Fraction(account.equity, MONEY_SCALE) == naive.equity()
    left = {order.client_id: order.lots - order.filled for order in matching.open.values()}
    assert left == {order.client_id: order.left for order in naive.resting}
    fills = matching.changes.fills
    trades = [(fill.client_id, 1 if fill.side is BUY else -1, fill.price, fill.lots, fill.maker) for fill in fills]
    assert trades == naive.trades
    for order in (*matching.changes.placed.values(), *matching.open.values()):
        assert order.filled == sum(fill.lots for fill in fills if fill.client_id == order.client_id)
    # Nothing is made or lost: what the fills bought and sold for, less fees, is what the account is worth.
    signed = [(fill.lots if fill.side is BUY else -fill.lots, fill) for fill in fills]
    assert holding.lots == sum(lots for lots, _ in signed)
    cash = start * MONEY_SCALE - sum(lots * fill.price * MONEY_SCALE + fill.fee for lots, fill in signed)
    assert account.equity == cash + holding.lots * holding.last * MONEY_SCALE
    # What is known without asking is what a count of everything gives.
    available = account.available
    assert holding.recount() == 0
    account.changed()
    assert account.available == available
