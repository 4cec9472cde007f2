"""Grids of which no level is left to enter, and states that an earlier release has left: what is held is still sold."""

from dataclasses import replace
from typing import Any

import pytest

from opensqt.api.gridbot import Side
from opensqt.engine.actions import OrderSide
from opensqt.engine.engine import Engine
from opensqt.engine.events import Configured, Goal, PositionReported
from opensqt.engine.view import Phase
from tests.engine.rig import BOT_UID, CONFIG, MARKET, SECOND, Rig, money, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
BOUNDED = replace(CONFIG, lower=965, upper=1008)
"""Levels at 965, 975, 985, 995, 1005."""


def holding() -> Rig:
    """995 is bought, 985 and 975 are bid for; the exit is not sent yet, for a new instance has seen no price."""
    rig = Rig(BOUNDED)
    rig.price(997)
    rig.settle()
    rig.restart()
    rig.settle()
    rig.fill(rig.entry(995))
    assert (rig.live(BUY), rig.live(SELL)) == ([985, 975], [])
    return rig


@pytest.mark.parametrize("price", [1008, 1200, 5000])
def test_a_grid_that_the_price_has_left_above_sells_what_it_holds(price: int) -> None:
    rig = holding()
    rig.price(price)
    assert rig.live(SELL) == [1005]
    rig.settle()
    rig.fill(rig.exit(1005))
    assert rig.engine.view().position == 0


def test_a_grid_that_the_price_has_left_below_sells_as_far_as_its_window_reaches() -> None:
    rig = holding()
    rig.price(966)
    assert rig.live(SELL) == [1005]
    rig = holding()
    rig.price(900)
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([985, 975], []), "an exit so far away waits for the price"
    rig.price(966)
    assert rig.live(SELL) == [1005]


def test_a_short_grid_that_the_price_has_left_buys_back_what_it_owes() -> None:
    rig = Rig(replace(BOUNDED, side=Side.SHORT))
    rig.price(997)
    rig.settle()
    rig.restart()
    rig.settle()
    rig.fill(rig.entry(1005))
    rig.price(700)
    assert rig.live(BUY) == [995]


@pytest.mark.parametrize(
    "changes",
    [
        {"lower": 1100, "upper": 1200},
        {"lower": 500, "upper": 600},
        {"lower": 1000, "upper": 1004},
        {"step": 0},
        {"trigger_price": 2000},
        {"order_money": money(1)},
        {"max_notional": money(1)},
    ],
)
def test_a_spec_that_allows_no_entry_here_sells_what_is_held(changes: dict[str, Any]) -> None:
    rig = holding()
    rig.equity(1000)
    rig.configure(**changes)
    rig.settle()
    rig.price(998)
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([], [1005])
    rig.fill(rig.exit(1005))
    rig.settle()
    assert (rig.engine.view().position, rig.live(BUY), rig.live(SELL)) == (0, [], [])


def test_without_entries_by_the_breaker_it_sells_too() -> None:
    rig = holding()
    rig.price(998)
    rig.settle()
    rig.feed(PositionReported(rig.now, 3))
    rig.settle()
    rig.wait(6 * SECOND)
    rig.feed(PositionReported(rig.now, 3))
    rig.settle()
    assert rig.engine.view().breaker.open
    assert (rig.live(BUY), rig.live(SELL)) == ([], [1005])


# --- what an earlier release has left ---


def left_by_an_earlier_release(goal: Goal) -> Rig:
    """It knew one goal alone: the spec's was what was in force."""
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.configure(goal=goal)
    rig.settle()
    snapshot = rig.engine.snapshot()
    del snapshot["state"]["wanted"]
    rig.engine = Engine.restore(MARKET, BOT_UID, snapshot)
    return rig


def test_a_bot_that_was_paused_by_an_earlier_release_stays_so() -> None:
    rig = left_by_an_earlier_release(Goal.PAUSE)
    rig.restart()
    rig.settle()
    rig.price(1004)
    assert rig.engine.view().phase is Phase.PAUSED
    assert (rig.live(BUY), rig.live(SELL)) == ([], [1010])


@pytest.mark.parametrize("goal", [Goal.PAUSE, Goal.STOP])
@pytest.mark.parametrize("newer", [0, 1])
def test_it_runs_when_it_is_told_to(goal: Goal, newer: int) -> None:
    rig = left_by_an_earlier_release(goal)
    rig.restart()
    rig.price(1004)
    rig.settle()
    rig.feed(Configured(rig.now, rig.generation + newer, Goal.RUN, rig.config))
    rig.settle()
    assert rig.engine.view().phase is Phase.RUNNING
    assert (rig.live(BUY), rig.live(SELL)) == ([990, 980], [1010])


def test_a_barrier_that_has_been_reached_is_not_the_specs_goal() -> None:
    rig = trading(replace(CONFIG, take_profit_price=1050))
    rig.price(1050)
    rig.settle()
    assert rig.engine.view().reason == "TakeProfitPrice"
    rig.engine = Engine.restore(MARKET, BOT_UID, rig.engine.snapshot())
    assert rig.engine.view().reason == "TakeProfitPrice"
    assert placed(rig.configure(take_profit_price=1100)) != []
