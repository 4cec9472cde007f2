"""The spec in force: what a new one changes, and whether it fits the market at the present price."""

from collections.abc import Sequence
from decimal import Decimal

from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.events import Configured
from opensqt.engine.grid import Grid
from opensqt.engine.market import Market, from_money
from opensqt.engine.profitability import break_even_ratio, break_even_step, leg_fee, profitable
from opensqt.engine.state import Refusal, Turn


def on_configured(turn: Turn, event: Configured) -> None:
    """Takes a newer spec. Of the present generation only another goal is taken (deletion); an older one is ignored."""
    state = turn.state
    if event.generation < state.generation and state.config is not None:
        return
    if event.generation == state.generation and state.config is not None:
        if event.goal is state.goal:
            return
    else:
        state.config = event.config
        state.generation = event.generation
        for slot in state.slots.by_number.values():
            slot.refused = False
        _reset_by_token(turn, event.config)
    state.goal = event.goal
    state.wound_down = False
    unhalt(turn)
    turn.changed = True


def _reset_by_token(turn: Turn, config: EngineConfig) -> None:
    breaker = turn.state.breaker
    if breaker.open and breaker.token is not None and breaker.token != config.reset_token:
        close_breaker(turn, "spec.circuitBreaker.resetToken has changed")
    breaker.token = config.reset_token


def close_breaker(turn: Turn, why: str) -> None:
    turn.state.breaker.close(turn.state.ledger, turn.state.ledger.pnl(turn.lot_value))
    turn.tell("BreakerClosed", why)


def unhalt(turn: Turn) -> None:
    """Something has been done about what halted the bot: it tries again."""
    turn.state.halt = turn.state.halt_message = ""
    turn.state.refused_in_a_row = 0


def check(turn: Turn, config: EngineConfig, grid: Grid | None, levels: Sequence[int]) -> None:
    """Refuses entries while the spec does not fit the market at these levels, dearest first, and says what would."""
    refusal, message = _refusal(turn, config, grid, levels)
    state = turn.state
    if refusal != state.refusal:
        state.refusal, state.refusal_message = refusal, message
        turn.changed = True
        if refusal:
            turn.warn("SpecRefused", message)


def has_grid(config: EngineConfig) -> bool:
    return config.step > 0 or config.ratio_ppm > 0


def _refusal(turn: Turn, config: EngineConfig, grid: Grid | None, levels: Sequence[int]) -> tuple[str, str]:
    market = turn.market
    if grid is None:
        return Refusal.SPACING_TOO_SMALL, (
            f"spec.grid.spacing is smaller than the market's tick: arithmetic must be at least {market.tick_size}, "
            "geometric at least 0.0001"
        )
    prices = [price for price in levels if price > 0 and config.lower <= price <= (config.upper or price)]
    return _too_small(market, config, prices) or _unprofitable(market, config, grid, prices) or ("", "")


def _too_small(market: Market, config: EngineConfig, prices: Sequence[int]) -> tuple[str, str] | None:
    if not prices or config.order_money >= market.min_notional + max(1, market.min_quantity) * market.notional(
        prices[0], 1
    ):
        return None  # rounding down takes less than a lot away
    needed = max(_smallest(market, price) for price in prices)
    if config.order_money >= needed:
        return None
    return Refusal.ORDER_TOO_SMALL, (
        f"spec.order.quoteSize is too small for {market.symbol}: with levels up to {market.from_ticks(prices[0])} "
        f"it must be at least {from_money(needed):f}"
    )


def _smallest(market: Market, price: int) -> int:
    """The smallest order that the exchange takes at this price, in money."""
    lot_money = market.notional(price, 1)
    return max(1, market.min_quantity, -(-market.min_notional // lot_money)) * lot_money


def _unprofitable(
    market: Market, config: EngineConfig, grid: Grid, prices: Sequence[int]
) -> tuple[Refusal, str] | None:
    fee = leg_fee(market, config)
    if all(profitable(price, grid.level(grid.below(price) + 1), fee) for price in prices):
        return None
    if config.step:
        least = f"arithmetic must be at least {_plain(market.from_ticks(break_even_step(prices[0], fee)))}"
    else:
        least = f"geometric must be at least {_percent(break_even_ratio(prices, fee))}"
    return Refusal.UNPROFITABLE, (
        f"spec.grid.spacing loses money on {market.symbol}: each leg of a cycle pays {_percent(fee)} percent of its "
        f"value as {'maker' if config.post_only else 'taker'}; with levels up to "
        f"{_plain(market.from_ticks(prices[0]))} {least}"
    )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _percent(ppm: int) -> str:
    return _plain(Decimal(ppm * 100) / PPM)
