"""The engine: one bot's state machine over a log of events. See docs/architecture.md and docs/engine.md."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from opensqt.engine import barriers, existing_position, lifecycle, refusals, sizing, spacing, specification
from opensqt.engine.actions import Action, Place
from opensqt.engine.adoption import adopt
from opensqt.engine.alarms import check_safety, on_candle, on_candle_feed, on_clock, watch_breaker, watch_monitor
from opensqt.engine.config import DEFAULT_PRICE_AGE, DEFAULT_RECONCILE_INTERVAL, EngineConfig
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
    OrderReported,
    OrderState,
    PlaceFailed,
    PositionFound,
    PositionReported,
    PriceChanged,
    Started,
)
from opensqt.engine.funding import on_funding
from opensqt.engine.json_form import UnreadableError, from_json, to_json
from opensqt.engine.layout import shift_after
from opensqt.engine.market import Market
from opensqt.engine.orders import Stage
from opensqt.engine.planner import Planner
from opensqt.engine.prices import durable_bounds, on_price
from opensqt.engine.quiet import Band, next_wake, quiet_band
from opensqt.engine.reconciliation import on_account, on_booked, on_position
from opensqt.engine.slots import CLOSING
from opensqt.engine.state import PRICE_FEED, HaltReason, State, Turn, is_candle_feed
from opensqt.engine.status import view_of
from opensqt.engine.view import EngineView, OrderView
from opensqt.engine.winding_down import wind_down

SNAPSHOT_VERSION = 1
FAR = 2**62


def check_units(logged: object, market: Market) -> None:
    """Raises UnreadableError where the exchange's tick or lot is not what the log's integers are counted in."""
    if logged != market.units:
        raise UnreadableError(
            f"{market.symbol}: the journal is in ticks and lots of {logged}, the exchange has {market.units} now"
        )


class Engine:
    """Takes events, returns actions. No event makes it raise, whatever an exchange may say, in any order."""

    def __init__(self, market: Market, bot_uid: str) -> None:
        if market.tick_value <= 0:
            raise ValueError(f"{market.symbol}: tick size x lot size is below 10^-12 of the quote currency")
        self._market = market
        self._bot_uid = bot_uid
        self._state = State()
        self._kept_price = (0, 0)
        self._wake_at: int | None = None
        self._quiet_until = 0
        self._low: int | None = 0
        self._high: int | None = 0
        self._unseen: int | None = None
        """The time of the last event, where what comes next has still to be found out."""
        self.dirty = False
        """Whether the last event changed anything that must be durable."""

    def on(self, event: Event) -> list[Action]:
        """Takes one event; returns what must be done. Afterwards `dirty` says whether the event must be kept."""
        if type(event) is PriceChanged and self._is_quiet(event):
            self._state.last_price, self._state.price_time = event.price, event.time
            self.dirty = False
            return []
        turn = Turn(self._now(event.time), self._market, self._bot_uid, self._state)
        expected = self._is_expected(event, turn.now)
        self._take(turn, event)
        if not expected:
            self._plan(turn)
        return self._taken(turn, expected=expected)

    def _is_expected(self, event: Event, now: int) -> bool:
        """Whether it only says that a wanted order is open, as was counted on: no plan depends on that.

        A bot that starts with a thousand orders hears it a thousand times. Nothing becomes due earlier by it, so that
        what was known of `wake_at` holds until there is something else to do.
        """
        if type(event) is not OrderReported or event.state is not OrderState.OPEN:
            return False
        if self._wake_at is not None and self._wake_at <= now:
            self._look_ahead()
            if self._wake_at is not None and self._wake_at <= now:
                return False
        order = self._state.orders.live.get(event.client_id)
        return (
            order is not None
            and order.stage in {Stage.SUBMITTING, Stage.OPEN}
            and order.slot != CLOSING
            and not order.unwanted
            and event.filled == order.filled == order.reported
        )

    def adopt(self, places: Iterable[Place], now: int) -> None:
        """Makes orders that the log has, and this engine has not made, its own: they are looked up and cancelled."""
        turn = Turn(now, self._market, self._bot_uid, self._state)
        for place in places:
            adopt(turn, place)
        self._taken(turn)

    def _taken(self, turn: Turn, *, expected: bool = False) -> list[Action]:
        self._unseen = turn.now
        self.dirty = turn.changed
        if turn.changed:
            self._state.time = turn.now
            self._kept_price = (self._state.last_price, self._state.price_time)
        if not expected:
            self._look_ahead()
        return turn.actions

    def _look_ahead(self) -> None:
        """Finds out when, and at which prices, there is something to do next."""
        if self._unseen is None:
            return
        self._wake_at = next_wake(self._state, self._unseen)
        self._quiet_until = FAR if self._wake_at is None else self._wake_at
        self._low, self._high = quiet_band(self._state, self._market, self._unseen, self._kept_price[0])
        self._unseen = None

    @property
    def market(self) -> Market:
        """The exchange's rules as of the newest `Started` that has any."""
        return self._market

    def _now(self, time: int) -> int:
        """The time of an event, or the latest that is known where it comes late. Only what the log has too counts."""
        return max(time, self._state.time, self._state.price_time)

    def quiet_band(self) -> Band:
        """Prices (ticks) strictly between have no consequence if they come before `wake_at`; None is unbounded.

        (p, p): every price counts.
        """
        self._look_ahead()
        return self._low, self._high

    @property
    def wake_at(self) -> int | None:
        """When the engine wants a ClockTicked, in microseconds; None for never."""
        self._look_ahead()
        return self._wake_at

    @property
    def wants_position(self) -> bool:
        """Whether the account's position is to be told by PositionFound: the journal knows nothing of it yet."""
        return not (self._state.position_known or self._state.ledger.fills or self._state.slots.issued)

    @property
    def reconcile_interval(self) -> int:
        """Microseconds between two comparisons with what the exchange has."""
        return self._state.config.reconcile_interval if self._state.config else DEFAULT_RECONCILE_INTERVAL

    @property
    def max_price_age(self) -> int:
        """Microseconds after which a price is too old to trade by; the shell knows how old one is."""
        return self._state.config.max_price_age if self._state.config else DEFAULT_PRICE_AGE

    def live_orders(self) -> list[str]:
        """Client ids of all orders that are open, in flight or in doubt, oldest first."""
        return list(self._state.orders.live)

    def orders(self) -> list[OrderView]:
        """The orders of `live_orders`."""
        return [OrderView(order.place(), order.filled, order.seen) for order in self._state.orders.live.values()]

    @property
    def wound_down(self) -> bool:
        """Whether the goal was to stop or close, and nothing of this bot is left at the exchange."""
        return self._state.wound_down

    @property
    def funding_since(self) -> int:
        """Funding from this time on (microseconds) may not have been counted; 0 where none can be due yet."""
        return self._state.funding.last or self._state.funding.first_fill

    def view(self, *, slots: bool = True) -> EngineView:
        """What a status is made of, as of the last event; its slots are most of the work, and not always wanted."""
        return view_of(self._state, self._market, self._now(0), slots=slots)

    def snapshot(self) -> dict[str, Any]:
        """The whole state after the newest event that must be kept, as JSON-able data."""
        price, time = self._kept_price
        state = to_json(replace(self._state, last_price=price, price_time=time))
        units, market = self._market.units, to_json(self._market)
        return {"version": SNAPSHOT_VERSION, "units": units, "market": market, "state": state}

    @classmethod
    def restore(cls, market: Market, bot_uid: str, snapshot: dict[str, Any]) -> "Engine":
        """The engine whose snapshot this is. Raises UnreadableError, also where tick or lot size have changed since."""
        if snapshot.get("version") != SNAPSHOT_VERSION:
            raise UnreadableError(f"snapshot of version {snapshot.get('version')!r}, this one reads {SNAPSHOT_VERSION}")
        check_units(snapshot.get("units"), market)
        engine = cls(from_json(Market, snapshot["market"]) if "market" in snapshot else market, bot_uid)
        engine._state = state = from_json(State, snapshot.get("state"))
        if not state.barriers.reached:
            state.wanted = state.goal  # releases from before barriers did not say it
        if state.config is not None:  # nor did those that remembered as many orders for every spec
            state.orders.most = max(state.orders.most, state.config.max_open_orders)
        engine._kept_price = (state.last_price, state.price_time)
        engine._wake_at = next_wake(state, 0)
        engine._low = engine._high = state.last_price
        return engine

    def _is_quiet(self, event: PriceChanged) -> bool:
        if self._unseen is not None:
            self._look_ahead()
        if event.time >= self._quiet_until:
            return False
        return (self._low is None or self._low < event.price) and (self._high is None or event.price < self._high)

    # --- what an event says ---

    def _take(self, turn: Turn, event: Event) -> None:  # noqa: C901, PLR0912 - one case a kind of event
        match event:
            case PriceChanged():
                on_price(turn, event)
                low, high = durable_bounds(self._state, self._kept_price[0])
                turn.changed |= not (low is None or high is None or low < self._state.last_price < high)
            case OrderFilled():
                before = self._state.ledger.total.lots
                lifecycle.on_filled(turn, event)
                on_booked(turn, self._state.ledger.total.lots - before)
            case FundingPaid():
                on_funding(turn, event)
            case OrderReported():
                lifecycle.on_reported(turn, event)
            case PlaceFailed():
                refusals.on_place_failed(turn, event)
            case CancelFailed():
                refusals.on_cancel_failed(turn, event)
            case OrderNotFound():
                refusals.on_not_found(turn, event)
            case LookUpFailed():
                refusals.on_look_up_failed(turn, event)
            case AccountReported():
                on_account(turn, event)
            case PositionReported():
                on_position(turn, event)
            case FeedChanged():
                self._on_feed(turn, event)
            case Configured():
                specification.on_configured(turn, event)
            case Started():
                self._on_started(turn, event)
            case CandleChanged():
                on_candle(turn, event)
                spacing.on_candle(turn, event)
            case PositionFound():
                existing_position.on_found(turn, event)
            case ClockCompared():
                on_clock(turn, event)
            case ClockTicked():
                pass

    def _on_feed(self, turn: Turn, event: FeedChanged) -> None:
        state = self._state
        if is_candle_feed(event.feed):
            on_candle_feed(turn, event)
            return
        was_lost = event.feed in state.feeds_lost
        if event.healthy == (not was_lost) and state.feeds_lost.get(event.feed, "") == event.message:
            return
        turn.changed = True
        if not event.healthy:
            state.feeds_lost[event.feed] = event.message
            state.fresh &= event.feed != PRICE_FEED
            return
        if state.feeds_lost.pop(event.feed, None) is not None:
            if event.feed != PRICE_FEED:
                lifecycle.doubt_sent(turn)
            if state.halt == HaltReason.CREDENTIALS:
                specification.unhalt(turn)

    def _on_started(self, turn: Turn, event: Started) -> None:
        state = self._state
        if event.epoch <= state.epoch:
            return
        turn.changed = True
        if event.market is not None:
            self._market = turn.market = event.market
        state.epoch = event.epoch
        state.unchecked = True
        state.fresh = False
        state.feeds_lost.clear()
        for slot in state.slots.by_number.values():
            slot.refused = False
        specification.unhalt(turn)
        lifecycle.doubt_all(turn)

    # --- what follows from it ---

    def _plan(self, turn: Turn) -> None:
        state, config = self._state, self._state.config
        for order in list(state.orders.live.values()):
            if 0 < order.due <= turn.now:
                lifecycle.on_due(turn, order)
        if not state.epoch or config is None:
            return
        if state.last_price:
            watch_breaker(turn, config)
            sizing.follow(turn, config)
        watch_monitor(turn, config)
        spacing.follow(turn, config)
        check_safety(turn, config)
        if state.goal in {Goal.RUN, Goal.PAUSE}:
            self._follow_price(turn, config)
            barriers.watch(turn, config)
        if state.goal in {Goal.STOP, Goal.CLOSE}:
            wind_down(turn, config)
            return
        layout = state.layout
        existing_position.decide(turn, config, layout)
        if layout is not None:
            specification.check(turn, config, layout)
            Planner(turn, config, layout).run()

    def _follow_price(self, turn: Turn, config: EngineConfig) -> None:
        """What the price moves: the trigger, the anchor, a grid that trails."""
        state = self._state
        if not state.fresh:
            return
        was_waiting = state.trigger.waiting
        turn.changed |= state.trigger.follow(config, state.last_price)
        if state.trigger.waiting:
            return
        if was_waiting and config.trigger_price:
            turn.tell("Triggered", f"the price has come to {self._market.from_ticks(config.trigger_price)}")
        if not state.anchor:
            state.anchor, turn.changed = config.trigger_price or state.last_price, True
            if not config.bounded:
                turn.tell("Anchored", f"the grid's levels are counted from {self._market.from_ticks(state.anchor)}")
        if (layout := state.layout) and state.goal is Goal.RUN:
            shift = shift_after(config, layout, state.shift, state.last_price)
            turn.changed |= shift != state.shift
            state.shift = shift
