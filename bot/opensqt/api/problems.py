"""What is wrong with a resource, field by field, in words for the person who wrote it."""

from dataclasses import dataclass

from pydantic import ValidationError
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` as `kubectl explain` takes it, list indices in brackets; `kind` is pydantic's type of the error."""

    path: str
    message: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def problems(error: ValidationError, root: str = "") -> list[Problem]:
    """All that is wrong; no value is quoted but by our own rules. `root` is the path of what was validated."""
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        path, message = root, detail["msg"].removeprefix("Value error, ")
        for part in detail["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{to_camel(part) if '_' in part else part}"
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ValueError) and len(cause.args) > 1:  # a rule of several fields, and the one to blame
            message, field = cause.args
            path += field
        found.append(Problem(path.lstrip("."), message, detail["type"]))
    return found
