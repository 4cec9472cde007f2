"""How large an entry is: a fixed worth, a fixed quantity, or a share of the equity; and profit that is put back in."""

from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.market import Market, from_money
from opensqt.engine.state import Sizing, State, Turn

_STEP = 20
"""The size follows its target when that is off by this part of it: entries are not replaced for less."""


def configure(state: State, config: EngineConfig) -> None:
    """Takes another spec's sizes: where they differ, the present size is forgotten."""
    terms = [config.order_money, config.order_lots, config.order_equity_ppm, config.reinvest_ppm]
    if terms != state.sizing.terms:
        state.sizing = Sizing(terms)


def follow(turn: Turn, config: EngineConfig) -> None:
    """Lets the size follow equity and profit, in steps."""
    sizing, target = turn.state.sizing, _target(turn.state, turn.market, config)
    if target <= 0 or abs(target - sizing.size) * _STEP < sizing.size:
        return
    if target == sizing.size:
        return
    if sizing.size:
        turn.tell("OrderSizeChanged", f"entries are {_shown(turn.market, config, target)} each from now on")
    sizing.size, turn.changed = target, True


def lots_at(state: State, market: Market, config: EngineConfig, price: int) -> int:
    """Lots of an entry at this price, rounded down; 0 while the size is not known."""
    size = state.sizing.size
    return size if in_base(config) else size // market.notional(price, 1)


def in_base(config: EngineConfig) -> bool:
    """Whether the size is a quantity, and not a worth."""
    return not config.order_money and not config.order_equity_ppm


def _target(state: State, market: Market, config: EngineConfig) -> int:
    """In money, or in lots where the spec says a quantity."""
    if config.order_equity_ppm:
        return max(0, state.equity or 0) * config.order_equity_ppm // PPM
    entries = sum(config.window(side) for side in config.sides)
    profit = max(0, state.ledger.realised) * config.reinvest_ppm // (PPM * entries)
    if in_base(config):
        return config.order_lots + (profit // market.notional(state.anchor, 1) if state.anchor else 0)
    return config.order_money + profit


def _shown(market: Market, config: EngineConfig, size: int) -> str:
    base, _, quote = market.symbol.partition(":")[0].partition("/")
    return f"{market.from_lots(size):f} {base}" if in_base(config) else f"{from_money(size):f} {quote}"
