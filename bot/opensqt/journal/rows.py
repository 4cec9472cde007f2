"""What one commit writes: the engine's events and actions as columns, ready for `unnest`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.engine.actions import Action, Place
from opensqt.engine.codec import encode_event
from opensqt.engine.events import Event, OrderFilled, OrderNotFound, OrderReported, OrderState, PlaceFailed

NOT_FOUND = "NotFound"
"""Looked up, and the exchange has no such order."""
PLACE_FAILED = "PlaceFailed"
"""The exchange or the way there refused; a look-up may still find it."""
FINAL = frozenset(state.value for state in OrderState if state is not OrderState.OPEN)


@dataclass(frozen=True, slots=True)
class Rows:
    """What an append writes, as columns; `parts` are those of `statements.PARTS` that have any rows."""

    times: list[int]
    events: list[str]
    parts: dict[str, list[list[Any]]]

    @classmethod
    def of(cls, events: Sequence[Event], actions: Sequence[Action], first_seq: int) -> "Rows":
        placed = {action.client_id: _placed(action) for action in actions if isinstance(action, Place)}
        reported: dict[str, tuple[Any, ...]] = {}
        filled = []
        for seq, event in enumerate(events, first_seq):
            if isinstance(event, OrderFilled):
                filled.append(_filled(seq, event))
            elif isinstance(event, OrderReported):
                _report(reported, seq, event.client_id, event.state.value, event.filled)
            elif isinstance(event, OrderNotFound):
                _report(reported, seq, event.client_id, NOT_FOUND, 0)
            elif isinstance(event, PlaceFailed):
                _report(reported, seq, event.client_id, PLACE_FAILED, 0)
        parts = {"placed": placed.values(), "reported": reported.values(), "filled": filled}
        return cls(
            [event.time for event in events],
            [json.dumps(encode_event(event), separators=(",", ":")) for event in events],
            {name: [list(column) for column in zip(*rows, strict=True)] for name, rows in parts.items() if rows},
        )


def _placed(place: Place) -> tuple[Any, ...]:
    side, time_in_force = place.side.value, place.time_in_force.value
    return place.client_id, side, place.price, place.lots, place.reduce_only, time_in_force


def _report(reported: dict[str, tuple[Any, ...]], seq: int, client_id: str, status: str, filled: int) -> None:
    """One row an order, by the rule that the statement has for rows that are there: what has ended stays ended."""
    _, _, known, most = reported.get(client_id, (client_id, seq, "", 0))
    if known in FINAL and status not in FINAL:
        return
    reported[client_id] = (client_id, seq, status, max(most, filled))


def _filled(seq: int, fill: OrderFilled) -> tuple[Any, ...]:
    return fill.trade_id, fill.client_id, seq, fill.time, fill.price, fill.lots, Decimal(fill.fee), fill.maker
