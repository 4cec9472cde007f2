"""A market's prices in the order in which they are played, and the place that has been reached.

A candle is played as four prices, at its open time and 15, 30 and 45 seconds later: open, low, high, close when it
rises (close >= open), open, high, low, close when it falls.
"""

from array import array
from bisect import bisect_right
from typing import NamedTuple

from opensqt.connector.paper.candles import Candles
from opensqt.connector.paper.instrument import FEE_SCALE

STEPS = 4
STEP_US = 15_000_000
BLOCK = 64
"""Steps whose lowest and highest price are known, so that a scan skips them together."""
NEVER_BELOW, NEVER_ABOVE = 0, 2**62
"""Bounds that no price touches."""


class Candle(NamedTuple):
    """Prices in ticks, volume in lots."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Tape:
    """One market's; a live one (`live.py`) has no steps to come.

    `played` counts the steps behind us; step `k` (from 0) is quarter `k % 4` of candle `k // 4`. Prices in ticks.
    """

    live = False

    def __init__(self, candles: Candles) -> None:
        self._times = candles.times
        self._volumes = candles.volumes
        self._prices = _play(candles)
        starts = range(0, len(self._prices), BLOCK)
        self._lows = array("q", (min(self._prices[start : start + BLOCK]) for start in starts))
        self._highs = array("q", (max(self._prices[start : start + BLOCK]) for start in starts))
        self.total = len(self._prices)
        self.played = 0

    @property
    def ended(self) -> bool:
        return self.played >= self.total

    def price(self, step: int) -> int:
        return self._prices[step]

    def time_us(self, step: int) -> int:
        return self._times[step // STEPS] + step % STEPS * STEP_US

    def steps_until(self, time_us: int) -> int:
        """How many steps there are up to this time, it included."""
        candle = bisect_right(self._times, time_us) - 1
        if candle < 0:
            return 0
        return candle * STEPS + min(STEPS, (time_us - self._times[candle]) // STEP_US + 1)

    def next_touch(self, low: int, high: int, start: int) -> int:
        """The first step from `start` on whose price is not strictly between; `total` where there is none."""
        prices, total = self._prices, self.total
        step = start
        while step < total:
            if step % BLOCK == 0:
                block, blocks = step // BLOCK, len(self._lows)
                lows, highs = self._lows, self._highs
                while block < blocks and lows[block] > low and highs[block] < high:
                    block += 1
                step = block * BLOCK
            for at in range(step, min(total, step - step % BLOCK + BLOCK)):
                if not low < prices[at] < high:
                    return at
            step += BLOCK - step % BLOCK
        return total

    def depth(self, step: int, share: int) -> int:
        """The lots that can trade at a step: of its quarter of the candle's volume `share` parts of 10^12.

        Rounded down over the candle: what is less than a lot at one step may be one with the next.
        """
        volume, quarter = self._volumes[step // STEPS] * share, step % STEPS
        whole = STEPS * FEE_SCALE
        return volume * (quarter + 1) // whole - volume * quarter // whole

    @property
    def candles(self) -> int:
        return len(self._times)

    def candle_time(self, index: int) -> int:
        """Open time of a candle, in µs."""
        return self._times[index]

    def candle(self, index: int, steps: int = STEPS) -> Candle:
        """A candle after its first `steps` steps (1 to 4); its volume comes in equal parts."""
        prices = self._prices[index * STEPS : index * STEPS + steps]
        return Candle(prices[0], max(prices), min(prices), prices[-1], self._volumes[index] * steps // STEPS)


def _play(candles: Candles) -> "array[int]":
    prices = array("q")
    for open_, high, low, close in zip(candles.opens, candles.highs, candles.lows, candles.closes, strict=True):
        prices.extend((open_, low, high, close) if close >= open_ else (open_, high, low, close))
    return prices
