"""What the paper exchange tells the world, to any number of listeners."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """Items by subject. A listener hears all that is told from the moment at which it was made."""

    def __init__(self) -> None:
        self._listeners: dict[Hashable, list[asyncio.Queue[T]]] = {}

    def heard(self, subject: Hashable) -> bool:
        """Whether anyone listens."""
        return subject in self._listeners

    def subjects(self) -> list[Any]:
        """All that anyone listens to."""
        return list(self._listeners)

    def tell(self, subject: Hashable, item: T) -> None:
        for queue in self._listeners.get(subject, ()):
            queue.put_nowait(item)

    def listen(self, subjects: list[Hashable], first: list[T] | None = None) -> AsyncIterator[T]:
        """Begins with `first`; ends when it is closed."""
        queue: asyncio.Queue[T] = asyncio.Queue()
        for item in first or ():
            queue.put_nowait(item)
        for subject in subjects:
            self._listeners.setdefault(subject, []).append(queue)
        return self._drain(queue, subjects)

    async def _drain(self, queue: asyncio.Queue[T], subjects: list[Hashable]) -> AsyncIterator[T]:
        try:
            while True:
                yield await queue.get()
        finally:
            for subject in subjects:
                listeners = self._listeners[subject]
                listeners.remove(queue)
                if not listeners:
                    del self._listeners[subject]
