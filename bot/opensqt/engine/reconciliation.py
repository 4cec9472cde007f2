"""The exchange's own figures beside ours: account and position."""

from opensqt.engine import existing_position
from opensqt.engine.alarms import open_breaker
from opensqt.engine.breaker import Trip
from opensqt.engine.discrepancies import Kind, Resolution
from opensqt.engine.events import AccountReported, PositionReported
from opensqt.engine.lifecycle import look_up
from opensqt.engine.orders import Stage
from opensqt.engine.side import Side
from opensqt.engine.state import Mismatch, Turn

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

    Less than this bot holds: every order is looked up, since a fill may be on its way; if it is the same 5 s later,
    with nothing in flight or in doubt, the breaker opens: it is never silently put right. More than this bot holds is
    not ours to judge, for other bots and people trade on the account too: orders are looked up once if it lasts 5 s,
    and if it stays with nothing in doubt it is told as somebody else's.
    """
    state, market = turn.state, turn.market
    existing_position.on_reported(turn, event.lots)
    if not state.position_known and state.found_lots:
        return  # what is others' and what is ours cannot be told yet
    ours = state.ledger.total.lots + state.foreign_lots
    difference = event.lots - ours
    side = Side.of(ours) if ours or state.config is None else state.config.sides[0]
    missing = side.gain(0, difference) < 0
    if difference != state.mismatch.lots:
        state.mismatch = Mismatch(difference, turn.now if difference else 0)
        turn.changed = True
        if missing:
            _ask(turn)
        return
    if not difference or turn.now - state.mismatch.time < BELIEVED_AFTER:
        return
    if not missing:
        if not state.mismatch.asked:
            _ask(turn)
        if not _in_flight(turn):
            _foreign(turn, difference)
        return
    if state.breaker.open or _in_flight(turn):
        return
    message = (
        f"the exchange reports a position of {market.from_lots(event.lots)}, the fills of this bot add up to "
        f"{market.from_lots(state.ledger.total.lots)}, find out who traded"
    )
    if state.config is not None:
        open_breaker(turn, state.config, Trip.POSITION_DIVERGENCE, message)
        turn.found(Kind.POSITION_DIVERGENCE, Resolution.BREAKER_OPENED, message, tell=False)
    state.mismatch = Mismatch()


def _in_flight(turn: Turn) -> bool:
    """Whether an order may still explain the difference."""
    return any(order.doubt or order.stage is not Stage.OPEN for order in turn.state.orders.live.values())


def _foreign(turn: Turn, difference: int) -> None:
    """Tells of somebody else's position, once while it stays, and seldom while it comes and goes."""
    state = turn.state
    if state.mismatch.told or (state.foreign_told and turn.now - state.foreign_told < TOLD_EVERY):
        return
    state.mismatch.told, state.foreign_told = True, turn.now
    what = f"the account has {turn.market.from_lots(difference):f} beside the position of this bot: others trade there"
    turn.found(Kind.FOREIGN_POSITION, Resolution.IGNORED, what)


def _ask(turn: Turn) -> None:
    """Looks up all open orders."""
    turn.state.mismatch.asked = turn.changed = True
    for order in turn.state.orders.live.values():
        if not order.doubt and order.stage is Stage.OPEN:
            look_up(turn, order)
