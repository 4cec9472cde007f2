"""How many bots are rolled at once because the operator has changed, and not their spec: a new default image, say.

A bot that is being upgraded says so in its condition Progressing until it is Ready again, so that the next operator
knows of it too. One that does not come up is waited for: the others trade on as they are.
"""

from collections.abc import Callable

from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.meta import ConditionStatus
from opensqt_operator.cache import Cache
from opensqt_operator.conditions import find
from opensqt_operator.names import GRIDBOTS, Key, Object, key_of
from opensqt_operator.validation import parse_status

UPGRADING = "Upgrading"
"""The reason of Progressing."""


def upgrading(status: GridBotStatus) -> bool:
    progressing = find(status.conditions, "Progressing")
    return progressing is not None and (progressing.status, progressing.reason) == (ConditionStatus.TRUE, UPGRADING)


class Rolls:
    """Which bots are being upgraded, and which wait for them."""

    def __init__(self, cache: Cache, limit: int, enqueue: Callable[[Key], None]) -> None:
        self._cache, self._limit, self._enqueue = cache, limit, enqueue
        self._begun: dict[Key, str] | None = None
        """What hinders each of them from being ready."""
        self._waiting: dict[Key, None] = {}

    def ahead(self, key: Key) -> str:
        """What an upgrade of this bot has to wait for; empty where it may begin."""
        others = {other: why for other, why in self._under_way().items() if other != key}
        if len(others) < self._limit or key in self._under_way():
            return ""
        return ", ".join(f"{other.namespace}/{other.name}{f' ({why})' if why else ''}" for other, why in others.items())

    def wait(self, key: Key) -> None:
        """Have the bot looked at again when there is room."""
        self._waiting[key] = None

    def begin(self, key: Key) -> None:
        self._under_way()[key] = ""
        self._waiting.pop(key, None)

    def note(self, raw: Object, status: GridBotStatus) -> None:
        """The bot has a new status."""
        if upgrading(status) and "deletionTimestamp" not in raw["metadata"]:
            ready = find(status.conditions, "Ready")
            self._under_way()[key_of(raw)] = ready.reason if ready is not None else ""
        else:
            self.forget(key_of(raw))

    def forget(self, key: Key) -> None:
        """It is ready, or gone, or nobody waits for it any more."""
        if self._under_way().pop(key, None) is None:
            return
        for waiting in list(self._waiting)[: self._limit]:
            del self._waiting[waiting]
            self._enqueue(waiting)

    def _under_way(self) -> dict[Key, str]:
        if self._begun is None:
            self._begun = {}
            for raw in self._cache.all(GRIDBOTS):
                if upgrading(parse_status(GridBotStatus, raw)):
                    self._begun[key_of(raw)] = ""
        return self._begun
