"""The grid's rules once more, in plain Decimals and without a thought for speed: what the engine is checked against."""

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

ZERO = Decimal(0)


@dataclass
class NaiveGrid:
    """An arithmetic grid on an exchange where an order fills, wholly and at its price, when a price touches it.

    A long one buys at its levels and sells one interval above; a short one sells at its levels and buys one below.
    """

    interval: Decimal
    window: int
    quote_size: Decimal
    lot: Decimal
    fee: Decimal
    short: bool = False
    bounds: tuple[Decimal, Decimal] | None = None
    """Lowest and highest level."""
    trails: bool = False
    """Whether the bounds follow the price, both up and down."""
    middle: bool = False
    """Whether only levels on its own side of the first price are entered: half of a neutral grid."""
    anchor: Decimal | None = None
    last: Decimal = ZERO
    entries: dict[Decimal, Decimal] = field(default_factory=dict)
    held: dict[Decimal, Decimal] = field(default_factory=dict)
    paid: dict[Decimal, Decimal] = field(default_factory=dict)
    """For a short level: what was received for it, after the fee."""
    exits: set[Decimal] = field(default_factory=set)
    fills: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)
    realised: Decimal = ZERO
    fees: Decimal = ZERO

    def price(self, price: Decimal) -> None:
        if self.short:
            self.buy_back(price)
            self.sell_short(price)
        else:
            self.buy(price)
            self.sell(price)
        self.last = price
        self.anchor = self.anchor or (self.bounds[0] if self.bounds else price)
        if self.trails:
            self.trail()
        self.plan()

    def trail(self) -> None:
        assert self.bounds is not None
        low, high = self.bounds
        while self.last >= high + self.interval:
            low, high = low + self.interval, high + self.interval
        while self.last <= low - self.interval:
            low, high = low - self.interval, high - self.interval
        self.bounds = low, high
        for level in [level for level in self.entries if not self.allows(level)]:
            del self.entries[level]

    def allows(self, level: Decimal) -> bool:
        assert self.anchor is not None
        exit_level = level - self.interval if self.short else level + self.interval
        if self.bounds and not self.bounds[0] <= min(level, exit_level) <= max(level, exit_level) <= self.bounds[1]:
            return False
        return not self.middle or (level > self.anchor if self.short else level < self.anchor)

    def buy(self, price: Decimal) -> None:
        for level in sorted([level for level in self.entries if level >= price], reverse=True):
            quantity = self.filled("Buy", level, self.entries.pop(level))
            self.held[level] = quantity
            self.paid[level] = quantity * level * (1 + self.fee)
            self.plan()

    def sell(self, price: Decimal) -> None:
        for level in sorted(level for level in self.exits if level + self.interval <= price):
            self.exits.remove(level)
            at = level + self.interval
            quantity = self.filled("Sell", at, self.held.pop(level))
            self.realised += quantity * at * (1 - self.fee) - self.paid.pop(level)
            self.plan()

    def sell_short(self, price: Decimal) -> None:
        for level in sorted(level for level in self.entries if level <= price):
            quantity = self.filled("Sell", level, self.entries.pop(level))
            self.held[level] = quantity
            self.paid[level] = quantity * level * (1 - self.fee)
            self.plan()

    def buy_back(self, price: Decimal) -> None:
        for level in sorted([level for level in self.exits if level - self.interval >= price], reverse=True):
            self.exits.remove(level)
            at = level - self.interval
            quantity = self.filled("Buy", at, self.held.pop(level))
            self.realised += self.paid.pop(level) - quantity * at * (1 + self.fee)
            self.plan()

    def filled(self, side: str, price: Decimal, quantity: Decimal) -> Decimal:
        self.fills.append((side, price, quantity))
        self.fees += quantity * price * self.fee
        return quantity

    def plan(self) -> None:
        assert self.anchor is not None
        steps = ((self.last - self.anchor) / self.interval + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        grid_price = self.anchor + steps * self.interval
        if self.short:
            self.exits |= {level for level in self.held if level >= self.last - self.window * self.interval}
        else:
            self.exits |= {level for level in self.held if level <= self.last + self.window * self.interval}
        for step in range(self.window):
            level = grid_price + step * self.interval if self.short else grid_price - step * self.interval
            distance = level - self.last if self.short else self.last - level
            if level in self.entries or level in self.held or distance <= self.interval / 10 or not self.allows(level):
                continue
            farthest = max(self.entries, key=lambda entry: abs(entry - grid_price), default=level)
            if len(self.entries) >= self.window and abs(farthest - grid_price) > abs(level - grid_price):
                del self.entries[farthest]
            if len(self.entries) < self.window:
                lots = (self.quote_size / level / self.lot).to_integral_value(ROUND_FLOOR)
                self.entries[level] = lots * self.lot

    @property
    def position(self) -> Decimal:
        return sum(self.held.values(), ZERO) * (-1 if self.short else 1)

    @property
    def unrealised(self) -> Decimal:
        paid = sum(self.paid.values(), ZERO)
        return self.position * self.last + (paid if self.short else -paid)
