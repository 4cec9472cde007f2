"""In random markets: what the engine calls quiet has no consequence when it is looked at all the same."""

import copy
from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from opensqt.api.gridbot import Side
from opensqt.engine.actions import Notify
from opensqt.engine.engine import Engine
from opensqt.engine.events import PriceChanged
from tests.engine.random_world import RandomWorld
from tests.engine.rig import CONFIG, MARKET, Rig, money, placed

UNIMPORTANT = {"last_price", "price_time", "time", "slots"}
FAR = 10
"""Unbounded is looked at up to so many times the price."""


def consequences(engine: Engine, price: int, now: int) -> list[object]:
    """What a copy of the engine does at this price if it may not skip it, and what it remembers of it.

    That a spec does not fit market or balance any more may be found later: nothing is placed until then. So may that
    a slot is not needed any more.
    """
    looking = copy.deepcopy(engine)
    looking._quiet_until = 0
    actions = looking.on(PriceChanged(now, price))
    if looking._state.refusal or looking._state.findings:
        return [action for action in actions if not isinstance(action, Notify)]
    before, after = (each.snapshot()["state"] for each in (engine, looking))
    return [*actions, *(name for name in after if name not in UNIMPORTANT and before.get(name) != after[name])]


class QuietMachine(RandomWorld):
    careful = True

    @invariant()
    def a_quiet_price_has_no_consequence(self) -> None:
        if not hasattr(self, "rig"):
            return
        engine, now = self.rig.engine, self.rig.now
        low, high = engine.quiet_band()
        if engine.wake_at is not None and engine.wake_at <= now:
            return
        price = self.venue.price
        lowest = price // FAR if not low else low + 1
        highest = price * FAR if high is None else high - 1
        for price in {lowest, highest} if lowest <= highest else ():
            assert not consequences(engine, price, now), f"{price} within {low} and {high}"


class ShortMachine(QuietMachine):
    side = Side.SHORT


class NeutralMachine(QuietMachine):
    side = Side.NEUTRAL


class SpotMachine(QuietMachine):
    spot = True


SETTINGS = settings(max_examples=20, stateful_step_count=40, deadline=None, phases=[Phase.explicit, Phase.generate])


@pytest.mark.parametrize("machine", [QuietMachine, ShortMachine, NeutralMachine, SpotMachine])
def test_a_quiet_price_has_no_consequence(machine: type[QuietMachine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)


def test_a_spec_that_fits_the_market_at_another_price_trades_as_soon_as_the_price_is_there() -> None:
    rig = Rig(replace(CONFIG, order_money=0, order_lots=8), market=replace(MARKET, min_notional=money(50)))
    assert placed(rig.price(500)) == []
    assert "too small" in rig.engine.view().message
    rig.price(560)
    assert placed(rig.price(1000)) != []
