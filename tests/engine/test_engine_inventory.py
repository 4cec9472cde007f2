"""Inventory skew: what is held keeps entries at a distance that grows with it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.gridbot import Side
from opensqt.engine.actions import OrderSide
from opensqt.engine.config import PPM
from tests.engine.rig import CONFIG, Rig, cancelled, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SKEWED = replace(CONFIG, buy_window=6, sell_window=6, max_position=60, skew_ppm=PPM // 2, order_lots=10, order_money=0)
"""Six levels, six orders of ten lots to the limit: every 20 lots that are held keep one more level free."""


def skewed(**changes: Any) -> Rig:
    return trading(replace(SKEWED, **changes))


def fill_down(rig: Rig, *levels: int) -> None:
    for level in levels:
        rig.price(level)
        rig.fill(rig.entry(level))
        rig.settle()


def test_with_nothing_held_every_level_of_the_window_has_its_entry() -> None:
    assert skewed().live(BUY) == [1000, 990, 980, 970, 960, 950]


def test_the_more_is_held_the_more_levels_below_stay_free() -> None:
    rig = skewed()
    fill_down(rig, 1000)
    assert rig.live(BUY) == [990, 980, 970, 960, 950]  # 10 of 60 lots: half a level, rounded down
    fill_down(rig, 990)
    assert rig.live(BUY)[0] == 970  # 20 of 60: one level
    fill_down(rig, 970)
    assert rig.live(BUY)[0] == 950  # 30 of 60: still one
    fill_down(rig, 950)
    assert rig.live(BUY)[0] == 920  # 40 of 60: two
    assert rig.live(SELL) == [1010, 1000, 980, 960]


def test_an_entry_at_its_distance_stays_when_the_price_comes_to_it() -> None:
    rig = skewed()
    fill_down(rig, 1000, 990)
    entry = rig.entry(970)
    for price in (985, 980, 975, 971):
        assert entry not in cancelled(rig.price(price))
    assert entry in rig.engine.live_orders()


def test_the_outer_edge_of_the_window_stays() -> None:
    rig = skewed()
    fill_down(rig, 1000, 990)
    plain = skewed(skew_ppm=0, max_position=0)
    fill_down(plain, 1000, 990)
    assert rig.live(BUY)[-1] == plain.live(BUY)[-1]
    assert set(plain.live(BUY)) - set(rig.live(BUY)) == {980}


def test_what_is_sold_gives_the_levels_back() -> None:
    rig = skewed()
    fill_down(rig, 1000, 990)
    assert 980 not in rig.live(BUY)
    rig.price(999)
    rig.fill(rig.exit(1000))
    rig.settle()
    assert rig.live(BUY)[:2] == [990, 980]


def test_a_short_side_keeps_its_entries_away_above() -> None:
    rig = skewed(side=Side.SHORT)
    assert rig.live(SELL) == [1050, 1040, 1030, 1020, 1010]
    for level in (1010, 1020):
        rig.price(level)
        rig.fill(rig.entry(level))
        rig.settle()
    assert rig.live(SELL)[-1] == 1040


def test_a_side_of_a_neutral_grid_is_kept_away_by_its_own_holding_alone() -> None:
    rig = skewed(side=Side.NEUTRAL)
    fill_down(rig, 990, 980)
    assert rig.live(BUY)[0] == 960
    assert rig.live(SELL)[-3:] == [1010, 1000, 990]  # the nearest short entry, and two exits


def test_another_skew_applies_at_once() -> None:
    rig = skewed()
    fill_down(rig, 1000, 990)
    assert rig.live(BUY)[0] == 970
    rig.configure(skew_ppm=0)
    rig.settle()
    assert rig.live(BUY)[0] == 980
    assert set(cancelled(rig.configure(skew_ppm=PPM))) == {rig.entry(980), rig.entry(970)}


def test_a_full_position_with_full_skew_leaves_no_entry_near_it() -> None:
    rig = skewed(skew_ppm=PPM, max_position=20)
    fill_down(rig, 1000, 990)
    assert rig.live(BUY) == []


@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("side", [Side.LONG, Side.SHORT])
@given(
    prices=st.lists(st.integers(-18, 18), min_size=1, max_size=40),
    skew=st.integers(1, PPM),
)
def test_no_entry_lies_within_the_free_levels_of_a_held_one(side: Side, prices: list[int], skew: int) -> None:
    """Whatever the price does: fills as it passes, and the distance holds after each."""
    rig = skewed(side=side, skew_ppm=skew)
    price, sign = 1004, 1 if side is Side.LONG else -1
    for step in prices:
        price += step
        for client_id in rig.engine.live_orders():
            place = rig.places[client_id]
            assert place.price is not None
            passed = place.price >= price if place.side is BUY else place.price <= price
            if passed:
                rig.fill(client_id)
                rig.settle()
        rig.price(price)
        rig.settle()
        held = {slot.price: abs(slot.held) for slot in rig.engine.view().slots if slot.held}
        free = skew * 6 * sum(held.values()) // (PPM * 60)
        entries = rig.live(BUY if side is Side.LONG else SELL)
        assert not [(at, level) for at in held for level in entries if 0 < sign * (at - level) <= free * 10]
    rig.replayed()
