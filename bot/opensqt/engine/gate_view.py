"""What holds orders back, in words."""

from collections.abc import Callable
from datetime import UTC, datetime

from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.gate import Closed, Gate
from opensqt.engine.market import Market
from opensqt.engine.state import State
from opensqt.engine.view import GateView, MonitorView

_FOR_EXITS_TOO = frozenset({Closed.NOT_STARTED, Closed.HALTED, Closed.FEED_LOST, Closed.BACKING_OFF, Closed.NO_PRICE})


def gate_view(state: State, config: EngineConfig, market: Market, now: int) -> tuple[GateView, ...]:
    """Every reason that holds all entries back, the limit that keeps the nearest one out, a price that is refused."""
    reasons = [
        GateView(closed.value, _message(state, market, closed), closed in _FOR_EXITS_TOO)
        for closed in Gate(state, config, market, now).reasons()
    ]
    if state.limit_reached:
        message = f"spec.riskLimits.{state.limit_reached} leaves no room for the next entry"
        reasons.append(GateView("LimitReached", message, False))
    if state.outside_band:
        message = (
            f"an order at {market.from_ticks(state.outside_band)} is too far beyond the price "
            "(spec.riskLimits.maxPriceDeviationPercent)"
        )
        reasons.append(GateView(Closed.OUTSIDE_PRICE_BAND.value, message, False))
    return tuple(reasons)


def _message(state: State, market: Market, closed: Closed) -> str:
    messages: dict[Closed, Callable[[], str]] = {
        Closed.HALTED: lambda: f"{state.halt}: {state.halt_message}",
        Closed.FEED_LOST: lambda: "; ".join(f"{feed}: {message}" for feed, message in state.feeds_lost.items()),
        Closed.BACKING_OFF: lambda: f"the exchange wants nothing sent before {_time(state.backing_off_until)}",
        Closed.NO_PRICE: lambda: "waiting for a price",
        Closed.PRICE_SUSPECTED: lambda: f"the price {market.from_ticks(state.suspect)} is not confirmed yet",
        Closed.MONITOR_BLIND: lambda: state.monitor_blind,
        Closed.WAITING_FOR_CANDLES: lambda: f"spec.grid.spacing.atr: {state.candles_missing}",
        Closed.GOAL: lambda: _goal(state),
        Closed.REFUSED: lambda: state.refusal_message,
        Closed.UNSAFE: lambda: "; ".join(f"{finding.reason}: {finding.message}" for finding in state.findings),
        Closed.POSITION_REFUSED: lambda: state.found_refused or "a position of others is being taken over",
        Closed.WAITING_FOR_TRIGGER: lambda: (
            f"waiting for the price to come to {market.from_ticks(state.trigger.price):f}; "
            f"it is {market.from_ticks(state.last_price):f}"
        ),
        Closed.BREAKER_OPEN: lambda: state.breaker.message,
        Closed.MONITOR_TRIGGERED: lambda: f"the market has been falling since {_time(state.monitor.since)}",
        Closed.MARGIN_LOCKED: lambda: (
            f"the exchange lacked margin: no entries until {_time(state.margin_locked_until)}"
        ),
    }
    return messages[closed]() if closed in messages else ""


def _goal(state: State) -> str:
    if state.goal is not state.wanted:
        return state.barriers.message
    if state.goal is Goal.PAUSE:
        return "spec.state is Paused"
    return (
        "the bot is being deleted" if state.goal is Goal.CLOSE else "spec.state is Stopped, or the bot is being deleted"
    )


def monitor_view(state: State, config: EngineConfig | None) -> MonitorView:
    monitor = state.monitor
    if config is None or config.monitor is None:
        return MonitorView("Off", "", 0, monitor.triggers)
    if monitor.triggered:
        return MonitorView("Triggered", state.monitor_blind, monitor.since, monitor.triggers)
    return MonitorView("Blind" if state.monitor_blind else "Calm", state.monitor_blind, 0, monitor.triggers)


def _time(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
