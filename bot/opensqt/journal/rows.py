"""What one commit writes: the engine's events and actions as columns, ready for `unnest`; and what is read again."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.engine.actions import Place
from opensqt.engine.codec import decode_action, decode_event, encode_action, encode_event
from opensqt.engine.events import Event, OrderFilled, OrderNotFound, OrderReported, OrderState, PlaceFailed
from opensqt.engine.replay import Decision
from opensqt.journal import statements

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
    actions: list[str]
    parts: dict[str, list[list[Any]]]

    @classmethod
    def of(cls, decisions: Sequence[Decision], first_seq: int) -> "Rows":
        placed: dict[str, tuple[Any, ...]] = {}
        reported: dict[str, tuple[str, int, str, int]] = {}
        filled = []
        for seq, (event, actions) in enumerate(decisions, first_seq):
            placed |= {action.client_id: _placed(action) for action in actions or () if isinstance(action, Place)}
            if isinstance(event, OrderFilled):
                filled.append(_filled(seq, event))
            else:
                note_report(reported, seq, event)
        parts: dict[str, Collection[tuple[Any, ...]]] = {
            "placed": placed.values(),
            "reported": reported.values(),
            "filled": filled,
        }
        return cls(
            [event.time for event, _ in decisions],
            [_text(encode_event(event)) for event, _ in decisions],
            [_text([encode_action(action) for action in actions or ()]) for _, actions in decisions],
            {name: [list(column) for column in zip(*rows, strict=True)] for name, rows in parts.items() if rows},
        )

    def statement(self) -> str:
        """The append of these rows."""
        return statements.append(
            len(self.events) == 1, tuple((name, len(columns[0]) == 1) for name, columns in self.parts.items())
        )

    def parameters(self) -> Iterator[Any]:
        """Of the statement, after bot uid, epoch and last seq: arrays, but for what has one row only."""
        logged: list[list[Any]] = [self.times, self.events, self.actions]
        for columns in (logged, *self.parts.values()):
            one = len(columns[0]) == 1
            for column in columns:
                yield column[0] if one else column


def _placed(place: Place) -> tuple[Any, ...]:
    side, time_in_force = place.side.value, place.time_in_force.value
    return place.client_id, side, place.price, place.lots, place.reduce_only, time_in_force


def note_report(reported: dict[str, tuple[str, int, str, int]], seq: int, event: Event) -> None:
    """One row an order, by the rule that the statement has for rows that are there: what has ended stays ended."""
    if isinstance(event, OrderReported):
        client_id, status, filled = event.client_id, event.state.value, event.filled
    elif isinstance(event, OrderNotFound | PlaceFailed):
        client_id, status, filled = event.client_id, NOT_FOUND if isinstance(event, OrderNotFound) else PLACE_FAILED, 0
    else:
        return
    _, _, known, most = reported.get(client_id, (client_id, seq, "", 0))
    if known in FINAL and status not in FINAL:
        return
    reported[client_id] = (client_id, seq, status, max(most, filled))


def _filled(seq: int, fill: OrderFilled) -> tuple[Any, ...]:
    return fill.trade_id, fill.client_id, seq, fill.time, fill.price, fill.lots, Decimal(fill.fee), fill.maker


def decision_of(row: Mapping[str, Any]) -> Decision:
    """A row of `events`. Raises UnreadableError for what this release does not know."""
    actions = None if row["actions"] is None else [decode_action(each) for each in json.loads(row["actions"])]
    return Decision(decode_event(json.loads(row["event"])), actions)


def _text(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))
