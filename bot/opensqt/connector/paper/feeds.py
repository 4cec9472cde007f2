"""What the paper exchange tells the world, to any number of listeners."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """Items by subject. A listener hears all that is told from the moment at which it was made."""

    def __init__(self) -> None:
        self._listeners: dict[Hashable, list[Listener[T]]] = {}

    def heard(self, subject: Hashable) -> bool:
        """Whether anyone listens."""
        return subject in self._listeners

    def subjects(self) -> list[Any]:
        """All that anyone listens to."""
        return list(self._listeners)

    def tell(self, subject: Hashable, item: T) -> None:
        for listener in self._listeners.get(subject, ()):
            listener.queue.put_nowait(item)

    def listen(
        self, subjects: Sequence[Hashable], first: Callable[[], Awaitable[Sequence[T]]] | None = None
    ) -> "Listener[T]":
        """What `first` brings, then what is told."""
        listener = Listener(self, subjects, first)
        for subject in subjects:
            self._listeners.setdefault(subject, []).append(listener)
        return listener

    def leave(self, listener: "Listener[T]", subjects: Sequence[Hashable]) -> None:
        for subject in subjects:
            listeners = self._listeners.get(subject, [])
            if listener in listeners:
                listeners.remove(listener)
                if not listeners:
                    del self._listeners[subject]


class Listener(AsyncIterator[T]):
    """Must be closed, also where it was never asked for an item: until then its items are kept."""

    def __init__(
        self, feed: Feed[T], subjects: Sequence[Hashable], first: Callable[[], Awaitable[Sequence[T]]] | None
    ) -> None:
        self.queue: asyncio.Queue[T] = asyncio.Queue()
        self._feed = feed
        self._subjects = tuple(subjects)
        self._first = first
        self._before: list[T] = []

    async def __anext__(self) -> T:
        if self._first is not None:
            first, self._first = self._first, None
            self._before = list(await first())
        return self._before.pop(0) if self._before else await self.queue.get()

    async def aclose(self) -> None:
        self._feed.leave(self, self._subjects)
