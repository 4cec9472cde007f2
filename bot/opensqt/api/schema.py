"""What the resource models are built of: camelCase objects, bounded decimal strings, CEL rules, printer columns."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule of a schema object (KEP-2876): `expression` must hold, or the API server answers `message`.

    `field` is the path within the object that the answer names, for example `.upper`; without it, the object itself.
    """

    expression: str
    message: str
    field: str = ""

    @property
    def immutable(self) -> bool:
        """Whether it says that `field` must stay as it is."""
        return bool(self.field) and self.expression == f"self{self.field} == oldSelf{self.field}"

    def to_json_object(self) -> dict[str, Any]:
        """The rule as an element of `x-kubernetes-validations`."""
        rule = {"rule": self.expression, "message": self.message}
        return rule | {"fieldPath": self.field} if self.field else rule


def immutable(field: str, advice: str) -> Rule:
    """The rule that `field` (camelCase) never changes."""
    return Rule(f"self.{field} == oldSelf.{field}", f"{field} is immutable: {advice}", f".{field}")


def _add_rules(schema: dict[str, Any], model: type["Model"]) -> None:
    if model.rules:
        schema["x-kubernetes-validations"] = [rule.to_json_object() for rule in model.rules]


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

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        json_schema_extra=_add_rules,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    def to_json_object(self) -> dict[str, Any]:
        """The object as the API server has it: camelCase, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def set_part(self) -> dict[str, Any]:
        """The same without what is as by default: what an older version can read too, unless it is really used."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


def broken_immutables(old: Model, new: dict[str, Any]) -> list[str]:
    """What the API server would answer to an update from `old` to the JSON object `new`: `.field: message`."""
    before = old.to_json_object()
    return [
        f"{rule.field}: {rule.message}"
        for rule in old.rules
        if rule.immutable and before.get(rule.field[1:]) != new.get(rule.field[1:])
    ]


_UNSIGNED = r"[0-9]{1,15}(\.[0-9]{1,12})?"
_SIGNED = r"-?" + _UNSIGNED
_GREATER_THAN_ZERO = Rule("double(self) > 0.0", "must be greater than 0")


def _decimal(pattern: str, *, positive: bool = False) -> tuple[Any, ...]:
    """What turns `Decimal` into a bounded decimal string: the same bounds here as in the API server."""

    def parse(value: object) -> Decimal:
        if isinstance(value, Decimal):
            return value
        if not isinstance(value, str):
            raise ValueError(f'must be a decimal in quotes: "{value}"')  # noqa: TRY004 - what pydantic expects
        if not re.fullmatch(pattern, value):
            raise ValueError(f'{value[:40]!r} is not allowed: write a plain decimal such as "0.5"')
        number = Decimal(value)
        if positive and number == 0:
            raise ValueError(_GREATER_THAN_ZERO.message)
        return number

    schema: dict[str, Any] = {"type": "string", "pattern": f"^{pattern}$", "maxLength": 32}
    if positive:
        schema["x-kubernetes-validations"] = [_GREATER_THAN_ZERO.to_json_object()]
    return (
        BeforeValidator(parse),
        PlainSerializer(lambda value: f"{value:f}", return_type=str),
        WithJsonSchema(schema),
    )


def keyed_by(field: str) -> Any:
    """`json_schema_extra` of a list whose elements are told apart by `field`: the API server refuses two of one key."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]}


PositiveDecimal = Annotated[Decimal, *_decimal(_UNSIGNED, positive=True)]
"""A plain decimal greater than zero, written as a string."""
UnsignedDecimal = Annotated[Decimal, *_decimal(_UNSIGNED)]
SignedDecimal = Annotated[Decimal, *_decimal(_SIGNED)]

Integer = Annotated[int, Strict()]
"""No quotes and no fraction, as the API server has it."""
Boolean = Annotated[bool, Strict()]

ResourceName = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
"""Name of a resource of ours: short enough that the names of its Pod and Service, which add a suffix, are valid too."""
ObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
]
"""Name of one of Kubernetes' own objects."""
SecretKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
Symbol = Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=r"^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$")]
