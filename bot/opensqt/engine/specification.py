"""The spec in force: what a new one changes, and whether it fits the market at the present price."""

from collections.abc import Sequence
from decimal import Decimal

from opensqt.engine import barriers, sizing
from opensqt.engine.alarms import close_breaker
from opensqt.engine.config import PPM, AtrConfig, EngineConfig
from opensqt.engine.events import Configured
from opensqt.engine.ladder import Ladder
from opensqt.engine.layout import Layout
from opensqt.engine.market import Market, from_money
from opensqt.engine.monitor import Monitor
from opensqt.engine.profitability import break_even_ratio, break_even_step, leg_fee, profitable
from opensqt.engine.state import Refusal, Turn
from opensqt.engine.volatility import Volatility

Cycles = Sequence[tuple[int, int]]
"""Prices of entry and exit, in ticks."""


def on_configured(turn: Turn, event: Configured) -> None:
    """Takes a newer spec. Of the present generation only another goal is taken (deletion); an older one is ignored."""
    state = turn.state
    if event.generation < state.generation and state.config is not None:
        return
    if event.generation == state.generation and state.config is not None:
        if event.goal is state.wanted:
            return
    else:
        if state.config is None or _extent(state.config) != _extent(event.config):
            state.shift = 0
        if state.config is None or state.config.monitor != event.config.monitor:
            state.monitor, state.monitor_blind = Monitor(), ""
        if state.config is None or state.config.atr != event.config.atr:
            state.volatility, state.candles_missing = Volatility(), ""
        state.config = event.config
        state.orders.most = max(len(state.orders.live), event.config.max_open_orders)
        state.unchecked = True
        state.generation = event.generation
        for slot in state.slots.by_number.values():
            slot.refused = False
        _reset_by_token(turn, event.config)
        barriers.configure(state, event.config)
        sizing.configure(state, event.config)
    state.wanted = event.goal
    state.goal = barriers.goal_in_force(state, state.config or event.config)
    state.wound_down = False
    unhalt(turn)
    turn.changed = True


def _extent(config: EngineConfig) -> tuple[int | AtrConfig | None, ...]:
    """What a bounded grid's levels are made of: another one starts where the spec says."""
    return config.step, config.ratio_ppm, config.atr, config.lower, config.upper


def _reset_by_token(turn: Turn, config: EngineConfig) -> None:
    breaker = turn.state.breaker
    if breaker.open and breaker.token is not None and breaker.token != config.reset_token:
        close_breaker(turn, "spec.circuitBreaker.resetToken has changed")
    breaker.token = config.reset_token


def unhalt(turn: Turn) -> None:
    """Something has been done about what halted the bot: it tries again."""
    turn.state.halt = turn.state.halt_message = ""
    turn.state.refused_in_a_row = 0


def check(turn: Turn, config: EngineConfig, layout: Layout) -> None:
    """Refuses entries while the spec does not fit the market at the levels around the price, and says what would."""
    refusal, message = _refusal(turn, config, layout)
    state = turn.state
    if refusal != state.refusal:
        state.refusal, state.refusal_message = refusal, message
        turn.changed = True
        if refusal:
            turn.warn("SpecRefused", message)


def _refusal(turn: Turn, config: EngineConfig, layout: Layout) -> tuple[str, str]:
    market = turn.market
    if config.rounded_away:
        return Refusal.LIMIT_TOO_SMALL, (
            f"{config.rounded_away} would be 0 on {market.symbol}, which means off: the least is "
            f"{market.tick_size} for a price, {market.lot_size} for a quantity, 0.0001 for a percentage"
        )
    if not layout.known:
        return "", ""
    if not config.step and not config.ratio_ppm and config.atr is None:
        return Refusal.SPACING_TOO_SMALL, (
            f"spec.grid.spacing is smaller than the market's tick: arithmetic must be at least {market.tick_size}, "
            "geometric at least 0.0001"
        )
    if layout.bounded and layout.first is not None and layout.first == layout.last:
        return Refusal.BOUNDS_TOO_NARROW, (
            f"spec.grid.lower and spec.grid.upper must be at least one interval apart: upper must be at least "
            f"{market.from_ticks(layout.grid.level(layout.first + 1))}"
        )
    price = turn.state.last_price
    cycles = [cycle for side in config.sides for cycle in Ladder(side, layout, config).cycles(price)]
    entries = [entry for entry, _ in cycles]
    size = _too_small(turn, config, entries) or _too_large(turn, config, entries)
    return size or _unprofitable(market, config, cycles) or ("", "")


def _too_small(turn: Turn, config: EngineConfig, prices: Sequence[int]) -> tuple[str, str] | None:
    state, market = turn.state, turn.market
    if not state.sizing.size and config.order_equity_ppm:
        return None  # the equity is not known yet
    if all(sizing.lots_at(state, market, config, price) >= _smallest(market, price) for price in prices):
        return None
    dearest, quantity = max(prices), max(_smallest(market, price) for price in prices)
    worth = max(market.notional(price, _smallest(market, price)) for price in prices)
    if sizing.in_base(config):
        least = f"spec.order.baseSize must be at least {_plain(market.from_lots(quantity))}"
    elif config.order_equity_ppm:
        percent = -(-worth * PPM // max(1, state.equity or 0))
        least = f"spec.order.equityPercent must be at least {_percent(percent)} of the present equity"
    else:
        least = f"spec.order.quoteSize must be at least {from_money(worth):f}"
    return Refusal.ORDER_TOO_SMALL, (
        f"orders are too small for {market.symbol}: with levels up to {market.from_ticks(dearest)} {least}"
    )


def _too_large(turn: Turn, config: EngineConfig, prices: Sequence[int]) -> tuple[str, str] | None:
    """Cheap levels have the largest orders."""
    state, market = turn.state, turn.market
    cheapest = min(prices, default=0)
    most = market.max_quantity
    if not most or not cheapest or sizing.lots_at(state, market, config, cheapest) <= most:
        return None
    worth = market.notional(cheapest, most)
    if sizing.in_base(config):
        limit = f"spec.order.baseSize must be at most {_plain(market.from_lots(most))}"
    elif config.order_equity_ppm:
        limit = f"spec.order.equityPercent must be at most {_percent(worth * PPM // max(1, state.equity or 0))}"
    else:
        limit = f"spec.order.quoteSize must be at most {from_money(worth):f}"
    return Refusal.ORDER_TOO_LARGE, (
        f"orders are too large for {market.symbol}, which takes {_plain(market.from_lots(most))} at once: with levels "
        f"down to {market.from_ticks(cheapest)} {limit}"
    )


def _smallest(market: Market, price: int) -> int:
    """Lots of the smallest order that the exchange takes at this price, and on spot of which enough is left to sell."""
    least = max(1, market.min_quantity, -(-market.min_notional // market.notional(price, 1)))
    return -(-least * PPM // (PPM - max(0, market.taker_fee_ppm))) if market.spot else least


def _unprofitable(market: Market, config: EngineConfig, cycles: Cycles) -> tuple[Refusal, str] | None:
    fee = leg_fee(market, config)
    if all(profitable(min(cycle), max(cycle), fee) for cycle in cycles):
        return None
    prices = [min(cycle) for cycle in cycles]
    dearest = max(prices)
    if config.atr is not None:
        least = "the step in force does not pay: the next closed candle widens it, a smaller window needs less"
    elif config.step:
        least = f"arithmetic must be at least {_plain(market.from_ticks(break_even_step(dearest, fee)))}"
    else:
        least = f"geometric must be at least {_percent(break_even_ratio(prices, fee))}"
    return Refusal.UNPROFITABLE, (
        f"spec.grid.spacing loses money on {market.symbol}: each leg of a cycle pays {_percent(fee)} percent of its "
        f"value as {'maker' if config.post_only else 'taker'}; with levels up to "
        f"{_plain(market.from_ticks(dearest))} {least}"
    )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _percent(ppm: int) -> str:
    return _plain(Decimal(ppm * 100) / PPM)
