"""Count-downs that cancel open orders unless they are set again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class DeadMan:
    """One count-down a name; `tell` is called after one has run out. Its seconds pass `pace` times as fast."""

    pace: float = 1.0

    def __init__(self, tell: Callable[[], Awaitable[None]]) -> None:
        self._tell = tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.set_to: dict[str, float] = {}

    def set(self, name: str, seconds: float, run_out: Callable[[], Any]) -> None:
        """0 seconds switch it off."""
        self.stop(name)
        self.set_to[name] = seconds
        if seconds > 0:
            self._tasks[name] = asyncio.get_running_loop().create_task(self._count(seconds, run_out))

    def stop(self, name: str | None = None) -> None:
        for key in [name] if name is not None else list(self._tasks):
            task = self._tasks.pop(key, None)
            if task is not None:
                task.cancel()

    async def _count(self, seconds: float, run_out: Callable[[], Any]) -> None:
        await asyncio.sleep(seconds / self.pace)
        run_out()
        await self._tell()
