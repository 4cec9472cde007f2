"""The resync watches over the watches: one that falls silent shows, whatever the others tell."""

import asyncio
from typing import cast

from opensqt_operator.api_client import ApiClient
from opensqt_operator.cache import Cache
from opensqt_operator.handlers import Handlers
from opensqt_operator.health import MISSED_RESYNCS, Health
from opensqt_operator.names import GRIDBOTS, Key, Kind
from opensqt_operator.queue import KeyedQueue
from opensqt_operator.resync import Resync
from tests.operator.fake_cluster import eventually
from tests.operator.kube_client import Object


def bot(namespace: str, version: int) -> Object:
    metadata = {"namespace": namespace, "name": "grid", "uid": namespace, "resourceVersion": str(version)}
    return {"kind": "GridBot", "metadata": metadata}


class Lists:
    """An API server on which each list finds its GridBot changed again."""

    def __init__(self) -> None:
        self.version = 100

    async def list(self, kind: Kind, namespace: str | None, _labels: str | None) -> tuple[list[Object], int]:
        self.version += 1
        return ([bot(namespace, self.version)] if kind == GRIDBOTS and namespace else []), self.version


async def test_a_silent_watch_of_one_namespace_is_not_hidden_by_the_watch_of_another() -> None:
    cache, lists = Cache(), Lists()
    handlers = Handlers(cache, lambda key: None)
    resync = Resync(cast("ApiClient", lists), cache, handlers, namespaces=("silent", "told"), interval=0.02)

    async def handle(_key: Key) -> None:
        return None

    health = Health(KeyedQueue(handle, workers=1), resync)
    running = asyncio.create_task(resync.run())

    async def missed() -> bool:
        handlers.event("MODIFIED", bot("told", lists.version + 1000))
        return max(resync.misses.values(), default=0) >= MISSED_RESYNCS

    try:
        await eventually(missed, "the silent watch is noticed")
        (reason,) = health.stuck()
        assert reason.startswith("the watch of GridBot in silent")
    finally:
        running.cancel()
