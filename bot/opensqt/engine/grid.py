"""The levels of a grid, by their index: 0 is the anchor, higher is dearer. Integers only, strictly increasing."""

from bisect import bisect_right
from functools import lru_cache
from typing import Protocol

from opensqt.engine.config import PPM, EngineConfig

_FINE = 2**32
"""Geometric levels are stepped in this fraction of a tick, so that rounding does not add up."""


class Grid(Protocol):
    def level(self, index: int) -> int:
        """Price in ticks; 0 or less where the grid has no such level."""
        ...

    def below(self, price: int) -> int:
        """Index of the highest level at or below the price; the price must not be below the lowest level."""
        ...


def nearest(grid: Grid, price: int) -> int:
    """Index of the level nearest to the price, the upper one of two equally near: the grid price."""
    index = grid.below(price)
    return index + 1 if 2 * price >= grid.level(index) + grid.level(index + 1) else index


def above(grid: Grid, price: int) -> int:
    """Index of the lowest level at or above the price."""
    index = grid.below(price)
    return index if grid.level(index) == price else index + 1


class ArithmeticGrid:
    """Levels at anchor + index x step."""

    def __init__(self, anchor: int, step: int) -> None:
        self._anchor = anchor
        self._step = step

    def level(self, index: int) -> int:
        return self._anchor + index * self._step

    def below(self, price: int) -> int:
        return (price - self._anchor) // self._step


class GeometricGrid:
    """Each level is 1 + ratio_ppm / 10^6 times the one below, rounded to the tick and at least one tick apart."""

    def __init__(self, anchor: int, ratio_ppm: int) -> None:
        self._factor = PPM + ratio_ppm
        self._up = [anchor]
        self._fine_up = anchor * _FINE
        self._down = [-anchor]  # negated: ascending, for bisect
        self._fine_down = anchor * _FINE

    def level(self, index: int) -> int:
        if index >= 0:
            while len(self._up) <= index:
                self._step_up()
            return self._up[index]
        while len(self._down) <= -index and self._down[-1] < 0:
            self._step_down()
        return -self._down[-index] if -index < len(self._down) else 0

    def below(self, price: int) -> int:
        if price >= self._up[0]:
            while self._up[-1] <= price:
                self._step_up()
            return bisect_right(self._up, price) - 1
        while -self._down[-1] > price:
            self._step_down()
        # The first of the descending levels that is not above the price.
        return -bisect_right(self._down, -price - 1)

    def _step_up(self) -> None:
        self._fine_up = self._fine_up * self._factor // PPM
        self._up.append(max(self._up[-1] + 1, (self._fine_up + _FINE // 2) // _FINE))

    def _step_down(self) -> None:
        self._fine_down = self._fine_down * PPM // self._factor
        self._down.append(max(self._down[-1] + 1, -((self._fine_down + _FINE // 2) // _FINE)))


@lru_cache(maxsize=8)
def _grid(anchor: int, step: int, ratio_ppm: int) -> Grid:
    return ArithmeticGrid(anchor, step) if step > 0 else GeometricGrid(anchor, ratio_ppm)


def grid_of(config: EngineConfig, anchor: int, atr_step: int = 0) -> Grid:
    """The grid of a config; `atr_step` is the step of one that is spaced by volatility, in ticks.

    One without spacing, where nothing may be entered, has all exits in reach.
    """
    step = atr_step if config.atr else config.step
    return _grid(anchor, step if step or config.ratio_ppm else anchor, config.ratio_ppm)
