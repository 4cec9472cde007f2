"""The building blocks of the resource models: camelCase objects, bounded decimal strings, CEL rules, printer columns."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule of a schema object (KEP-2876): `expression` must hold, or the API server answers `message`."""

    expression: str
    message: str


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of a resource: shown by `kubectl get`, only with `-o wide` where `priority` is 1."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0


class Model(BaseModel):
    """An object of a resource: camelCase outside, snake_case inside, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    rules: ClassVar[tuple[Rule, ...]] = ()

    def to_json_object(self) -> dict[str, Any]:
        """The object as the API server has it: camelCase, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _decimal(pattern: str, example: str) -> tuple[Any, ...]:
    def parse(value: object) -> Decimal:
        if isinstance(value, Decimal):
            return value
        if not isinstance(value, str):
            raise ValueError(f'must be a decimal in quotes, for example "{example}"')
        if not re.fullmatch(pattern, value):
            raise ValueError(f'{value[:40]!r} is not allowed: write a plain decimal such as "{example}"')
        return Decimal(value)

    return (
        BeforeValidator(parse),
        PlainSerializer(lambda value: f"{value:f}", return_type=str),
        WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "maxLength": 32}),
    )


_UNSIGNED = r"[0-9]{1,15}(\.[0-9]{1,12})?"
# Written without look-ahead, which Kubernetes' RE2 patterns lack: some digit must not be zero.
_POSITIVE = r"(0*[1-9][0-9]{0,14}(\.[0-9]{1,12})?|0+\.[0-9]{0,11}[1-9][0-9]{0,11})"

PositiveDecimal = Annotated[Decimal, *_decimal(_POSITIVE, "0.5")]
"""A plain decimal greater than zero, written as a string."""
UnsignedDecimal = Annotated[Decimal, *_decimal(_UNSIGNED, "0.5")]
SignedDecimal = Annotated[Decimal, *_decimal(r"-?" + _UNSIGNED, "-0.5")]

Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
SecretKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
Symbol = Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=r"^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$")]
