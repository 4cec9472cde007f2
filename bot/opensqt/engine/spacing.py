"""The step of a grid that is spaced by volatility: what a candle makes of it, and what another one changes."""

from opensqt.engine.config import EngineConfig
from opensqt.engine.events import CandleChanged
from opensqt.engine.layout import shift_kept
from opensqt.engine.market import from_money
from opensqt.engine.state import Turn


def on_candle(turn: Turn, event: CandleChanged) -> None:
    config = turn.state.config
    if config is not None and config.atr is not None:
        turn.changed |= turn.state.volatility.take(config.atr, turn.market.symbol, event)


def follow(turn: Turn, config: EngineConfig) -> None:
    """Notes what candles are missing, and takes another step where volatility asks for one.

    Entries that the new levels do not have go, as with another spec; what is held keeps its exit.
    """
    state, volatility = turn.state, turn.state.volatility
    if config.atr is None:
        return
    _note_missing(turn, volatility.missing(config.atr, turn.now))
    step = volatility.next_step(config, config.atr, turn.market)
    if step == volatility.step:
        return
    state.shift = shift_kept(config, state.shift, volatility.step, step)
    volatility.step = step
    market = turn.market
    turn.tell(
        "StepTaken",
        f"levels are {market.from_ticks(step).normalize():f} apart: the average true range of {config.atr.interval} is "
        f"{from_money(volatility.average or 0).quantize(market.tick_size):f}",
    )


def _note_missing(turn: Turn, missing: str) -> None:
    state = turn.state
    if missing == state.candles_missing:
        return
    if bool(missing) != bool(state.candles_missing):
        if missing:
            turn.warn("CandlesMissing", f"{missing}: no new entries are placed")
        else:
            turn.tell("CandlesKnown", "the candles of spec.grid.spacing.atr are known")
    state.candles_missing, turn.changed = missing, True
