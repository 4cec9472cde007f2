"""What a cycle leaves after the fees of both legs, and the smallest interval that leaves anything."""

from collections.abc import Sequence

from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.market import Market


def leg_fee(market: Market, config: EngineConfig) -> int:
    """The fee of one leg in parts per million: as maker where orders are post-only, else as taker."""
    return market.maker_fee_ppm if config.post_only else market.taker_fee_ppm


def profitable(low: int, high: int, fee_ppm: int) -> bool:
    """Whether buying at `low` and selling at `high` (ticks) leaves more than both fees take."""
    return (high - low) * PPM > fee_ppm * (high + low)


def break_even_step(price: int, fee_ppm: int) -> int:
    """The smallest step up from this price, in ticks, that leaves anything."""
    return max(1, 2 * price * fee_ppm // (PPM - fee_ppm) + 1)


def break_even_spacing(price: int, levels: int, fee_ppm: int) -> int:
    """The smallest step, in ticks, with which levels leave something as far as `levels` steps above this price.

    The nearest level may be half a step above the price. Levels so far that the step would be doubled for their sake
    are left out: there are fees with which no step is large enough.
    """
    levels = min(levels, PPM // (4 * fee_ppm)) if fee_ppm > 0 else levels
    return max(1, 2 * price * fee_ppm // (PPM - 2 * levels * fee_ppm) + 1)


def break_even_ratio(prices: Sequence[int], fee_ppm: int) -> int:
    """The ratio in ppm with which every geometric level of these prices leaves something, rounded to ticks as it is."""
    return max(-(-(break_even_step(price, fee_ppm) + 1) * PPM // price) for price in prices)
