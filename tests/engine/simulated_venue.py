"""An exchange in memory that the stateful test delays, interrupts and doubts."""

from dataclasses import dataclass, field

from opensqt.engine.actions import OrderSide, Place, TimeInForce
from opensqt.engine.events import OrderFilled, OrderReported, OrderState
from opensqt.engine.market import DUST, Market

SPOT_FEE_PPM = 1_000


@dataclass
class VenueOrder:
    place: Place
    state: OrderState = OrderState.OPEN
    filled: int = 0
    would_cross: bool = False
    trades: list[OrderFilled] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return self.place.lots - self.filled


class DuplicateError(Exception):
    """The id is taken."""


class RejectedError(Exception):
    """Post-only, but it would take."""


class NothingToReduceError(Exception):
    """Reduce-only, but there is no position that it would reduce."""


class SimulatedVenue:
    """Orders by client id, and the messages that they cause, oldest first."""

    def __init__(self, market: Market, price: int) -> None:
        self.market = market
        self.price = price
        self.orders: dict[str, VenueOrder] = {}
        self.placements: dict[str, Place] = {}
        self.messages: list[OrderReported | OrderFilled] = []
        self.forgotten: dict[str, VenueOrder] = {}
        self.amount = 0
        """What is held, in parts of a lot (`DUST`)."""
        self._trades = 0

    @property
    def position(self) -> int:
        """The whole lots that are held, signed."""
        return self.amount // DUST

    def open_orders(self) -> dict[str, VenueOrder]:
        return {client_id: order for client_id, order in self.orders.items() if order.state is OrderState.OPEN}

    def place(self, place: Place, now: int) -> None:
        assert self.placements.setdefault(place.client_id, place) == place, "an id came with another order"
        if place.client_id in self.orders:
            raise DuplicateError
        crosses = place.price is not None and (
            place.price >= self.price if place.side is OrderSide.BUY else place.price <= self.price
        )
        if crosses and place.time_in_force is TimeInForce.POST_ONLY:
            raise RejectedError
        self._check(place)
        if place.reduce_only and not self.reducible(place):
            raise NothingToReduceError
        order = self.orders[place.client_id] = VenueOrder(place)
        self.report(order, now)
        if place.price is None or crosses:
            self.fill(order, order.remaining, now, price=self.price)
        if place.time_in_force is TimeInForce.IOC and order.state is OrderState.OPEN:
            self.end(order, OrderState.CANCELLED, now)

    def _check(self, place: Place) -> None:
        """What an exchange refuses, and a sound bot never asks for."""
        assert place.lots >= self.market.min_quantity
        if place.price is not None and not place.reduce_only:
            assert self.market.notional(place.price, place.lots) >= self.market.min_notional
        if self.market.spot and place.side is OrderSide.SELL:
            promised = sum(o.remaining for o in self.open_orders().values() if o.place.side is OrderSide.SELL)
            assert promised + place.lots <= self.position, "it sells what it does not have"

    def cancel(self, client_id: str, now: int) -> bool:
        """Whether there was something to cancel."""
        order = self.orders.get(client_id)
        if order is None or order.state is not OrderState.OPEN:
            return False
        self.end(order, OrderState.CANCELLED, now)
        return True

    def forget(self, client_id: str) -> None:
        """It has no order of this id any more; trades stay known, and so do messages that are on their way."""
        self.forgotten[client_id] = self.orders.pop(client_id)

    def fill(self, order: VenueOrder, lots: int, now: int, *, price: int | None = None) -> None:
        place = order.place
        at = price if price is not None else place.price
        assert at is not None
        wanted = lots
        if place.reduce_only:
            lots = min(lots, self.reducible(place))
        if lots:
            self._trades += 1
            fee = self.market.notional(at, lots) * (-50 if self._trades % 5 == 0 else 333) // 1_000_003
            taken = 0
            if self.market.spot and place.side is OrderSide.BUY:
                fee = self.market.notional(at, lots) * SPOT_FEE_PPM // 10**6
                taken = lots * DUST * SPOT_FEE_PPM // 10**6
            fill = OrderFilled(now, place.client_id, f"T{self._trades}", at, lots, fee, maker=True, taken=taken)
            order.trades.append(fill)
            order.filled += lots
            self.amount += lots * DUST - taken if place.side is OrderSide.BUY else -lots * DUST
            self.messages.append(fill)
        if not order.remaining:
            self.end(order, OrderState.FILLED, now)
        elif lots < wanted:
            self.end(order, OrderState.EXPIRED, now)
        elif lots:
            self.report(order, now)

    def reducible(self, place: Place) -> int:
        return max(0, self.position if place.side is OrderSide.SELL else -self.position)

    def end(self, order: VenueOrder, state: OrderState, now: int) -> None:
        order.state = state
        self.report(order, now)

    def report(self, order: VenueOrder, now: int) -> None:
        self.messages.append(self.state_of(order, now))

    def state_of(self, order: VenueOrder, now: int) -> OrderReported:
        return OrderReported(now, order.place.client_id, order.state, order.filled, order.would_cross)

    def move(self, price: int, now: int) -> None:
        """The price goes there, filling all that it touches."""
        self.price = price
        for order in list(self.open_orders().values()):
            level = order.place.price
            assert level is not None
            if (price <= level) if order.place.side is OrderSide.BUY else (price >= level):
                self.fill(order, order.remaining, now)
