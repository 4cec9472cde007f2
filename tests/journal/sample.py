"""Events, orders and fills for the journal's tests."""

from collections.abc import Sequence
from typing import Any

from opensqt.engine.actions import Action, OrderSide, Place, TimeInForce
from opensqt.engine.events import Event, OrderFilled, OrderReported, OrderState, PriceChanged
from opensqt.engine.replay import Decision

IDENTITY: dict[str, Any] = {"bot_uid": "uid-1", "namespace": "default", "name": "btc-grid", "symbol": "BTC/USDT:USDT"}


def price(time: int) -> PriceChanged:
    return PriceChanged(time=time, price=400_000 + time)


def place(client_id: str, *, lots: int = 5) -> Place:
    return Place(client_id, OrderSide.BUY, 400_000, lots, reduce_only=False, time_in_force=TimeInForce.POST_ONLY)


def report(client_id: str, state: OrderState, *, filled: int = 0) -> OrderReported:
    return OrderReported(time=7, client_id=client_id, state=state, filled=filled)


def fill(client_id: str, trade_id: str, *, lots: int = 1) -> OrderFilled:
    return OrderFilled(
        time=8,
        client_id=client_id,
        trade_id=trade_id,
        price=400_000,
        lots=lots,
        fee=-12,
        maker=True,
        side=OrderSide.BUY,
    )


def decided(events: Sequence[Event], actions: Sequence[Action] = ()) -> list[Decision]:
    """Events, to the last of which the engine answered with `actions`."""
    return [*(Decision(event, ()) for event in events[:-1]), Decision(events[-1], actions)]
