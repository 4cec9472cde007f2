"""Random markets, faults, spec edits and restarts; what must always hold is checked after each step.

`make test` plays some hundred of them, `make crash` thousands.
"""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from opensqt.api.gridbot import Side
from opensqt.engine.actions import LookUp, OrderSide
from opensqt.engine.client_id import parse
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import FeedChanged, Goal, PriceChanged
from opensqt.engine.market import DUST
from opensqt.engine.state import PRICE_FEED
from opensqt.engine.view import EngineView, Phase
from tests.engine.random_specs import BASE, MAX_ORDERS, MAX_POSITION
from tests.engine.random_world import RandomWorld
from tests.engine.rig import BOT_UID, SECOND
from tests.engine.simulated_venue import VenueOrder

FEW, THOUSANDS = 80, 2_000
"""Markets of each kind in `make test` and in `make crash`."""
STEPS = 60


def lots_of(orders: Iterable[VenueOrder], side: OrderSide) -> int:
    """What these orders may still buy or sell."""
    return sum(order.remaining for order in orders if order.place.side is side)


class GridMachine(RandomWorld):
    """A perpetual, long."""

    _seen: tuple[int, EngineView] | None = None

    def view(self) -> EngineView:
        """The engine's view, made once after each event."""
        events = len(self.rig.actions)
        if self._seen is None or self._seen[0] != events:
            self._seen = (events, self.rig.engine.view())
        return self._seen[1]

    @invariant()
    def no_more_than_one_order_a_slot(self) -> None:
        keys = [parse(BOT_UID, client_id) for client_id in self.venue.open_orders()]
        slots = [key.slot for key in keys if key is not None]
        assert len(slots) == len(keys) == len(set(slots))

    @invariant()
    def exposure_is_within_limits(self) -> None:
        """What is held and what may still be, whether the engine knows of it or not."""
        orders = list(self.venue.open_orders().values())
        assert len(orders) <= MAX_ORDERS
        if self.spot:
            assert self.venue.position + lots_of(orders, OrderSide.BUY) <= MAX_POSITION
            assert lots_of(orders, OrderSide.SELL) <= self.venue.position
            return
        opening = [order for order in orders if not order.place.reduce_only]
        assert self.venue.position + lots_of(opening, OrderSide.BUY) <= MAX_POSITION
        assert lots_of(opening, OrderSide.SELL) - self.venue.position <= MAX_POSITION
        if self.side is not Side.NEUTRAL:
            closing = [order for order in orders if order.place.reduce_only]
            assert lots_of(closing, OrderSide.SELL) <= max(0, self.venue.position)
            assert lots_of(closing, OrderSide.BUY) <= max(0, -self.venue.position)

    @invariant()
    def position_is_the_sum_of_fills_and_equity_accounts_for_every_cent(self) -> None:
        amount = paid = fees = 0
        for fill in self.counted.values():
            buys = self.rig.places[fill.client_id].side is OrderSide.BUY
            amount += fill.lots * DUST - fill.taken if buys else -fill.lots * DUST
            paid += self.market.notional(fill.price, fill.lots) * (1 if buys else -1)
            paid += 0 if fill.taken else fill.fee  # what was taken in base was not paid in quote
            fees += fill.fee
        funding = sum(payment.amount for payment in self.funding)
        view = self.view()
        assert view.position * DUST + view.dust == amount
        assert (view.fees, view.funding, view.fills) == (fees, funding, len(self.counted))
        assert (
            view.realised + view.unrealised
            == view.last_price * self.market.tick_value * amount // DUST - paid - funding
        )
        if not self.spot:
            assert view.position == sum(slot.held for slot in view.slots) + self.spilled()

    def spilled(self) -> int:
        return self.rig.engine._state.slots.closing.holding.lots

    @invariant()
    def nothing_is_closed_that_is_not_held(self) -> None:
        if self.side is Side.LONG:
            assert self.venue.amount >= 0
        if self.side is Side.SHORT:
            assert self.venue.amount <= 0
        assert self.spot or self.spilled() == 0

    @invariant()
    def a_stopped_bot_has_no_orders(self) -> None:
        if self.rig.engine.wound_down:
            assert not self.venue.open_orders()
            assert self.view().phase in {Phase.STOPPED, Phase.HALTED}

    def teardown(self) -> None:
        """The world calms down: engine and venue agree, what is wanted is there, a stop leaves nothing."""
        if not hasattr(self, "rig"):
            return
        self.calm(idle=False)
        self.configure(self.plain(), Goal.RUN)
        self.calm()
        view = self.rig.engine.view()
        assert view.position == self.venue.position
        assert set(self.rig.engine.live_orders()) == set(self.venue.open_orders())
        assert not view.breaker.open
        for slot in view.slots:
            enough = abs(slot.held) >= self.market.min_quantity
            worth = self.market.notional(slot.exit_price, abs(slot.held)) >= self.market.min_notional
            near = slot.side.gain(slot.price, self.venue.price) >= 0
            assert not (enough and worth and near) or slot.client_id or len(self.venue.open_orders()) == MAX_ORDERS
        self.check_replays()
        self.configure(self.plain(), Goal.CLOSE)
        self.calm()
        assert self.rig.engine.wound_down
        assert not self.venue.open_orders()
        assert self.venue.position == self.rig.engine.view().position
        left = abs(self.venue.position)
        too_few = left < self.market.min_quantity
        assert too_few or self.market.notional(self.venue.price, left) < self.market.min_notional

    def plain(self) -> EngineConfig:
        return replace(BASE, side=self.side, reset_token="end")  # noqa: S106 - a word that closes a breaker

    def check_replays(self) -> None:
        """From the start of the log and from a snapshot, the engine comes out the same."""
        replayed = self.rig.replayed()
        self.rig.forget_unlogged()
        assert replayed.snapshot() == self.rig.replayed(*(self.snapshot or (None, 0))).snapshot()
        assert replayed.view().position == self.rig.engine.view().position

    def compare(self) -> None:
        """The shell asks now and then after orders that are not among the open ones."""
        for order in self.rig.engine.orders():
            if order.known and order.place.client_id not in self.venue.open_orders():
                self.carry_out(LookUp(order.place.client_id))

    def calm(self, *, idle: bool = True) -> None:
        """Undisturbed time, until nothing is on its way; with `idle` until the engine waits for nothing either."""
        if self.lost:
            self.regain_stream()
        self.feed(FeedChanged(self.rig.now, PRICE_FEED, healthy=True))
        for _ in range(60):
            self.compare()
            self.act_all()
            self.hear_all()
            self.wait(20 * SECOND)
            self.feed(PriceChanged(self.rig.now, self.venue.price))
            if not self.transit and not self.venue.messages and self.rig.engine.wake_at is None:
                return
        assert not idle, f"never calm: {self.transit} {self.rig.engine.wake_at} {self.rig.engine.view()}"


class ShortMachine(GridMachine):
    side = Side.SHORT


class NeutralMachine(GridMachine):
    side = Side.NEUTRAL


class SpotMachine(GridMachine):
    spot = True


MACHINES = [GridMachine, ShortMachine, NeutralMachine, SpotMachine]
SETTINGS = settings(
    max_examples=FEW,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", MACHINES)
def test_what_must_always_hold_in_random_markets(machine: type[GridMachine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)


@pytest.mark.exhaustive
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("machine", MACHINES)
def test_what_must_always_hold_in_thousands_of_random_markets(machine: type[GridMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=THOUSANDS))
