"""What it means that the exchange refuses, denies, or cannot say: no refusal is believed before it must be."""

from opensqt.engine.discrepancies import Kind, Resolution
from opensqt.engine.events import CancelFailed, Goal, LookUpFailed, OrderNotFound, PlaceFailed, Remedy
from opensqt.engine.lifecycle import ABSENCE_TIME, RETRY_TIME, backoff, give_up, look_up
from opensqt.engine.orders import Order, Stage
from opensqt.engine.settlement import finish, slot_of
from opensqt.engine.state import HaltReason, Turn

DENIED_TIME = 60_000_000
"""For so long the exchange denies an order that it has had before people are told."""
MOST_REFUSED = 3
"""Orders refused as wrong, in a row, before the bot halts."""


def on_place_failed(turn: Turn, event: PlaceFailed) -> None:
    order = turn.state.orders.live.get(event.client_id)
    if order is None:
        return
    turn.changed = True
    if order.seen or event.remedy in {Remedy.LOOK_UP, Remedy.DUPLICATE, Remedy.UNKNOWN_ORDER}:
        order.seen |= event.remedy is Remedy.DUPLICATE
        if order.stage is not Stage.SETTLING:
            look_up(turn, order)
        return
    if event.remedy in {Remedy.RETRY, Remedy.BACK_OFF}:
        order.stage, order.doubt, order.absent_since, order.absent = Stage.WAITING, False, turn.now, False
        order.due = max(event.retry_at, turn.now + RETRY_TIME)
        if event.remedy is Remedy.BACK_OFF:
            turn.state.backing_off_until = max(turn.state.backing_off_until, order.due)
        if order.unwanted:
            give_up(turn, order)
        return
    order.would_cross = event.remedy is Remedy.WOULD_CROSS
    order.rejected = True
    order.absent_since, order.absent = turn.now, False
    give_up(turn, order)
    _rejected(turn, order, event)


def _rejected(turn: Turn, order: Order, event: PlaceFailed) -> None:
    """What a placement that was refused for good means beyond its slot."""
    state = turn.state
    if event.remedy is Remedy.INSUFFICIENT_MARGIN:
        lock = state.config.margin_lock if state.config else 0
        state.margin_locked_until = turn.now + lock
        turn.warn(
            "MarginLocked",
            f"the exchange lacks margin for an order, entries wait for {lock // 1_000_000} s: {event.message}",
        )
    elif event.remedy is Remedy.FIX_REQUEST:
        if _other_side_in_the_way(turn, order):
            return
        slot_of(turn, order).refused = True
        state.refused_in_a_row += 1
        turn.warn("OrderRefused", f"the exchange calls the order {order.client_id} wrong: {event.message}")
        if state.refused_in_a_row >= MOST_REFUSED:
            turn.halt(HaltReason.ORDERS_REFUSED, event.message)
    else:
        _halt(turn, event.remedy, event.message)


def _other_side_in_the_way(turn: Turn, order: Order) -> bool:
    """Whether fills of the other side that are not known yet may have left an exit nothing to reduce."""
    config = turn.state.config
    return order.reduce_only and config is not None and len(config.sides) > 1


def on_cancel_failed(turn: Turn, event: CancelFailed) -> None:
    order = turn.state.orders.live.get(event.client_id)
    if order is None or order.stage is Stage.SETTLING:
        return
    turn.changed = True
    ending = turn.state.goal in {Goal.STOP, Goal.CLOSE}
    if not (ending and event.remedy is Remedy.HALT):  # as in maintenance: it is tried again until it is over
        _halt(turn, event.remedy, event.message)
    if not order.tries and event.remedy in {Remedy.UNKNOWN_ORDER, Remedy.LOOK_UP, Remedy.DUPLICATE}:
        look_up(turn, order)
    else:
        # Looked up then; where it is still open, the cancel is sent again.
        order.doubt = True
        order.due = max(event.retry_at, turn.now + backoff(RETRY_TIME, order))
        order.tries += 1


def on_not_found(turn: Turn, event: OrderNotFound) -> None:
    order = turn.state.orders.live.get(event.client_id)
    if order is None:
        return
    turn.changed = True
    if order.seen:
        _denied(turn, order, confirmed=event.confirmed)
    elif order.doubt:
        _absent(turn, order)


def _absent(turn: Turn, order: Order) -> None:
    """It may be on its way still: it is asked about again, and only then sent again or given up.

    The id alone does not prevent a second order: Binance takes it again once the first one is filled.
    """
    order.absent_since = order.absent_since or turn.now
    order.absent = turn.now >= order.absent_since + ABSENCE_TIME
    if order.absent or not order.doubtful:
        order.stage, order.doubt, order.due = Stage.WAITING, False, turn.now
        if order.unwanted:
            give_up(turn, order)
    else:
        order.due = max(turn.now + backoff(RETRY_TIME, order), order.absent_since + ABSENCE_TIME)


def _denied(turn: Turn, order: Order, *, confirmed: bool) -> None:
    """The exchange has had it: it cannot be absent. It is asked again, after a minute in every way that there is."""
    order.doubt = True
    order.due = turn.now + backoff(ABSENCE_TIME, order)
    order.absent_since = order.absent_since or turn.now
    if order.absent and confirmed:
        _lost(turn, order)
    elif not order.absent and turn.now >= order.absent_since + DENIED_TIME:
        order.absent, order.tries, order.due = True, 0, turn.now + RETRY_TIME
        turn.warn("OrderDenied", f"the exchange has had the order {order.client_id} and denies it now: look there")


def _lost(turn: Turn, order: Order) -> None:
    """The exchange has no trace of it left: its slot goes on without it. If it comes back it is cancelled."""
    turn.found(
        Kind.LOST_ORDER,
        Resolution.FREED,
        f"the exchange has had the order {order.client_id} and has no trace of it for a minute, by its id, among the "
        f"open orders and the fills: it is taken for ended, with "
        f"{turn.market.from_lots(order.filled):f} of {turn.market.from_lots(order.lots):f} filled",
    )
    order.seen, order.unwanted = False, True
    finish(turn, order)
    turn.state.orders.remember(order)


def on_look_up_failed(turn: Turn, event: LookUpFailed) -> None:
    order = turn.state.orders.live.get(event.client_id)
    if order is not None and order.doubt:
        turn.changed = True
        order.due = max(event.retry_at, turn.now + RETRY_TIME)


def _halt(turn: Turn, remedy: Remedy, message: str) -> None:
    reasons = {
        Remedy.FENCED: HaltReason.FENCED,
        Remedy.FIX_CREDENTIALS: HaltReason.CREDENTIALS,
        Remedy.HALT: HaltReason.EXCHANGE,
    }
    if reason := reasons.get(remedy):
        turn.halt(reason, message)
