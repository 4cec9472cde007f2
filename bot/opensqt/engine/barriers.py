"""Take profit, stop loss and time limit of the whole grid. Once reached, they hold until spec.barriers changes."""

from enum import StrEnum

from opensqt.api.barriers import BarrierAction
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.market import DUST, Market, from_money
from opensqt.engine.state import Barriers, State, Turn

GOALS = {
    BarrierAction.CLOSE_POSITION: Goal.CLOSE,
    BarrierAction.CANCEL_ORDERS: Goal.STOP,
    BarrierAction.PAUSE: Goal.PAUSE,
}
_ORDER = list(Goal)
"""From what does most to what leaves least."""


class Barrier(StrEnum):
    TAKE_PROFIT = "TakeProfit"
    STOP_LOSS = "StopLoss"
    TAKE_PROFIT_PRICE = "TakeProfitPrice"
    STOP_LOSS_PRICE = "StopLossPrice"
    TIME_LIMIT = "TimeLimit"


def configure(state: State, config: EngineConfig) -> None:
    """Takes another spec's barriers: where they differ nothing has been reached, and the time limit starts anew."""
    terms = _terms(config)
    if terms != state.barriers.terms:
        state.barriers = Barriers(terms=terms)


def goal_in_force(state: State, config: EngineConfig) -> Goal:
    """The spec's goal, or the barrier's where that leaves less."""
    reached = GOALS[config.barrier_action] if state.barriers.reached else Goal.RUN
    return max(state.wanted, reached, key=_ORDER.index)


def watch(turn: Turn, config: EngineConfig) -> None:
    """Sees whether one is reached at the last price, and acts on it once."""
    state, barriers = turn.state, turn.state.barriers
    if barriers.reached or not state.fresh or not state.anchor:
        return
    if not barriers.since and any(barriers.terms):
        barriers.since, turn.changed = turn.now, True
    found = _reached(turn, config)
    if found is None:
        return
    barriers.reached, barriers.at = found[0], turn.now
    barriers.message = f"{found[1]}; change spec.barriers to go on"
    state.goal = goal_in_force(state, config)
    turn.warn("BarrierReached", f"{found[0]}: {found[1]}; {config.barrier_action}")


def due(state: State, config: EngineConfig) -> int:
    """When the time limit is reached; 0 for never."""
    barriers = state.barriers
    return barriers.since + config.time_limit if barriers.since and config.time_limit and not barriers.reached else 0


def quiet_bounds(state: State, market: Market, config: EngineConfig) -> tuple[int | None, int | None]:
    """The prices, both exclusive, between which no barrier is reached."""
    lows: list[int] = []
    highs: list[int] = []
    if state.barriers.reached or not state.anchor or state.goal not in {Goal.RUN, Goal.PAUSE}:
        return None, None
    for price in (config.take_profit_price, config.stop_loss_price):
        if price:
            (highs if _above(state, config, price) else lows).append(price)
    per_tick = state.ledger.total.amount * market.tick_value  # in parts of money
    fixed = state.ledger.pnl(0)
    for amount, sign in ((config.take_profit, 1), (-config.stop_loss, -1)):
        if amount and per_tick:
            if per_tick * sign > 0:  # reached when the price rises
                highs.append(-(-(amount - fixed) * DUST // per_tick))
            elif per_tick < 0:
                lows.append((amount - fixed) * DUST // per_tick)
            else:  # what dust is worth is rounded down
                lows.append(-(-(amount + 1 - fixed) * DUST // per_tick) - 1)
    return max(lows, default=None), min(highs, default=None)


def _reached(turn: Turn, config: EngineConfig) -> tuple[Barrier, str] | None:
    state, market = turn.state, turn.market
    pnl, sure, price = turn.pnl, turn.sure_pnl, state.last_price
    if config.stop_loss and pnl <= -config.stop_loss:
        return Barrier.STOP_LOSS, f"PnL is {from_money(pnl):f}, stopLoss is {from_money(config.stop_loss):f}"
    if config.take_profit and sure >= config.take_profit:
        return Barrier.TAKE_PROFIT, f"PnL is {from_money(sure):f}, takeProfit is {from_money(config.take_profit):f}"
    for barrier, level in (
        (Barrier.STOP_LOSS_PRICE, config.stop_loss_price),
        (Barrier.TAKE_PROFIT_PRICE, config.take_profit_price),
    ):
        if level and (price >= level if _above(state, config, level) else price <= level):
            return barrier, f"the price is {market.from_ticks(price)}, the barrier {market.from_ticks(level)}"
    if 0 < due(state, config) <= turn.now:
        return Barrier.TIME_LIMIT, f"{config.time_limit // 1_000_000} s have passed"
    return None


def _above(state: State, config: EngineConfig, level: int) -> bool:
    """Whether a price barrier is reached when the price rises. A neutral grid's lie on either side of its anchor."""
    if len(config.sides) > 1:
        return level > state.anchor
    return (level == config.take_profit_price) == (config.sides[0].sign > 0)


def _terms(config: EngineConfig) -> list[int]:
    return [
        config.take_profit,
        config.stop_loss,
        config.take_profit_price,
        config.stop_loss_price,
        config.time_limit,
        list(BarrierAction).index(config.barrier_action),
    ]
