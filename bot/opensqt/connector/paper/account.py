"""The account: balance, one-way positions, and the margin that positions and open orders take.

Cross margin. A market's margin is its largest possible exposure divided by its leverage: what it holds, or what it
would hold if all its buys, or all its sells, were filled; reduce-only orders take none.
On spot open buys take their money, and open sells their lots.
"""

from dataclasses import dataclass, field

from opensqt.connector.paper.instrument import Instrument
from opensqt.engine.actions import OrderSide
from opensqt.engine.market import DUST


@dataclass(slots=True)
class Holding:
    """One market's position: signed `lots`, their signed `cost` in ticks x lots; `last` price in ticks, 0 before any.

    `time_us` is of the last price. `buys` and `sells` are the open orders that are not reduce-only, in ticks x lots.
    On spot `dust` is held beside the lots, in parts of one, and `lots_on_sale` are those of open sells.
    `taken` is the margin taken, in money: `recount` after any change of cost, leverage and orders.
    Where orders fill in parts, `depth` are the lots that can still trade at the last price.
    """

    instrument: Instrument
    lots: int = 0
    cost: int = 0
    leverage: int = 1
    last: int = 0
    buys: int = 0
    sells: int = 0
    taken: int = 0
    time_us: int = 0
    dust: int = 0
    lots_on_sale: int = 0
    depth: int = 0

    def margin(self, buys: int = 0, sells: int = 0) -> int:
        """Money that the market takes, with these open orders more."""
        cost = self.cost
        if self.instrument.spot:
            return (self.buys + buys) * self.instrument.tick_value
        exposure = max(abs(cost), cost + self.buys + buys, self.sells + sells - cost)
        return -(-exposure * self.instrument.tick_value // self.leverage)

    def recount(self) -> int:
        """Counts the margin again; returns how much more it is."""
        before, self.taken = self.taken, self.margin()
        return self.taken - before

    @property
    def worth(self) -> int:
        """What the market adds to the equity: a position's profit, or on spot the base currency."""
        if self.instrument.spot:
            return (self.lots * DUST + self.dust) * self.last * self.instrument.tick_value // DUST
        return self.unrealised

    @property
    def unrealised(self) -> int:
        if self.instrument.spot:
            return self.worth - self.cost * self.instrument.tick_value
        return (self.lots * self.last - self.cost) * self.instrument.tick_value

    def reducible(self, side: OrderSide) -> int:
        """The lots that an order of this side can take off the position."""
        return max(0, -self.lots if side is OrderSide.BUY else self.lots)

    def tradable(self, lots: int) -> int:
        """So many of these lots can trade now."""
        return min(lots, self.depth) if self.instrument.fill_share else lots

    def exchange(self, side: OrderSide, price: int, lots: int, taken: int) -> int:
        """A trade on spot, of which the fee takes `taken` in parts of a lot; returns the money that it brings."""
        value = price * lots
        if side is OrderSide.BUY:
            self.cost += value
        else:
            self.cost -= self.cost * lots // self.lots
        sign = 1 if side is OrderSide.BUY else -1
        self.lots, self.dust = divmod(self.lots * DUST + self.dust + sign * lots * DUST - taken, DUST)
        self.recount()
        return -sign * value * self.instrument.tick_value

    def trade(self, side: OrderSide, price: int, lots: int) -> int:
        """Changes the position by a trade; returns the profit that it realises, before fees."""
        closing = min(lots, self.reducible(side))
        realised = 0
        if closing:
            signed = closing if self.lots > 0 else -closing
            cost = self.cost * closing // abs(self.lots)
            realised = (signed * price - cost) * self.instrument.tick_value
            self.lots -= signed
            self.cost -= cost
        opening = lots - closing if side is OrderSide.BUY else closing - lots
        self.lots += opening
        self.cost += opening * price
        self.recount()
        return realised


@dataclass(slots=True)
class PaperAccount:
    """`balance` is the wallet's: start + realised profit - fees - funding; on spot what trades bring."""

    balance: int
    holdings: dict[str, Holding] = field(default_factory=dict)
    _available: int | None = None

    @property
    def equity(self) -> int:
        return self.balance + sum(holding.worth for holding in self.holdings.values() if holding.lots or holding.dust)

    @property
    def available(self) -> int:
        """What is free for new orders; negative where losses have eaten into the margin."""
        if self._available is None:
            markets = self.holdings.values()
            profits = sum(market.unrealised for market in markets if market.lots and not market.instrument.spot)
            self._available = self.balance + profits - sum(market.taken for market in markets)
        return self._available

    def changed(self) -> None:
        """Must be called after any change of balance, price, position, leverage or open orders."""
        self._available = None

    def reserved(self, margin: int) -> None:
        """Instead of `changed`, after open orders that take this margin more."""
        if self._available is not None:
            self._available -= margin
