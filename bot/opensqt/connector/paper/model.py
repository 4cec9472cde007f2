"""A seeded market: regimes by a Markov chain, volatility that clusters (GARCH), and jumps. docs/paper.md describes it.

Deterministic everywhere: of `random.Random` only `getrandbits` is used, which Python keeps stable, and of floating
point only + - * / and the square root, which IEEE 754 rounds in one way. No float is ever a price: each is rounded to
a tick.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import sqrt
from random import Random

from opensqt.api.paper import MarketModel
from opensqt.connector.paper.candles import MINUTE_US, BadMarketDataError, Candles

START_US = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
MINUTES_PER_DAY = 1440
MINUTES_PER_YEAR = 365 * MINUTES_PER_DAY
MOVES_PER_MINUTE = 6
"""Moves within a minute, of which its high and low come."""


@dataclass(frozen=True, slots=True)
class Regime:
    """`drift` is in units of a minute's volatility, `turbulence` multiplies it, `minutes` is the mean length."""

    name: str
    drift: float
    turbulence: float
    minutes: int


REGIMES = (
    Regime("quiet", 0.0, 0.65, 1080),
    Regime("rising", 0.02, 0.95, 480),
    Regime("falling", -0.02, 1.05, 480),
    Regime("turbulent", 0.0, 1.9, 180),
)
NEXT_REGIMES = {
    "quiet": ("quiet", "rising", "falling", "turbulent"),
    "rising": ("quiet", "quiet", "falling", "turbulent"),
    "falling": ("quiet", "quiet", "rising", "turbulent"),
    "turbulent": ("quiet", "quiet", "rising", "falling"),
}
"""What follows a regime, each with one chance in four."""

SHOCK, PERSISTENCE = 0.08, 0.90
"""GARCH(1,1): next variance = (1 - SHOCK - PERSISTENCE) * long-run + SHOCK * last return^2 + PERSISTENCE * variance."""
JUMP_MINUTES = 2880
"""A jump comes once in so many minutes, on average."""
JUMP_SIZE = 12.0
"""Its size in units of a minute's long-run volatility."""
LONG_RUN_VARIANCE = 0.81
"""What regimes and jumps make of a variance of 1, in the long run: the whole is divided by it."""
LARGEST_RETURN = 0.2


def model_candles(model: MarketModel, tick_size: Decimal, lot_size: Decimal) -> Candles:
    """The market of the seed. Raises BadMarketDataError where the price falls below half a tick."""
    return _Generator(model, tick_size, lot_size).candles(model.days * MINUTES_PER_DAY)


class _Generator:
    def __init__(self, model: MarketModel, tick_size: Decimal, lot_size: Decimal) -> None:
        self._random = Random(model.seed)  # noqa: S311 - a market, not a secret
        # A price in ticks, as a float: it is rounded before anyone sees it.
        self._price = float(model.start_price / tick_size)
        self._sigma = float(model.annual_volatility) / sqrt(MINUTES_PER_YEAR * LONG_RUN_VARIANCE)
        self._variance = 1.0
        self._regime = REGIMES[0]
        self._lots_per_minute = float(Decimal(100_000) / model.start_price / lot_size)
        self._source = f"the model with seed {model.seed}"

    def candles(self, minutes: int) -> Candles:
        candles = Candles.empty()
        for minute in range(minutes):
            self._next_regime()
            open_ = high = low = self._ticks()
            moved = 0.0
            for _ in range(MOVES_PER_MINUTE):
                moved += self._move()
                ticks = self._ticks()
                high, low = max(high, ticks), min(low, ticks)
            if self._random.getrandbits(32) % JUMP_MINUTES == 0:
                self._price *= 1 + self._sigma * JUMP_SIZE * self._normal()
                ticks = self._ticks()
                high, low = max(high, ticks), min(low, ticks)
            self._cluster(moved)
            candles.append(START_US + minute * MINUTE_US, (open_, high, low, self._ticks()), self._volume(moved))
        return candles

    def _next_regime(self) -> None:
        bits = self._random.getrandbits(32)
        if (bits >> 2) % self._regime.minutes == 0:
            name = NEXT_REGIMES[self._regime.name][bits & 3]
            self._regime = next(regime for regime in REGIMES if regime.name == name)

    def _move(self) -> float:
        """Moves the price; returns the move in units of a minute's volatility, without the regime."""
        shock = self._normal() * sqrt(self._variance / MOVES_PER_MINUTE)
        regime = self._regime
        size = self._sigma * (regime.turbulence * shock + regime.drift / MOVES_PER_MINUTE)
        self._price *= 1 + max(-LARGEST_RETURN, min(LARGEST_RETURN, size))
        return shock

    def _cluster(self, moved: float) -> None:
        self._variance = (1 - SHOCK - PERSISTENCE) + SHOCK * moved * moved + PERSISTENCE * self._variance

    def _volume(self, moved: float) -> int:
        """Volume rises with the size of the move."""
        share = (self._random.getrandbits(16) + 1) / 65536
        return int(self._lots_per_minute * (0.5 + share + abs(moved)) * self._regime.turbulence)

    def _ticks(self) -> int:
        ticks = round(self._price)
        if ticks < 1:
            raise BadMarketDataError(f"{self._source}: the price falls below half a tick: take a smaller tickSize")
        return ticks

    def _normal(self) -> float:
        """A standard normal number: the sum of twelve uniform ones (Irwin-Hall), of 16 bits each."""
        bits = self._random.getrandbits(192)
        total = 0
        while bits:
            total += bits & 0xFFFF
            bits >>= 16
        return (total + 6) / 65536 - 6.0
