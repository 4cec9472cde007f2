"""What one commit writes: the engine's events and actions as columns, ready for `unnest`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from opensqt.engine.actions import Action, Place
from opensqt.engine.codec import encode_event
from opensqt.engine.events import Event, OrderFilled, OrderNotFound, OrderReported, OrderState, PlaceFailed

INTENDED = "Intended"
"""Committed, and no word of it from the exchange yet."""
NOT_FOUND = "NotFound"
"""Looked up, and the exchange has no such order."""
PLACE_FAILED = "PlaceFailed"
"""The exchange or the way there refused; a look-up may still find it."""

FINAL = frozenset(state.value for state in OrderState if state is not OrderState.OPEN)


@dataclass(slots=True)
class _Order:
    place: Place | None = None
    status: str = ""
    filled: int = 0

    def reported(self, status: str, filled: int = 0) -> None:
        """News may come out of order: what has ended stays ended, what is filled stays filled."""
        if self.status not in FINAL or status in FINAL:
            self.status = status
        self.filled = max(self.filled, filled)


@dataclass(slots=True)
class Rows:
    """Columns of the statement's arrays, in its order."""

    events: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    placed: list[tuple[Any, ...]] = field(default_factory=list)
    reported: list[tuple[Any, ...]] = field(default_factory=list)
    filled: list[tuple[Any, ...]] = field(default_factory=list)

    @classmethod
    def of(cls, events: Sequence[Event], actions: Sequence[Action], first_seq: int) -> "Rows":
        """An order that is named more than once becomes one row: its events come before its placement."""
        rows = cls()
        orders: dict[str, _Order] = {}
        for seq, event in enumerate(events, first_seq):
            rows.events.append(json.dumps(encode_event(event), separators=(",", ":")))
            rows.times.append(event.time)
            if isinstance(event, OrderFilled):
                rows.filled.append((event.trade_id, event.client_id, seq, event.time, event.price, event.lots,
                                    Decimal(event.fee), event.maker))  # fmt: skip
            elif isinstance(event, OrderReported):
                orders.setdefault(event.client_id, _Order()).reported(event.state.value, event.filled)
            elif isinstance(event, OrderNotFound | PlaceFailed):
                status = NOT_FOUND if isinstance(event, OrderNotFound) else PLACE_FAILED
                orders.setdefault(event.client_id, _Order()).reported(status)
        for action in actions:
            if isinstance(action, Place):
                order = orders.setdefault(action.client_id, _Order())
                order.place, order.status = action, INTENDED
        for client_id, order in orders.items():
            if place := order.place:
                rows.placed.append((client_id, place.side.value, place.price, place.lots, place.reduce_only,
                                    place.time_in_force.value, order.filled))  # fmt: skip
            else:
                rows.reported.append((client_id, order.status, order.filled))
        return rows


def columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows turned into `width` columns."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
