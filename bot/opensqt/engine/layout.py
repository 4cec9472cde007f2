"""Where a spec's levels lie, and which of them each side may enter."""

from dataclasses import dataclass

from opensqt.api.gridbot import Side as GridSide
from opensqt.engine.config import EngineConfig
from opensqt.engine.grid import Grid, above, grid_of, nearest
from opensqt.engine.side import Side


@dataclass(frozen=True, slots=True)
class Layout:
    """A grid and its present extent, by index: entries lie on levels `first` ... `last`, where these are set. In a
    `bounded` grid there are no others, for exits either. A neutral grid is long below `pivot` and short above it.
    """

    grid: Grid
    first: int | None = None
    last: int | None = None
    bounded: bool = False
    pivot: int | None = None
    known: bool = True
    """False while the step is not known: nothing may be entered, all exits are in reach."""

    def lowest_entry(self, side: Side) -> int | None:
        """Index of the lowest level that this side may enter; None for no such bound."""
        lowest = self.first
        if side is Side.SHORT and self.bounded and lowest is not None:
            lowest += 1
        if side is Side.SHORT and self.pivot is not None:
            lowest = self.pivot + 1 if lowest is None else max(lowest, self.pivot + 1)
        return lowest

    def highest_entry(self, side: Side) -> int | None:
        """Index of the highest level that this side may enter; None for no such bound."""
        highest = self.last
        if side is Side.LONG and self.bounded and highest is not None:
            highest -= 1
        if side is Side.LONG and self.pivot is not None:
            highest = self.pivot - 1 if highest is None else min(highest, self.pivot - 1)
        return highest


def layout_of(config: EngineConfig, anchor: int, shift: int, atr_step: int = 0) -> Layout:
    """The layout of a config; `shift` is by how many levels a bounded grid has followed the price, `atr_step` the step
    of one that is spaced by volatility, 0 where that is not known."""
    if config.atr is not None and not atr_step:
        return Layout(grid_of(config, anchor), known=False)
    grid = grid_of(config, config.lower if config.bounded else anchor, atr_step)
    first = above(grid, config.lower) if config.lower else None
    last = grid.below(config.upper) if config.upper else None
    pivot = 0 if config.side is GridSide.NEUTRAL else None
    if not config.bounded or first is None or last is None:
        return Layout(grid, first, last, pivot=pivot)
    if pivot is not None:
        pivot = nearest(grid, config.trigger_price) if config.trigger_price else last // 2
        pivot = min(max(pivot, first), last) + shift
    return Layout(grid, first + shift, last + shift, bounded=True, pivot=pivot)


def shift_after(config: EngineConfig, layout: Layout, shift: int, price: int) -> int:
    """By how many levels a bounded grid is shifted when the price is here; never past a limit."""
    grid, first, last = layout.grid, layout.first, layout.last
    if not layout.bounded or first is None or last is None:
        return shift
    if config.trail_up and price > grid.level(last):
        limit = min(price, config.trail_up_to or price)
        return shift + max(0, grid.below(limit) - last)
    if config.trail_down and price < grid.level(first):
        limit = max(price, config.trail_down_to or price)
        return shift - max(0, first - above(grid, limit))
    return shift


def shift_kept(config: EngineConfig, shift: int, old_step: int, step: int) -> int:
    """The shift with which a bounded grid stays where it has followed the price to, when its levels are `step` and no
    longer `old_step` apart: to the nearest whole level, never past a limit."""
    if not config.bounded or not old_step:
        return 0
    levels = (2 * abs(shift) * old_step + step) // (2 * step)
    if shift < 0:
        return -min(levels, (config.lower - config.trail_down_to) // step)
    if config.trail_up_to:
        highest = (config.upper - config.lower) // step
        levels = min(levels, max(0, (config.trail_up_to - config.lower) // step - highest))
    return levels
