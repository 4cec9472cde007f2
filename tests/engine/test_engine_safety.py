"""The checks before a spec may trade, and a position that was there before the bot."""

from dataclasses import replace
from typing import Any

import pytest

from opensqt.api.gridbot import Side as GridSide
from opensqt.api.safety import ExistingPosition
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import ClockCompared, PositionFound, PositionReported
from opensqt.engine.market import Market
from tests.engine.rig import CONFIG, MARKET, SECOND, Rig, cancelled, money, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def gate(rig: Rig) -> dict[str, str]:
    return {one.reason: one.message for one in rig.engine.view().gate}


@pytest.mark.parametrize(
    ("changes", "equity", "field"),
    [
        ({}, "0", "connectorRef"),
        ({"leverage": 2}, "149", "the windows of spec.grid"),
        ({"leverage": 2, "required_slots": 50}, "2499", "spec.safety.requiredSlots"),
        ({"max_notional": money(99)}, "1000", "spec.riskLimits.maxNotional"),
        ({"max_position": 8}, "1000", "spec.riskLimits.maxPosition"),
    ],
)
def test_what_cannot_trade_says_which_field_to_change(changes: dict[str, Any], equity: str, field: str) -> None:
    rig = Rig(replace(CONFIG, **changes))
    rig.equity(equity)
    rig.price(1000)
    rig.price(1004)
    assert rig.live(BUY) == []
    assert field in gate(rig)["Unsafe"]
    assert rig.engine.view().reason == "Unsafe"


@pytest.mark.parametrize(
    "changes", [{"leverage": 2}, {"leverage": 1, "max_notional": money(200)}, {"leverage": 2, "required_slots": 3}]
)
def test_a_balance_that_carries_what_limits_allow_is_enough(changes: dict[str, Any]) -> None:
    rig = Rig(replace(CONFIG, **changes))
    rig.equity(200)
    rig.price(1000)
    assert "Unsafe" not in gate(rig)


SPOT = replace(MARKET, symbol="BTC/USDT")
IN_BASE: dict[str, Any] = {"order_money": 0, "order_lots": 10}
OF_EQUITY: dict[str, Any] = {"order_money": 0, "order_equity_ppm": 200_000}


@pytest.mark.parametrize(
    ("changes", "market", "needed"),
    [
        ({"leverage": 2}, MARKET, 250),
        ({"leverage": 2} | IN_BASE, MARKET, 250),
        ({"leverage": 1} | IN_BASE, SPOT, 500),
        ({"leverage": 1}, SPOT, 500),
    ],
)
def test_the_balance_must_carry_the_slots_that_the_spec_requires(
    changes: dict[str, Any], market: Market, needed: int
) -> None:
    """Five orders of 100, or of ten lots that are worth as much at 1000."""
    for equity, found in ((needed - 1, True), (needed, False)):
        rig = Rig(replace(CONFIG, required_slots=5, **changes), market=market)
        rig.equity(equity)
        rig.price(1000)
        assert ("spec.safety.requiredSlots" in gate(rig).get("Unsafe", "")) is found
        rig.price(1004)
        assert rig.live(BUY) == ([] if found else [1000, 990, 980])


@pytest.mark.parametrize(("leverage", "market", "most"), [(1, MARKET, 5), (3, MARKET, 15), (1, SPOT, 5)])
def test_of_a_share_of_the_equity_it_carries_as_many_whatever_it_is(leverage: int, market: Market, most: int) -> None:
    for required, found in ((most, False), (most + 1, True)):
        rig = Rig(replace(CONFIG, leverage=leverage, required_slots=required, **OF_EQUITY), market=market)
        rig.equity(700)
        rig.price(1000)
        assert ("BalanceTooSmall" in gate(rig).get("Unsafe", "")) is found


def test_a_quantity_counts_by_what_it_is_worth_at_the_price() -> None:
    rig = Rig(replace(CONFIG, leverage=1, required_slots=5, order_money=0, order_lots=10))
    rig.equity(600)
    rig.price(1300)
    assert "carries 4 orders of 130, 5 are needed" in gate(rig)["Unsafe"]


def test_a_deposit_mends_it() -> None:
    rig = Rig(replace(CONFIG, leverage=1))
    rig.equity(100)
    assert "BalanceTooSmall" in told(rig.price(1000))
    assert "SafetyPassed" in told(rig.equity(300))
    rig.price(1004)
    assert rig.live(BUY) == [1000, 990, 980]


def test_it_is_checked_at_starts_and_new_specs_and_not_in_between() -> None:
    rig = Rig(replace(CONFIG, leverage=1))
    rig.equity(300)
    rig.price(1000)
    rig.equity(200)
    assert gate(rig) == {}
    rig.restart()
    rig.price(1004)
    assert "BalanceTooSmall" in gate(rig)["Unsafe"]


def test_while_something_is_found_exits_go_on() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.configure(max_notional=money(50))
    rig.equity(1000)
    rig.settle()
    assert rig.live(BUY) == []
    assert rig.live(SELL) == [1010]


def test_complaint_09_a_clock_that_is_wrong_stops_entries_until_it_is_right() -> None:
    rig = trading(replace(CONFIG, max_clock_skew=SECOND))
    rig.equity(1000)
    actions = rig.feed(ClockCompared(rig.now, -1_500_000))
    assert "ClockSkew" in told(actions)
    assert len(cancelled(actions)) == 3
    assert "1500 ms behind the exchange's" in gate(rig)["Unsafe"]
    rig.settle()
    rig.feed(ClockCompared(rig.now, 100_000))
    assert rig.live(BUY) == [1000, 990, 980]


# --- a position that was there before ---


def found(policy: ExistingPosition, lots: int, side: GridSide = GridSide.LONG, *, each: int = 10) -> Rig:
    rig = Rig(replace(CONFIG, existing_position=policy, side=side))
    rig.feed(PositionFound(rig.now, lots, money(abs(lots) * each)))  # a lot has cost 10: the price 1000
    rig.price(1000)
    rig.settle()
    rig.price(1004)
    rig.settle()
    return rig


def test_a_position_of_others_is_refused_until_it_is_gone() -> None:
    rig = found(ExistingPosition.REFUSE, 25)
    assert rig.live(BUY) == []
    assert "spec.existingPosition" in gate(rig)["PositionRefused"]
    rig.feed(PositionReported(rig.now, 0))
    rig.settle()
    assert rig.live(BUY) == [1000, 990, 980]


def test_a_new_spec_can_decide_otherwise() -> None:
    rig = found(ExistingPosition.REFUSE, 25)
    rig.configure(existing_position=ExistingPosition.IGNORE)
    rig.settle()
    assert rig.live(BUY) == [1000, 990, 980]
    assert rig.engine.view().position == 0


def test_ignored_it_is_not_counted() -> None:
    rig = found(ExistingPosition.IGNORE, -25)
    rig.feed(PositionReported(rig.now, -25))
    rig.wait(6 * SECOND)
    rig.feed(PositionReported(rig.now, -25))
    assert not rig.engine.view().breaker.open
    rig.fill(rig.entry(1000))
    rig.feed(PositionReported(rig.now, -15))
    rig.wait(6 * SECOND)
    rig.settle()
    rig.feed(PositionReported(rig.now, -15))
    assert not rig.engine.view().breaker.open


def persists(rig: Rig, lots: int) -> None:
    """The exchange reports this position for long enough to be believed."""
    for _ in range(3):
        rig.feed(PositionReported(rig.now, lots))
        rig.settle()
        rig.wait(6 * SECOND)
    rig.feed(PositionReported(rig.now, lots))


def test_ignored_by_a_neutral_grid_it_is_not_counted_either() -> None:
    rig = found(ExistingPosition.IGNORE, 50, GridSide.NEUTRAL)
    persists(rig, 50)
    rig.fill(rig.entry(1010))
    rig.settle()
    assert rig.engine.view().position < 0
    persists(rig, 50 + rig.engine.view().position)
    assert not rig.engine.view().breaker.open


def test_what_was_ignored_may_be_closed_by_its_owner() -> None:
    rig = found(ExistingPosition.IGNORE, -25)
    rig.fill(rig.entry(1000))
    persists(rig, -15)
    persists(rig, 0)  # 15 of the 25 are closed
    persists(rig, 10)
    assert not rig.engine.view().breaker.open
    told_of = [one.what for one in rig.engine.view().discrepancies if one.kind == "ForeignPosition"]
    assert [what.rpartition(": ")[2] for what in told_of[1:]] == ["-0.10 is left", "0.00 is left"]
    persists(rig, 5)
    assert rig.engine.view().breaker.reason == "PositionDivergence"
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_bot_that_holds_nothing_misses_nothing() -> None:
    rig = trading()
    persists(rig, -10)
    assert not rig.engine.view().breaker.open
    assert [one.kind for one in rig.engine.view().discrepancies] == ["ForeignPosition"]


def waiting_to_adopt() -> Rig:
    rig = Rig(replace(CONFIG, existing_position=ExistingPosition.ADOPT))
    rig.feed(PositionFound(rig.now, 25, money(250)))
    return rig


def test_what_is_adopted_is_what_is_there_when_it_is_adopted() -> None:
    rig = waiting_to_adopt()
    rig.feed(PositionReported(rig.now, 10))
    rig.price(1004)
    view = rig.engine.view()
    assert (view.position, view.entry_cost) == (10, money(100))


@pytest.mark.parametrize("lots", [30, -10])
def test_what_has_grown_or_turned_is_not_adopted_at_a_price_that_nobody_knows(lots: int) -> None:
    rig = waiting_to_adopt()
    rig.feed(PositionReported(rig.now, lots))
    rig.price(1004)
    assert rig.engine.view().position == 0
    assert "PositionRefused" in gate(rig)
    assert rig.engine.wants_position


@pytest.mark.parametrize(
    ("side", "lots", "exits", "exit_side"),
    [
        (GridSide.LONG, 25, {1030: 6, 1020: 9, 1010: 10}, SELL),
        (GridSide.SHORT, -25, {990: 10, 980: 10, 970: 5}, BUY),
    ],
)
def test_adopted_it_is_spread_over_levels_in_the_direction_of_profit(
    side: GridSide, lots: int, exits: dict[int, int], exit_side: OrderSide
) -> None:
    rig = found(ExistingPosition.ADOPT, lots, side)
    view = rig.engine.view()
    assert view.position == lots
    assert view.entry_cost == money(lots * 10)
    assert (view.realised, view.fees, view.volume) == (0, 0, 0)
    there = {p.price: p.lots for p in rig.places.values() if p.side is exit_side and p.reduce_only}
    assert there == exits
    assert rig.replayed().snapshot() == rig.engine.snapshot()
    rig.feed(PositionReported(rig.now, lots))
    rig.wait(6 * SECOND)
    rig.feed(PositionReported(rig.now, lots))
    assert not rig.engine.view().breaker.open


def test_a_position_on_the_other_side_cannot_be_adopted() -> None:
    rig = found(ExistingPosition.ADOPT, -25)
    assert "PositionRefused" in gate(rig)


def test_a_position_that_has_cost_nothing_is_not_adopted() -> None:
    """It would be sold at any price; an exchange that does not tell the price must not cause that."""
    rig = found(ExistingPosition.ADOPT, 25, each=0)
    assert "PositionRefused" in gate(rig)
    assert rig.live(SELL) == []


def test_what_the_journal_knows_is_not_asked_about() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    assert not rig.engine.wants_position
    rig.feed(PositionFound(rig.now, 25, money(250)))
    assert "PositionRefused" not in gate(rig)
