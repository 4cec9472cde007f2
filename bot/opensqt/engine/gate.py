"""The one gate that every order passes before it is placed, again or for the first time."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from opensqt.engine.actions import OrderSide
from opensqt.engine.client_id import Leg
from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.market import DUST, Market
from opensqt.engine.orders import Order
from opensqt.engine.side import Side
from opensqt.engine.state import HaltReason, State


class Closed(StrEnum):
    """Why the gate is closed."""

    NOT_STARTED = "NotStarted"
    NO_PRICE = "NoPrice"
    PRICE_SUSPECTED = "PriceSuspected"
    MONITOR_BLIND = "MonitorBlind"
    WAITING_FOR_CANDLES = "WaitingForCandles"
    HALTED = "Halted"
    FEED_LOST = "FeedLost"
    BACKING_OFF = "BackingOff"
    GOAL = "Goal"
    REFUSED = "Refused"
    UNSAFE = "Unsafe"
    POSITION_REFUSED = "PositionRefused"
    WAITING_FOR_TRIGGER = "WaitingForTrigger"
    BREAKER_OPEN = "BreakerOpen"
    MONITOR_TRIGGERED = "MonitorTriggered"
    MARGIN_LOCKED = "MarginLocked"
    OUTSIDE_WINDOW = "OutsideWindow"
    OUTSIDE_PRICE_BAND = "OutsidePriceBand"
    TOO_SMALL = "TooSmall"
    TOO_LARGE = "TooLarge"
    MAX_OPEN_ORDERS = "maxOpenOrders"
    MAX_POSITION = "maxPosition"
    MAX_NOTIONAL = "maxNotional"
    MAX_LEVERAGE = "maxLeverage"


ROOM = frozenset({Closed.MAX_OPEN_ORDERS, Closed.MAX_POSITION, Closed.MAX_NOTIONAL, Closed.MAX_LEVERAGE})
"""Reasons that go when other orders go."""


class Exposure:
    """The most that each side may come to hold, when its open entries fill: lots, money; and the number of orders.

    A side's worst case is all that its slots hold and all that its entries may add, whatever the other side does.
    """

    def __init__(self, lots: dict[Side, int], money: dict[Side, int], orders: int) -> None:
        self._lots = lots
        self._money = money
        self.orders = orders

    @classmethod
    def now(cls, state: State, market: Market, mark: int) -> "Exposure":
        """All that is held, valued at `mark`, and all that is live or in doubt."""
        amounts = dict.fromkeys(Side, 0)
        for slot in state.slots.by_number.values():
            if amount := slot.holding.amount:
                amounts[Side.of(amount)] += abs(amount)
        lots = {
            side: -(-amount // DUST) for side, amount in amounts.items()
        }  # the dust of many levels makes whole lots
        exposure = cls(lots, {side: market.notional(mark, held) for side, held in lots.items()}, 0)
        for order in state.orders.live.values():
            exposure.add(market, order)
        return exposure

    def later(self, state: State, market: Market) -> "Exposure":
        """What of this is left when all cancels are through."""
        exposure = self._copy()
        for order in state.orders.live.values():
            if order.unwanted:
                exposure.remove(market, order)
        return exposure

    def without(self, market: Market, order: Order) -> "Exposure":
        exposure = self._copy()
        exposure.remove(market, order)
        return exposure

    def add(self, market: Market, order: Order) -> None:
        self.orders += 1
        if order.leg is Leg.ENTRY:
            self._grow(order.slot_side, order.remaining, market.notional(order.price or 0, order.remaining))

    def remove(self, market: Market, order: Order) -> None:
        self.orders -= 1
        if order.leg is Leg.ENTRY:
            self._grow(order.slot_side, -order.remaining, -market.notional(order.price or 0, order.remaining))

    def reserve(self, side: Side, lots: int, money: int) -> None:
        """Counts an entry that is still to be placed."""
        self.orders += 1
        self._grow(side, lots, money)

    def lots(self, side: Side) -> int:
        return self._lots[side]

    def money(self, side: Side) -> int:
        return self._money[side]

    @property
    def most_lots(self) -> int:
        """Of the larger side."""
        return max(self._lots.values())

    @property
    def most_money(self) -> int:
        return max(self._money.values())

    def _grow(self, side: Side, lots: int, money: int) -> None:
        self._lots[side] += lots
        self._money[side] += money

    def _copy(self) -> "Exposure":
        return Exposure(dict(self._lots), dict(self._money), self.orders)


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate as it stands at one moment: each method says why it is closed, or None."""

    state: State
    config: EngineConfig
    market: Market
    now: int

    def reasons(self) -> Iterator[Closed]:
        """All that holds every entry back, in the order in which it is said."""
        yield from self._for_all_orders()
        yield from self._waiting()
        yield from self._unwelcome()

    def any_order(self) -> Closed | None:
        """For every order."""
        return next(self._for_all_orders(), None)

    def closing(self) -> Closed | None:
        """For the order that closes the position: that the exchange's halt is over, only trying shows."""
        tried = Closed.HALTED if self.state.halt == HaltReason.EXCHANGE else None
        return next((closed for closed in self._for_all_orders() if closed is not tried), None)

    def entries(self) -> Closed | None:
        """For every entry."""
        return next(self.reasons(), None)

    def unwelcome(self) -> Closed | None:
        """Why entries must not only wait but go, whatever else holds new ones back."""
        return next(self._unwelcome(), None)

    def _for_all_orders(self) -> Iterator[Closed]:
        state = self.state
        if not state.epoch:
            yield Closed.NOT_STARTED
        if state.halt:
            yield Closed.HALTED
        if state.feeds_lost:
            yield Closed.FEED_LOST
        if self.now < state.backing_off_until:
            yield Closed.BACKING_OFF

    def _waiting(self) -> Iterator[Closed]:
        """What holds new entries back and leaves those that are there."""
        if not self.state.fresh:
            yield Closed.NO_PRICE
        if self.state.suspect:
            yield Closed.PRICE_SUSPECTED
        if self.state.monitor_blind:
            yield Closed.MONITOR_BLIND
        if self.state.candles_missing:
            yield Closed.WAITING_FOR_CANDLES

    def _unwelcome(self) -> Iterator[Closed]:
        state = self.state
        if state.goal is not Goal.RUN:
            yield Closed.GOAL
        if state.refusal:
            yield Closed.REFUSED
        if state.findings:
            yield Closed.UNSAFE
        if state.found_lots and not state.position_known:
            yield Closed.POSITION_REFUSED
        if state.trigger.waiting:
            yield Closed.WAITING_FOR_TRIGGER
        if state.breaker.open:
            yield Closed.BREAKER_OPEN
        if state.monitor.triggered:
            yield Closed.MONITOR_TRIGGERED
        if self.now < state.margin_locked_until:
            yield Closed.MARGIN_LOCKED

    def entry(self, exposure: Exposure, side: Side, price: int, lots: int) -> Closed | None:
        """For this entry, beside all that is in `exposure`."""
        if closed := self.entries():
            return closed
        money = self.market.notional(price, lots)
        if lots < max(1, self.market.min_quantity) or money < self.market.min_notional:
            return Closed.TOO_SMALL
        if lots > self.market.at_most(lots):
            return Closed.TOO_LARGE
        if self._outside_band(side.entry, price, lots):
            return Closed.OUTSIDE_PRICE_BAND
        return self.too_much(exposure, side, orders=1, lots=lots, money=money)

    def exit(self, exposure: Exposure, side: Side, price: int, lots: int) -> Closed | None:
        """For a level's exit: it only reduces, so that no limit but its price and the number of orders holds it."""
        if closed := self.any_order():
            return closed
        if not self.state.fresh:
            return Closed.NO_PRICE
        if self.state.goal not in {Goal.RUN, Goal.PAUSE}:
            return Closed.GOAL
        if self._outside_band(side.exit, price, lots):
            return Closed.OUTSIDE_PRICE_BAND
        return Closed.MAX_OPEN_ORDERS if exposure.orders >= self.config.max_open_orders else None

    def allowed_price(self, side: OrderSide, price: int, lots: int) -> int:
        """This price (ticks), or that of the limit where the order would trade farther beyond the market: a better one.

        Only on the side on which an order takes is there such a limit; on the other it merely waits, as outer levels
        of a wide window do. A buy worth the exchange's smallest value at most is let be: lower it would not be taken.
        """
        last, ppm = self.state.last_price, self.config.max_price_deviation_ppm
        if not ppm or lots <= 0:
            return price
        if side is OrderSide.SELL:
            return max(price, -(-last * (PPM - ppm) // PPM))
        least = -(-self.market.min_notional // self.market.notional(1, lots))
        return min(price, max(last * (PPM + ppm) // PPM, least))

    def _outside_band(self, side: OrderSide, price: int, lots: int) -> bool:
        return price != self.allowed_price(side, price, lots)

    def too_much(
        self, exposure: Exposure, side: Side, *, orders: int = 0, lots: int = 0, money: int = 0
    ) -> Closed | None:
        """The first limit that would be passed with so much more on this side."""
        config, equity = self.config, self.state.equity
        if exposure.orders + orders > config.max_open_orders:
            return Closed.MAX_OPEN_ORDERS
        money += exposure.money(side)
        if 0 < config.max_position < exposure.lots(side) + lots:
            return Closed.MAX_POSITION
        if 0 < config.max_notional < money:
            return Closed.MAX_NOTIONAL
        if equity is not None and config.max_leverage * equity < money:
            return Closed.MAX_LEVERAGE
        return None
