"""Inventory skew: the more a side holds, the more levels stay free between what it holds and its next entry."""

from bisect import bisect_left

from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.ladder import Ladder
from opensqt.engine.market import Market
from opensqt.engine.settlement import closable
from opensqt.engine.side import Side
from opensqt.engine.state import State


def free_levels(config: EngineConfig, ladder: Ladder, lots: int) -> int:
    """How many levels beyond each held one have no entry while this side holds so many lots; rounded down."""
    if not config.skew_ppm or not config.max_position:
        return 0
    return config.skew_ppm * config.window(ladder.side) * lots // (PPM * config.max_position)


class Inventory:
    """What one side holds, as far as it keeps entries away. Fills change that, never a price."""

    def __init__(self, state: State, config: EngineConfig, market: Market, ladder: Ladder) -> None:
        self._below = ladder.side is Side.LONG
        self._held: list[int] = []
        """Levels that are held, lowest first."""
        self._free = 0
        if not config.skew_ppm:
            return
        held = state.slots.held(ladder.side)
        self._free = free_levels(config, ladder, sum(slot.held for slot in held))
        if self._free:
            self._held = sorted(ladder.level_of(slot.price) for slot in held if closable(market, slot))

    def keeps_away(self, index: int) -> bool:
        """Whether this level must have no entry: one that is held lies too near on the side of the exits."""
        if not self._held:
            return False
        lowest = index + 1 if self._below else index - self._free
        at = bisect_left(self._held, lowest)
        return at < len(self._held) and self._held[at] < lowest + self._free
