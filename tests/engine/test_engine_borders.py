"""At the very border of a rule: what is allowed exactly, and what one more would break."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.api.gridbot import Side as GridSide
from opensqt.api.interval import Interval
from opensqt.api.safety import ExistingPosition
from opensqt.engine import existing_position
from opensqt.engine.actions import LookUp
from opensqt.engine.config import PPM, AtrConfig, EngineConfig
from opensqt.engine.events import CancelFailed, CandleChanged, FeedChanged, Goal, OrderState, PositionFound, Remedy
from opensqt.engine.grid import GeometricGrid
from opensqt.engine.market import DUST, Market
from opensqt.engine.profitability import break_even_spacing, profitable
from opensqt.engine.safety import Entry, findings, required_slots
from opensqt.engine.side import Side
from opensqt.engine.slots import Slots
from opensqt.engine.view import Phase
from opensqt.engine.volatility import Volatility, least_step
from tests.engine.rig import CONFIG, MARKET, MINUTE, Rig, money, of_kind, trading

ENTRY = Entry(money(100), 10)
LIMITED = replace(
    CONFIG, leverage=5, max_leverage=5, max_notional=money(100), max_position=10, max_clock_skew=1_000, required_slots=1
)
FIVE_TIMES = replace(MARKET, max_leverage=5)


def found(config: EngineConfig, market: Market = FIVE_TIMES, *, equity: int = money(20), skew: int = 0) -> list[str]:
    return [finding.reason for finding in findings(config, market, equity, skew, ENTRY)]


@pytest.mark.parametrize("skew", [1_000, -1_000, 0])
def test_what_a_limit_allows_exactly_is_allowed(skew: int) -> None:
    assert found(LIMITED, skew=skew) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"leverage": 6}, "LeverageTooHigh"),
        ({"leverage": 6, "max_leverage": 10}, "LeverageTooHigh"),
        ({"max_notional": money(100) - 1}, "LimitsAllowNothing"),
        ({"max_position": 9}, "LimitsAllowNothing"),
        ({"max_notional": 1}, "LimitsAllowNothing"),
        ({"max_position": 1}, "LimitsAllowNothing"),
        ({"required_slots": 2}, "BalanceTooSmall"),
    ],
)
def test_one_beyond_a_limit_is_found(changes: dict[str, Any], reason: str) -> None:
    assert found(replace(LIMITED, **changes)) == [reason]


def test_an_empty_account_and_a_wrong_clock_are_found_with_what_they_are() -> None:
    assert found(LIMITED, equity=0) == ["NoBalance"]
    assert found(replace(LIMITED, leverage=0), equity=1) == []
    ahead, behind = (findings(LIMITED, FIVE_TIMES, money(20), skew, ENTRY)[0] for skew in (3_001_000, -3_001_000))
    assert (ahead.reason, behind.reason) == ("ClockSkew", "ClockSkew")
    assert "3001 ms ahead of the exchange's, 1 ms are allowed" in ahead.message
    assert "3001 ms behind" in behind.message


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, 7),
        ({"required_slots": 2}, 2),
        ({"max_open_orders": 5}, 5),
        ({"max_notional": money(450)}, 4),
        ({"max_position": 39}, 3),
        ({"side": GridSide.SHORT}, 8),
    ],
)
def test_the_balance_must_carry_what_window_and_limits_allow(changes: dict[str, Any], needed: int) -> None:
    config = replace(CONFIG, **{"buy_window": 7, "sell_window": 8, "required_slots": 0, **changes})
    assert required_slots(config, ENTRY) == needed


@given(st.integers(1, 10**6), st.integers(1, 60), st.integers(1, 4_000))
def test_the_break_even_spacing_pays_on_every_level_that_it_counts(price: int, levels: int, fee: int) -> None:
    step = break_even_spacing(price, levels, fee)
    counted = min(levels, PPM // (4 * fee))
    assert all(profitable(price + step * level, price + step * (level + 1), fee) for level in range(counted))
    assert step <= 2 * (2 * price * fee // PPM) + 2  # levels beyond are not worth doubling it


@pytest.mark.parametrize(
    ("price", "levels", "fee", "step"), [(1000, 1, 500, 2), (10**6, 10, 500, 1011), (100, 5, 0, 1)]
)
def test_break_even_spacings(price: int, levels: int, fee: int, step: int) -> None:
    assert break_even_spacing(price, levels, fee) == step


@pytest.mark.parametrize(
    ("side", "window", "step"), [(GridSide.LONG, 50, 1203), (GridSide.SHORT, 1, 1203), (GridSide.SHORT, 50, 1263)]
)
def test_a_step_of_candles_pays_up_to_the_farthest_entry(side: GridSide, window: int, step: int) -> None:
    config = replace(CONFIG, side=side, buy_window=50, sell_window=window, post_only=False)
    assert least_step(config, MARKET, money(10**6)) == step


@given(st.integers(100, 10**5), st.integers(100, 10**5), st.integers(-30, 30))
def test_geometric_levels_are_the_exact_ones_rounded(anchor: int, ratio: int, index: int) -> None:
    grid = GeometricGrid(anchor, ratio)
    exact = Decimal(anchor) * (1 + Decimal(ratio) / PPM) ** index
    spaced = [grid.level(each) for each in range(min(0, index), max(0, index) + 1)]
    rounded = all(other - one > 1 for one, other in pairwise(spaced))
    if rounded:
        assert abs(grid.level(index) - exact) <= Decimal("0.5001")
        assert all(isinstance(level, int) for level in spaced)


def test_geometric_levels_of_less_than_a_tick_are_one_tick_apart() -> None:
    grid = GeometricGrid(100, 1_000)
    assert [grid.level(index) for index in range(-5, 6)] == list(range(95, 106))
    assert GeometricGrid(3, 1_000).level(-3) == 0
    assert GeometricGrid(3, 1_000).level(-9) == 0


def test_dust_is_parts_of_a_lot() -> None:
    assert MARKET.from_lots(3) == Decimal("0.03")
    assert MARKET.from_lots(3, DUST // 4) == Decimal("0.0325")
    assert MARKET.from_lots(0, -DUST // 2) == Decimal("-0.005")


@pytest.mark.parametrize(("side", "first"), [(Side.LONG, 900), (Side.SHORT, 1100)])
def test_the_level_that_is_left_first_comes_first(side: Side, first: int) -> None:
    slots = Slots()
    for price in (1000, 900, 1100):
        slots.open(side, price, price + 10).holding.lots = side.sign
    assert [slot.price for slot in slots.held(side)] == ([900, 1000, 1100] if first == 900 else [1100, 1000, 900])
    assert slots.held(side.other) == []


def test_a_level_that_is_forgotten_is_its_older_slots_again() -> None:
    slots = Slots()
    one, other = slots.open(Side.LONG, 1000, 1010), slots.open(Side.LONG, 900, 910)
    newer = slots.open(Side.LONG, 1000, 1020)
    assert slots.by_level[Side.LONG, 1000] is newer
    slots.forget(newer)
    assert slots.by_level == {(Side.LONG, 1000): one, (Side.LONG, 900): other}
    assert [slot.number for slot in slots.levels()] == [1, 2]


ATR = AtrConfig(Interval.M1, 3, PPM)
BTC = MARKET.symbol


def candle(number: int, low: int, high: int, close: int, *, symbol: str = BTC) -> CandleChanged:
    return CandleChanged(0, symbol, "1m", number * MINUTE, close, high, low, close, 1, closed=True)


def test_the_average_true_range_counts_whole_numbers_and_gaps() -> None:
    volatility = Volatility()
    taken = [volatility.take(ATR, BTC, candle(number, 100, 110, 105)) for number in (1, 2, 3)]
    assert taken == [True] * 3
    assert (volatility.average, volatility.missing(ATR, 4 * MINUTE)[:6]) == (None, "3 of 4")
    assert volatility.take(ATR, BTC, candle(4, 120, 121, 120))  # 16 from the close before
    assert volatility.average == 36 // 3
    assert volatility.take(ATR, BTC, candle(5, 119, 121, 120))
    assert volatility.average == (12 * 2 + 2) // 3
    assert isinstance(volatility.average, int)


@pytest.mark.parametrize(
    "wrong",
    [
        candle(4, 100, 110, 105),
        candle(5, 0, 110, 105),
        candle(5, 100, 110, 99),
        candle(5, 100, 110, 111),
        candle(5, 100, 110, 105, symbol="ETH/USDT:USDT"),
    ],
    ids=["old", "without a price", "below", "above", "of another"],
)
def test_a_candle_that_cannot_be_is_not_taken(wrong: CandleChanged) -> None:
    volatility = Volatility()
    volatility.take(ATR, BTC, candle(4, 1, 1, 1))
    before = replace(volatility)
    assert not volatility.take(ATR, BTC, wrong)
    assert volatility == before


def test_after_more_missing_candles_than_it_is_made_of_the_average_begins_anew() -> None:
    for gap, kept in ((3, True), (4, False)):
        volatility = Volatility()
        for number in range(1, 5):
            volatility.take(ATR, BTC, candle(number, 100, 110, 105))
        volatility.take(ATR, BTC, candle(4 + gap, 100, 110, 105))
        assert (volatility.average is not None) is kept


@pytest.mark.parametrize(("fee", "least"), [(0, 5), (1_000, 6), (200_000, 7)])
def test_on_spot_the_smallest_order_leaves_enough_to_sell_after_the_fee(fee: int, least: int) -> None:
    market = replace(MARKET, symbol="BTC/USDT", min_quantity=5, taker_fee_ppm=fee, maker_fee_ppm=0)
    for lots, phase in ((least - 1, Phase.HALTED), (least, Phase.RUNNING)):
        rig = Rig(replace(CONFIG, order_money=0, order_lots=lots), market=market)
        rig.equity(10**6)
        rig.price(1000)
        assert rig.engine.view().phase is phase
        if phase is Phase.HALTED:
            assert f"spec.order.baseSize must be at least 0.0{least}" in rig.engine.view().message


def test_a_position_that_is_adopted_fills_at_most_so_many_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(existing_position, "MOST_LEVELS", 3)
    rig = Rig(replace(CONFIG, existing_position=ExistingPosition.ADOPT))
    rig.feed(PositionFound(rig.now, 52, money(520)))
    rig.price(1000)
    assert {slot.price: slot.held for slot in rig.engine.view().slots if slot.held} == {1000: 10, 1010: 9, 1020: 33}


def test_what_is_said_of_a_feed_twice_is_kept_once() -> None:
    rig = trading()
    said = [(True, ""), (False, "gone"), (False, "gone"), (False, "still gone"), (True, ""), (True, "")]
    kept = []
    for healthy, message in said:
        rig.feed(FeedChanged(rig.now, "orders", healthy=healthy, message=message))
        kept.append(rig.engine.dirty)
    assert kept == [False, True, False, True, True, False]


def test_an_order_whose_fills_have_all_come_is_asked_about_no_more() -> None:
    rig = trading()
    client_id = rig.entry(1000)
    assert rig.engine.wake_at is None
    rig.report(client_id, OrderState.OPEN, 6)
    asked_at = rig.engine.wake_at
    assert asked_at is not None
    rig.fill(client_id, 4)
    assert rig.engine.wake_at == asked_at
    rig.fill(client_id, 2)
    assert rig.engine.wake_at is None


@pytest.mark.parametrize("stopped", [True, False])
def test_an_order_that_is_unwanted_or_in_doubt_is_asked_about_whatever_fills_come(stopped: bool) -> None:
    rig = trading()
    client_id = rig.entry(1000)
    if stopped:
        rig.configure(goal=Goal.STOP)
    else:
        rig.restart()
    rig.fill(client_id, 4)
    assert rig.engine.wake_at is not None


def test_a_cancel_that_fails_is_followed_by_a_question() -> None:
    rig = trading()
    rig.configure(goal=Goal.STOP)
    client_id = rig.engine.live_orders()[0]
    rig.feed(CancelFailed(rig.now, client_id, Remedy.RETRY, "not now"))
    looked_up = of_kind(LookUp, rig.wait(MINUTE))
    assert client_id in [action.client_id for action in looked_up]
