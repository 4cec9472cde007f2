"""One task lists everything every few minutes and makes it the truth: it repairs whatever the watch has missed."""

import asyncio
import random
import time

import structlog

from opensqt_operator import metrics
from opensqt_operator.api_client import ApiClient, RequestError
from opensqt_operator.cache import Cache, version
from opensqt_operator.handlers import Handlers
from opensqt_operator.names import CHILDREN, OWNED, SELECTOR, Kind, Object, key_of

_RETRY = 5.0
_SETTLE = 20.0
_SOON = 5.0
Watch = tuple[str, str | None]
"""A kind and a namespace, None for all: Kopf watches each by itself, and each can fall silent by itself."""
_log = structlog.get_logger(__name__)


class Resync:
    """Lists, and watches over the watch."""

    def __init__(
        self, api: ApiClient, cache: Cache, handlers: Handlers, *, namespaces: tuple[str, ...], interval: float
    ) -> None:
        self._api, self._cache, self._handlers = api, cache, handlers
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self.interval = interval
        self.succeeded: float | None = None
        """When everything was last listed, on the monotonic clock."""
        self.misses: dict[str, int] = {}
        """How many resyncs in a row found changes that the watch, named by what it watches, never told of."""

    async def first(self) -> None:
        """List until it succeeds: before that, nothing can be decided. The CRDs may not be there yet, either."""
        while True:
            try:
                await self._once()
            except RequestError as failure:
                _log.warning("waiting_for_the_api_server", failure=str(failure))
                await asyncio.sleep(min(_RETRY, self.interval) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            else:
                return

    async def run(self) -> None:
        """Resync for ever; the first time soon: no watch tells of what went between our first list and its own."""
        interval = min(_SOON, self.interval)
        while True:
            await asyncio.sleep(interval * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            interval = self.interval
            try:
                newest = await self._once()
            except RequestError as failure:
                _log.warning("resync_failed", failure=str(failure))
                continue
            await asyncio.sleep(min(_SETTLE, self.interval / 4))
            self._judge(newest)

    async def _once(self) -> dict[Watch, int]:
        """Replace the cache; the newest version of what it did not know, by watch."""
        started = time.monotonic()
        newest: dict[Watch, int] = {}
        for kind in (*OWNED, *CHILDREN):
            for namespace in self._namespaces:
                objects, listed_at = await self._api.list(kind, namespace, None if kind in OWNED else SELECTOR)
                newest[kind.kind, namespace] = self._replace(kind, namespace, objects, listed_at)
        for kind in OWNED:
            for obj in self._cache.all(kind):
                self._handlers.changed(None, obj)
        self.succeeded = time.monotonic()
        metrics.RESYNC_SECONDS.set(self.succeeded - started)
        return newest

    def _replace(self, kind: Kind, namespace: str | None, objects: list[Object], listed_at: int) -> int:
        before = {key_of(obj): obj for obj in self._cache.all(kind)}
        newest = 0
        for key in self._cache.replace(kind, objects, listed_at, namespace):
            after = self._cache.get(kind, key.namespace, key.name)
            self._handlers.changed(before.get(key), after)
            newest = max(newest, version(after) if after is not None else 0)
        return newest

    def _judge(self, newest: dict[Watch, int]) -> None:
        """What a list found, the watch of the same objects must have told by now."""
        for (kind, namespace), found in newest.items():
            watch = f"{kind} in {namespace}" if namespace else kind
            told = (
                seen for (of, where), seen in self._handlers.seen.items() if of == kind and namespace in {None, where}
            )
            missed = found > max(told, default=0)
            self.misses[watch] = self.misses.get(watch, 0) + 1 if missed else 0
            if missed:
                metrics.MISSED_EVENTS.labels(kind).inc()
                _log.warning("watch_missed_changes", watch=watch, in_a_row=self.misses[watch])
