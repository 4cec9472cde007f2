"""What opens and closes the breaker and the market monitor by itself, looked at in every turn."""

from opensqt.engine.breaker import Trip
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import CandleChanged, ClockCompared, FeedChanged
from opensqt.engine.safety import ABOUT_BALANCE, Entry, findings
from opensqt.engine.sizing import in_base, lots_at
from opensqt.engine.state import Turn, candle_feed


def watch_breaker(turn: Turn, config: EngineConfig) -> None:
    """Lets it follow time and PnL, and opens or closes it."""
    state, breaker = turn.state, turn.state.breaker
    resets_at = breaker.resets_at(config)
    if 0 < resets_at <= turn.now:
        close_breaker(turn, "a new day has begun" if breaker.reason == Trip.DAILY_LOSS else "its cooldown is over")
    turn.changed |= breaker.follow(config, turn.now, turn.sure_pnl)
    if trip := breaker.tripped(config, state.ledger, turn.pnl):
        open_breaker(turn, config, *trip)


def open_breaker(turn: Turn, config: EngineConfig, reason: Trip, cause: str) -> None:
    """Opens it; people are told the cause and what closes it."""
    breaker = turn.state.breaker
    breaker.trip(turn.now, reason, "")
    breaker.message = f"{cause}: {breaker.how_it_closes(config)}"
    turn.warn("BreakerOpened", f"{reason}: {breaker.message}")


def close_breaker(turn: Turn, why: str) -> None:
    turn.state.breaker.close(turn.state.ledger, turn.sure_pnl)
    turn.tell("BreakerClosed", why)


def on_clock(turn: Turn, event: ClockCompared) -> None:
    if event.skew != turn.state.clock_skew:
        turn.state.clock_skew, turn.state.unchecked, turn.changed = event.skew, True, True


def check_safety(turn: Turn, config: EngineConfig) -> None:
    """Looks at the findings as long as there are any. A bot that holds something has shown that it can trade."""
    state = turn.state
    if not state.unchecked or state.equity is None or not state.last_price:
        return
    lots = lots_at(state, turn.market, config, state.last_price)
    worth = turn.market.notional(state.last_price, lots) if in_base(config) else state.sizing.size
    found = findings(config, turn.market, state.equity, state.clock_skew, Entry(worth, lots))
    if state.ledger.total.lots:
        found = [finding for finding in found if finding.reason not in ABOUT_BALANCE]
    if found != state.findings:
        for finding in found:
            if finding.reason not in {known.reason for known in state.findings}:
                turn.warn(finding.reason, f"no entries are placed: {finding.message}")
        if not found:
            turn.tell("SafetyPassed", "nothing is found any more: entries are placed")
        state.findings, turn.changed = found, True
    if not found:
        state.unchecked, turn.changed = False, True


def on_candle_feed(turn: Turn, event: FeedChanged) -> None:
    """Without candles the monitor is blind; nothing else depends on them."""
    config, monitor = turn.state.config, turn.state.monitor
    if config is None or config.monitor is None or event.feed != candle_feed(config.monitor.interval):
        return
    lost = "" if event.healthy else event.message
    if lost != monitor.lost:
        monitor.lost, turn.changed = lost, True


def on_candle(turn: Turn, event: CandleChanged) -> None:
    config = turn.state.config
    if config is not None and config.monitor is not None:
        turn.changed |= turn.state.monitor.take(config.monitor, event)


def watch_monitor(turn: Turn, config: EngineConfig) -> None:
    """Triggers it or lets it recover, and tells when it begins or ceases to be blind."""
    state = turn.state
    if config.monitor is None:
        return
    if news := state.monitor.judge(config.monitor, turn.now):
        if state.monitor.triggered:
            turn.warn("MonitorTriggered", f"{news}: entries are cancelled and none placed")
        else:
            turn.tell("MonitorRecovered", f"{news}: entries are placed again")
    blind = state.monitor.blind(config.monitor, turn.now)
    if bool(blind) != bool(state.monitor_blind):
        if blind:
            turn.warn("MonitorBlind", f"{blind}: no new entries are placed")
        else:
            turn.tell("MonitorSees", "all markets of spec.marketMonitor are seen")
    if blind != state.monitor_blind:
        state.monitor_blind, turn.changed = blind, True
