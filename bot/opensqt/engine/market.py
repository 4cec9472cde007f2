"""A symbol in integers: prices in ticks, quantities in lots, money in 10^-12 of the quote currency."""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

DUST = 10**12
"""Parts of one lot, in which what fees in base currency leave of it is kept."""
MONEY_SCALE = 10**12
"""Units of money in one unit of quote currency: exact for every tick x lot and fee that the five exchanges have."""


def to_money(amount: Decimal) -> int:
    """Money for an amount of quote currency, rounded to the nearest unit."""
    return int((amount * MONEY_SCALE).to_integral_value())


def from_money(money: int) -> Decimal:
    """The amount of quote currency, exact."""
    return (Decimal(money) / MONEY_SCALE).normalize()


@dataclass(frozen=True, slots=True)
class Market:
    """The exchange's rules for one symbol.

    Quantities are in lots, `min_notional` in money, fees are parts per 10^6 of the notional; what is largest is 0 where
    the exchange does not say. It is kept in the log, with `Started`: a new field needs a default.
    """

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: int
    min_notional: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    max_quantity: int = 0
    """Of a limit order."""
    max_market_quantity: int = 0
    max_leverage: int = 0
    tick_value: int = field(init=False, repr=False)
    """Money that one lot costs at a price of one tick."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tick_value", to_money(self.tick_size * self.lot_size))

    @property
    def spot(self) -> bool:
        """Whether base currency itself is held: no leverage, no shorts, nothing that only reduces."""
        return ":" not in self.symbol

    @property
    def units(self) -> list[str]:
        """What the log's integers stand for: it can be read on only while these stay the same."""
        return [self.symbol, f"{self.tick_size.normalize():f}", f"{self.lot_size.normalize():f}"]

    def at_most(self, lots: int, *, market_order: bool = False) -> int:
        """As many of these lots as one order may have."""
        most = (market_order and self.max_market_quantity) or self.max_quantity
        return min(lots, most) if most else lots

    def notional(self, price: int, lots: int) -> int:
        """Money for `lots` at `price` ticks."""
        return price * lots * self.tick_value

    def to_ticks(self, price: Decimal) -> int:
        """The price in ticks, rounded down to one."""
        return int((price / self.tick_size).to_integral_value(ROUND_FLOOR))

    def to_ticks_up(self, price: Decimal) -> int:
        """The price in ticks, rounded up to one."""
        return -self.to_ticks(-price)

    def to_dust(self, quantity: Decimal) -> int:
        """The quantity in parts of a lot (`DUST`), rounded up: never less than was taken."""
        return int((quantity * DUST / self.lot_size).to_integral_value(ROUND_CEILING))

    def to_lots(self, quantity: Decimal) -> int:
        """The quantity in lots, rounded down to one: never more than was meant."""
        return int((quantity / self.lot_size).to_integral_value(ROUND_FLOOR))

    def from_ticks(self, ticks: int) -> Decimal:
        return ticks * self.tick_size

    def from_lots(self, lots: int, dust: int = 0) -> Decimal:
        return (lots + Decimal(dust) / DUST) * self.lot_size if dust else lots * self.lot_size
