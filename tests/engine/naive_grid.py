"""The grid's rules once more, in plain Decimals and without a thought for speed: what the engine is checked against."""

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

ZERO = Decimal(0)


@dataclass
class NaiveGrid:
    """An arithmetic long grid on an exchange where an order fills, wholly and at its price, when a price touches it."""

    interval: Decimal
    window: int
    quote_size: Decimal
    lot: Decimal
    fee: Decimal
    anchor: Decimal | None = None
    last: Decimal = ZERO
    buys: dict[Decimal, Decimal] = field(default_factory=dict)
    held: dict[Decimal, Decimal] = field(default_factory=dict)
    paid: dict[Decimal, Decimal] = field(default_factory=dict)
    selling: set[Decimal] = field(default_factory=set)
    fills: list[tuple[str, Decimal, Decimal]] = field(default_factory=list)
    realised: Decimal = ZERO
    fees: Decimal = ZERO

    def price(self, price: Decimal) -> None:
        for level in sorted([level for level in self.buys if level >= price], reverse=True):
            quantity = self.buys.pop(level)
            self.fills.append(("Buy", level, quantity))
            self.fees += quantity * level * self.fee
            self.held[level] = quantity
            self.paid[level] = quantity * level * (1 + self.fee)
            self.plan()
        for level in sorted(level for level in self.selling if level + self.interval <= price):
            self.selling.remove(level)
            quantity, at = self.held.pop(level), level + self.interval
            self.fills.append(("Sell", at, quantity))
            self.fees += quantity * at * self.fee
            self.realised += quantity * at * (1 - self.fee) - self.paid.pop(level)
            self.plan()
        self.last = price
        self.anchor = self.anchor or price
        self.plan()

    def plan(self) -> None:
        assert self.anchor is not None
        steps = ((self.last - self.anchor) / self.interval + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        grid_price = self.anchor + steps * self.interval
        self.selling |= {level for level in self.held if level <= self.last + self.window * self.interval}
        for step in range(self.window):
            level = grid_price - step * self.interval
            if level in self.buys or level in self.held or level >= self.last - self.interval / 10:
                continue
            while len(self.buys) >= self.window and min(self.buys) < level:
                del self.buys[min(self.buys)]
            if len(self.buys) < self.window:
                lots = (self.quote_size / level / self.lot).to_integral_value(ROUND_FLOOR)
                self.buys[level] = lots * self.lot

    @property
    def position(self) -> Decimal:
        return sum(self.held.values(), ZERO)

    @property
    def unrealised(self) -> Decimal:
        return self.position * self.last - sum(self.paid.values(), ZERO)
