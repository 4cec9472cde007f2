"""Orders that the log has and a replay did not make again: what was sent counts, not what would be decided now.

After a crash the events since the last snapshot are replayed, perhaps by a newer release that decides otherwise. The
orders of those events were sent all the same. An adopted order is looked up, its fills are counted, and it is cancelled
where it is still open; then the planner does what it wants. Its client id is never given to another order.
"""

from dataclasses import replace
from typing import Any

from opensqt.engine.actions import Place
from opensqt.engine.client_id import Leg, OrderKey, parse
from opensqt.engine.ladder import Ladder
from opensqt.engine.orders import Order
from opensqt.engine.side import Side
from opensqt.engine.slots import CLOSING, Slot
from opensqt.engine.state import State, Turn


def adopt(turn: Turn, place: Place) -> None:
    """Takes the order into the state as `place` says, whatever stands there under its id."""
    key = parse(turn.bot_uid, place.client_id)
    if key is None:
        return
    state = turn.state
    turn.changed = True
    _use_up(state, key)
    known = state.orders.live.pop(place.client_id, None)
    for slot in state.slots.by_number.values():
        if slot.order == place.client_id:
            slot.order = ""
    slot = _slot(state, key, place)
    sent: dict[str, Any] = {
        "slot": slot.number,
        "side": place.side,
        "price": place.price,
        "lots": place.lots,
        "time_in_force": place.time_in_force,
        "may_open": key.leg is Leg.EXIT and not place.reduce_only,
        "unwanted": True,
        "doubt": True,
        "doubtful": True,
        "due": turn.now,
    }
    order = replace(known, **sent) if known else Order(place.client_id, leg=key.leg, **sent)
    if slot.number != CLOSING and not slot.order:
        slot.order = order.client_id
    state.orders.live[order.client_id] = order


def _use_up(state: State, key: OrderKey) -> None:
    """No later order gets this number."""
    state.slots.issued = max(state.slots.issued, key.slot)
    slot = state.slots.by_number.get(key.slot)
    if slot is None or key.cycle < slot.cycle:
        return
    if key.cycle > slot.cycle:
        slot.cycle, slot.entries, slot.exits = key.cycle, 0, 0
    if key.leg is Leg.ENTRY:
        slot.entries = max(slot.entries, key.attempt + 1)
    else:
        slot.exits = max(slot.exits, key.attempt + 1)


def _slot(state: State, key: OrderKey, place: Place) -> Slot:
    """The order's own slot, if it fits; else an entry's is the one of its level, an exit's the closing one."""
    slot = state.slots.by_number.get(key.slot)
    if key.leg is Leg.EXIT or place.price is None:
        return slot or state.slots.closing
    side = Side.LONG if place.side is Side.LONG.entry else Side.SHORT
    if slot is not None and (slot.side, slot.price) == (side, place.price):
        return slot
    return state.slots.open(side, place.price, _exit_price(state, side, place.price))


def _exit_price(state: State, side: Side, price: int) -> int:
    """Where what is entered at `price` is left."""
    layout = state.layout
    if state.config is None or layout is None or not layout.known:
        return price + side.sign
    return Ladder(side, layout, state.config).exit_price(layout.grid.below(price))
