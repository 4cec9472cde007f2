"""A spacing that the fees eat is refused, and the answer says which one would do."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opensqt.engine.actions import OrderSide
from opensqt.engine.config import PPM
from opensqt.engine.grid import GeometricGrid
from opensqt.engine.profitability import break_even_ratio, break_even_step, profitable
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, MARKET, Rig, money, placed, told, trading

FEES = st.integers(-500, 5_000)
PRICES = st.integers(1, 10**9)


@given(PRICES, FEES)
def test_the_break_even_step_is_the_smallest_that_pays(price: int, fee: int) -> None:
    step = break_even_step(price, fee)
    assert profitable(price, price + step, fee)
    assert step == 1 or not profitable(price, price + step - 1, fee)


@given(PRICES, st.integers(1, 10**6), FEES, st.integers(1, 10**6))
def test_profitable_is_what_the_money_says(low: int, step: int, fee: int, lots: int) -> None:
    fees = [Decimal(fee * price * lots) / PPM for price in (low, low + step)]
    assert profitable(low, low + step, fee) == (step * lots - sum(fees) > 0)


@given(st.integers(1000, 10**9), st.integers(-500, 5_000))
def test_every_level_of_a_grid_at_the_break_even_ratio_pays(anchor: int, fee: int) -> None:
    grid = GeometricGrid(anchor, 10**4)
    prices = [grid.level(-index) for index in range(10)]
    assume(min(prices) > 0)
    ratio = break_even_ratio(prices, fee)
    grid = GeometricGrid(anchor, ratio)
    levels = [grid.level(-index) for index in range(10) if grid.level(-index) >= min(prices)]
    assert all(profitable(low, grid.level(grid.below(low) + 1), fee) for low in levels)


def test_an_arithmetic_spacing_below_the_fees_is_refused_in_its_own_unit() -> None:
    rig = Rig(replace(CONFIG, step=10), market=replace(MARKET, maker_fee_ppm=5_000))
    assert "SpecRefused" in told(rig.price(1000))
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.HALTED, "Unprofitable")
    assert "as maker" in view.message
    assert "0.5 percent" in view.message
    needed = int(re.findall(r"arithmetic must be at least (\d+)$", view.message)[0])
    assert rig.engine.live_orders() == []
    assert placed(rig.configure(step=needed - 1)) == []
    assert placed(rig.configure(step=needed)) != []
    assert rig.engine.view().phase is Phase.RUNNING


def test_a_geometric_spacing_below_the_fees_is_refused_in_percent() -> None:
    market = replace(MARKET, tick_size=Decimal("0.01"), maker_fee_ppm=1_000)
    rig = Rig(replace(CONFIG, step=0, ratio_ppm=1_000), market=market)
    rig.price(100_000)
    view = rig.engine.view()
    assert view.reason == "Unprofitable"
    percent = Decimal(re.findall(r"geometric must be at least ([\d.]+)$", view.message)[0])
    assert Decimal("0.2") < percent < Decimal("0.21")
    assert placed(rig.configure(ratio_ppm=int(percent * PPM / 100))) != []


def test_orders_that_may_take_are_reckoned_with_the_taker_fee() -> None:
    market = replace(MARKET, maker_fee_ppm=0, taker_fee_ppm=6_000)
    rig = trading(CONFIG, market=market)
    assert rig.engine.view().phase is Phase.RUNNING
    rig.configure(post_only=False)
    assert rig.engine.view().reason == "Unprofitable"
    assert "as taker" in rig.engine.view().message


@pytest.mark.parametrize("maker", [0, -100])
def test_without_fees_every_spacing_pays(maker: int) -> None:
    rig = Rig(replace(CONFIG, step=1), market=replace(MARKET, maker_fee_ppm=maker))
    assert placed(rig.price(1000)) != []


def test_what_is_held_is_still_sold_when_the_price_has_made_the_fees_too_dear() -> None:
    """The fee of a dearer level is more than the same step leaves: entries stop there, exits go on."""
    rig = trading(CONFIG, market=replace(MARKET, maker_fee_ppm=4_900))
    rig.fill(rig.entry(1000))
    rig.price(1100)
    assert rig.engine.view().reason == "Unprofitable"
    assert rig.live(OrderSide.SELL) == [1010]
    rig.fill(rig.exit(1010), fee=money("0.5"))
    rig.price(990)
    assert rig.engine.view().phase is Phase.RUNNING
