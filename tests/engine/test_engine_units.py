"""Ticks and lots: what leaves the engine is on the exchange's steps, and never more than was meant."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.gridbot import GridBotSpec
from opensqt.engine.actions import Place
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Configured, Goal
from opensqt.engine.market import DUST, Market, from_money, to_money
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, MARKET, Rig, of_kind

STEPS = st.sampled_from([Decimal(text) for text in ("1", "0.5", "0.1", "0.01", "0.001", "0.00001", "10")])
AMOUNTS = st.decimals(min_value=0, max_value=10**7, places=12, allow_nan=False, allow_infinity=False)


def market(tick: Decimal, lot: Decimal) -> Market:
    return Market("BTC/USDT:USDT", tick, lot, 1, 0, 0, 0)


@given(STEPS, STEPS, AMOUNTS)
def test_complaint_07_quantities_are_rounded_down_to_the_lot(tick: Decimal, lot: Decimal, amount: Decimal) -> None:
    there = market(tick, lot)
    quantity = there.from_lots(there.to_lots(amount))
    assert quantity % lot == 0
    assert 0 <= amount - quantity < lot
    assert there.from_ticks(there.to_ticks(amount)) <= amount <= there.from_ticks(there.to_ticks_up(amount))


@given(STEPS, AMOUNTS)
def test_complaint_07_what_a_fee_took_is_never_counted_too_small(lot: Decimal, fee: Decimal) -> None:
    there = market(Decimal(1), lot)
    counted = there.to_dust(fee) * lot / DUST
    assert 0 <= counted - fee <= lot / DUST


@settings(deadline=None)
@given(st.integers(10, 10**6), st.integers(1, 10**4), STEPS, STEPS)
def test_complaint_07_no_order_is_worth_more_than_the_spec_says(
    price: int, size: int, tick: Decimal, lot: Decimal
) -> None:
    there = market(tick, lot)
    rig = Rig(replace(CONFIG, order_money=to_money(Decimal(size))), market=there)
    for place in of_kind(Place, rig.price(price)):
        assert place.price is not None
        assert place.lots > 0
        assert from_money(there.notional(place.price, place.lots)) <= size


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("riskLimits", "maxPosition", "0.005"),
        ("riskLimits", "maxPriceDeviationPercent", "0.00005"),
        ("circuitBreaker", "maxDrawdownPercent", "0.00005"),
        ("circuitBreaker", "maxDailyLossPercent", "0.00005"),
        ("barriers", "takeProfitPrice", "0.5"),
        ("barriers", "stopLossPrice", "0.5"),
        ("grid", "triggerPrice", "0.5"),
    ],
)
def test_a_limit_that_would_be_rounded_off_is_refused_and_never_turned_off(part: str, name: str, value: str) -> None:
    """0 means off: less than a tick, a lot or a millionth must not come to that."""
    spec: dict[str, Any] = {
        "connectorRef": {"name": "paper"},
        "symbol": "BTC/USDT:USDT",
        "grid": {"spacing": {"arithmetic": "10"}, "buyWindow": 3},
        "order": {"quoteSize": "100"},
    }
    fits = EngineConfig.from_spec(GridBotSpec.model_validate(spec), MARKET)
    limited = GridBotSpec.model_validate(spec | {part: spec.get(part, {}) | {name: value}})
    rig = Rig(EngineConfig.from_spec(limited, MARKET))
    assert of_kind(Place, rig.price(1000)) == []
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.HALTED, "LimitTooSmall")
    assert view.message.startswith(f"spec.{part}.{name} would be 0 on BTC/USDT:USDT")
    assert rig.replayed().view() == view
    assert of_kind(Place, rig.feed(Configured(rig.now, 2, Goal.RUN, fits))) != []
