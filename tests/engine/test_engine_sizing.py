"""The size of an entry: in quote, in base, of the equity; profit put back in; in steps, so that orders stay put."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.engine.actions import OrderSide
from opensqt.engine.view import Phase
from tests.engine.rig import BOT_UID, CONFIG, MARKET, Rig, cancelled, money, placed, told, trading

IN_BASE = replace(CONFIG, order_money=0, order_lots=7)
OF_EQUITY = replace(CONFIG, order_money=0, order_equity_ppm=20_000)


def buys(rig: Rig) -> list[tuple[int | None, int]]:
    places = [rig.places[client_id] for client_id in rig.engine.live_orders()]
    return sorted((place.price, place.lots) for place in places if place.side is OrderSide.BUY)


def cycle(rig: Rig, gain: str) -> None:
    """A buy at 1000, sold one level above, of which `gain` is left (by way of the fee)."""
    rig.fill(rig.entry(1000))
    rig.settle()
    lots = rig.places[rig.exit(1010)].lots
    rig.fill(rig.exit(1010), fee=rig.market.notional(10, lots) - money(gain))
    rig.settle()


def test_a_fixed_quantity_is_the_same_at_every_level() -> None:
    assert buys(trading(IN_BASE)) == [(980, 7), (990, 7), (1000, 7)]


def test_a_share_of_the_equity_waits_until_it_is_known() -> None:
    rig = trading(OF_EQUITY)
    assert buys(rig) == []
    assert rig.engine.view().phase is Phase.RUNNING
    rig.equity(5000)
    rig.settle()
    assert buys(rig) == [(980, 10), (990, 10), (1000, 10)]


def test_the_size_follows_the_equity_in_steps_of_a_twentieth() -> None:
    rig = trading(OF_EQUITY)
    rig.equity(5000)
    rig.settle()
    for amount in ("5200", "4800", "5249.99"):
        assert rig.equity(amount) == []
    actions = rig.equity(5500)
    assert "OrderSizeChanged" in told(actions)
    assert len(cancelled(actions)) == 3
    rig.settle()
    assert [lots for _, lots in buys(rig)] == [11, 11, 11]
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_realised_profit_makes_entries_larger_in_steps() -> None:
    rig = trading(replace(CONFIG, reinvest_ppm=500_000, buy_window=2))
    cycle(rig, "10")  # half of it over two levels: 2.5 of 100
    assert [lots for _, lots in buys(rig)] == [10, 10]
    cycle(rig, "30")
    rig.settle()
    assert buys(rig) == [(990, 11), (1000, 11)], "110 each"
    cycle(rig, "-200")
    rig.settle()
    assert [lots for _, lots in buys(rig)] == [10, 10], "a loss makes no entry smaller than the spec's"


def test_profit_makes_a_fixed_quantity_larger_at_the_anchors_price() -> None:
    rig = trading(replace(CONFIG, order_money=0, order_lots=10, reinvest_ppm=1_000_000, buy_window=2))
    cycle(rig, "40")
    rig.settle()
    assert [lots for _, lots in buys(rig)] == [12, 12]


def test_another_size_in_the_spec_counts_at_once() -> None:
    rig = trading(OF_EQUITY)
    rig.equity(5000)
    rig.settle()
    rig.configure(order_equity_ppm=20_400)
    rig.settle()
    assert [lots for _, lots in buys(rig)] == [10, 10, 10]
    rig.configure(order_equity_ppm=0, order_lots=8)
    rig.settle()
    assert [lots for _, lots in buys(rig)] == [8, 8, 8]


@pytest.mark.parametrize(
    ("config", "pattern", "change"),
    [
        (replace(IN_BASE, order_lots=0), r"baseSize must be at least ([\d.]+)$", "order_lots"),
        (replace(OF_EQUITY, order_equity_ppm=10), r"equityPercent must be at least ([\d.]+) of", "order_equity_ppm"),
        (replace(CONFIG, order_money=money(1)), r"quoteSize must be at least ([\d.]+)$", "order_money"),
    ],
)
def test_complaint_06_a_size_below_the_minimum_is_refused_in_its_own_unit(
    config: Any, pattern: str, change: str
) -> None:
    market = replace(MARKET, min_quantity=3, min_notional=money(45))
    rig = Rig(config, market=market)
    rig.equity(10_000)
    rig.price(1000)
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.HALTED, "OrderTooSmall")
    least = Decimal(re.findall(pattern, view.message)[0])
    units: dict[str, Any] = {
        "order_lots": least / MARKET.lot_size,
        "order_equity_ppm": least * 10_000,
        "order_money": least * 10**12,
    }
    too_small: dict[str, Any] = {change: int(units[change]) - 1}
    enough: dict[str, Any] = {change: int(units[change])}
    assert placed(rig.configure(**too_small)) == []
    assert placed(rig.configure(**enough)) != []


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=30))
def test_the_size_is_never_more_than_a_twentieth_off(equities: list[int]) -> None:
    rig = Rig(OF_EQUITY)
    rig.price(1000)
    for equity in equities:
        rig.equity(equity)
        size, wanted = rig.engine._state.sizing.size, rig.engine._state.equity
        assert wanted is not None
        target = wanted * 20_000 // 10**6
        assert abs(size - target) * 20 <= size
    assert rig.engine.restore(MARKET, BOT_UID, rig.engine.snapshot()).snapshot() == rig.engine.snapshot()
