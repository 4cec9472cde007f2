"""The paper exchange's rules once more, as plainly as they can be said: exact fractions, lists, no shortcuts."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class ReferenceOrder:
    client_id: str
    side: int
    """1 buys, -1 sells."""
    price: int | None
    lots: int
    reduce_only: bool = False
    time_in_force: str = "GTC"
    filled: int = 0

    @property
    def left(self) -> int:
        return self.lots - self.filled


@dataclass
class ReferenceExchange:
    """One market, tick and lot 1. `trades` are (client id, side, price, lots, maker).

    `depth` are the lots that can still trade at the last price; None where any number can.
    """

    balance: Fraction
    leverage: int
    maker_fee: Fraction
    taker_fee: Fraction
    min_notional: int
    last: int = 0
    depth: int | None = None
    position: int = 0
    cost: Fraction = Fraction(0)
    resting: list[ReferenceOrder] = field(default_factory=list)
    trades: list[tuple[str, int, int, int, bool]] = field(default_factory=list)

    def equity(self) -> Fraction:
        return self.balance + self.position * self.last - self.cost

    def margin(self, more: ReferenceOrder | None = None, at: int = 0) -> Fraction:
        orders = [(order.side, order.price or 0, order.left) for order in self.resting if not order.reduce_only]
        if more is not None:
            orders.append((more.side, at, more.lots))
        buys = sum(price * lots for side, price, lots in orders if side == 1)
        sells = sum(price * lots for side, price, lots in orders if side == -1)
        return Fraction(max(abs(self.cost), self.cost + buys, sells - self.cost)) / self.leverage

    def place(self, order: ReferenceOrder) -> str:
        takes = order.price is None or (order.price >= self.last if order.side == 1 else order.price <= self.last)
        refusal = self._refusal(order, takes=takes)
        if refusal is not None:
            return refusal
        state = self._fill(order, self.last, maker=False) if takes else "Open"
        if state == "Open":
            if order.price is None or order.time_in_force == "IOC":
                return "Expired"
            self.resting.append(order)
        return state

    def _refusal(self, order: ReferenceOrder, *, takes: bool) -> str | None:
        if takes and order.time_in_force == "PostOnly":
            return "FixRequest" if order.price is None else "WouldCross"
        if order.reduce_only:
            return "FixRequest" if self.position * order.side >= 0 else None
        at = self.last if takes or order.price is None else order.price
        if order.lots * at < self.min_notional:
            return "FixRequest"
        needed = self.margin(order, at) - self.margin()
        if needed > 0 and takes:
            needed += at * order.lots * self.taker_fee
        return "InsufficientMargin" if needed > 0 and needed > self.equity() - self.margin() else None

    def cancel(self, client_id: str) -> str:
        for order in self.resting:
            if order.client_id == client_id:
                self.resting.remove(order)
                return "Cancelled"
        return "UnknownOrder"

    def play(self, price: int, depth: int | None = None) -> None:
        self.last, self.depth = price, depth
        touched = [o for o in self.resting if o.price is not None and (o.price - price) * o.side >= 0]
        # The best price first, then the oldest: they stand in the order in which they came.
        for order in sorted(touched, key=lambda order: -(order.price or 0) * order.side):
            if self.depth == 0:
                break
            if self._fill(order, order.price or 0, maker=True) != "Open":
                self.resting.remove(order)

    def _fill(self, order: ReferenceOrder, price: int, *, maker: bool) -> str:
        lots = order.left
        if order.reduce_only:
            lots = min(lots, max(0, -order.side * self.position))
        ends = lots < order.left
        if self.depth is not None:
            ends = ends and lots <= self.depth
            lots = min(lots, self.depth)
            self.depth -= lots
        order.filled += lots
        if lots:
            closing = min(lots, max(0, -order.side * self.position))
            if closing:
                share = self.cost * closing / abs(self.position)
                share = Fraction(share.numerator // share.denominator)
                self.balance += -order.side * closing * price - share
                self.cost -= share
                self.position += order.side * closing
            self.position += order.side * (lots - closing)
            self.cost += order.side * (lots - closing) * price
            self.balance -= price * lots * (self.maker_fee if maker else self.taker_fee)
            self.trades.append((order.client_id, order.side, price, lots, maker))
        if not order.left:
            return "Filled"
        return "Expired" if ends else "Open"
