"""A position that the account had before this bot traded: refused, left alone or taken over (spec.existingPosition).

Taken over, it is spread over the levels from its entry price on in the direction of profit, an order's size on each,
the rest on the last one. Every part has cost the position's entry price, so that PnL counts from there; each is sold
one level farther, as if the level had been entered.
"""

from opensqt.api.safety import ExistingPosition
from opensqt.engine.config import EngineConfig
from opensqt.engine.discrepancies import Kind, Resolution
from opensqt.engine.events import PositionFound
from opensqt.engine.grid import nearest
from opensqt.engine.layout import Layout
from opensqt.engine.safety import other_side
from opensqt.engine.settlement import smallest_exit
from opensqt.engine.side import Side
from opensqt.engine.sizing import lots_at
from opensqt.engine.state import Turn

MOST_LEVELS = 1000


def on_found(turn: Turn, event: PositionFound) -> None:
    """Remembers it until it is decided what becomes of it; after a bot's first order the journal knows better."""
    state = turn.state
    if state.position_known or state.ledger.fills or state.slots.issued:
        return
    state.found_lots, state.found_cost = event.lots, event.cost
    state.position_known = not event.lots
    turn.changed = True


def decide(turn: Turn, config: EngineConfig, layout: Layout | None) -> None:
    """What becomes of a position that was found, as soon as that can be said."""
    state, market = turn.state, turn.market
    if state.position_known or not state.found_lots:
        return
    what = f"a position of {market.from_lots(state.found_lots):f} that this bot did not open"
    if config.existing_position is ExistingPosition.IGNORE:
        turn.tell("PositionIgnored", f"{what} is left alone")
        turn.found(Kind.FOREIGN_POSITION, Resolution.IGNORED, what, tell=False)
        if other_side(config, state.found_lots) or len(config.sides) > 1:  # more on our own side needs no account
            state.foreign_lots = state.found_lots
    elif (
        config.existing_position is ExistingPosition.ADOPT
        and state.found_cost  # at no price it would be sold at any
        and not other_side(config, state.found_lots)
    ):
        if layout is None or not layout.known:
            return
        levels = _spread(turn, config, layout)
        turn.tell("PositionAdopted", f"{what} is taken over, spread over {levels} levels")
        turn.found(Kind.FOREIGN_POSITION, Resolution.ADOPTED, what, tell=False)
    else:
        adoptable = config.existing_position is ExistingPosition.ADOPT and not other_side(config, state.found_lots)
        _refuse(turn, what, "what was paid for it is not known, restart the bot to have it read" if adoptable else "")
        return
    state.position_known, state.found_refused = True, ""
    turn.changed = True


def on_reported(turn: Turn, lots: int) -> None:
    """Others have traded before it was decided: what counts is what is there now."""
    state = turn.state
    found = state.found_lots
    if not found or state.position_known or lots == found:
        return
    turn.changed = True
    if not lots:
        state.position_known, state.found_lots, state.found_refused = True, 0, ""
        turn.tell("PositionGone", "the position that this bot did not open is closed: entries are placed")
        return
    closed_in_part = lots * found > 0 and abs(lots) < abs(found)
    state.found_cost = state.found_cost * lots // found if closed_in_part else 0  # what was added has cost who knows
    state.found_lots = lots


def _refuse(turn: Turn, what: str, why: str) -> None:
    message = f"the account has {what}: {why or 'close it, or set spec.existingPosition to Adopt or Ignore'}"
    if turn.state.found_refused != message:
        turn.state.found_refused, turn.changed = message, True
        turn.warn("PositionRefused", message)
        turn.found(Kind.FOREIGN_POSITION, Resolution.ENTRIES_STOPPED, message, tell=False)


def _spread(turn: Turn, config: EngineConfig, layout: Layout) -> int:
    """Books the position on levels; returns how many."""
    state, market = turn.state, turn.market
    side, left, cost = Side.of(state.found_lots), abs(state.found_lots), state.found_cost
    index = nearest(layout.grid, cost // (left * market.tick_value))
    levels = 0
    while left:
        price, leaving = layout.grid.level(index), layout.grid.level(index + side.sign)
        lots = max(smallest_exit(market), lots_at(state, market, config, price))
        last = left - lots < smallest_exit(market) or leaving <= 0 or levels == MOST_LEVELS - 1
        part = left if last else lots
        paid = cost * part // left
        slot = state.slots.open(side, price, leaving if leaving > 0 else price)
        state.ledger.book(slot.holding, side.sign * part, paid, 0)
        state.ledger.volume -= paid
        left, cost, levels, index = left - part, cost - paid, levels + 1, index + side.sign
    return levels
