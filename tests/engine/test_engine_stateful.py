"""Random markets, faults, spec edits and restarts; what must always hold is checked after each step."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from opensqt.api.gridbot import Side
from opensqt.engine.actions import Action, Cancel, LookUp, Notify, OrderSide, Place
from opensqt.engine.client_id import parse
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import (
    CancelFailed,
    ClockTicked,
    Configured,
    Event,
    FeedChanged,
    Goal,
    LookUpFailed,
    OrderFilled,
    OrderNotFound,
    OrderState,
    PlaceFailed,
    PositionReported,
    PriceChanged,
    Remedy,
    Started,
)
from opensqt.engine.view import Phase
from tests.engine.random_specs import CONFIGS, MAX_ORDERS, MAX_POSITION
from tests.engine.rig import BOT_UID, MARKET, MINUTE, SECOND, Rig, closed_candle
from tests.engine.simulated_venue import DuplicateError, NothingToReduceError, RejectedError, SimulatedVenue, VenueOrder

LATEST = 1_900_000
"""A placement that timed out arrives at most so many microseconds later: less than the engine waits for it."""
PICKS = st.integers(0, 99)


def lots_of(orders: Iterable[VenueOrder], side: OrderSide) -> int:
    """What these orders may still buy or sell."""
    return sum(order.remaining for order in orders if order.place.side is side)


class GridMachine(RuleBasedStateMachine):
    """The engine, a venue, and the shell between them; every message may be late, lost, doubled or out of order."""

    side = Side.LONG

    @initialize(config=st.sampled_from(CONFIGS), min_quantity=st.sampled_from([1, 4]))
    def start(self, config: EngineConfig, min_quantity: int) -> None:
        self.market = replace(MARKET, min_quantity=min_quantity)
        self.rig = Rig(replace(config, side=self.side), market=self.market)
        self.venue = SimulatedVenue(self.market, 1000)
        self.transit: list[Action] = []
        self.late: list[tuple[int, Place]] = []
        self.counted: dict[str, OrderFilled] = {}
        self.snapshot: tuple[dict[str, Any], int] | None = None
        self.lost = False
        self.feed(PriceChanged(self.rig.now, 1000))

    # --- the shell ---

    def feed(self, event: Event) -> None:
        if isinstance(event, OrderFilled):
            self.counted[event.trade_id] = event
        self.transit += [action for action in self.rig.feed(event) if not isinstance(action, Notify)]

    def carry_out(self, action: Action) -> None:
        now = self.rig.now
        match action:
            case Place():
                self.do_place(action)
            case Cancel(client_id):
                if not self.venue.cancel(client_id, now):
                    self.feed(CancelFailed(now, client_id, Remedy.UNKNOWN_ORDER, "unknown"))
            case LookUp(client_id, since):
                order = self.venue.orders.get(client_id)
                traces = order or (self.venue.forgotten.get(client_id) if since else None)
                if order is not None:
                    self.feed(self.venue.state_of(order, now))
                for fill in traces.trades if traces else []:
                    self.feed(fill)
                if order is None:
                    self.feed(OrderNotFound(now, client_id, confirmed=since > 0))

    def do_place(self, place: Place) -> None:
        try:
            self.venue.place(place, self.rig.now)
        except DuplicateError:
            self.feed(PlaceFailed(self.rig.now, place.client_id, Remedy.DUPLICATE, "duplicate"))
        except RejectedError:
            self.feed(PlaceFailed(self.rig.now, place.client_id, Remedy.WOULD_CROSS, "would cross"))
        except NothingToReduceError:
            self.feed(PlaceFailed(self.rig.now, place.client_id, Remedy.FIX_REQUEST, "nothing to reduce"))

    def arrive(self, place: Place) -> None:
        """A placement that nobody waits for any more reaches the venue."""
        with suppress(DuplicateError, RejectedError, NothingToReduceError):
            self.venue.place(place, self.rig.now)

    # --- what may happen ---

    @rule(pick=PICKS)
    @precondition(lambda self: self.transit)
    def act(self, pick: int) -> None:
        self.carry_out(self.transit.pop(pick % len(self.transit)))

    @rule()
    def act_all(self) -> None:
        for _ in range(len(self.transit)):
            self.carry_out(self.transit.pop(0))

    @rule(pick=PICKS, arrives=st.sampled_from(["never", "now", "late"]))
    @precondition(lambda self: self.transit)
    def time_out(self, pick: int, arrives: str) -> None:
        """Nobody knows what became of a request."""
        action = self.transit.pop(pick % len(self.transit))
        now = self.rig.now
        match action:
            case Place():
                if arrives == "now":
                    self.arrive(action)
                elif arrives == "late":
                    self.late.append((now + LATEST, action))
                self.feed(PlaceFailed(now, action.client_id, Remedy.LOOK_UP, "timed out"))
            case Cancel(client_id):
                if arrives != "never":
                    self.venue.cancel(client_id, now)
                self.feed(CancelFailed(now, client_id, Remedy.LOOK_UP, "timed out"))
            case LookUp(client_id):
                self.feed(LookUpFailed(now, client_id, "timed out"))

    @rule(
        pick=PICKS,
        remedy=st.sampled_from([Remedy.RETRY, Remedy.BACK_OFF, Remedy.INSUFFICIENT_MARGIN, Remedy.FIX_REQUEST]),
    )
    @precondition(lambda self: self.transit)
    def refuse(self, pick: int, remedy: Remedy) -> None:
        action = self.transit.pop(pick % len(self.transit))
        now = self.rig.now
        match action:
            case Place(client_id) if client_id in self.venue.orders:
                self.carry_out(action)
            case Place(client_id):
                self.feed(PlaceFailed(now, client_id, remedy, "no", now + SECOND))
            case Cancel(client_id):
                self.feed(CancelFailed(now, client_id, remedy, "no", now + SECOND))
            case LookUp(client_id):
                self.feed(LookUpFailed(now, client_id, "no", now + SECOND))

    @rule(pick=PICKS)
    @precondition(lambda self: self.venue.messages and not self.lost)
    def hear(self, pick: int) -> None:
        """A message of the stream arrives, in any order."""
        self.feed(self.venue.messages.pop(pick % len(self.venue.messages)))

    @rule()
    @precondition(lambda self: not self.lost)
    def hear_all(self) -> None:
        messages, self.venue.messages = self.venue.messages, []
        for message in messages:
            self.feed(message)

    @rule(pick=PICKS)
    @precondition(lambda self: self.venue.messages and not self.lost)
    def hear_twice(self, pick: int) -> None:
        self.feed(self.venue.messages[pick % len(self.venue.messages)])

    @rule()
    def lose_stream(self) -> None:
        self.venue.messages.clear()
        self.lost = True
        self.feed(FeedChanged(self.rig.now, "orders", healthy=False, message="gone"))

    @rule()
    @precondition(lambda self: self.lost)
    def regain_stream(self) -> None:
        self.venue.messages.clear()
        self.lost = False
        self.feed(FeedChanged(self.rig.now, "orders", healthy=True))

    @rule(step=st.integers(-25, 25), silent=st.booleans())
    def move(self, step: int, silent: bool) -> None:
        price = max(900, self.venue.price + step)
        self.venue.move(price, self.rig.now)
        if not silent:
            self.feed(PriceChanged(self.rig.now, price))

    @rule(steps=st.lists(st.integers(-15, 15), min_size=3, max_size=12))
    def trade(self, steps: list[int]) -> None:
        """An undisturbed stretch."""
        for step in steps:
            self.move(step, silent=False)
            if not self.lost:
                self.hear_all()
            self.act_all()
            self.wait(SECOND)

    @rule(pick=PICKS, lots=st.integers(1, 5))
    @precondition(lambda self: self.venue.open_orders())
    def fill_partly(self, pick: int, lots: int) -> None:
        order = list(self.venue.open_orders().values())[pick % len(self.venue.open_orders())]
        self.venue.fill(order, min(lots, order.remaining), self.rig.now)

    @rule(pick=PICKS, would_cross=st.booleans())
    @precondition(lambda self: self.venue.open_orders())
    def end_by_venue(self, pick: int, would_cross: bool) -> None:
        order = list(self.venue.open_orders().values())[pick % len(self.venue.open_orders())]
        order.would_cross = would_cross
        self.venue.end(order, OrderState.CANCELLED, self.rig.now)

    @rule(pick=PICKS)
    def forget(self, pick: int) -> None:
        """The venue loses an order that it has shown, and says nothing."""
        shown = [order.place.client_id for order in self.rig.engine.orders() if order.known]
        shown = [client_id for client_id in shown if client_id in self.venue.open_orders()]
        if shown:
            self.venue.forget(shown[pick % len(shown)])

    @rule(microseconds=st.sampled_from([1, 400_000, SECOND, 3 * SECOND, 40 * SECOND]))
    def wait(self, microseconds: int) -> None:
        until = self.rig.now + microseconds
        while True:
            wakes = [time for time in (self.rig.engine.wake_at, *(due for due, _ in self.late)) if time is not None]
            wake = min(wakes, default=until + 1)
            if wake > until:
                break
            self.rig.now = max(self.rig.now, wake)
            for due, place in [item for item in self.late if item[0] <= self.rig.now]:
                self.late.remove((due, place))
                self.arrive(place)
            if (wake_at := self.rig.engine.wake_at) is not None and wake_at <= self.rig.now:
                self.feed(ClockTicked(self.rig.now))
        self.rig.now = until

    @rule(width=st.integers(0, 40), count=st.sampled_from([1, 3]))
    def candles(self, width: int, count: int) -> None:
        """Minutes that close: what spaces a grid by volatility. No request is on its way for so long."""
        for _ in range(count):
            self.act_all()
            open_time = self.rig.now // MINUTE * MINUTE
            self.wait(open_time + MINUTE - self.rig.now)
            close, half = self.venue.price, width // 2
            self.feed(closed_candle(MARKET, self.rig.now, open_time, close + half, close - half, close))

    @rule(config=st.sampled_from(CONFIGS), goal=st.sampled_from(Goal), token=st.sampled_from(["", "a", "b"]))
    def configure(self, config: EngineConfig, goal: Goal, token: str) -> None:
        self.rig.generation += 1
        config = replace(config, reset_token=token, side=self.side)
        self.feed(Configured(self.rig.now, self.rig.generation, goal, config))

    @rule()
    def keep_snapshot(self) -> None:
        self.snapshot = (self.rig.engine.snapshot(), len(self.rig.log))

    @rule(pick=PICKS, from_snapshot=st.booleans())
    def crash(self, pick: int, from_snapshot: bool) -> None:
        """The process dies with requests on their way and messages unheard; another instance starts from the log."""
        for place, action in enumerate(self.transit):
            fate = ("never", "now", "late")[(pick + place * place) % 3]
            match action:
                case Place() if fate == "now":
                    self.arrive(action)
                case Place() if fate == "late":
                    self.late.append((self.rig.now + LATEST, action))
                case Cancel(client_id) if fate == "now":
                    self.venue.cancel(client_id, self.rig.now)
        self.transit.clear()
        self.venue.messages.clear()
        self.lost = False
        snapshot, since = self.snapshot if from_snapshot and self.snapshot else (None, 0)
        epoch = self.rig.engine.view().epoch
        self.rig.forget_unlogged()
        self.rig.engine = self.rig.replayed(snapshot, since)
        self.feed(Started(self.rig.now, epoch + 1))

    @rule()
    def report_position(self) -> None:
        """The exchange's position is compared only when nothing can be on its way."""
        if not self.transit and not self.venue.messages and not self.late:
            self.feed(PositionReported(self.rig.now, self.venue.position))

    # --- what must hold ---

    @invariant()
    def no_more_than_one_order_a_slot(self) -> None:
        keys = [parse(BOT_UID, client_id) for client_id in self.venue_state().open_orders()]
        slots = [key.slot for key in keys if key is not None]
        assert len(slots) == len(keys) == len(set(slots))

    @invariant()
    def exposure_is_within_limits(self) -> None:
        orders = self.venue_state().open_orders().values()
        opening = [order for order in orders if not order.place.reduce_only]
        assert self.venue.position + lots_of(opening, OrderSide.BUY) <= MAX_POSITION
        assert lots_of(opening, OrderSide.SELL) - self.venue.position <= MAX_POSITION
        assert len(orders) <= MAX_ORDERS
        closing = [order for order in orders if order.place.reduce_only]
        if self.side is not Side.NEUTRAL:
            assert lots_of(closing, OrderSide.SELL) <= max(0, self.venue.position)
            assert lots_of(closing, OrderSide.BUY) <= max(0, -self.venue.position)

    @invariant()
    def position_is_the_sum_of_fills(self) -> None:
        lots = paid = fees = 0
        for fill in self.counted.values():
            sign = 1 if self.rig.places[fill.client_id].side is OrderSide.BUY else -1
            lots += sign * fill.lots
            paid += sign * self.market.notional(fill.price, fill.lots)
            fees += fill.fee
        view = self.rig.engine.view()
        assert view.position == lots == sum(slot.held for slot in view.slots) + self.spilled()
        assert view.fees == fees
        assert view.fills == len(self.counted)
        assert view.realised + view.unrealised == view.last_price * lots * self.market.tick_value - paid - fees

    def spilled(self) -> int:
        return self.rig.engine._state.slots.closing.holding.lots

    @invariant()
    def nothing_is_closed_that_is_not_held(self) -> None:
        if self.side is Side.LONG:
            assert self.venue_state().position >= 0
        if self.side is Side.SHORT:
            assert self.venue_state().position <= 0
        assert self.spilled() == 0

    @invariant()
    def a_stopped_bot_has_no_orders(self) -> None:
        if self.rig.engine.wound_down:
            assert not self.venue.open_orders()
            assert self.rig.engine.view().phase is Phase.STOPPED or self.rig.engine.view().phase is Phase.HALTED

    def venue_state(self) -> SimulatedVenue:
        return self.venue

    def teardown(self) -> None:
        """The world calms down: engine and venue agree, what is wanted is there, a stop leaves nothing."""
        if not hasattr(self, "rig"):
            return
        self.calm()
        self.configure(CONFIGS[0], Goal.RUN, "end")
        self.calm()
        view = self.rig.engine.view()
        assert view.position == self.venue.position
        assert set(self.rig.engine.live_orders()) == set(self.venue.open_orders())
        assert not view.breaker.open
        for slot in view.slots:
            enough = abs(slot.held) >= self.market.min_quantity
            near = slot.side.gain(slot.price, self.venue.price) >= 0
            assert not (enough and near) or slot.client_id or len(self.venue.open_orders()) == MAX_ORDERS
        replayed = self.rig.replayed()
        self.rig.forget_unlogged()
        assert replayed.snapshot() == self.rig.replayed(*(self.snapshot or (None, 0))).snapshot()
        assert replayed.view().position == view.position
        self.configure(CONFIGS[0], Goal.CLOSE, "end")
        self.calm()
        assert self.rig.engine.wound_down
        assert not self.venue.open_orders()
        assert self.venue.position == self.rig.engine.view().position
        assert abs(self.venue.position) < self.market.min_quantity

    def compare(self) -> None:
        """The shell asks now and then after orders that are not among the open ones."""
        for order in self.rig.engine.orders():
            if order.known and order.place.client_id not in self.venue.open_orders():
                self.carry_out(LookUp(order.place.client_id))

    def calm(self) -> None:
        if self.lost:
            self.regain_stream()
        for _ in range(60):
            self.compare()
            self.act_all()
            self.hear_all()
            self.wait(20 * SECOND)
            self.feed(PriceChanged(self.rig.now, self.venue.price))
            if not self.transit and not self.venue.messages and self.rig.engine.wake_at is None:
                return
        raise AssertionError(f"never calm: {self.transit} {self.rig.engine.wake_at} {self.rig.engine.view()}")


class ShortMachine(GridMachine):
    side = Side.SHORT


class NeutralMachine(GridMachine):
    side = Side.NEUTRAL


SETTINGS = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestLong, TestShort, TestNeutral = GridMachine.TestCase, ShortMachine.TestCase, NeutralMachine.TestCase
TestLong.settings = TestShort.settings = TestNeutral.settings = SETTINGS
