"""One queue of keys: no key twice, no key in two workers, a backoff for each key that fails.

A key is due at a time. Adding it again can only make that earlier, and while it fails its backoff stands: a change of
the object does not make a broken API server work.
"""

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

from opensqt_operator import metrics

K = TypeVar("K", bound=Hashable)

_FIRST_BACKOFF, _LAST_BACKOFF = 0.25, 30.0
_log = structlog.get_logger(__name__)


class TryAgainError(Exception):
    """Raised by a handler: an expected failure; the key comes again after its backoff, or `after` seconds if longer."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class KeyedQueue(Generic[K]):
    """Calls `handle(key)` for every key added; what it returns is after how many seconds it wants the key again."""

    def __init__(
        self, handle: Callable[[K], Awaitable[float | None]], *, workers: int, time_limit: float = 60.0
    ) -> None:
        self._handle = handle
        self._workers = asyncio.Semaphore(workers)
        self._time_limit = time_limit
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = 0
        self._running: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._not_before: dict[K, float] = {}
        self._wake = asyncio.Event()

    def add(self, key: K, delay: float = 0.0) -> None:
        """Have the key handled `delay` seconds from now, or sooner where it is due sooner."""
        when = max(self._now() + delay, self._not_before.get(key, 0.0))
        if key not in self._due or when < self._due[key]:
            self._due[key] = when
            self._push(when, key)

    def oldest(self) -> float:
        """For how many seconds the key that waits or runs the longest has been due; 0 where none is."""
        now = self._now()
        waiting = min((when for when in self._due.values()), default=now)
        return max(0.0, now - min([waiting, *self._running.values()]))

    def depth(self) -> int:
        """How many keys are due and wait for a worker."""
        now = self._now()
        return sum(when <= now for when in self._due.values())

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._workers.acquire()
                key = await self._next()
                group.create_task(self._work(key), name=f"reconcile {key}")

    async def _next(self) -> K:
        while True:
            while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
                heapq.heappop(self._heap)
            wait = self._heap[0][0] - self._now() if self._heap else None
            if wait is not None and wait <= 0:
                key = heapq.heappop(self._heap)[2]
                if key in self._running:
                    # It stays due: `_work` puts it back when it is through.
                    continue
                del self._due[key]
                self._running[key] = self._now()
                return key
            self._wake.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _work(self, key: K) -> None:
        started = self._now()
        again: float | None = None
        try:
            async with asyncio.timeout(self._time_limit):
                again = await self._handle(key)
            self._failures.pop(key, None)
            self._not_before.pop(key, None)
        except Exception as failure:
            again = self._failed(key, failure)
        finally:
            del self._running[key]
            self._workers.release()
            kind = str(getattr(key, "kind", ""))
            metrics.RECONCILE_SECONDS.labels(kind).observe(self._now() - started)
        if key in self._due:
            self._push(self._due[key], key)
        if again is not None:
            self.add(key, again)

    def _failed(self, key: K, failure: Exception) -> float:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        ceiling: float = min(_LAST_BACKOFF, _FIRST_BACKOFF * 2 ** min(count - 1, 10))
        backoff = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        expected = isinstance(failure, TryAgainError)
        if isinstance(failure, TryAgainError):
            backoff = max(backoff, failure.after)
        self._not_before[key] = self._now() + backoff
        if key in self._due:
            self._due[key] = max(self._due[key], self._not_before[key])
        metrics.RECONCILE_FAILURES.labels(str(getattr(key, "kind", "")), type(failure).__name__).inc()
        _log.warning(
            "reconcile_failed", key=key, failure=str(failure) or type(failure).__name__, attempt=count,
            again_in=round(backoff, 2), exc_info=None if expected else failure,
        )  # fmt: skip
        return backoff

    def _push(self, when: float, key: K) -> None:
        self._order += 1
        heapq.heappush(self._heap, (when, self._order, key))
        self._wake.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
