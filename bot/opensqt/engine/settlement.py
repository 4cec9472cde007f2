"""What fills and finished orders do to slots, to the ledger and to the breaker."""

from opensqt.engine.client_id import Leg
from opensqt.engine.events import OrderFilled
from opensqt.engine.market import Market
from opensqt.engine.orders import Order
from opensqt.engine.side import Side
from opensqt.engine.slots import CLOSING, Slot
from opensqt.engine.state import Turn

CROSSED_PAUSE = 500_000
"""Microseconds between a post-only reject and the next try."""
SETBACK_PAUSE = 500_000
LONGEST_PAUSE = 60_000_000


def smallest_exit(market: Market) -> int:
    """Lots that an exit has at least."""
    return max(1, market.min_quantity)


def closable(market: Market, slot: Slot) -> bool:
    """Whether what the slot holds is enough for an order of its own. Less is dust: it goes with what is added to it."""
    enough = market.notional(slot.exit_price, slot.held) >= market.min_notional
    return enough and slot.held >= smallest_exit(market)


def slot_of(turn: Turn, order: Order) -> Slot:
    return turn.state.slots.by_number.get(order.slot, turn.state.slots.closing)


def book(turn: Turn, order: Order, fill: OrderFilled) -> None:
    """Counts a fill: its own slot first; what that cannot give comes from the others of its side, farthest first."""
    state, slots = turn.state, turn.state.slots
    order.trades.append(fill.trade_id)
    order.filled += fill.lots
    state.ledger.fills += 1
    state.funding.first_fill = state.funding.first_fill or fill.time
    if fill.time >= state.funding.last_fill:
        state.funding.last_fill, state.traded = fill.time, fill.price
    own, side = slot_of(turn, order), order.slot_side
    own.settled()
    if order.leg is Leg.ENTRY:
        order.taken += fill.taken
        notional = turn.market.notional(fill.price, fill.lots)
        order.realised += state.ledger.book(own.holding, side.sign * fill.lots, notional, fill.fee, fill.taken)
        return
    farthest_first = [slot for slot in reversed(slots.held(side)) if slot is not own]
    lots, fee = fill.lots, fill.fee
    for slot in farthest_first if own.number == CLOSING else [own, *farthest_first]:
        part = min(lots, slot.held)
        if part > 0:
            part_fee = fee * part // lots
            _trade(turn, order, slot, lots=-side.sign * part, price=fill.price, fee=part_fee)
            lots, fee = lots - part, fee - part_fee
    if lots:
        gather_dust(turn)
        _trade(turn, order, slots.closing, lots=-side.sign * lots, price=fill.price, fee=fee)


def _trade(turn: Turn, order: Order, slot: Slot, *, lots: int, price: int, fee: int) -> None:
    notional = turn.market.notional(price, abs(lots))
    order.realised += turn.state.ledger.book(slot.holding, lots, notional, fee)


def gather_dust(turn: Turn) -> None:
    """Puts the dust of all levels together, where none holds a whole lot any more."""
    slots = turn.state.slots
    for slot in slots.levels():
        if not slot.held:
            slots.closing.holding.take(slot.holding)


def finish(turn: Turn, order: Order) -> None:
    """The order is over and all its fills are counted."""
    state, ledger, slot = turn.state, turn.state.ledger, slot_of(turn, order)
    state.orders.end(order)
    if slot.order == order.client_id:
        slot.order = ""
    _pause(turn, slot, order)
    if order.leg is Leg.ENTRY and slot.held and state.slots.closing.holding.dust:
        slot.holding.take(state.slots.closing.holding)  # the dust of slots that are gone
    if order.leg is Leg.EXIT and order.filled > order.settled:
        if not order.settled:
            ledger.exit_done(order.realised)
        if slot.number != CLOSING and not slot.held:
            ledger.cycles += 1
            slot.next_cycle()
    order.settled = order.filled


def _pause(turn: Turn, slot: Slot, order: Order) -> None:
    """How long the slot waits before its next order."""
    if order.would_cross:
        slot.crossed += 1
        slot.not_before = turn.now + CROSSED_PAUSE
    elif order.rejected or (order.remaining and not order.unwanted):
        # The exchange ended it by itself. A market order that got something may go on at once.
        if order.filled:
            slot.settled()
        else:
            set_back(turn, slot)
    else:
        slot.settled()


def set_back(turn: Turn, slot: Slot) -> None:
    """The exchange did not want the slot's order: the next one waits, longer each time."""
    slot.setbacks += 1
    slot.not_before = turn.now + min(LONGEST_PAUSE, SETBACK_PAUSE * 2 ** min(slot.setbacks - 1, 10))


def offset(turn: Turn) -> None:
    """What both sides of a neutral grid still hold when nothing is left of it at the exchange: it cancels out."""
    state, slots = turn.state, turn.state.slots
    for long in slots.held(Side.LONG):
        for short in slots.held(Side.SHORT):
            if lots := min(long.held, short.held):
                state.ledger.offset(long.holding, short.holding, lots, turn.market.notional(state.last_price, lots))
