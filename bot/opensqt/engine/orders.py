"""Orders that are not known to be finished, and what they may still do to the position."""

from dataclasses import dataclass, field
from enum import StrEnum

from opensqt.engine.actions import OrderSide, Place, TimeInForce
from opensqt.engine.client_id import Leg
from opensqt.engine.side import Side


class Stage(StrEnum):
    SUBMITTING = "SUBMITTING"
    """Sent; the exchange has not answered yet."""
    WAITING = "WAITING"
    """The exchange does not have it; it is sent again, under the same id, or given up."""
    OPEN = "OPEN"
    SETTLING = "SETTLING"
    """Over, but fills that the exchange speaks of have not arrived."""


@dataclass(slots=True)
class Order:
    """One order: price in ticks (None at market), quantities in lots, times in microseconds."""

    client_id: str
    slot: int
    leg: Leg
    side: OrderSide
    price: int | None
    lots: int
    time_in_force: TimeInForce
    may_open: bool = False
    """An exit that is not reduce-only: on spot, or where the other side of a neutral grid holds something too."""
    stage: Stage = Stage.SUBMITTING
    seen: bool = False
    """The exchange has had it."""
    unwanted: bool = False
    """It is to be cancelled; the cancel is sent once the exchange is known to have it."""
    doubt: bool = False
    """Nobody knows what it is: a look-up decides."""
    doubtful: bool = False
    """Some sending of it may still be on its way to the exchange."""
    absent_since: int = 0
    """When the exchange first said that it does not have it; 0 for never, or not since it was last in doubt."""
    absent: bool = False
    """The exchange has said so again, late enough to be believed."""
    sent: int = 0
    """When it was first sent."""
    due: int = 0
    """When it is looked up, or sent again; 0 for never."""
    tries: int = 0
    filled: int = 0
    settled: int = 0
    """Filled when it was taken for over: one that was lost may come back, and is over once more."""
    reported: int = 0
    """Filled, as the exchange says; fills up to it are still to come."""
    taken: int = 0
    """What fees have taken of it, in parts of a lot."""
    realised: int = 0
    rejected: bool = False
    would_cross: bool = False
    over_since: int = 0
    """When it was first heard that it is over, while fills are missing."""
    unsettled: bool = False
    """They have been missing for so long that people were told."""
    trades: list[str] = field(default_factory=list)
    """Ids of the trades counted."""

    @property
    def remaining(self) -> int:
        return max(0, self.lots - self.filled)

    @property
    def slot_side(self) -> Side:
        """The side of the slot whose order this is."""
        return Side.LONG if (self.side is OrderSide.BUY) == (self.leg is Leg.ENTRY) else Side.SHORT

    @property
    def reduce_only(self) -> bool:
        return self.leg is Leg.EXIT and not self.may_open

    @property
    def denied(self) -> bool:
        """The exchange has had it, and goes on saying that it does not know it: only people can find out why."""
        return self.seen and self.absent

    @property
    def partial(self) -> bool:
        return 0 < self.filled < self.lots

    def passed_by(self, price: int) -> bool:
        """Whether the last price is beyond the order's own, so that it should have been filled."""
        if self.price is None:
            return False
        return price < self.price if self.side is OrderSide.BUY else price > self.price

    def place(self) -> Place:
        return Place(self.client_id, self.side, self.price, self.lots, self.reduce_only, self.time_in_force)


@dataclass(slots=True)
class Orders:
    """Live orders by client id, oldest first; the newest that were given up without ever having been seen; and the
    newest that ended before they were filled, of which a late fill may still come.
    """

    live: dict[str, Order] = field(default_factory=dict)
    given_up: list[Order] = field(default_factory=list)
    ended: list[Order] = field(default_factory=list)
    most: int = 100
    """How many may be live at once. All of them may end, or be given up, by one breakdown, and be heard of again."""

    def entries(self) -> list[Order]:
        return [order for order in self.live.values() if order.leg is Leg.ENTRY]

    def exits(self) -> list[Order]:
        return [order for order in self.live.values() if order.leg is Leg.EXIT]

    def remember(self, order: Order) -> None:
        """Keeps an order that was given up for a while: it must not come back as a stranger."""
        self.given_up = [*self.given_up, order][-2 * self.most :]

    def end(self, order: Order) -> None:
        """Takes an order that is over out of the live ones; what it did not fill may still be told of."""
        self.live.pop(order.client_id, None)
        if order.seen and order.remaining:
            self.ended = [*self.ended, order][-self.most :]

    def ended_early(self, client_id: str) -> Order | None:
        return next((order for order in self.ended if order.client_id == client_id), None)

    @property
    def remembered_slots(self) -> set[int]:
        """Numbers of the slots that an order belongs to, or may still come back to; a slot does not know of all."""
        return {order.slot for order in (*self.live.values(), *self.given_up, *self.ended)}

    def revive(self, client_id: str) -> Order | None:
        """An order that was given up and turned up after all: it is live again, to be cancelled."""
        for order in self.given_up:
            if order.client_id == client_id:
                self.given_up.remove(order)
                order.unwanted, order.rejected, order.stage = True, False, Stage.SUBMITTING
                self.live[client_id] = order
                return order
        return None
