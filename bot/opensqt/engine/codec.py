"""Events and actions to and from JSON-able objects: the form in which the journal keeps them.

An object has `k` first, the kind with its version (`OrderFilled/1`), and then the fields by name; a field at its
default is left out. The journal's views of orders and fills read this form (journal/migrations).
A kind whose fields change their meaning gets the next version and keeps a reader of the old one, for journals are kept.
"""

from typing import Any, cast, get_args

from opensqt.engine.actions import Action
from opensqt.engine.events import Event
from opensqt.engine.json_form import UnreadableError, fields_to_json, from_json

_VERSION = 1
_EVENTS: dict[str, type] = {f"{kind.__name__}/{_VERSION}": kind for kind in get_args(Event)}
_ACTIONS: dict[str, type] = {f"{kind.__name__}/{_VERSION}": kind for kind in get_args(Action)}
_NAMES: dict[type, str] = {kind: name for name, kind in {**_EVENTS, **_ACTIONS}.items()}


def encode_event(event: Event) -> dict[str, Any]:
    return _encode(event)


def decode_event(data: dict[str, Any]) -> Event:
    """Raises UnreadableError for a kind or field that this version does not know."""
    return cast("Event", _decode(_EVENTS, data))


def encode_action(action: Action) -> dict[str, Any]:
    return _encode(action)


def decode_action(data: dict[str, Any]) -> Action:
    """Raises UnreadableError for a kind or field that this version does not know."""
    return cast("Action", _decode(_ACTIONS, data))


def _encode(value: Event | Action) -> dict[str, Any]:
    return {"k": _NAMES[type(value)], **fields_to_json(value)}


def _decode(kinds: dict[str, type], data: dict[str, Any]) -> object:
    kind = kinds.get(str(data.get("k")))
    if kind is None:
        raise UnreadableError(f"unknown kind {data.get('k')!r}")
    return from_json(kind, {name: value for name, value in data.items() if name != "k"})
