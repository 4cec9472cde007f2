"""Writes statuses: when they have changed, at once where it matters, within the budget where it is numbers."""

from collections.abc import Callable
from typing import TypeVar

from opensqt.api.schema import Model
from opensqt_operator import metrics
from opensqt_operator.api_client import ApiClient
from opensqt_operator.budget import StatusBudget
from opensqt_operator.cache import Cache
from opensqt_operator.names import Key, Kind, Object, key_of

S = TypeVar("S", bound=Model)


class StatusWriter:
    """The last step of a reconcile."""

    def __init__(self, api: ApiClient, cache: Cache, budget: StatusBudget) -> None:
        self._api, self._cache, self._budget = api, cache, budget

    async def write(
        self, kind: Kind, raw: Object, before: S, after: S, urgent_part: Callable[[S], object]
    ) -> float | None:
        """Write `after` where it differs from `before`; after how many seconds to try again where it has to wait.

        Raises:
            RequestError: it was not written, or nobody knows.
        """
        key = key_of(raw)
        if after == before:
            self._budget.forgo(key)
            return None
        urgent = "status" not in raw or urgent_part(after) != urgent_part(before)
        if not urgent:
            wait = self._budget.wait(key)
            if wait > 0:
                return wait
        metadata = raw["metadata"]
        written = await self._api.apply_status(
            kind,
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                # The uid keeps it from a later resource of the same name.
                "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
                "status": after.to_json_object(),
            },
        )
        self._cache.put(written)
        self._budget.written(key)
        metrics.STATUS_WRITES.labels(kind.kind, "urgent" if urgent else "numbers").inc()
        return None

    def forget(self, key: Key) -> None:
        self._budget.forget(key)
