"""One reading for all who ask for the same in the meantime: after a gap every bot of an account asks at once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class SharedReads(Generic[Key, Result]):
    """Of each key one reading is under way and one more waits for it, however many ask: the shorter the rate budget,
    the more share one. Results are shared too: nobody may change them."""

    def __init__(self, read: Callable[[Key], Awaitable[Result]]) -> None:
        self._read = read
        self._reading: dict[Key, asyncio.Task[Result]] = {}
        self._next: dict[Key, asyncio.Task[Result]] = {}

    async def get(self, key: Key) -> Result:
        """Raises what the reading raises.

        It is never one that was begun before this call: what it lacks may have been on its way.
        """
        if key not in self._next:
            self._next[key] = asyncio.create_task(self._after(self._reading.get(key), key))
        return await asyncio.shield(self._next[key])

    async def _after(self, before: asyncio.Task[Result] | None, key: Key) -> Result:
        if before is not None:
            await asyncio.wait({before})
        self._reading[key] = this = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._reading[key] is this:
                del self._reading[key]
