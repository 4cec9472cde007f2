"""Decisions to and from the columns of `events`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from opensqt.engine.codec import decode_action, decode_event, encode_action, encode_event
from opensqt.engine.replay import Decision

# Escapes all but ASCII: an exchange may send half a pair of surrogates, which UTF-8 cannot hold.
_text = json.JSONEncoder(separators=(",", ":")).encode


class Columns(NamedTuple):
    """What an append writes, an item an event. The texts are JSON arrays: one text is made faster than many."""

    times: list[int]
    events: str
    actions: str


def columns_of(decisions: Sequence[Decision]) -> Columns:
    return Columns(
        [event.time for event, _ in decisions],
        _text([encode_event(event) for event, _ in decisions]),
        _text([[encode_action(action) for action in actions or ()] for _, actions in decisions]),
    )


def decision_of(row: Mapping[str, Any]) -> Decision:
    """A row of `events`. Raises UnreadableError for what this release does not know."""
    actions = None if row["actions"] is None else [decode_action(each) for each in json.loads(row["actions"])]
    return Decision(decode_event(json.loads(row["event"])), actions)
