"""What happened, for people: the newest events of this instance, numbered."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from opensqt.engine.actions import Severity

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Notice:
    """`time_us` is real time; `reason` is CamelCase."""

    number: int
    time_us: int
    severity: Severity
    reason: str
    message: str


class Notices:
    """Numbers grow from instance to instance, for they start with the epoch: a watcher never sees one twice."""

    def __init__(self) -> None:
        self._notices: deque[Notice] = deque(maxlen=KEPT)
        self._last = 0
        self._added = asyncio.Event()

    def start(self, epoch: int) -> None:
        self._last = epoch << 32

    def add(self, severity: Severity, reason: str, message: str) -> None:
        self._last += 1
        self._notices.append(Notice(self._last, time.time_ns() // 1000, severity, reason, message))
        self._added.set()
        self._added = asyncio.Event()

    async def after(self, number: int) -> AsyncIterator[Notice]:
        """All kept notices with a greater number, then new ones as they come."""
        while True:
            added = self._added
            for notice in [notice for notice in self._notices if notice.number > number]:
                yield notice
                number = notice.number
            if added is self._added:
                await added.wait()
