"""The API server's objects as our models, validated again: what went past the CRD's rules is named, field by field."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from opensqt.api.problems import Problem, problems
from opensqt.api.schema import Model
from opensqt_operator.names import Object

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound=Model)

_SHOWN = 5


class InvalidSpecError(Exception):
    """The spec is not one; the message names the fields and what is wrong with each, and never a value."""


def parsed(model: type[M], raw: Object) -> M | InvalidSpecError:
    """The resource without its status; what is wrong, where its spec breaks a rule."""
    try:
        return model.model_validate({name: value for name, value in raw.items() if name != "status"})
    except ValidationError as error:
        lines = [_line(problem) for problem in problems(error)]
        more = f" (and {len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
        return InvalidSpecError("; ".join(lines[:_SHOWN]) + more)


def parse_status(model: type[S], raw: Object) -> S:
    """The status last written; the empty one where it is not one of this version."""
    try:
        return model.model_validate(raw.get("status") or {})
    except ValidationError:
        return model()


def _line(problem: Problem) -> str:
    # Our own messages may quote what was written; a value that does not fit its type may be anything.
    quoted = problem.kind == "value_error" and problem.path and "is not allowed" in problem.message
    return f"{problem.path or 'spec'}: {'must be a plain decimal in quotes' if quoted else problem.message}"
