"""The life of an order: what the exchange's answers, in any order and any number, make of it."""

from opensqt.engine.actions import Cancel, LookUp
from opensqt.engine.client_id import Leg, parse
from opensqt.engine.discrepancies import Kind, Resolution
from opensqt.engine.events import OrderFilled, OrderReported, OrderState
from opensqt.engine.market import Market
from opensqt.engine.orders import Order, Stage
from opensqt.engine.settlement import book, finish, slot_of
from opensqt.engine.state import Turn

ANSWER_TIME = 30_000_000
"""Microseconds after which a placement or cancel that nobody has answered is looked up."""
FILLS_TIME = 1_000_000
"""How long fills may be behind the report that speaks of them."""
MISSING_TIME = 60_000_000
"""For so long the fills of an order that is over may be missing before people are told, and the position is judged."""
ABSENCE_TIME = 2_000_000
"""For so long an order must have been absent before it is given up: it may be on its way."""
OVERDUE_TIME = 5_000_000
"""How long an open order may stay unfilled with the price beyond its own."""
LOOK_UP_TIME = 1_000_000
"""After which a look-up without an answer is asked again; twice as long each time."""
RETRY_TIME = 500_000
_LONGEST = 60_000_000
_STRANGERS = 16


def backoff(first: int, order: Order) -> int:
    """Microseconds to wait after so many tries: twice as long each time, a minute at most."""
    return min(_LONGEST, first << min(order.tries, 10))


def look_up(turn: Turn, order: Order) -> None:
    """Asks what the order is, and again, less and less often, until that is known."""
    order.doubt = True
    order.doubtful |= not order.seen
    order.due = turn.now + backoff(LOOK_UP_TIME, order)
    order.tries += 1
    turn.do(LookUp(order.client_id, order.sent if order.denied else 0))


def send(turn: Turn, order: Order) -> None:
    """Places the order; the gate has been passed."""
    order.stage, order.doubt = Stage.SUBMITTING, False
    order.absent_since, order.absent = 0, False
    order.sent = order.sent or turn.now
    order.due = turn.now + ANSWER_TIME
    turn.do(order.place())


def withdraw(turn: Turn, order: Order) -> None:
    """The order is not wanted any more. Idempotent; it is cancelled as soon as the exchange is known to have it."""
    if order.unwanted or order.stage is Stage.SETTLING:
        return
    order.unwanted = turn.changed = True
    if order.stage is Stage.WAITING:
        give_up(turn, order)
    elif order.stage is Stage.OPEN and not order.doubt:
        _cancel(turn, order)


def give_up(turn: Turn, order: Order) -> None:
    """Drops an order that the exchange does not have; if it may be on its way, after some time and asking again."""
    turn.changed = order.unwanted = True
    if order.doubtful and not order.absent:
        order.stage, order.doubt = Stage.SUBMITTING, True
        order.due = max(turn.now + RETRY_TIME, order.absent_since + ABSENCE_TIME)
        return
    finish(turn, order)
    turn.state.orders.remember(order)


def _cancel(turn: Turn, order: Order) -> None:
    order.due = turn.now + ANSWER_TIME
    turn.do(Cancel(order.client_id))


def on_due(turn: Turn, order: Order) -> None:
    """The order's time is up without the news it waited for. (WAITING orders are the planner's.)"""
    if order.stage is not Stage.WAITING:
        look_up(turn, order)
    if order.stage is Stage.SETTLING and not order.unsettled and turn.now >= order.over_since + MISSING_TIME:
        order.unsettled = True
        turn.warn("FillsMissing", f"{what_is_missing(turn.market, order)}: look at its trades at the exchange")


def what_is_missing(market: Market, order: Order) -> str:
    """For people: how much of an order that is over was filled, and how much of that is known."""
    reported, known = market.from_lots(order.reported), market.from_lots(order.filled)
    return f"the exchange says that {reported:f} of the order {order.client_id} is filled and shows fills of {known:f}"


def on_reported(turn: Turn, event: OrderReported) -> None:
    order = _find(turn, event.client_id, speaks=event.state is OrderState.OPEN or event.filled > 0)
    if order is None:
        _cancel_stray(turn, event)
        return
    turn.changed = True
    order.seen = True
    order.absent_since, order.absent = 0, False
    order.reported = max(order.reported, event.filled)
    if event.state is not OrderState.OPEN:
        _over(turn, order, event)
    elif order.stage is not Stage.SETTLING:
        _is_open(turn, order)


def _cancel_stray(turn: Turn, event: OrderReported) -> None:
    """An order that was over, and that the exchange lists as open for too long to be old news.

    It is cancelled without being followed: which of its fills were counted before its end may be forgotten.
    """
    if not event.listed_twice or event.state is not OrderState.OPEN or not _issued(turn, event.client_id):
        return
    turn.do(Cancel(event.client_id))
    what = (
        f"the exchange lists the order {event.client_id} as open, which was over, with "
        f"{turn.market.from_lots(event.filled):f} filled: cancelling it, look at its trades"
    )
    turn.found(Kind.RETURNED_ORDER, Resolution.CANCELLED, what)


def _is_open(turn: Turn, order: Order) -> None:
    resolved = order.doubt or order.stage is not Stage.OPEN
    order.stage = Stage.OPEN
    turn.state.refused_in_a_row = 0
    if resolved:
        order.doubt, order.due = False, 0
        if order.unwanted:
            _cancel(turn, order)
        else:
            order.tries = 0
    if order.filled < order.reported:
        order.due = min(order.due or turn.now + FILLS_TIME, turn.now + FILLS_TIME)


def _over(turn: Turn, order: Order, event: OrderReported) -> None:
    if event.state is OrderState.FILLED and not event.filled:
        order.reported = max(order.reported, order.lots)
    order.would_cross |= event.would_cross
    if order.filled >= order.reported:
        finish(turn, order)
    elif order.stage is not Stage.SETTLING:
        order.stage, order.over_since = Stage.SETTLING, turn.now
        order.doubt, order.tries, order.due = False, 0, turn.now + FILLS_TIME
    elif order.doubt:
        order.doubt, order.due = False, turn.now + backoff(FILLS_TIME, order)


def on_filled(turn: Turn, event: OrderFilled) -> None:
    if order := turn.state.orders.ended_early(event.client_id):
        _late_fill(turn, order, event)
        return
    order = _find(turn, event.client_id, speaks=True)
    if order is None or event.trade_id in order.trades:
        return
    turn.changed = True
    order.seen = True
    order.absent_since, order.absent = 0, False
    book(turn, order, event)
    if event.found:
        what = f"no stream has told of the fill {event.trade_id} of {order.client_id}, which is counted now"
        turn.found(Kind.MISSED_FILL, Resolution.BOOKED, what)
    if order.stage is Stage.WAITING:
        order.stage = Stage.SUBMITTING
        look_up(turn, order)
    if order.filled >= (order.reported if order.stage is Stage.SETTLING else order.lots):
        finish(turn, order)
    elif order.stage is Stage.OPEN and not order.doubt and not order.unwanted and order.filled >= order.reported:
        order.due = 0


def _late_fill(turn: Turn, order: Order, event: OrderFilled) -> None:
    """The exchange called the order over with less filled than it was: what it bought or sold counts all the same."""
    if event.trade_id in order.trades:
        return
    book(turn, order, event)
    what = f"{order.client_id} had been reported over before its fill {event.trade_id}, which is counted"
    turn.found(Kind.LATE_FILL, Resolution.BOOKED, what)


def doubt_all(turn: Turn) -> None:
    """Nothing is known for certain any more: every order is looked up, also what another instance may have sent."""
    for order in turn.state.orders.live.values():
        if order.stage is Stage.WAITING:
            order.stage = Stage.SUBMITTING
        order.absent_since, order.absent = 0, False
        order.tries = 0
        look_up(turn, order)


def doubt_sent(turn: Turn) -> None:
    """News may have been missed: every order is looked up that this instance has sent. What was denied stays denied."""
    for order in turn.state.orders.live.values():
        if order.stage is not Stage.WAITING:
            order.tries = 0
            look_up(turn, order)


def _find(turn: Turn, client_id: str, *, speaks: bool) -> Order | None:
    """The order; one that was given up is back where the exchange `speaks` of it as of one that it has."""
    orders = turn.state.orders
    if order := orders.live.get(client_id):
        return order
    if speaks and (order := orders.revive(client_id)):
        slot = slot_of(turn, order)
        slot.order = slot.order or client_id
        order.doubt, order.due = True, turn.now + RETRY_TIME
        what = f"the exchange has the order {client_id} after all, which was given up: cancelling it"
        turn.found(Kind.RETURNED_ORDER, Resolution.CANCELLED, what)
        return order
    if not _issued(turn, client_id) and client_id not in turn.state.strangers:
        turn.state.strangers = [*turn.state.strangers[-(_STRANGERS - 1) :], client_id]
        what = f"the exchange speaks of an order that is not this bot's: {client_id}"
        turn.found(Kind.UNKNOWN_ORDER, Resolution.IGNORED, what)
    return None


def _issued(turn: Turn, client_id: str) -> bool:
    """Whether this bot has placed such an order: news of it, when it is not live any more, is old."""
    key = parse(turn.bot_uid, client_id)
    if key is None or key.slot > turn.state.slots.issued:
        return False
    slot = turn.state.slots.by_number.get(key.slot)
    if slot is None:
        return True
    return (key.cycle, key.attempt) < (slot.cycle, slot.entries if key.leg is Leg.ENTRY else slot.exits)
