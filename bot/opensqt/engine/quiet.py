"""Which prices have no consequence, and when the engine wants to be woken: an idle decision is two comparisons."""

from opensqt.engine.actions import OrderSide
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.grid import Grid, nearest, worth_buying
from opensqt.engine.market import Market
from opensqt.engine.orders import Stage
from opensqt.engine.settlement import smallest_exit
from opensqt.engine.state import State

Band = tuple[int | None, int | None]


def next_wake(state: State, after: int) -> int | None:
    """The earliest time after `after` at which something is due."""
    times = [order.due for order in state.orders.live.values()]
    times += [slot.not_before for slot in state.slots.by_number.values()]
    times += [state.margin_locked_until, state.backing_off_until]
    if state.config is not None:
        times.append(state.breaker.resets_at(state.config))
    return min((time for time in times if time > after), default=None)


class _Bounds:
    """The narrowest of many bounds, both exclusive."""

    def __init__(self) -> None:
        self.low: int | None = None
        self.high: int | None = None

    def above(self, price: int) -> None:
        """Only prices above this one are quiet."""
        self.low = price if self.low is None else max(self.low, price)

    def below(self, price: int) -> None:
        self.high = price if self.high is None else min(self.high, price)


def quiet_band(state: State, market: Market, grid: Grid | None, wake_at: int | None) -> Band:
    """The exclusive bounds of the quiet prices; (p, p) where every price counts, as while anything is due."""
    if grid is None or state.config is None or not state.fresh or wake_at is not None:
        return state.last_price, state.last_price
    bounds = _Bounds()
    bounds.above(0)
    if state.goal in {Goal.RUN, Goal.PAUSE}:
        _exits(bounds, state, market, state.config, grid)
        _entries(bounds, state, market, grid)
    _orders(bounds, state)
    _drawdown(bounds, state, market, state.config)
    return bounds.low, bounds.high


def _entries(bounds: _Bounds, state: State, market: Market, grid: Grid) -> None:
    index = nearest(grid, state.last_price)
    below, level, above = (grid.level(index + step) for step in (-1, 0, 1))
    bounds.above(-(-(below + level) // 2) - 1)
    bounds.below(-(-(level + above) // 2))
    slot = state.slots.by_price.get(level)
    if slot is None or (not slot.order and slot.holding.lots < smallest_exit(market)):
        worth_from = (10 * level + above - level) // 10 + 1
        if worth_buying(grid, index, state.last_price):
            bounds.above(worth_from - 1)
        else:
            bounds.below(worth_from)


def _exits(bounds: _Bounds, state: State, market: Market, config: EngineConfig, grid: Grid) -> None:
    """The nearest level that is held beyond the sell window."""
    top = grid.level(grid.below(state.last_price) + config.sell_window)
    for slot in reversed(state.slots.held()):
        if slot.price > top and not slot.order and slot.holding.lots >= smallest_exit(market):
            index = grid.below(slot.price)
            index += grid.level(index) < slot.price
            bounds.below(grid.level(index - config.sell_window))
            return


def _orders(bounds: _Bounds, state: State) -> None:
    """A price beyond an open order's own means that news of it is overdue."""
    for order in state.orders.live.values():
        if order.stage is Stage.OPEN and order.price is not None and not order.due:
            if order.side is OrderSide.BUY:
                bounds.above(order.price - 1)
            else:
                bounds.below(order.price + 1)


def _drawdown(bounds: _Bounds, state: State, market: Market, config: EngineConfig) -> None:
    """Where the drawdown trips, and where its peak takes the next step."""
    breaker, total = state.breaker, state.ledger.total
    limit, per_tick = breaker.limit(config), total.lots * market.tick_value
    if breaker.open or not per_tick:
        return
    fixed = state.ledger.realised - total.cost - total.fees  # PnL at a price of 0
    trips = breaker.peak - limit - fixed  # at or below which it trips, times per_tick
    steps = breaker.peak + breaker.peak_step(config) - fixed  # at or above which the peak moves
    if per_tick > 0:
        bounds.below(-(-steps // per_tick))
        if limit:
            bounds.above(trips // per_tick)
    else:
        bounds.above(steps // per_tick)
        if limit:
            bounds.below(-(-trips // per_tick))
