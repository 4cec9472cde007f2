"""Slots: one for each level that has or had an order or a holding. A slot is keyed by its buy price."""

from dataclasses import dataclass, field
from enum import StrEnum

from opensqt.engine.accounting import Holding

CLOSING = 0
"""Number of the slot that is no level: its exits close the whole position, and it takes what no level can."""


class SlotPosition(StrEnum):
    EMPTY = "EMPTY"
    FILLED = "FILLED"


@dataclass(slots=True)
class Slot:
    """A level: bought at `price`, sold at `exit_price` (ticks). At most one of its orders lives at a time.

    `cycle` counts completed buys and sells, `entries` and `exits` the orders placed in the present cycle; together they
    number the client ids. A number is never given to another price.
    """

    number: int
    price: int
    exit_price: int
    holding: Holding = field(default_factory=Holding)
    cycle: int = 0
    entries: int = 0
    exits: int = 0
    order: str = ""
    crossed: int = 0
    """Post-only rejects in a row."""
    setbacks: int = 0
    """Orders in a row that the exchange ended by itself, unfilled."""
    not_before: int = 0
    refused: bool = False
    """The exchange called an order of this slot wrong; it stays idle until the next spec or instance."""

    @property
    def idle(self) -> bool:
        """Nothing held and no order: far from the price, the slot may be forgotten."""
        return not (self.holding.lots or self.order)

    def settled(self) -> None:
        """Something worked: earlier rejects do not count any more."""
        self.crossed = self.setbacks = self.not_before = 0

    def next_cycle(self) -> None:
        self.cycle += 1
        self.entries = self.exits = 0


@dataclass(slots=True)
class Slots:
    """All slots by number; by price the newest, for a price of two grids is the older slot's until that is empty."""

    by_number: dict[int, Slot] = field(default_factory=lambda: {CLOSING: Slot(CLOSING, 0, 0)})
    issued: int = CLOSING
    """The highest number given away."""
    by_price: dict[int, Slot] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.by_price = {slot.price: slot for slot in self.levels()}

    @property
    def closing(self) -> Slot:
        return self.by_number[CLOSING]

    def levels(self) -> list[Slot]:
        return [slot for slot in self.by_number.values() if slot.number != CLOSING]

    def open(self, price: int, exit_price: int) -> Slot:
        """The slot of this price; a new one, with a number of its own, where none has the same exit or is in use."""
        slot = self.by_price.get(price)
        if slot is None or (slot.exit_price != exit_price and slot.idle):
            self.issued += 1
            slot = Slot(self.issued, price, exit_price)
            self.by_number[slot.number] = self.by_price[price] = slot
        return slot

    def forget(self, slot: Slot) -> None:
        del self.by_number[slot.number]
        if self.by_price[slot.price] is slot:
            del self.by_price[slot.price]
            self.by_price.update({other.price: other for other in self.levels() if other.price == slot.price})

    def held(self) -> list[Slot]:
        """Levels that hold something, dearest first."""
        return sorted((slot for slot in self.levels() if slot.holding.lots > 0), key=lambda slot: -slot.price)
