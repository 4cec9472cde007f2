"""Dataclasses to and from JSON-able data, by their type hints: what the journal and the snapshots are made of.

Understood are int, str, bool, Decimal (as text), StrEnum, X | None, list[X], dict[int or str, X] and dataclasses of
these. A field that has its plain default is left out; an unknown field raises, so that nothing newer is ever read by
halves.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

Json = Any
T = TypeVar("T")
_PLAIN = {int, str, bool, types.NoneType}


class UnreadableError(ValueError):
    """Data that this version does not know: written by a newer one, or damaged. Use the version that wrote it."""


def to_json(value: Any) -> Json:
    """A dataclass, or anything it may hold, as JSON-able data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_to_json(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def fields_to_json(value: Any) -> dict[str, Json]:
    """A dataclass by the names of its fields."""
    kind: type = type(value)
    data = {}
    for name, default, plain in _fields(kind):
        item = getattr(value, name)
        if item != default:
            data[name] = item if plain else to_json(item)
    return data


def from_json(kind: type[T], data: Json) -> T:
    """The dataclass `kind` from what `to_json` made. Raises UnreadableError."""
    try:
        return cast("T", _reader(cast("Any", kind))(data))
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise UnreadableError(f"not a {kind.__name__}: {error}") from error


@cache
def _fields(kind: type) -> list[tuple[str, Any, bool]]:
    """Names of the fields, their defaults (`MISSING` equals no value), and whether they hold what JSON has anyway.

    Such a value goes as it is: each commit of the journal waits for this, and to look at every value takes long.
    """
    hints = get_type_hints(kind)
    return [
        (field.name, field.default, _is_plain(hints[field.name])) for field in dataclasses.fields(kind) if field.init
    ]


def _is_plain(hint: Any) -> bool:
    if get_origin(hint) is types.UnionType:
        return all(_is_plain(each) for each in get_args(hint))
    return isinstance(hint, type) and (hint in _PLAIN or issubclass(hint, StrEnum))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        key, item = arguments[0], _reader(arguments[1])
        return lambda data: {key(name): item(value) for name, value in data.items()}
    if origin is list:
        item = _reader(arguments[0])
        return lambda data: [item(value) for value in data]
    if origin is types.UnionType:
        item = _reader(next(argument for argument in arguments if argument is not types.NoneType))
        return lambda data: None if data is None else item(data)
    if kind in {int, str, bool, Decimal}:
        return (lambda data: Decimal(_plain(str, data))) if kind is Decimal else (lambda data: _plain(kind, data))
    raise TypeError(f"no JSON form for {kind}")


def _plain(kind: type, data: Any) -> Any:
    if kind is str and isinstance(data, StrEnum):
        return data.value  # a state that was not written out as text in between
    if type(data) is not kind:
        raise TypeError(f"{data!r} is not {kind.__name__}")
    return data


def _dataclass_reader(kind: type) -> Callable[[Mapping[str, Any]], Any]:
    readers: dict[str, Callable[[Any], Any]] = {}

    def read(data: Mapping[str, Any]) -> Any:
        if not readers:
            readers.update({name: _reader(hint) for name, hint in get_type_hints(kind).items()})
        return kind(**{name: readers[name](value) for name, value in data.items()})

    return read
