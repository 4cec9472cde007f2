"""One side's levels around a price."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.grid import ArithmeticGrid, GeometricGrid, Grid
from opensqt.engine.ladder import Ladder
from opensqt.engine.layout import Layout
from opensqt.engine.side import Side
from tests.engine.rig import CONFIG

LONG, SHORT = Side.LONG, Side.SHORT
GRID = Layout(ArithmeticGrid(1000, 10))
GRIDS: st.SearchStrategy[Grid] = st.one_of(
    st.builds(ArithmeticGrid, st.integers(5_000, 10**6), st.integers(1, 100)),
    st.builds(GeometricGrid, st.integers(5_000, 10**6), st.integers(500, 10**4)),
)
LADDERS = st.builds(
    Ladder, st.sampled_from(Side), st.builds(Layout, GRIDS), st.just(replace(CONFIG, buy_window=4, sell_window=7))
)
PRICES = st.integers(5_000, 10**6)


@pytest.mark.parametrize(("side", "near", "far"), [(LONG, 1001, 1002), (SHORT, 999, 998)])
def test_a_level_within_a_tenth_of_the_interval_is_not_entered(side: Side, near: int, far: int) -> None:
    ladder = Ladder(side, GRID, CONFIG)
    assert not ladder.worth_entering(0, near)
    assert ladder.worth_entering(0, far)


@pytest.mark.parametrize(
    ("side", "entries", "exits"),
    [(LONG, [1000, 990, 980], [1010, 1000, 990]), (SHORT, [1000, 1010, 1020], [990, 1000, 1010])],
)
def test_entries_go_away_from_the_price_and_exits_are_one_level_back(
    side: Side, entries: list[int], exits: list[int]
) -> None:
    ladder = Ladder(side, GRID, CONFIG)
    indices = list(ladder.window(1004))
    assert [ladder.entry_price(index) for index in indices] == entries
    assert [ladder.exit_price(index) for index in indices] == exits


@given(LADDERS, PRICES, PRICES)
def test_a_holding_is_in_reach_from_the_price_on_at_which_it_comes_into_reach(
    ladder: Ladder, price: int, level: int
) -> None:
    in_reach = ladder.side.gain(level, ladder.reach(price)) >= 0
    assert in_reach == (ladder.side.gain(ladder.in_reach_at(level), price) >= 0)


def test_a_short_level_whose_exit_would_not_be_a_price_is_none() -> None:
    ladder = Ladder(SHORT, Layout(ArithmeticGrid(10, 10)), CONFIG)
    assert list(ladder.window(10)) == [1, 2]
