"""A short grid: what is a long one's below the price is its own above it."""

from dataclasses import replace
from typing import Any

import pytest

from opensqt.api.gridbot import Side
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import Goal, OrderState, PositionReported
from opensqt.engine.view import LimitView, Phase
from tests.engine.rig import CONFIG, MARKET, SECOND, Rig, cancelled, looked_up, money, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SHORT = replace(CONFIG, side=Side.SHORT)


def short(**changes: Any) -> Rig:
    """Anchored at 1000, the price at 996, entries at 1000, 1010 and 1020 open."""
    return trading(replace(SHORT, **changes), price=996)


def limit(rig: Rig, name: str) -> LimitView:
    return next(limit for limit in rig.engine.view().limits if limit.name == name)


def test_it_sells_above_the_price_and_buys_back_one_level_below() -> None:
    rig = short()
    assert rig.live(SELL) == [1020, 1010, 1000]
    assert placed(rig.fill(rig.entry(1000))) == [(BUY, 990, 10)]
    entry, exit_ = rig.places[rig.entry(1000)], rig.places[rig.exit(990)]
    assert (entry.reduce_only, exit_.reduce_only) == (False, True)
    assert exit_.time_in_force is TimeInForce.POST_ONLY
    assert rig.slot(1000).held == -10
    assert rig.engine.view().position == -10


def test_a_cycle_wins_the_interval_less_fees() -> None:
    rig = short()
    rig.fill(rig.entry(1000), fee=money("0.02"))
    view = rig.engine.view()
    assert (view.realised, view.entry_cost) == (0, -money(100))
    assert view.unrealised == money("0.4") - money("0.02")  # sold at 1000, the price is 996
    rig.price(989)
    rig.fill(rig.exit(990), fee=money("0.0198"))
    view = rig.engine.view()
    assert view.realised == money(1) - money("0.0398")
    assert (view.position, view.unrealised, view.cycles) == (0, 0, 1)


def test_the_window_follows_the_price_down() -> None:
    rig = short()
    actions = rig.price(986)
    assert cancelled(actions) == [rig.entry(1020)]
    assert placed(actions) == [(SELL, 990, 10)]


def test_exits_reach_down_to_the_buy_window_nearest_first() -> None:
    rig = short(sell_window=8, buy_window=2)
    rig.price(1075)
    for price in (1000, 1010, 1020, 1030, 1040, 1050, 1060, 1070):
        rig.fill(rig.entry(price))
    assert rig.live(BUY) == [1060, 1050]
    rig.settle()
    rig.fill(rig.exit(1050))
    assert [price for side, price, _ in placed(rig.price(1059)) if side is BUY] == [1040, 1030]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"max_position": 25}, "maxPosition"),
        ({"max_notional": money(250)}, "maxNotional"),
        ({"max_open_orders": 2}, "maxOpenOrders"),
    ],
)
def test_no_more_entries_than_the_limit_lets_through(changes: dict[str, Any], name: str) -> None:
    rig = short(**changes)
    assert rig.live(SELL) == [1010, 1000]
    assert limit(rig, name).reached


def test_what_is_held_counts_against_the_limit_as_a_long_position_does() -> None:
    rig = short(max_position=30)
    rig.fill(rig.entry(1000))
    assert limit(rig, "maxPosition").used == 10 + 9 + 9
    assert cancelled(rig.configure(max_position=20)) == [rig.entry(1020)]


def test_a_rising_price_is_a_drawdown_at_the_very_tick() -> None:
    rig = trading(replace(SHORT, step=100, max_drawdown=money(2)), price=960)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(960)
    # 10 lots sold at 1000 are worth 4 at 960: 2 below that peak is 980.
    assert rig.engine.quiet_band()[1] == 980
    rig.price(979)
    assert not rig.engine.dirty
    rig.price(980)
    assert rig.engine.view().breaker.reason == "Drawdown"
    rig.settle()
    assert (rig.live(SELL), rig.live(BUY)) == ([], [900])


def test_closing_it_buys_the_position_back_at_market() -> None:
    rig = short()
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.configure(goal=Goal.CLOSE)
    rig.settle()
    place = list(rig.places.values())[-1]
    assert (place.side, place.price, place.lots, place.reduce_only) == (BUY, None, 10, True)
    rig.fill(place.client_id, price=1003)
    view = rig.engine.view()
    assert (view.phase, view.position, view.realised) == (Phase.STOPPED, 0, -money("0.3"))


def test_a_cancelled_exit_keeps_the_rest_and_buys_it_back_under_another_id() -> None:
    rig = short()
    rig.fill(rig.entry(1000))
    first = rig.exit(990)
    rig.opened(first)
    rig.fill(first, 3)
    assert placed(rig.report(first, OrderState.CANCELLED, 3)) == [(BUY, 990, 7)]
    assert rig.exit(990) != first


def test_dust_is_bought_back_with_what_is_sold_to_it() -> None:
    rig = trading(SHORT, market=replace(MARKET, min_quantity=3), price=996)
    rig.fill(rig.entry(1000), 2)
    assert placed(rig.report(rig.entry(1000), OrderState.CANCELLED, 2)) == [(SELL, 1000, 8)]
    assert placed(rig.fill(rig.entry(1000))) == [(BUY, 990, 10)]


def test_a_position_that_is_too_small_for_long_opens_the_breaker_a_larger_one_is_others() -> None:
    rig = short()
    rig.fill(rig.entry(1000))
    rig.settle()
    assert looked_up(rig.feed(PositionReported(rig.now, -17))) == []
    for _ in range(3):
        rig.feed(PositionReported(rig.now, -7))
        rig.settle()
        rig.now += 5 * SECOND
    assert rig.engine.view().breaker.reason == "PositionDivergence"


def test_the_state_is_the_same_after_a_replay() -> None:
    rig = short()
    rig.fill(rig.entry(1000), 4)
    rig.price(1003)
    assert rig.replayed().snapshot() == rig.engine.snapshot()
