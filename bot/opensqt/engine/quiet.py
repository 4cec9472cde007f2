"""Which prices have no consequence, and when the engine wants to be woken: an idle decision is two comparisons."""

from opensqt.engine import barriers
from opensqt.engine.actions import OrderSide
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.gate import Closed, Gate
from opensqt.engine.grid import Grid, nearest
from opensqt.engine.ladder import Ladder
from opensqt.engine.layout import Layout
from opensqt.engine.market import DUST, Market
from opensqt.engine.orders import Stage
from opensqt.engine.prices import durable_bounds
from opensqt.engine.settlement import closable
from opensqt.engine.side import Side
from opensqt.engine.state import State

Band = tuple[int | None, int | None]


def next_wake(state: State, after: int) -> int | None:
    """The earliest time after `after` at which something is due."""
    times = _due(state)
    if state.config is not None:
        times += [state.breaker.resets_at(state.config), state.breaker.next_day(state.config)]
        times.append(barriers.due(state, state.config))
        if state.config.monitor is not None:
            times += state.monitor.wakes(state.config.monitor)
        if state.config.atr is not None:
            times.append(state.volatility.late_at(state.config.atr))
    return min((time for time in times if time > after), default=None)


def _due(state: State) -> list[int]:
    """When orders and slots want something done; prices matter until then."""
    times = [order.due for order in state.orders.live.values()]
    times += [slot.not_before for slot in state.slots.by_number.values()]
    return [*times, state.margin_locked_until, state.backing_off_until]


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

    def within(self, low: int | None, high: int | None) -> None:
        if low is not None:
            self.above(low)
        if high is not None:
            self.below(high)

    def before(self, side: Side, price: int) -> None:
        """Only prices that are worse for this side than this one are quiet."""
        (self.below if side is Side.LONG else self.above)(price)

    def after(self, side: Side, price: int) -> None:
        """Only prices that are better for this side than this one are quiet."""
        (self.above if side is Side.LONG else self.below)(price)


def quiet_band(state: State, market: Market, now: int, kept: int) -> Band:
    """The exclusive bounds of the quiet prices; (p, p) where every price counts, as while anything is due.

    So does every price while the spec does not fit market or balance: at which price it would is not known; and while
    fills are newer than the last price, for the next one says what they are worth.

    `kept` is the last price that the log has.
    """
    config = state.config
    unsettled = state.suspect or state.traded or state.refusal or state.findings
    if config is None or not state.fresh or unsettled or any(time > now for time in _due(state)):
        return state.last_price, state.last_price
    bounds = _Bounds()
    bounds.above(0)
    if state.goal in {Goal.RUN, Goal.PAUSE}:
        if layout := state.layout:
            _slots(bounds, Gate(state, config, market, now), layout)
        _trigger(bounds, state)
    _orders(bounds, state)
    _drawdown(bounds, state, market, config)
    bounds.within(*barriers.quiet_bounds(state, market, config))
    bounds.within(*durable_bounds(state, kept))
    return bounds.low, bounds.high


def _slots(bounds: _Bounds, gate: Gate, layout: Layout) -> None:
    """Where another order belongs."""
    state, config, market = gate.state, gate.config, gate.market
    ladders = {side: Ladder(side, layout, config) for side in Side}
    for ladder in ladders.values():
        _exits(bounds, state, market, ladder)
    entering = gate.entries() is None
    if entering:
        for side in config.sides:
            _entries(bounds, state, market, ladders[side])
    both_hold = all(state.slots.held(side) for side in Side)
    if both_hold or any(not order.unwanted for order in state.orders.entries()):
        _levels(bounds, layout.grid, state.last_price)
    elif entering:
        _windows(bounds, gate, layout)
    if state.goal is Goal.RUN and not state.trigger.waiting:
        _trailing(bounds, config, layout)


def _windows(bounds: _Bounds, gate: Gate, layout: Layout) -> None:
    """Where a window has other levels, while it has no entries; far from all that may be entered it has none."""
    config, price = gate.config, gate.state.last_price
    grid, index = layout.grid, nearest(layout.grid, price)
    for side in config.sides:
        far = config.window(side) - 1
        low, high = layout.lowest_entry(side), layout.highest_entry(side)
        # The grid prices around which the window has anything.
        low = None if low is None else low - (far if side is Side.SHORT else 0)
        high = None if high is None else high + (far if side is Side.LONG else 0)
        if high is not None and index > high:
            bounds.above(-(-(grid.level(high) + grid.level(high + 1)) // 2) - 1)
        elif low is not None and index < low:
            bounds.below(-(-(grid.level(low - 1) + grid.level(low)) // 2))
        elif _position_is_full(gate):
            bounds.below(-(-(grid.level(index) + grid.level(index + 1)) // 2))
        else:
            _levels(bounds, grid, price)


def _position_is_full(gate: Gate) -> bool:
    """Whether no entry fits into maxPosition: nor does one at a lower price, which has as many lots or more."""
    state, market = gate.state, gate.market
    full = state.limit_reached == Closed.MAX_POSITION and len(gate.config.sides) == 1
    return full and not any(slot.held and not closable(market, slot) for slot in state.slots.levels())


def _trailing(bounds: _Bounds, config: EngineConfig, layout: Layout) -> None:
    """Where a bounded grid is shifted by the next level."""
    grid, first, last = layout.grid, layout.first, layout.last
    if not layout.bounded or first is None or last is None:
        return
    above, below = grid.level(last + 1), grid.level(first - 1)
    if config.trail_up and (not config.trail_up_to or above <= config.trail_up_to):
        bounds.below(above)
    if config.trail_down and below >= max(1, config.trail_down_to):
        bounds.above(below)


def _trigger(bounds: _Bounds, state: State) -> None:
    trigger = state.trigger
    if trigger.waiting and trigger.start < trigger.price:
        bounds.below(trigger.price)
    elif trigger.waiting:
        bounds.above(trigger.price)


def _levels(bounds: _Bounds, grid: Grid, price: int) -> None:
    """Where another level is the nearest."""
    index = nearest(grid, price)
    below, level, above = (grid.level(index + step) for step in (-1, 0, 1))
    bounds.above(-(-(below + level) // 2) - 1)
    bounds.below(-(-(level + above) // 2))


def _entries(bounds: _Bounds, state: State, market: Market, ladder: Ladder) -> None:
    """Where the nearest level becomes worth an entry, or is so no more."""
    index, side = nearest(ladder.grid, state.last_price), ladder.side
    level = ladder.entry_price(index)
    slot = state.slots.by_level.get((side, level or 0))
    if level is None or (slot is not None and (slot.order or closable(market, slot))):
        return
    last_unworthy = level + side.sign * (side.gain(level, ladder.exit_price(index)) // 10)
    if ladder.worth_entering(index, state.last_price):
        bounds.after(side, last_unworthy)
    else:
        bounds.before(side, last_unworthy + side.sign)


def _exits(bounds: _Bounds, state: State, market: Market, ladder: Ladder) -> None:
    """The nearest level that is held beyond the window of exits."""
    side, reach = ladder.side, ladder.reach(state.last_price)
    for slot in state.slots.held(side):
        if side.gain(reach, slot.price) > 0 and not slot.order and closable(market, slot):
            bounds.before(side, ladder.in_reach_at(slot.price))
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
    """Where a loss trips the breaker, and where the peak takes the next step."""
    breaker, total = state.breaker, state.ledger.total
    floor, per_tick = breaker.floor(config), total.amount * market.tick_value
    if breaker.open or not per_tick:
        return
    fixed = state.ledger.pnl(0)
    trips = ((floor or 0) - fixed) * DUST  # at or below which it trips, times per_tick
    steps = (breaker.peak + breaker.peak_step(config) - fixed) * DUST  # at or above which the peak moves
    if per_tick > 0:
        bounds.below(-(-steps // per_tick))
        if floor is not None:
            bounds.above(-(-(trips + DUST) // per_tick) - 1)  # what dust is worth is rounded down
    else:
        bounds.above(steps // per_tick)
        if floor is not None:
            bounds.below(-(-trips // per_tick))
