"""One side's levels around a price: which of them have entries, where their exits are, how far exits reach."""

from collections.abc import Iterator

from opensqt.engine.config import EngineConfig
from opensqt.engine.grid import Grid, above, nearest
from opensqt.engine.layout import Layout
from opensqt.engine.side import Side
from opensqt.engine.slots import Slot


class Ladder:
    """The grid as one side uses it: it enters at a level, from the grid price away, and leaves at the next one back."""

    def __init__(self, side: Side, layout: Layout, config: EngineConfig) -> None:
        self.side = side
        self.grid: Grid = layout.grid
        self.config = config
        self._lowest = layout.lowest_entry(side)
        self._highest = layout.highest_entry(side)

    def entry_price(self, index: int) -> int | None:
        """The price at which this level is entered; None where it is none of this side's."""
        price, lowest, highest = self.grid.level(index), self._lowest, self._highest
        if (lowest is not None and index < lowest) or (highest is not None and highest < index):
            return None
        return price if price > 0 and self.exit_price(index) > 0 else None

    def exit_price(self, index: int) -> int:
        return self.grid.level(index + self.side.sign)

    def window(self, price: int) -> Iterator[int]:
        """The levels that belong to the window around a price, nearest first."""
        first, sign = nearest(self.grid, price), self.side.sign
        return (
            index
            for index in range(first, first - sign * self.config.window(self.side), -sign)
            if self.entry_price(index) is not None
        )

    def cycles(self, price: int) -> list[tuple[int, int]]:
        """The prices of entry and exit of each level of the window."""
        return [(self.grid.level(index), self.exit_price(index)) for index in self.window(price)]

    def is_level(self, slot: Slot) -> bool:
        """Whether this spec's grid would have such a slot."""
        index = self.grid.below(slot.price)
        return self.entry_price(index) == slot.price and self.exit_price(index) == slot.exit_price

    def level_of(self, price: int) -> int:
        """The index of the level at this price; where there is none, of the next one towards the exits."""
        return above(self.grid, price) if self.side is Side.LONG else self.grid.below(price)

    def worth_entering(self, index: int, price: int) -> bool:
        """Whether the price is more than a tenth of the interval beyond the level: nearer, an order might take."""
        level = self.grid.level(index)
        return 10 * self.side.gain(level, price) > self.side.gain(level, self.exit_price(index))

    def reach(self, price: int) -> int:
        """The farthest level whose holding has an exit, by its price."""
        index = self.grid.below(price) if self.side is Side.LONG else above(self.grid, price)
        return self.grid.level(index + self.side.sign * self.config.exit_window(self.side))

    def in_reach_at(self, level: int) -> int:
        """The price at which a holding of this level comes into reach."""
        return self.grid.level(self.level_of(level) - self.side.sign * self.config.exit_window(self.side))
