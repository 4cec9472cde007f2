"""Requests as the faces see them, and which of a face's handlers each goes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.venues.faults import Operation
from tests.venues.refusals import Reason, RefusalError

MOST_A_PAGE = 100
"""Of Bitget and OKX alike."""


@dataclass(frozen=True)
class Call:
    """One request: `params` are those of the query and of a form or JSON object in the body; `names` are in the path.

    `payload` is the body where it is a JSON list.
    """

    operation: Operation
    method: str
    path: str
    query: str
    text: str
    headers: Mapping[str, str]
    params: dict[str, Any]
    payload: list[Any]
    names: dict[str, str]
    remote: str

    def text_of(self, name: str) -> str:
        """A parameter as text, empty where there is none."""
        value = self.params.get(name)
        return "" if value is None else str(value)

    def count_of(self, name: str, default: int) -> int:
        value = self.text_of(name)
        if value and not value.lstrip("-").isdigit():
            raise RefusalError(Reason.BAD_PARAMETER, name)
        return int(value) if value else default

    def older(self, items: list[dict[str, Any]], *, cursor: str, id_name: str, symbol: str) -> list[dict[str, Any]]:
        """A page of at most `limit` items, newest first: those of the symbol asked for that are older than the cursor.

        `cursor` and `symbol` name the parameters, `id_name` the field of an item that the cursor is compared with.
        """
        limit, before = self.count_of("limit", MOST_A_PAGE), self.count_of(cursor, 2**63)
        if not 1 <= limit <= MOST_A_PAGE:
            raise RefusalError(Reason.BAD_PARAMETER, "limit")
        chosen = [item for item in items if self.text_of(symbol) in {"", item[symbol]}]
        return [item for item in reversed(chosen) if int(item[id_name]) < before][:limit]


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """`path` may have names in braces; `signed` ones need a key, `trading` ones one that may trade."""

    method: str
    path: str
    operation: Operation
    handler: Handler
    signed: bool = True
    trading: bool = False
    weight: int = 1

    def match(self, method: str, path: str) -> dict[str, str] | None:
        if method != self.method:
            return None
        mine, theirs = self.path.split("/"), path.split("/")
        if len(mine) != len(theirs):
            return None
        names: dict[str, str] = {}
        for name, value in zip(mine, theirs, strict=True):
            if name.startswith("{"):
                names[name.strip("{}")] = value
            elif name != value:
                return None
        return names
