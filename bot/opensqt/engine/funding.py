"""Funding: what a position costs or earns at the exchange's funding times, each payment counted once by its id."""

from opensqt.engine.events import FundingPaid
from opensqt.engine.state import Turn

_REMEMBERED = 64


def on_funding(turn: Turn, event: FundingPaid) -> None:
    """Counts a payment. What was paid before this bot's first fill is not its own."""
    state, funding = turn.state, turn.state.funding
    if event.funding_id in funding.ids or event.time < funding.first_fill:
        return
    if not funding.first_fill and not state.ledger.total.lots:
        return
    turn.changed = True
    funding.ids = [*funding.ids[-(_REMEMBERED - 1) :], event.funding_id]
    funding.last = max(funding.last, event.time)
    state.ledger.fund(_share(turn, event))


def _share(turn: Turn, event: FundingPaid) -> int:
    """This bot's part of a payment for the account's position, which other bots may hold too.

    Where the exchange does not tell the position, or ours has changed since, nobody can say: all of it counts.
    """
    own = turn.state.ledger.total.lots
    if not event.lots or turn.state.funding.last_fill > event.time:
        return event.amount
    if own * event.lots <= 0:
        return 0
    return event.amount * min(abs(own), abs(event.lots)) // abs(event.lots)
