"""The API server's objects as our models, validated again: what went past the CRD's rules is named, field by field."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from opensqt.api.schema import Model
from opensqt_operator.names import Object

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound=Model)

_SHOWN = 5


class InvalidSpecError(Exception):
    """The spec is not one; the message names the fields and what is wrong with each, and never a value."""


def parse(model: type[M], raw: Object) -> M:
    """The resource without its status.

    Raises:
        InvalidSpecError: its spec breaks a rule.
    """
    try:
        return model.model_validate({name: value for name, value in raw.items() if name != "status"})
    except ValidationError as error:
        problems = [_problem(dict(detail)) for detail in error.errors(include_input=False, include_url=False)]
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        raise InvalidSpecError("; ".join(problems[:_SHOWN]) + more) from None


def parse_status(model: type[S], raw: Object) -> S:
    """The status last written; the empty one where it is not one of this version."""
    try:
        return model.model_validate(raw.get("status") or {})
    except ValidationError:
        return model()


def _problem(detail: dict[str, Any]) -> str:
    path = ""
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{to_camel(part) if '_' in part else part}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    # Our own messages may quote what was written; a value that does not fit its type may be anything.
    quoted = detail["type"] == "value_error" and path and "is not allowed" in message
    return f"{path.lstrip('.') or 'spec'}: {'must be a plain decimal in quotes' if quoted else message}"
