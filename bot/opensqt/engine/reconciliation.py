"""The exchange's own figures beside ours: account and position."""

from opensqt.engine import existing_position
from opensqt.engine.alarms import open_breaker
from opensqt.engine.breaker import Trip
from opensqt.engine.config import EngineConfig
from opensqt.engine.discrepancies import Kind, Resolution
from opensqt.engine.events import AccountReported, PositionReported
from opensqt.engine.lifecycle import look_up
from opensqt.engine.orders import Stage
from opensqt.engine.state import Mismatch, State, Turn

BELIEVED_AFTER = 5_000_000
"""Microseconds between two reports of the same difference before it counts."""
TOLD_EVERY = 3600_000_000
"""Microseconds between two words on a larger position: where bots share a symbol it comes and goes."""
_EQUITY_STEP = 1000
"""Changes of the equity below this part of it are not worth keeping."""


def on_account(turn: Turn, event: AccountReported) -> None:
    """Takes the equity, where it has moved by a thousandth or more; the first one is the base of relative drawdown."""
    state = turn.state
    if state.equity is not None and abs(event.equity - state.equity) * _EQUITY_STEP < abs(state.equity):
        return
    state.equity, state.available = event.equity, event.available
    state.breaker.base_equity = state.breaker.base_equity or event.equity
    turn.changed = True


def on_position(turn: Turn, event: PositionReported) -> None:
    """Compares the position with the sum of the fills.

    Positions are told by another stream than fills, often before them. So a difference counts once it is the same in
    two reports 5 s apart, no fill has explained it meanwhile, and every order that could explain it has been looked up
    and says that it does not. Then less than this bot holds opens the breaker: it is never silently put right. More is
    not ours to judge, for other bots and people trade on the account too: it is told as somebody else's.
    """
    state = turn.state
    existing_position.on_reported(turn, event.lots)
    if not state.position_known and state.found_lots:
        return  # what is others' and what is ours cannot be told yet
    difference = event.lots - state.ledger.total.lots - state.foreign_lots
    if difference != state.mismatch.lots:
        state.mismatch = Mismatch(difference, turn.now if difference else 0)
        turn.changed = True
        if _is_missing(state, difference):
            _look_up_all(turn)
        return
    if not difference or turn.now - state.mismatch.time < BELIEVED_AFTER or _in_flight(turn):
        return
    if not state.mismatch.asked:
        _look_up_all(turn)
    elif _is_theirs(state, difference):
        _follow_theirs(turn, difference)
    elif not _is_missing(state, difference):
        _foreign(turn, difference)
    elif not state.breaker.open and state.config is not None:
        _diverged(turn, state.config, event.lots)


def on_booked(turn: Turn, lots: int) -> None:
    """A fill has moved our position by so many lots: if it explains the difference, the report was only faster."""
    difference = turn.state.mismatch.lots
    if difference and lots and difference * (difference - lots) <= 0:
        turn.state.mismatch = Mismatch()


def _is_missing(state: State, difference: int) -> bool:
    """Whether the account has less than this bot holds. A bot that holds nothing misses nothing."""
    return state.ledger.total.lots * difference < 0 and not _is_theirs(state, difference)


def _is_theirs(state: State, difference: int) -> bool:
    """Whether others may have closed, wholly or in part, the position of theirs that is left alone here."""
    return state.foreign_lots * difference < 0 and abs(difference) <= abs(state.foreign_lots)


def _follow_theirs(turn: Turn, difference: int) -> None:
    state = turn.state
    state.foreign_lots += difference
    state.mismatch, turn.changed = Mismatch(), True
    left = turn.market.from_lots(state.foreign_lots)
    what = f"of the position that this bot left alone others have closed a part or all: {left:f} is left"
    turn.found(Kind.FOREIGN_POSITION, Resolution.IGNORED, what)


def _diverged(turn: Turn, config: EngineConfig, reported: int) -> None:
    market, state = turn.market, turn.state
    message = (
        f"the exchange reports a position of {market.from_lots(reported)}, the fills of this bot add up to "
        f"{market.from_lots(state.ledger.total.lots)}, find out who traded"
    )
    open_breaker(turn, config, Trip.POSITION_DIVERGENCE, message)
    turn.found(Kind.POSITION_DIVERGENCE, Resolution.BREAKER_OPENED, message, tell=False)
    state.mismatch = Mismatch()


def _in_flight(turn: Turn) -> bool:
    """Whether an order may still explain the difference; one whose fills never come may not for ever."""
    return any(
        order.doubt or order.stage is not Stage.OPEN or order.filled < order.reported
        for order in turn.state.orders.live.values()
        if not order.unsettled
    )


def _foreign(turn: Turn, difference: int) -> None:
    """Tells of somebody else's position, once while it stays, and seldom while it comes and goes."""
    state = turn.state
    if state.mismatch.told or (state.foreign_told and turn.now - state.foreign_told < TOLD_EVERY):
        return
    state.mismatch.told, state.foreign_told = True, turn.now
    what = f"the account has {turn.market.from_lots(difference):f} beside the position of this bot: others trade there"
    turn.found(Kind.FOREIGN_POSITION, Resolution.IGNORED, what)


def _look_up_all(turn: Turn) -> None:
    """Looks up all open orders. It counts as having asked only where there is no other that could not be asked now."""
    turn.state.mismatch.asked, turn.changed = not _in_flight(turn), True
    for order in turn.state.orders.live.values():
        if not order.doubt and order.stage is Stage.OPEN:
            look_up(turn, order)
