"""A random market around an engine: a venue, the shell between them, and all that can happen to them.

Every message may be late, lost, doubled or out of order; requests time out, are refused or arrive late; the process
dies and starts again from its log. What must hold all the while is in `test_engine_stateful`.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from opensqt.api.gridbot import Side
from opensqt.engine.actions import Action, Cancel, LookUp, Notify, OrderSide, Place
from opensqt.engine.breaker import Trip
from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.events import (
    AccountReported,
    CancelFailed,
    CandleChanged,
    ClockCompared,
    ClockTicked,
    Configured,
    Event,
    FeedChanged,
    FundingPaid,
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
from opensqt.engine.state import PRICE_FEED, candle_feed
from tests.engine.random_specs import MONITORED, edits, specs
from tests.engine.rig import MARKET, MINUTE, SECOND, Rig, closed_candle, money, of_kind
from tests.engine.simulated_venue import DuplicateError, NothingToReduceError, RejectedError, SimulatedVenue

LATEST = 1_900_000
"""A placement that timed out arrives at most so many microseconds later: less than the engine waits for it."""
PICKS = st.integers(0, 99)


class RandomWorld(RuleBasedStateMachine):
    """The engine, a venue, and the shell between them."""

    side = Side.LONG
    spot = False
    careful = False
    """Whether what is not kept is looked at for changes."""

    @initialize(data=st.data(), min_quantity=st.sampled_from([1, 4]), worth=st.sampled_from(["5", "50"]))
    def start(self, data: st.DataObject, min_quantity: int, worth: str) -> None:
        symbol = "BTC/USDT" if self.spot else MARKET.symbol
        self.market = replace(MARKET, symbol=symbol, min_quantity=min_quantity, min_notional=money(worth))
        self.rig = Rig(data.draw(specs(self.side)), market=self.market)
        self.rig.careful = self.careful
        self.venue = SimulatedVenue(self.market, 1000)
        self.transit: list[Action] = []
        self.late: list[tuple[int, Place]] = []
        self.counted: dict[str, OrderFilled] = {}
        self.funding: list[FundingPaid] = []
        self.snapshot: tuple[dict[str, Any], int] | None = None
        self.lost = False
        self.feed(AccountReported(self.rig.now, money(1000), money(1000)))
        self.feed(PriceChanged(self.rig.now, 1000))

    # --- the shell ---

    def feed(self, event: Event) -> None:
        if isinstance(event, OrderFilled):
            self.counted[event.trade_id] = event
        actions = self.rig.feed(event)
        self.check_prices(of_kind(Place, actions))
        self.transit += [action for action in actions if not isinstance(action, Notify)]

    def check_prices(self, places: list[Place]) -> None:
        """None may trade farther beyond the last price than the spec says, unless it is worth next to nothing."""
        last, ppm = self.rig.engine.view(slots=False).last_price, self.rig.config.max_price_deviation_ppm
        for place in places:
            if ppm and place.price is not None:
                beyond = place.price - last if place.side is OrderSide.BUY else last - place.price
                little = self.market.notional(place.price - 1, place.lots) < self.market.min_notional
                assert beyond * PPM <= ppm * last or (little and place.side is OrderSide.BUY)

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

    @rule(edit=edits(), goal=st.sampled_from([Goal.RUN, Goal.RUN, Goal.RUN, *Goal]))
    def edit(self, edit: Callable[[EngineConfig], EngineConfig], goal: Goal) -> None:
        self.configure(edit(self.rig.config), goal)

    @rule(goal=st.sampled_from(Goal))
    def set_goal(self, goal: Goal) -> None:
        """Pause, stop, close, or run again."""
        self.configure(self.rig.config, goal)

    def configure(self, config: EngineConfig, goal: Goal) -> None:
        self.rig.generation += 1
        self.rig.config = config
        self.feed(Configured(self.rig.now, self.rig.generation, goal, config))

    @rule(equity=st.sampled_from(["700", "1000", "1003", "2500"]))
    def report_account(self, equity: str) -> None:
        self.feed(AccountReported(self.rig.now, money(equity), money(equity)))

    @rule(amount=st.integers(-(10**12), 10**12))
    @precondition(lambda self: self.counted and not self.market.spot)
    def pay_funding(self, amount: int) -> None:
        """The account is this bot's alone: all of it counts, and once, however often it is told."""
        payment = FundingPaid(self.rig.now, f"F{len(self.funding)}", amount)
        self.funding.append(payment)
        self.feed(payment)

    @rule(pick=PICKS)
    @precondition(lambda self: self.funding)
    def pay_funding_twice(self, pick: int) -> None:
        self.feed(self.funding[pick % len(self.funding)])

    @rule(close=st.sampled_from([80, 100, 120]), loud=st.booleans(), closed=st.booleans())
    def candle(self, close: int, loud: bool, closed: bool) -> None:
        """Of the market that the monitor watches."""
        opened = self.rig.now // MINUTE * MINUTE - MINUTE * closed
        price, volume = money(close), money(9 if loud else 1)
        self.feed(CandleChanged(self.rig.now, MONITORED, "1m", opened, price, price, price, price, volume, closed))

    @rule(width=st.integers(0, 40), count=st.sampled_from([1, 3]))
    def candles(self, width: int, count: int) -> None:
        """Minutes that close: what spaces a grid by volatility. No request is on its way for so long."""
        for _ in range(count):
            self.act_all()
            open_time = self.rig.now // MINUTE * MINUTE
            self.wait(open_time + MINUTE - self.rig.now)
            close, half = self.venue.price, width // 2
            self.feed(closed_candle(self.market, self.rig.now, open_time, close + half, close - half, close))

    @rule(feed=st.sampled_from([PRICE_FEED, candle_feed("1m")]), healthy=st.booleans())
    def change_feed(self, feed: str, healthy: bool) -> None:
        self.feed(FeedChanged(self.rig.now, feed, healthy=healthy, message="" if healthy else "gone"))

    @rule(skew=st.sampled_from([0, 3 * SECOND]))
    def compare_clocks(self, skew: int) -> None:
        self.feed(ClockCompared(self.rig.now, skew))

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

    @rule(wait=st.sampled_from([0, 6 * SECOND]))
    def report_position(self, wait: int) -> None:
        """The position has a stream of its own, which may be ahead of that of the fills."""
        self.feed(PositionReported(self.rig.now, self.venue.position))
        self.wait(wait)
        self.feed(PositionReported(self.rig.now, self.venue.position))
        assert self.rig.engine.view(slots=False).breaker.reason != Trip.POSITION_DIVERGENCE, "nobody else has traded"
