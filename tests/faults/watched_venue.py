"""An exchange in the test's hands that notes each breach of "exactly once" at the moment at which it happens."""

from decimal import Decimal

from opensqt.connector.venue import Failure, NewOrder, VenueOrder
from opensqt.engine.client_id import parse
from opensqt.engine.events import OrderState, Remedy
from tests.runtime.harness import UID
from tests.runtime.simulated_venue import SimulatedVenue


class WatchedVenue(SimulatedVenue):
    """`breaches` are what a bot did that it must never do."""

    def __init__(self, price: str = "40000") -> None:
        super().__init__(price)
        self.breaches: list[str] = []
        self.closed = ""
        """Why nothing may be placed now, where that is so."""

    def open_now(self) -> list[tuple[str, str, str, str]]:
        """Side, price, quantity and filled quantity of the orders in the market."""
        live = (order for order in self.orders.values() if order.state is OrderState.OPEN)
        return sorted((order.side, f"{order.price}", f"{order.quantity}", f"{order.filled}") for order in live)

    def _place(self, new: NewOrder) -> VenueOrder | Failure:
        """As an exchange does; a sound bot never has two orders in one slot, or at one price."""
        if self.closed:
            self.breaches.append(f"{new.client_id} was placed although {self.closed}")
        earlier = self.orders.get(new.client_id)
        if earlier is not None and (earlier.side, earlier.price, earlier.quantity) != (
            new.side,
            new.price,
            new.quantity,
        ):
            self.breaches.append(f"{new.client_id} is used for two different orders")
        if earlier is None:
            self._check_slot(new)
        if new.reduce_only and self.position <= 0 and earlier is None:
            return Failure(Remedy.FIX_REQUEST, "reduce_only: there is no position")
        return super()._place(new)

    def _check_slot(self, new: NewOrder) -> None:
        key = parse(UID, new.client_id)
        assert key is not None, new
        for order in self.orders.values():
            if order.state is not OrderState.OPEN:
                continue
            other = parse(UID, order.client_id)
            assert other is not None
            if (other.slot, order.side) == (key.slot, new.side) or (order.side, order.price) == (new.side, new.price):
                self.breaches.append(f"{new.client_id} joins {order.client_id}: {new.side} at {new.price}")

    def sold_short(self) -> bool:
        """Whether the position ever was below zero: this bot is long only."""
        held = Decimal(0)
        for fill in self.trades:
            held += fill.quantity if fill.side == "Buy" else -fill.quantity
            if held < 0:
                return True
        return False
