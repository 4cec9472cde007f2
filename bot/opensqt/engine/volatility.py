"""Volatility: Wilder's average true range of a market's closed candles, and the step that is made of it. Pure."""

from dataclasses import dataclass, field

from opensqt.engine.config import PPM, AtrConfig, EngineConfig
from opensqt.engine.events import CandleChanged
from opensqt.engine.market import Market, from_money
from opensqt.engine.profitability import break_even_spacing, leg_fee
from opensqt.engine.side import Side

LATE = 3
"""Candles are missing when the next one has not come so many intervals after the newest closed one began."""
_HYSTERESIS = 5
"""The step is taken anew where it is off by this part of itself."""
_ABOVE_BREAK_EVEN = (6, 5)
"""The smallest step is so many times the one that leaves nothing: enough while the price rises by a fifth."""


@dataclass(slots=True)
class Volatility:
    """What it remembers; prices and ranges in 10^-12 of the quote currency, times in microseconds."""

    newest: int = 0
    """Open time of the newest closed candle."""
    close: int = 0
    """Its close."""
    ranges: list[int] = field(default_factory=list)
    """The first true ranges, until there are enough for an average."""
    average: int | None = None
    """The average true range; None while too few candles are known."""
    step: int = 0
    """The distance of levels in force, in ticks; 0 until there is one."""

    def take(self, atr: AtrConfig, symbol: str, candle: CandleChanged) -> bool:
        """Takes a candle; says whether that changes anything. One that is not closed, or not newer, is ignored.

        The average begins anew where more candles are missing than it is made of; the step stays until there is one.
        """
        if not candle.closed or (candle.symbol, candle.interval) != (symbol, atr.interval):
            return False
        if candle.open_time <= self.newest or candle.low <= 0 or not candle.low <= candle.close <= candle.high:
            return False
        if self.newest and candle.open_time - self.newest > atr.period * atr.interval.microseconds:
            self.close, self.ranges, self.average = 0, [], None
        if self.close:
            self._add(atr, max(candle.high, self.close) - min(candle.low, self.close))
        self.close, self.newest = candle.close, candle.open_time
        return True

    def _add(self, atr: AtrConfig, true_range: int) -> None:
        if self.average is not None:
            self.average = (self.average * (atr.period - 1) + true_range) // atr.period
            return
        self.ranges = [*self.ranges, true_range]
        if len(self.ranges) == atr.period:
            self.average, self.ranges = sum(self.ranges) // atr.period, []

    def missing(self, atr: AtrConfig, now: int) -> str:
        """Which candles it waits for; empty where it has them."""
        if self.average is None:
            known = len(self.ranges) + (self.close > 0)
            return f"{known} of {atr.period + 1} closed candles of {atr.interval} are known"
        return f"the newest candles of {atr.interval} are missing" if self.late_at(atr) <= now else ""

    def late_at(self, atr: AtrConfig) -> int:
        """When the next candle is overdue; 0 while there is none yet."""
        return self.newest + LATE * atr.interval.microseconds if self.newest else 0

    def next_step(self, config: EngineConfig, atr: AtrConfig, market: Market) -> int:
        """The step to take now, in ticks; the present one where it is near enough. 0 while the average is unknown."""
        if self.average is None:
            return self.step
        width = config.upper - config.lower if config.bounded else 0
        step = market.to_ticks(from_money(self.average * atr.multiple_ppm // PPM))
        step = max(least_step(config, market, self.close), min(step, width or step))
        near = abs(step - self.step) * _HYSTERESIS < self.step and not 0 < width < self.step
        return self.step if near else step


def least_step(config: EngineConfig, market: Market, price: int) -> int:
    """The smallest step, in ticks, at this price (10^-12 of the quote currency): every level of the window wins."""
    farthest = max(config.window(side) - 1 if side is Side.SHORT else 1 for side in config.sides)
    least = break_even_spacing(market.to_ticks(from_money(price)), max(1, farthest), leg_fee(market, config))
    times, parts = _ABOVE_BREAK_EVEN
    return -(-least * times // parts)
