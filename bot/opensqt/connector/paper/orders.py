"""Orders and fills of the paper exchange in integers, and the resting orders of one market."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from opensqt.connector.paper.instrument import Instrument
from opensqt.connector.paper.tape import NEVER_ABOVE, NEVER_BELOW
from opensqt.connector.venue import Failure, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.engine.market import DUST, from_money


@dataclass(slots=True)
class PaperOrder:
    """`number` grows with time and is the venue's id; `price` is None for a market order; `step` is of the last change.

    `reason` says why the exchange ended the order by itself.
    """

    instrument: Instrument
    client_id: str
    number: int
    side: OrderSide
    price: int | None
    lots: int
    filled: int
    state: OrderState
    reduce_only: bool
    time_in_force: TimeInForce
    time_us: int
    step: int
    reason: str = ""

    def to_venue(self) -> VenueOrder:
        instrument = self.instrument
        return VenueOrder(
            symbol=instrument.symbol,
            client_id=self.client_id,
            venue_id=str(self.number),
            side=self.side,
            price=None if self.price is None else self.price * instrument.tick_size,
            quantity=self.lots * instrument.lot_size,
            filled=self.filled * instrument.lot_size,
            state=self.state,
            reduce_only=self.reduce_only,
            time_in_force=self.time_in_force,
            time_us=self.time_us,
            failure=Failure(Remedy.FIX_REQUEST, self.reason) if self.reason else None,
        )


@dataclass(frozen=True, slots=True)
class PaperFill:
    """`trade` grows with time; `fee` is money; where it was taken in base, `taken` in parts of a lot."""

    instrument: Instrument
    client_id: str
    trade: int
    side: OrderSide
    price: int
    lots: int
    fee: int
    maker: bool
    time_us: int
    step: int
    taken: int = 0

    def to_venue(self) -> VenueFill:
        instrument = self.instrument
        in_base = self.taken * instrument.lot_size / DUST
        return VenueFill(
            symbol=instrument.symbol,
            client_id=self.client_id,
            trade_id=str(self.trade),
            side=self.side,
            price=self.price * instrument.tick_size,
            quantity=self.lots * instrument.lot_size,
            fee=in_base.normalize() if self.taken else from_money(self.fee),
            fee_currency=instrument.base if self.taken else instrument.quote,
            maker=self.maker,
            time_us=self.time_us,
        )


class RestingOrders:
    """Open limit orders by price, then by number. An order that is open no more is forgotten when it comes up."""

    def __init__(self) -> None:
        self._buys: list[tuple[int, int, PaperOrder]] = []
        self._sells: list[tuple[int, int, PaperOrder]] = []
        self._gone = 0

    def add(self, order: PaperOrder) -> None:
        assert order.price is not None  # noqa: S101 - market orders never rest
        if order.side is OrderSide.BUY:
            heappush(self._buys, (-order.price, order.number, order))
        else:
            heappush(self._sells, (order.price, order.number, order))

    def forget(self) -> None:
        """Says that one of the orders is open no more."""
        self._gone += 1
        if self._gone > 64 and self._gone * 2 > len(self._buys) + len(self._sells):
            for heap in (self._buys, self._sells):
                heap[:] = [entry for entry in heap if entry[2].state is OrderState.OPEN]
                heapify(heap)
            self._gone = 0

    def best(self) -> tuple[int, int]:
        """The highest buy and the lowest sell price: no price strictly between them touches an order."""
        return self._best_buy(), self._best_sell()

    def touched(self, price: int) -> PaperOrder | None:
        """The first order that fills at `price`, still open; None where there is none."""
        if self._best_buy() >= price:
            return self._buys[0][2]
        if self._best_sell() <= price:
            return self._sells[0][2]
        return None

    def _best_buy(self) -> int:
        return -self._buys[0][0] if self._drop(self._buys) else NEVER_BELOW

    def _best_sell(self) -> int:
        return self._sells[0][0] if self._drop(self._sells) else NEVER_ABOVE

    def _drop(self, heap: list[tuple[int, int, PaperOrder]]) -> bool:
        """Drops what is open no more from the top; says whether anything is left."""
        while heap and heap[0][2].state is not OrderState.OPEN:
            heappop(heap)
            self._gone = max(0, self._gone - 1)
        return bool(heap)
