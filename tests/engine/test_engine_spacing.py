"""A grid spaced by volatility: when another step is taken, and what becomes of the orders and of what is held."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.gridbot import Side
from opensqt.api.interval import Interval
from opensqt.api.safety import ExistingPosition
from opensqt.engine.actions import OrderSide
from opensqt.engine.config import PPM, AtrConfig
from opensqt.engine.events import Goal, OrderState, PositionFound
from opensqt.engine.layout import shift_kept
from opensqt.engine.profitability import profitable
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, MARKET, MINUTE, SECOND, Rig, cancelled, closed_candle, money, told

BUY, SELL = OrderSide.BUY, OrderSide.SELL
ATR = replace(CONFIG, step=0, atr=AtrConfig(Interval.M1, 2, PPM))
"""The step is the average true range of two minutes."""


def ranging(rig: Rig, width: int, count: int = 1, *, middle: int = 1000) -> None:
    """So many candles of this range, closing in their middle."""
    for _ in range(count):
        rig.candle(middle + width // 2, middle - width + width // 2, middle)


def spaced(width: int = 10, *, price: int = 1004, **changes: Any) -> Rig:
    """Anchored at 1000, with a step of `width` and all entries open."""
    rig = Rig(replace(ATR, **changes))
    rig.price(1000)
    ranging(rig, width, 3)
    rig.price(price)
    rig.settle()
    return rig


def reasons(rig: Rig) -> list[str]:
    return [gate.reason for gate in rig.engine.view().gate]


# --- the average ---


def test_nothing_is_entered_before_there_is_an_average() -> None:
    rig = Rig(ATR)
    rig.price(1000)
    assert rig.live(BUY) == []
    assert reasons(rig) == ["WaitingForCandles"]
    assert rig.engine.view().reason == "WaitingForCandles"
    ranging(rig, 10, 2)
    assert rig.live(BUY) == []
    assert rig.engine.view().gate[0].message == "spec.grid.spacing.atr: 2 of 3 closed candles of 1m are known"
    ranging(rig, 10)
    assert reasons(rig) == []
    assert (rig.engine.view().step, rig.engine.view().average_true_range) == (10, money(10))
    assert rig.live(BUY) == [990, 980]  # and 1000 as soon as that would not take
    rig.price(1004)
    assert rig.live(BUY) == [1000, 990, 980]


def test_the_average_is_wilders() -> None:
    """True ranges 12 (a gap counts), 8, 20: (12 + 8) / 2 = 10, then (10 + 20) / 2 = 15. docs/engine.md tells it."""
    rig = Rig(ATR)
    rig.price(1000)
    rig.candle(1000, 990, 1000)  # only its close counts
    rig.candle(1012, 1006, 1010)
    rig.candle(1014, 1006, 1010)
    assert rig.engine.view().average_true_range == money(10)
    assert rig.engine.view().step == 10
    rig.candle(1020, 1000, 1010)
    assert (rig.engine.view().average_true_range, rig.engine.view().step) == (money(15), 15)
    rig.candle(1015, 1004, 1010)
    assert (rig.engine.view().average_true_range, rig.engine.view().step) == (money(13), 15)


def test_only_newer_closed_candles_of_its_own_count() -> None:
    rig = spaced()
    before = rig.engine.snapshot()
    open_time = rig.now // MINUTE * MINUTE
    newer = closed_candle(MARKET, rig.now, open_time, 1500, 900, 1000)
    for candle in (
        replace(newer, closed=False),
        replace(newer, open_time=open_time - MINUTE),
        replace(newer, interval="1h"),
        replace(newer, symbol="ETH/USDT:USDT"),
    ):
        rig.feed(candle)
    assert rig.engine.snapshot() == before


def test_the_average_begins_anew_after_a_long_gap_and_the_step_stays_until_then() -> None:
    rig = spaced()
    rig.now += 10 * MINUTE
    ranging(rig, 30)
    assert (rig.engine.view().average_true_range, rig.engine.view().step) == (0, 10)
    assert reasons(rig) == ["WaitingForCandles"]
    ranging(rig, 30, 2)
    assert (rig.engine.view().step, reasons(rig)) == (30, [])


def test_candles_that_cease_to_come_hold_new_entries_back_and_leave_the_rest() -> None:
    rig = spaced()
    rig.wait(5 * MINUTE)
    assert reasons(rig) == ["WaitingForCandles"]
    assert rig.live(BUY) == [1000, 990, 980]
    rig.price(994)
    rig.fill(rig.entry(1000))
    assert rig.live(SELL) == [1010]
    assert rig.live(BUY) == [990, 980]
    ranging(rig, 10, 3)
    rig.settle()
    assert rig.live(BUY) == [990, 980, 970]


# --- another step ---


def test_the_step_is_taken_anew_only_when_it_is_off_by_a_fifth() -> None:
    rig = spaced()
    rig.candle(1006, 993, 1000)  # the average is 11.5
    assert (rig.engine.view().step, rig.engine.view().average_true_range) == (10, money("11.5"))
    entries = [rig.entry(level) for level in (1000, 990, 980)]
    actions = rig.candle(1010, 995, 1000)  # 13.25
    assert rig.engine.view().step == 13
    assert "StepTaken" in told(actions)
    assert set(cancelled(actions)) == set(entries)  # 1000 too: it would be left at 1013
    rig.settle()
    assert rig.live(BUY) == [1000, 987, 974]
    assert [slot.exit_price for slot in rig.engine.view().slots if slot.client_id] == [1013, 1000, 987]


def test_what_is_held_keeps_its_exit_and_its_level_until_it_is_sold() -> None:
    rig = spaced()
    rig.price(1000)
    rig.fill(rig.entry(1000))
    rig.settle()
    exit_ = rig.exit(1010)
    ranging(rig, 40, 2)
    rig.settle()
    assert rig.engine.view().step == 32
    assert exit_ in rig.engine.live_orders()
    assert rig.live(SELL) == [1010]
    assert rig.live(BUY) == [968, 936]  # not 1000, which is held
    rig.fill(exit_)
    rig.price(1012)
    rig.settle()
    assert rig.live(BUY) == [1000, 968, 936]
    assert [slot.exit_price for slot in rig.engine.view().slots if slot.price == 1000 and slot.client_id] == [1032]


def test_an_entry_that_fills_while_it_is_cancelled_is_left_at_its_own_exit() -> None:
    rig = spaced()
    entry = rig.entry(1000)
    ranging(rig, 40)
    assert rig.slot(1000).order == "CANCEL_REQUESTED"
    rig.fill(entry, 4)
    rig.report(entry, OrderState.CANCELLED, 4)
    rig.settle()
    assert rig.live(SELL) == [1010]
    assert rig.places[rig.exit(1010)].lots == 4
    assert 1000 not in rig.live(BUY)


def test_a_bounded_grid_has_at_least_one_interval_and_stays_where_it_has_trailed_to() -> None:
    rig = spaced(lower=900, upper=1000, trail_up=True, trail_up_to=1200)
    assert (rig.engine.view().lower, rig.engine.view().upper) == (900, 1000)
    rig.price(1055)
    assert (rig.engine.view().lower, rig.engine.view().upper) == (950, 1050)
    rig.price(1020)
    ranging(rig, 20)
    assert (rig.engine.view().step, rig.engine.view().lower, rig.engine.view().upper) == (15, 945, 1035)
    ranging(rig, 500)
    view = rig.engine.view()
    assert (view.step, view.phase, view.lower, view.upper) == (100, Phase.RUNNING, 900, 1000)


@settings(deadline=None)
@given(
    old=st.integers(1, 80),
    new=st.integers(1, 80),
    shift=st.integers(-40, 40),
    room=st.integers(0, 700),
)
def test_where_a_grid_has_trailed_to_survives_another_step(old: int, new: int, shift: int, room: int) -> None:
    """To half a level, unless that were beyond `upTo` or `downTo`; one that has not trailed does not begin to."""
    config = replace(ATR, lower=1000, upper=1100, trail_up_to=1100 + room, trail_down_to=1000 - room)
    kept = shift_kept(config, shift, old, new)
    highest = config.upper - (config.upper - config.lower) % new
    if kept:
        assert config.trail_down_to <= config.lower + kept * new
        assert highest + kept * new <= config.trail_up_to
    assert kept * shift >= 0
    assert 2 * abs(kept * new) <= 2 * abs(shift * old) + new
    if abs(shift * old) + new <= room:  # no limit is near
        assert 2 * abs(kept * new - shift * old) <= new


def test_a_new_spec_of_the_spacing_starts_with_new_candles() -> None:
    rig = spaced()
    rig.configure(atr=AtrConfig(Interval.M1, 3, PPM))
    rig.settle()
    assert (rig.live(BUY), reasons(rig)) == ([], ["WaitingForCandles"])
    rig.configure(atr=None, step=10)
    assert (rig.live(BUY), reasons(rig)) == ([1000, 990, 980], [])


def test_what_was_held_before_candles_are_known_is_sold() -> None:
    rig = spaced()
    rig.price(1000)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.configure(atr=AtrConfig(Interval.M1, 3, PPM))
    rig.settle()
    assert rig.live(SELL) == [1010]


def test_a_position_is_adopted_when_there_are_levels() -> None:
    rig = Rig(ATR)
    rig.configure(existing_position=ExistingPosition.ADOPT)
    rig.feed(PositionFound(rig.now, 20, money(200)))
    rig.price(1000)
    assert rig.engine.view().position == 0
    ranging(rig, 10, 3)
    assert rig.live(SELL) == [1030, 1020, 1010]


# --- fees ---


def test_a_calm_market_never_makes_a_step_that_loses() -> None:
    rig = spaced(width=0, price=1000)
    assert rig.engine.view().step == 2  # 0.02 % of 1000 twice is 0.4: more than that, and a fifth more
    dear = Rig(ATR, market=replace(MARKET, maker_fee_ppm=10_000))
    dear.price(1000)
    ranging(dear, 1, 3)
    assert dear.engine.view().phase is Phase.RUNNING
    assert dear.engine.view().step == 26


def test_a_price_that_runs_away_from_the_smallest_step_stops_entries_until_a_candle_widens_it() -> None:
    rig = Rig(ATR, market=replace(MARKET, maker_fee_ppm=10_000))
    rig.price(1000)
    ranging(rig, 1, 3)
    rig.settle()
    rig.price(1400)
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.HALTED, "Unprofitable")
    assert "the next closed candle widens it" in view.message
    ranging(rig, 1, middle=1400)
    assert rig.engine.view().phase is Phase.RUNNING


@pytest.mark.parametrize("side", list(Side))
@settings(max_examples=60, deadline=None)
@given(
    price=st.integers(50, 5000),
    rise=st.integers(0, 19),
    fee=st.integers(-200, 2000),
    width=st.integers(0, 60),
    window=st.integers(1, 30),
)
def test_every_level_of_the_window_leaves_something(
    side: Side, price: int, rise: int, fee: int, width: int, window: int
) -> None:
    """At any fee, also after a rise of just below a fifth within one candle."""
    market = replace(MARKET, maker_fee_ppm=fee)
    config = replace(ATR, side=side, buy_window=window, sell_window=window, order_money=money(100_000))
    rig = Rig(config, market=market)
    rig.price(price)
    width = min(width, price // 2)
    ranging(rig, width, 3, middle=price)
    rig.price(price + price * rise // 100)
    assert rig.engine.view().phase is Phase.RUNNING, rig.engine.view().message
    for slot in rig.engine.view().slots:
        assert profitable(min(slot.price, slot.exit_price), max(slot.price, slot.exit_price), fee)


# --- whatever happens ---


@pytest.mark.parametrize("side", list(Side))
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(-30, 30), st.integers(0, 60), st.booleans()),
        min_size=3,
        max_size=30,
    )
)
def test_no_exit_moves_and_nothing_is_lost(side: Side, steps: list[tuple[int, int, bool]]) -> None:
    """Fills as the price passes, another range each minute: exits stand where their entry meant them to be."""
    rig = Rig(replace(ATR, side=side))
    price = 1000
    rig.price(price)
    exits: dict[int, int] = {}
    for move, width, settled in steps:
        price = max(500, price + move)
        for client_id in rig.engine.live_orders():
            place = rig.places[client_id]
            assert place.price is not None
            if (place.price >= price) if place.side is BUY else (place.price <= price):
                rig.fill(client_id)
        rig.price(price)
        if settled:
            rig.settle()
        ranging(rig, width, middle=price)
        view = rig.engine.view()
        assert view.position == sum(slot.held for slot in view.slots)
        orders = [slot.client_id for slot in view.slots if slot.client_id]
        assert sorted(orders) == sorted(rig.engine.live_orders())
        for slot in view.slots:
            if slot.held:
                assert exits.setdefault(slot.number, slot.exit_price) == slot.exit_price
            else:
                exits.pop(slot.number, None)
    assert rig.replayed().view() == rig.engine.view()
    assert len(rig.engine.view().slots) < 60


def test_levels_of_steps_that_are_gone_are_forgotten() -> None:
    rig = spaced()
    for width in [13, 17, 23, 29, 37, 19, 11] * 10:
        ranging(rig, width, 3)
        rig.settle()
    assert len(rig.engine.view().slots) <= 120  # the window's, and the last 100 that were cancelled
    rig.configure(goal=Goal.STOP)
    rig.settle()
    rig.wait(SECOND)
    assert rig.engine.live_orders() == []
