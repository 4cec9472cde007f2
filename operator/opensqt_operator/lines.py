"""gRPC lines to the Pods: one for each bot and connector, kept up by itself, and what was last heard on it."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
import structlog

from opensqt_operator import metrics
from opensqt_operator.names import Key

R = TypeVar("R")
L = TypeVar("L", bound="Line[Any]")

_FIRST_BACKOFF, _LAST_BACKOFF = 0.2, 5.0
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # A node that vanishes closes no connection.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Contact(Generic[R]):
    """What is known over a line."""

    report: R | None = None
    """The last thing said by this very Pod; None where it has said nothing to us yet."""
    silent_for: float = 0.0
    """Seconds since the line was lost or, where nothing has been heard yet, since it was opened; 0 while it is up."""
    error: str = ""
    """Why it is down."""

    @property
    def up(self) -> bool:
        return self.report is not None and self.silent_for == 0.0


class Line(ABC, Generic[R]):
    """A line to one Pod, which is called at `address` until `close`."""

    def __init__(self, key: Key, pod_uid: str, address: str, changed: Callable[[Key], None]) -> None:
        self.key, self.pod_uid, self.address = key, pod_uid, address
        self.channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._changed = changed
        self._report: R | None = None
        self._error = ""
        self._silent_since: float | None = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._keep_up(), name=f"line {key}")

    @abstractmethod
    async def listen(self) -> None:
        """Call, and tell what is heard by `heard`, until the line breaks."""

    def heard(self, report: R, *, news: bool = True) -> None:
        """Note what the Pod says; `news` tells whether anything in it has changed."""
        news = news or self._report is None or self._silent_since is not None
        self._report, self._silent_since, self._error = report, None, ""
        if news:
            self._changed(self.key)

    def contact(self) -> Contact[R]:
        since = self._silent_since
        silent = 0.0 if since is None else max(1e-6, asyncio.get_running_loop().time() - since)
        return Contact(self._report, silent, self._error)

    @property
    def up(self) -> bool:
        return self._silent_since is None

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.channel.close()

    async def _keep_up(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            try:
                await self.listen()
                self._lost("the stream ended")
            except grpc.aio.AioRpcError as error:
                self._lost(f"{error.code().name}: {error.details()}")
            except Exception as error:
                _log.exception("line_failed", key=self.key)
                self._lost(f"{type(error).__name__}: {error}")
            backoff = _FIRST_BACKOFF if self._fresh else min(backoff * 2, _LAST_BACKOFF)
            self._fresh = False
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    _fresh = False

    def _lost(self, error: str) -> None:
        self._fresh = self._silent_since is None
        self._error = error
        if self._silent_since is None:
            self._silent_since = asyncio.get_running_loop().time()
            self._changed(self.key)


class Lines(Generic[L]):
    """The lines of one kind, by the resource they belong to."""

    def __init__(self, kind: str, open_line: Callable[[Key, str, str], L]) -> None:
        self._kind = kind
        self._open_line = open_line
        self._lines: dict[Key, L] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, key: Key, pod_uid: str) -> L | None:
        """The line to this very Pod."""
        line = self._lines.get(key)
        return line if line is not None and line.pod_uid == pod_uid else None

    def current(self, key: Key) -> L | None:
        """The line that there is, to whatever Pod."""
        return self._lines.get(key)

    def open(self, key: Key, pod_uid: str, address: str) -> L:
        """The line to this Pod at this address, opened where there is none; a line to another Pod is closed."""
        line = self._lines.get(key)
        if line is None or (line.pod_uid, line.address) != (pod_uid, address):
            self.close(key)
            line = self._lines[key] = self._open_line(key, pod_uid, address)
        return line

    def close(self, key: Key) -> None:
        line = self._lines.pop(key, None)
        if line is not None:
            task = asyncio.create_task(line.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def measure(self) -> None:
        up = sum(line.up for line in self._lines.values())
        metrics.LINES.labels(self._kind, "up").set(up)
        metrics.LINES.labels(self._kind, "down").set(len(self._lines) - up)

    async def aclose(self) -> None:
        for key in list(self._lines):
            self.close(key)
        await asyncio.gather(*self._closing, return_exceptions=True)
