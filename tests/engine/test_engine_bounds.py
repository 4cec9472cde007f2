"""Bounded grids, grids that follow the price, and the price at which a bot begins."""

from dataclasses import replace
from typing import Any

import pytest

from opensqt.api.gridbot import Side
from opensqt.engine.actions import OrderSide
from opensqt.engine.engine import Engine
from opensqt.engine.events import Goal
from opensqt.engine.view import Phase
from tests.engine.rig import BOT_UID, CONFIG, Rig, cancelled, placed, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
BOUNDED = replace(CONFIG, lower=965, upper=1008)
"""Levels at 965, 975, 985, 995, 1005."""


def bounded(price: int = 997, **changes: Any) -> Rig:
    rig = Rig(replace(BOUNDED, **changes))
    rig.price(price)
    rig.settle()
    return rig


def test_levels_are_counted_from_the_lower_bound() -> None:
    assert bounded().live(BUY) == [995, 985, 975]
    assert bounded(buy_window=9).live(BUY) == [995, 985, 975, 965]


def test_entries_and_exits_stay_within_the_bounds() -> None:
    rig = bounded(price=1200, buy_window=100)
    assert rig.live(BUY) == [995, 985, 975, 965]  # one at 1005 would be sold above the upper bound
    rig.price(960)
    for price in (995, 985, 975, 965):
        rig.fill(rig.entry(price))
        rig.settle()
    assert rig.live(BUY) == []
    assert rig.live(SELL) == [995, 985, 975]


def test_a_short_one_sells_above_the_lowest_level() -> None:
    rig = bounded(price=960, side=Side.SHORT, sell_window=100)
    assert rig.live(SELL) == [1005, 995, 985, 975]


def test_bounds_without_two_levels_are_refused() -> None:
    rig = bounded(upper=974)
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.HALTED, "BoundsTooNarrow")
    assert "upper must be at least 975" in view.message
    assert rig.engine.live_orders() == []
    rig.configure(upper=975)
    assert placed(rig.price(971)) == [(BUY, 965, 10)]


def test_outside_the_bounds_most_prices_are_quiet() -> None:
    rig = bounded(price=1500)
    # The window of 3 has the highest entry, 995, from the grid price 1015 on.
    assert rig.engine.quiet_band() == (1019, None)
    assert placed(rig.price(1020)) == []
    assert placed(rig.price(1019)) == [(BUY, 995, 10)]
    rig = bounded(price=900)
    assert rig.engine.quiet_band() == (0, 960)
    assert bounded(price=1300, side=Side.SHORT).engine.quiet_band() == (1009, None)
    assert bounded(price=500, side=Side.SHORT).engine.quiet_band() == (0, 950)


# --- trailing ---


def test_it_follows_a_rising_price_by_whole_levels() -> None:
    rig = bounded(trail_up=True)
    rig.price(1014)
    rig.settle()
    assert rig.live(BUY) == [995, 985, 975]
    rig.price(1015)
    rig.settle()
    assert rig.live(BUY) == [1005, 995, 985]
    rig.price(1057)
    rig.settle()
    assert rig.live(BUY) == [1045, 1035]
    rig.price(700)  # it never follows down
    assert rig.engine.view().lower == 1015
    rig.price(2000)
    assert rig.engine.view().upper == 1995


def test_it_follows_up_to_the_limit() -> None:
    rig = bounded(trail_up=True, trail_up_to=1024)
    rig.price(1500)
    rig.settle()
    assert (rig.engine.view().lower, rig.engine.view().upper) == (975, 1015)


def test_it_follows_a_falling_price_down_to_the_limit_and_keeps_what_it_holds() -> None:
    rig = bounded(trail_down=True, trail_down_to=950)
    rig.fill(rig.entry(995))
    rig.settle()
    rig.price(900)
    rig.settle()
    assert (rig.engine.view().lower, rig.engine.view().upper) == (955, 995)
    assert rig.live(SELL) == [1005]
    rig.price(958)
    rig.settle()
    assert 955 in rig.live(BUY)


def test_where_it_is_survives_a_restart_and_ends_with_other_bounds() -> None:
    rig = bounded(trail_up=True)
    rig.price(1100)
    rig.settle()
    upper = rig.engine.view().upper
    assert upper > 1008
    assert Engine.restore(rig.market, BOT_UID, rig.engine.snapshot()).view().upper == upper
    assert rig.replayed().view().upper == upper
    rig.configure(buy_window=2)
    assert rig.engine.view().upper == upper
    rig.configure(trail_up=False, upper=1018)
    assert rig.engine.view().upper == 1015


def test_a_paused_grid_does_not_follow() -> None:
    rig = bounded(trail_up=True)
    rig.configure(goal=Goal.PAUSE)
    rig.price(1100)
    assert rig.engine.view().upper == 1005
    rig.configure()
    assert rig.engine.view().upper == 1095


# --- the trigger ---


@pytest.mark.parametrize(("start", "short_of", "reached"), [(1004, 1019, 1020), (1036, 1021, 1020), (1004, 1019, 1090)])
def test_nothing_is_placed_until_the_trigger_price_is_reached(start: int, short_of: int, reached: int) -> None:
    rig = Rig(replace(CONFIG, trigger_price=1020))
    assert placed(rig.price(start) + rig.price(short_of)) == []
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.RUNNING, "WaitingForTrigger")
    assert "1020" in view.message
    assert rig.engine.quiet_band() in {(0, 1020), (1020, None)}
    actions = rig.price(reached)
    assert "Triggered" in told(actions)
    assert placed(actions) != []
    assert rig.engine.view().anchor == 1020
    assert rig.engine.view().reason == ""


def test_it_waits_on_after_a_restart_and_sees_that_the_price_has_passed_meanwhile() -> None:
    rig = Rig(replace(CONFIG, trigger_price=1020))
    rig.price(1004)
    rig.restart()
    assert placed(rig.price(1010)) == []
    rig.restart()
    assert placed(rig.price(1034)) != []


def test_once_reached_it_counts_no_more() -> None:
    rig = Rig(replace(CONFIG, trigger_price=1020))
    rig.price(1004)
    rig.price(1020)
    rig.settle()
    rig.restart()
    rig.settle()
    assert cancelled(rig.price(1004)) == []
    assert rig.engine.view().reason == ""


def test_another_trigger_price_is_waited_for_anew_while_what_is_held_is_sold() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    actions = rig.configure(trigger_price=1500)
    assert set(cancelled(actions)) == {rig.entry(990), rig.entry(980)}
    rig.settle()
    assert rig.live(SELL) == [1010]
    assert rig.engine.view().reason == "WaitingForTrigger"
    assert placed(rig.configure(trigger_price=0)) != []
