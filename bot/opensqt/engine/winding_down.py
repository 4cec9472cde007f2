"""The goals that end: all orders cancelled, and for CLOSE the position closed at market, until nothing is left."""

from opensqt.engine.actions import TimeInForce
from opensqt.engine.client_id import Leg, client_id
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Goal
from opensqt.engine.gate import Gate
from opensqt.engine.lifecycle import send, withdraw
from opensqt.engine.orders import Order, Stage
from opensqt.engine.settlement import offset, smallest_exit
from opensqt.engine.side import Side
from opensqt.engine.slots import CLOSING
from opensqt.engine.specification import unhalt
from opensqt.engine.state import HaltReason, Turn


def wind_down(turn: Turn, config: EngineConfig) -> None:
    """Moves one step towards the goal; safe to repeat.

    A halt of the exchange's, as in maintenance, is only one that has refused the closing order itself. That order is
    tried again and again, as the pauses of its slot say, and the halt is over when it gets something.
    """
    state = turn.state
    if state.halt == HaltReason.EXCHANGE and not state.slots.closing.setbacks:
        unhalt(turn)
        turn.changed = True
    for order in list(state.orders.live.values()):
        if order.slot != CLOSING or state.goal is not Goal.CLOSE:
            withdraw(turn, order)
    if state.goal is Goal.CLOSE:
        gate = Gate(state, config, turn.market, turn.now)
        _resend(turn, gate)
        _close(turn, gate)
    done = not state.orders.live and not _to_close(turn)
    if done and state.goal is Goal.CLOSE:
        offset(turn)
    if done and not state.wound_down:
        left = state.ledger.total.lots
        kept = f"; a position of {turn.market.from_lots(left):f} is kept" if left else ""
        turn.tell("WoundDown", f"nothing of this bot is open at the exchange{kept}")
    if done != state.wound_down:
        state.wound_down = turn.changed = done


def _to_close(turn: Turn) -> int:
    """Lots that must still go, signed: none where too few are left for an order."""
    lots = turn.state.ledger.total.lots if turn.state.goal is Goal.CLOSE else 0
    worth = turn.market.notional(turn.state.last_price, abs(lots))
    too_little = turn.state.slots.closing.refused and worth < turn.market.min_notional
    return 0 if too_little or abs(lots) < smallest_exit(turn.market) else lots


def _resend(turn: Turn, gate: Gate) -> None:
    """A closing order that never arrived goes again under its own id."""
    for order in list(turn.state.orders.live.values()):
        if order.stage is Stage.WAITING and turn.now >= order.due:
            if order.lots > abs(_to_close(turn)):
                withdraw(turn, order)
            elif gate.closing() is None:
                send(turn, order)


def _close(turn: Turn, gate: Gate) -> None:
    state, slot, lots = turn.state, turn.state.slots.closing, _to_close(turn)
    if not lots or state.orders.live or turn.now < slot.not_before or gate.closing():
        return
    order = Order(
        client_id=client_id(turn.bot_uid, Leg.EXIT, CLOSING, slot.cycle, slot.exits),
        slot=CLOSING,
        leg=Leg.EXIT,
        side=Side.of(lots).exit,
        price=None,
        lots=turn.market.at_most(abs(lots), market_order=True),
        time_in_force=TimeInForce.IOC,
        may_open=turn.market.spot,
    )
    slot.exits += 1
    slot.order = order.client_id
    state.orders.live[order.client_id] = order
    send(turn, order)
