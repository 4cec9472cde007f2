"""Slots: one for each level that has or had an order or a holding, keyed by its side and the price of its entry."""

from dataclasses import dataclass, field
from enum import StrEnum

from opensqt.engine.accounting import Holding
from opensqt.engine.market import DUST
from opensqt.engine.side import Side

CLOSING = 0
"""Number of the slot that is no level: its exits close the whole position, and it takes what no level can."""


class SlotPosition(StrEnum):
    EMPTY = "EMPTY"
    FILLED = "FILLED"


@dataclass(slots=True)
class Slot:
    """A level: entered at `price`, left at `exit_price` (ticks). At most one of its orders lives at a time.

    `cycle` counts completed entries and exits, `entries` and `exits` the orders placed in the present cycle; together
    they number the client ids. A number is never given to another level.
    """

    number: int
    price: int
    exit_price: int
    side: Side = Side.LONG
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
    def held(self) -> int:
        """Lots held, whatever the side."""
        return abs(self.holding.lots)

    def held_before(self, order_filled: int, order_taken: int) -> int:
        """Lots held without what an entry, so far, has brought."""
        return (abs(self.holding.amount) - order_filled * DUST + order_taken) // DUST

    @property
    def idle(self) -> bool:
        """Nothing held and no order: far from the price, the slot may be forgotten."""
        return not (self.holding.lots or self.order)  # dust goes to the closing slot

    def settled(self) -> None:
        """Something worked: earlier rejects do not count any more."""
        self.crossed = self.setbacks = self.not_before = 0

    def next_cycle(self) -> None:
        self.cycle += 1
        self.entries = self.exits = 0


@dataclass(slots=True)
class Slots:
    """All slots by number; by level the newest, for a price of two grids is the older slot's until that is empty."""

    by_number: dict[int, Slot] = field(default_factory=lambda: {CLOSING: Slot(CLOSING, 0, 0)})
    issued: int = CLOSING
    """The highest number given away."""
    by_level: dict[tuple[Side, int], Slot] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.by_level = {(slot.side, slot.price): slot for slot in self.levels()}

    @property
    def closing(self) -> Slot:
        return self.by_number[CLOSING]

    def levels(self) -> list[Slot]:
        return [slot for slot in self.by_number.values() if slot.number != CLOSING]

    def open(self, side: Side, price: int, exit_price: int) -> Slot:
        """The slot of this level; a new one, with a number of its own, where none has the same exit or is in use."""
        slot = self.by_level.get((side, price))
        if slot is None or (slot.exit_price != exit_price and slot.idle):
            self.issued += 1
            slot = Slot(self.issued, price, exit_price, side)
            self.by_number[slot.number] = self.by_level[side, price] = slot
        return slot

    def forget(self, slot: Slot) -> None:
        level = (slot.side, slot.price)
        self.closing.holding.take(slot.holding)
        del self.by_number[slot.number]
        if self.by_level[level] is slot:
            del self.by_level[level]
            for other in self.levels():
                if (other.side, other.price) == level:
                    self.by_level[level] = other

    def held(self, side: Side) -> list[Slot]:
        """Levels of this side that hold something, the one that is left first first."""
        slots = self.by_number.values()
        held = [slot for slot in slots if slot.holding.lots and slot.side is side and slot.number != CLOSING]
        return sorted(held, key=_price, reverse=side is Side.SHORT)


def _price(slot: Slot) -> int:
    return slot.price
