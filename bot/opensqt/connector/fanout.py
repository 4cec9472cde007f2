"""One upstream subscription for each subject, fanned out to any number of subscribers.

A subscriber that does not keep up is cut off and never holds up another one. A `Gap` of the venue reaches every
subscriber as one skipped sequence number.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from opensqt.connector.venue import Failure, Gap, VenueError
from opensqt.engine.events import Remedy

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5.0
QUEUE_LIMIT = 8192
"""Messages that may wait for one subscriber."""

T = TypeVar("T")
Subject = TypeVar("Subject", bound=Hashable)


class SlowConsumerError(VenueError):
    """The subscriber was cut off: it must subscribe again and fetch the state."""

    def __init__(self) -> None:
        message = f"slow consumer: {QUEUE_LIMIT} messages were waiting; subscribe again and fetch the state"
        super().__init__(Failure(Remedy.RETRY, message))


class Subscription(Generic[T]):
    """One subscriber's messages in order, each with its sequence number from 1.

    With `newest_by`, a message replaces the waiting one of the same key; no sequence number is skipped for that.
    """

    def __init__(self, accepts: Callable[[T], bool], newest_by: Callable[[T], Hashable] | None) -> None:
        self._accepts = accepts
        self._newest_by = newest_by
        self._queue: deque[T | Gap] = deque()
        self._newest: dict[Hashable, T] = {}
        self._arrived = asyncio.Event()
        self._error: VenueError | None = None
        self._sequence = 0

    def put(self, item: T | Gap) -> None:
        if self._error is not None:
            return
        if isinstance(item, Gap):
            self._append(item)
        elif self._accepts(item):
            if self._newest_by is None:
                self._append(item)
            else:
                key = self._newest_by(item)
                self._newest.pop(key, None)
                self._newest[key] = item
        else:
            return
        self._arrived.set()

    def fail(self, error: VenueError) -> None:
        """Ends the subscription: what waits is dropped, the subscriber is told."""
        self._error = error
        self._queue.clear()
        self._newest.clear()
        self._arrived.set()

    def number(self) -> int:
        """The next sequence number."""
        self._sequence += 1
        return self._sequence

    async def messages(self) -> AsyncIterator[tuple[int, T | None]]:
        """Sequence number and message; None is a heartbeat: after a gap at once, and in every silence of 5 s."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._arrived.wait()
            except TimeoutError:
                yield self.number(), None
                continue
            self._arrived.clear()
            for message in self.waiting():
                yield message
            if self._error is not None:
                raise self._error

    def waiting(self) -> Iterator[tuple[int, T | None]]:
        """Those of `messages` that are there already."""
        while self._queue or self._newest:
            item = self._queue.popleft() if self._queue else self._newest.pop(next(iter(self._newest)))
            if isinstance(item, Gap):
                self.number()
                yield self.number(), None
            else:
                yield self.number(), item

    def _append(self, item: T | Gap) -> None:
        if len(self._queue) >= QUEUE_LIMIT:
            log.warning("slow_consumer_cut_off", waiting=len(self._queue))
            self.fail(SlowConsumerError())
        else:
            self._queue.append(item)


class _Topic(Generic[T]):
    """The upstream of one subject, with its subscribers; `last` is what a newcomer may be shown at once."""

    def __init__(self, source: AsyncIterator[T | Gap], ended: Callable[[], None]) -> None:
        self.subscriptions: list[Subscription[T]] = []
        self.last: T | None = None
        self._source = source
        self._ended = ended
        self._task = asyncio.create_task(self._pump())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._close_source()

    async def _close_source(self) -> None:
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    async def _pump(self) -> None:
        try:
            async for item in self._source:
                self.last = None if isinstance(item, Gap) else item
                for subscription in self.subscriptions:
                    subscription.put(item)
            error = VenueError(Failure(Remedy.RETRY, "the venue ended the stream"))
        except VenueError as failed:
            error = failed
        except Exception:
            log.exception("upstream_failed")
            error = VenueError(Failure(Remedy.RETRY, "the venue's stream failed"))
        await self._close_source()
        self._ended()
        for subscription in self.subscriptions:
            subscription.fail(error)


class FanOut(Generic[Subject, T]):
    """All subscriptions of one kind. A subject's upstream starts with its first subscriber and ends after its last."""

    def __init__(
        self,
        watch: Callable[[Subject], AsyncIterator[T | Gap]],
        *,
        newest_by: Callable[[T], Hashable] | None = None,
    ) -> None:
        self._watch = watch
        self._newest_by = newest_by
        self._topics: dict[Subject, _Topic[T]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.subscribers = 0

    @contextmanager
    def subscribe(
        self, subjects: Iterable[Subject], accepts: Callable[[T], bool] = lambda _: True
    ) -> Iterator[Subscription[T]]:
        """A subscription that misses nothing from here on; with `newest_by` it starts with the last known ones."""
        subscription: Subscription[T] = Subscription(accepts, self._newest_by)
        topics: dict[Subject, _Topic[T]] = {}
        try:
            for subject in subjects:
                topics[subject] = self._topic(subject)
        except VenueError:
            self._drop(subscription, topics)
            raise
        for topic in topics.values():
            topic.subscriptions.append(subscription)
            if self._newest_by is not None and topic.last is not None:
                subscription.put(topic.last)
        self.subscribers += 1
        try:
            yield subscription
        finally:
            self.subscribers -= 1
            self._drop(subscription, topics)

    async def close(self) -> None:
        """Ends all subscriptions."""
        for subject, topic in list(self._topics.items()):
            for subscription in topic.subscriptions:
                subscription.fail(VenueError(Failure(Remedy.RETRY, "the connector is ending")))
            self._close(subject)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _drop(self, subscription: Subscription[T], topics: dict[Subject, _Topic[T]]) -> None:
        for subject, topic in topics.items():
            if subscription in topic.subscriptions:
                topic.subscriptions.remove(subscription)
            if not topic.subscriptions and self._topics.get(subject) is topic:
                self._close(subject)

    def _topic(self, subject: Subject) -> _Topic[T]:
        topic = self._topics.get(subject)
        if topic is None:
            topic = _Topic(self._watch(subject), lambda: self._forget(subject, topic))
            self._topics[subject] = topic
        return topic

    def _forget(self, subject: Subject, topic: _Topic[T] | None) -> None:
        if self._topics.get(subject) is topic:
            del self._topics[subject]

    def _close(self, subject: Subject) -> None:
        task = asyncio.create_task(self._topics.pop(subject).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
