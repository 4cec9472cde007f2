"""What the exchange allows in one order, and as leverage: a spec beyond it is refused, what is held goes in parts."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.engine.actions import OrderSide
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Goal, OrderState, Started
from opensqt.engine.market import Market
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, MARKET, SECOND, Rig, money, placed, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SMALL = replace(MARKET, max_quantity=10)
IN_BASE = replace(CONFIG, order_money=0, order_lots=7)
OF_EQUITY = replace(CONFIG, order_money=0, order_equity_ppm=20_000)


@pytest.mark.parametrize(
    ("config", "pattern", "change"),
    [
        (replace(IN_BASE, order_lots=40), r"baseSize must be at most ([\d.]+)$", "order_lots"),
        (replace(OF_EQUITY, order_equity_ppm=900_000), r"equityPercent must be at most ([\d.]+)$", "order_equity_ppm"),
        (replace(CONFIG, order_money=money(400)), r"quoteSize must be at most ([\d.]+)$", "order_money"),
    ],
)
def test_a_size_above_the_largest_is_refused_in_its_own_unit(config: EngineConfig, pattern: str, change: str) -> None:
    rig = Rig(config, market=SMALL)
    rig.equity(1000)
    actions = rig.price(1000)
    view = rig.engine.view()
    assert "SpecRefused" in told(actions)
    assert (view.phase, view.reason) == (Phase.HALTED, "OrderTooLarge")
    assert [one.reason for one in view.gate] == ["Refused"]
    most = Decimal(re.findall(pattern, view.message)[0])
    units = {
        "order_lots": most / MARKET.lot_size,
        "order_equity_ppm": most * 10_000,
        "order_money": most * 10**12,
    }
    too_large: dict[str, Any] = {change: int(units[change] * Decimal("1.11"))}
    enough: dict[str, Any] = {change: int(units[change])}
    assert placed(rig.configure(**too_large)) == []
    assert max(lots for _, _, lots in placed(rig.configure(**enough))) == 10


def test_a_market_that_says_nothing_has_no_largest_order() -> None:
    assert len(trading(replace(CONFIG, order_money=money(10**6))).live(BUY)) == 3


def test_profit_that_makes_orders_too_large_stops_entries_and_says_so() -> None:
    """The spec was right when it was written."""
    rig = trading(replace(IN_BASE, order_lots=10, reinvest_ppm=1_000_000), market=SMALL)
    assert rig.live(BUY) == [1000, 990, 980]
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.fill(rig.exit(1010), fee=-money(300))
    rig.settle()
    assert (rig.engine.view().reason, rig.live(BUY)) == ("OrderTooLarge", [])


def test_a_level_that_holds_more_than_one_order_may_have_is_sold_in_parts() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.feed(Started(rig.now, 2, replace(MARKET, max_quantity=4)))
    rig.price(1004)
    rig.report(rig.exit(1010), OrderState.CANCELLED)
    assert placed(rig.wait(SECOND)) == [(SELL, 1010, 4)]
    for left in (6, 2, 0):
        rig.settle()
        rig.fill(rig.exit(1010))
        assert rig.engine.view().position == left
    assert rig.engine.view().cycles == 1


@pytest.mark.parametrize(
    ("market", "parts"),
    [
        (MARKET, [30]),
        (replace(MARKET, max_quantity=20), [20, 10]),
        (replace(MARKET, max_quantity=20, max_market_quantity=12), [12, 12, 6]),
    ],
)
def test_a_position_is_closed_in_orders_that_the_exchange_takes(market: Market, parts: list[int]) -> None:
    rig = trading(market=market)
    rig.price(979)
    for price in (1000, 990, 980):
        rig.fill(rig.entry(price))
    rig.settle()
    held = rig.engine.view().position
    rig.configure(goal=Goal.CLOSE)
    sold = []
    while rig.engine.live_orders():
        rig.settle()
        for client_id in rig.engine.live_orders():
            assert rig.places[client_id].price is None
            sold.append(rig.places[client_id].lots)
            rig.fill(client_id, price=979)
    assert (sold, sum(sold)) == (parts, held)
    assert rig.engine.wound_down


@pytest.mark.parametrize(
    ("changes", "market", "field"),
    [
        ({"leverage": 20}, MARKET, "spec.riskLimits.maxLeverage 10"),
        ({"leverage": 8}, replace(MARKET, max_leverage=5), "the exchange's 5 for BTC/USDT:USDT"),
    ],
)
def test_a_leverage_above_what_is_allowed_places_no_entry(changes: dict[str, Any], market: Market, field: str) -> None:
    rig = Rig(replace(CONFIG, **changes), market=market)
    rig.equity(1000)
    actions = rig.price(1000)
    assert "LeverageTooHigh" in told(actions)
    rig.price(1004)
    assert rig.live(BUY) == []
    (unsafe,) = (one.message for one in rig.engine.view().gate if one.reason == "Unsafe")
    assert f"spec.leverage {changes['leverage']} is above {field}" in unsafe
    rig.configure(leverage=5)
    rig.price(1003)
    assert rig.live(BUY) == [1000, 990, 980]


def test_a_cap_that_the_exchange_lowers_is_seen_at_the_next_start() -> None:
    rig = trading(replace(CONFIG, leverage=5))
    rig.equity(1000)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.feed(Started(rig.now, 2, replace(MARKET, max_leverage=3)))
    rig.price(1004)
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([], [1010])
    assert rig.engine.view().reason == "Unsafe"
    assert rig.replayed().snapshot() == rig.engine.snapshot()
