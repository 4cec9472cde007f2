"""The view of a state."""

from dataclasses import replace

from opensqt.engine.actions import OrderSide
from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.gate import Closed, Exposure
from opensqt.engine.gate_view import gate_view, monitor_view
from opensqt.engine.lifecycle import what_is_missing
from opensqt.engine.market import Market
from opensqt.engine.orders import Order, Stage
from opensqt.engine.settlement import closable
from opensqt.engine.slots import Slot, SlotPosition
from opensqt.engine.state import HaltReason, State
from opensqt.engine.view import BreakerView, EngineView, GateView, LimitView, Phase, SlotView, Unit

_SHOWN = frozenset(
    {
        Closed.FEED_LOST,
        Closed.NO_PRICE,
        Closed.PRICE_SUSPECTED,
        Closed.MONITOR_BLIND,
        Closed.WAITING_FOR_CANDLES,
        Closed.UNSAFE,
        Closed.POSITION_REFUSED,
        Closed.WAITING_FOR_TRIGGER,
        Closed.BREAKER_OPEN,
        Closed.MONITOR_TRIGGERED,
    }
)
"""What holds entries back for longer than a moment, and is not the goal."""


def view_of(state: State, market: Market, time: int, *, slots: bool) -> EngineView:
    """The state as it is shown, as of `time`, with or without its slots."""
    gate = gate_view(state, state.config, market, time) if state.config else ()
    phase, reason, message = _phase(state, market, gate)
    ledger, lot_value = state.ledger, state.last_price * market.tick_value
    pnl = ledger.pnl(lot_value)
    lower, upper = _bounds(state)
    live = state.orders.live.values()
    return EngineView(
        time=time,
        epoch=state.epoch,
        generation=state.generation,
        phase=phase,
        reason=reason,
        message=message,
        last_price=state.last_price,
        anchor=state.anchor,
        lower=lower,
        upper=upper,
        step=_step(state),
        average_true_range=state.volatility.average or 0,
        position=ledger.total.lots,
        dust=ledger.total.dust,
        entry_cost=ledger.total.cost,
        realised=ledger.realised,
        unrealised=ledger.unrealised(lot_value),
        fees=ledger.fees,
        funding=ledger.funding,
        volume=ledger.volume,
        open_buys=sum(order.side is OrderSide.BUY for order in live),
        open_sells=sum(order.side is OrderSide.SELL for order in live),
        fills=ledger.fills,
        cycles=ledger.cycles,
        consecutive_losses=ledger.losses,
        drawdown=max(0, state.breaker.peak - pnl),
        breaker=_breaker(state),
        gate=gate,
        monitor=monitor_view(state, state.config),
        limits=_limits(state, market, state.config) if state.config else (),
        slots=_slots(state, market) if slots else (),
        discrepancies=tuple(state.discrepancies.newest),
        discrepancy_counts=tuple(sorted(state.discrepancies.counts.items())),
    )


def _bounds(state: State) -> tuple[int, int]:
    layout = state.layout
    if layout is None or not layout.bounded:
        return 0, 0
    return layout.grid.level(layout.first or 0), layout.grid.level(layout.last or 0)


def _step(state: State) -> int:
    if state.config is None:
        return 0
    return state.volatility.step if state.config.atr else state.config.step


def _phase(  # noqa: PLR0911 - the first that holds
    state: State, market: Market, gate: tuple[GateView, ...]
) -> tuple[Phase, str, str]:
    if state.wound_down and state.goal in {Goal.STOP, Goal.CLOSE} and state.halt != HaltReason.FENCED:
        return _ending(state, market)
    if state.halt:
        return Phase.HALTED, state.halt, state.halt_message
    if not state.epoch or state.config is None:
        return Phase.STARTING, "NotConfigured", "waiting for a spec"
    if state.goal in {Goal.STOP, Goal.CLOSE}:
        return _ending(state, market)
    if state.refusal:
        return Phase.HALTED, state.refusal, state.refusal_message
    if not state.fresh and not state.feeds_lost and not state.last_price:
        return Phase.STARTING, "NoPrice", "waiting for a price"
    if waits := next((one for one in gate if one.reason in _SHOWN), None):
        return _usual(state), waits.reason, waits.message
    if denied := [order.client_id for order in state.orders.live.values() if order.denied]:
        return _usual(state), "OrderDenied", f"the exchange has had and denies now: {', '.join(denied[:5])}"
    if missing := _missing_fills(state, market):
        return _usual(state), "FillsMissing", missing
    return _usual(state), state.barriers.reached, state.barriers.message


def _missing_fills(state: State, market: Market) -> str:
    return "; ".join(what_is_missing(market, order) for order in state.orders.live.values() if order.unsettled)


def _ending(state: State, market: Market) -> tuple[Phase, str, str]:
    phase = Phase.STOPPED if state.wound_down else Phase.WINDING_DOWN
    if missing := _missing_fills(state, market):
        return phase, "FillsMissing", missing
    if state.goal is not state.wanted:
        return phase, state.barriers.reached, state.barriers.message
    if state.wound_down:
        return phase, "WoundDown", "nothing of this bot is open at the exchange"
    return phase, str(state.goal), f"{len(state.orders.live)} orders are live or in doubt"


def _usual(state: State) -> Phase:
    return Phase.PAUSED if state.goal is Goal.PAUSE else Phase.RUNNING


def _breaker(state: State) -> BreakerView:
    breaker = state.breaker
    resets_at = breaker.resets_at(state.config) if state.config else 0
    return BreakerView(breaker.open, breaker.reason, breaker.message, breaker.opened_at, resets_at, breaker.trips)


def _limits(state: State, market: Market, config: EngineConfig) -> tuple[LimitView, ...]:
    exposure = Exposure.now(state, market, state.last_price)
    limits = [LimitView("maxOpenOrders", exposure.orders, config.max_open_orders, Unit.ORDERS, False)]
    if config.max_position:
        limits.append(LimitView("maxPosition", exposure.most_lots, config.max_position, Unit.LOTS, False))
    if config.max_notional:
        limits.append(LimitView("maxNotional", exposure.most_money, config.max_notional, Unit.MONEY, False))
    if state.equity is not None and state.equity > 0:
        used = exposure.most_money * PPM // state.equity
        limits.append(LimitView("maxLeverage", used, config.max_leverage * PPM, Unit.PPM, False))
    return tuple(_reached(limit, state.limit_reached) for limit in limits)


def _reached(limit: LimitView, blocking: str) -> LimitView:
    """A limit is reached where it holds an entry back, or is used up."""
    return replace(limit, reached=limit.name == blocking or limit.used >= limit.limit)


def _slots(state: State, market: Market) -> tuple[SlotView, ...]:
    """Dearest first."""
    slots = sorted(state.slots.levels(), key=lambda slot: (-slot.price, slot.number))
    return tuple(_slot(state, market, slot) for slot in slots)


def _slot(state: State, market: Market, slot: Slot) -> SlotView:
    order = state.orders.live.get(slot.order)
    filled = closable(market, slot)
    return SlotView(
        number=slot.number,
        price=slot.price,
        exit_price=slot.exit_price,
        side=slot.side,
        position=SlotPosition.FILLED if filled else SlotPosition.EMPTY,
        order=order_word(order) if order else "NOT_PLACED",
        held=slot.holding.lots,
        client_id=slot.order,
    )


def order_word(order: Order) -> str:
    """The state of an order in one word, as in docs/engine.md."""
    if order.doubt:
        return "IN_DOUBT"
    if order.unwanted and order.stage is not Stage.SETTLING:
        return "CANCEL_REQUESTED"
    if order.stage is Stage.OPEN and order.partial:
        return "PARTIALLY_FILLED"
    return order.stage.value
