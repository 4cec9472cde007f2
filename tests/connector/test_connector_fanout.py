"""One upstream for many subscribers; a slow one is cut off and holds up nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from opensqt.connector import fanout
from opensqt.connector.fanout import FanOut, SlowConsumerError, Subscription
from opensqt.connector.venue import Failure, Gap, VenueError
from opensqt.engine.events import Remedy
from tests.connector.eventually import eventually

Item = tuple[str, int]


class Upstream:
    """The test says what it brings; it counts how often it was watched and left."""

    def __init__(self) -> None:
        self.queues: dict[str, asyncio.Queue[Item | Gap | Exception]] = {}
        self.watched = 0
        self.left = 0

    async def watch(self, subject: str) -> AsyncIterator[Item | Gap]:
        self.watched += 1
        queue = self.queues.setdefault(subject, asyncio.Queue())
        try:
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.left += 1

    def bring(self, subject: str, item: Item | Gap | Exception) -> None:
        self.queues.setdefault(subject, asyncio.Queue()).put_nowait(item)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def hub(upstream: Upstream) -> FanOut[str, Item]:
    return FanOut(upstream.watch)


async def take(subscription: Subscription[Item], amount: int) -> list[tuple[int, Item | None]]:
    messages = []
    async for message in subscription.messages():
        messages.append(message)
        if len(messages) == amount:
            break
    return messages


async def test_all_subscribers_share_one_upstream_and_number_for_themselves(
    hub: FanOut[str, Item], upstream: Upstream
) -> None:
    with hub.subscribe(["x"]) as one, hub.subscribe(["x"]) as other:
        assert one.number() == 1
        for number in range(3):
            upstream.bring("x", ("x", number))
        assert await take(one, 3) == [(2, ("x", 0)), (3, ("x", 1)), (4, ("x", 2))]
        assert await take(other, 3) == [(1, ("x", 0)), (2, ("x", 1)), (3, ("x", 2))]
        assert upstream.watched == 1
        assert hub.subscribers == 2
    await eventually(lambda: upstream.left == 1)
    assert hub.subscribers == 0


async def test_the_upstream_starts_anew_after_its_last_subscriber(hub: FanOut[str, Item], upstream: Upstream) -> None:
    for round_ in range(2):
        with hub.subscribe(["x"]) as subscription:
            upstream.bring("x", ("x", round_))
            assert await take(subscription, 1) == [(1, ("x", round_))]
        await eventually(lambda: upstream.left == upstream.watched)
    assert upstream.watched == 2


async def test_what_is_not_accepted_takes_no_number(hub: FanOut[str, Item], upstream: Upstream) -> None:
    with hub.subscribe(["x"], lambda item: item[1] % 2 == 0) as subscription:
        for number in range(5):
            upstream.bring("x", ("x", number))
        assert await take(subscription, 3) == [(1, ("x", 0)), (2, ("x", 2)), (3, ("x", 4))]


async def test_a_gap_skips_one_number_and_shows_at_once(hub: FanOut[str, Item], upstream: Upstream) -> None:
    with hub.subscribe(["x"]) as subscription:
        upstream.bring("x", ("x", 1))
        upstream.bring("x", Gap("reconnected"))
        upstream.bring("x", ("x", 2))
        assert await take(subscription, 3) == [(1, ("x", 1)), (3, None), (4, ("x", 2))]


async def test_a_slow_subscriber_is_cut_off_and_the_others_are_not(
    hub: FanOut[str, Item], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "QUEUE_LIMIT", 10)
    with hub.subscribe(["x"]) as slow, hub.subscribe(["x"]) as quick:
        received: list[tuple[int, Item | None]] = []
        for number in range(40):
            upstream.bring("x", ("x", number))
            received += await take(quick, 1)
        assert [item for _, item in received] == [("x", number) for number in range(40)]
        with pytest.raises(SlowConsumerError) as cut:
            await take(slow, 40)
        assert cut.value.failure.remedy is Remedy.RETRY


async def test_coalesced_messages_are_the_newest_of_each_key_and_never_cut_off(upstream: Upstream) -> None:
    hub: FanOut[str, Item] = FanOut(upstream.watch, newest_by=lambda item: item[0])
    with hub.subscribe(["x", "y"]) as subscription, hub.subscribe(["x", "y"]) as witness:
        for number in range(fanout.QUEUE_LIMIT + 5):
            upstream.bring("x", ("x", number))
        upstream.bring("y", ("y", 1))
        seen: set[object] = set()
        async for _, item in witness.messages():
            seen.add(item)
            if {("x", fanout.QUEUE_LIMIT + 4), ("y", 1)} <= seen:
                break
        messages = await take(subscription, 2)
        assert {item for _, item in messages} == {("x", fanout.QUEUE_LIMIT + 4), ("y", 1)}
        assert [sequence for sequence, _ in messages] == [1, 2]


async def test_a_newcomer_gets_the_newest_at_once(upstream: Upstream) -> None:
    hub: FanOut[str, Item] = FanOut(upstream.watch, newest_by=lambda item: item[0])
    with hub.subscribe(["x"]) as first:
        upstream.bring("x", ("x", 1))
        await take(first, 1)
        with hub.subscribe(["x"]) as late:
            assert await take(late, 1) == [(1, ("x", 1))]


async def test_silence_brings_heartbeats(hub: FanOut[str, Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "HEARTBEAT_SECONDS", 0.01)
    with hub.subscribe(["x"]) as subscription:
        assert await take(subscription, 3) == [(1, None), (2, None), (3, None)]


@pytest.mark.parametrize(
    ("raised", "remedy"),
    [(VenueError(Failure(Remedy.FIX_CREDENTIALS, "no")), Remedy.FIX_CREDENTIALS), (RuntimeError("bug"), Remedy.RETRY)],
)
async def test_a_failing_upstream_ends_its_subscriptions(
    hub: FanOut[str, Item], upstream: Upstream, raised: Exception, remedy: Remedy
) -> None:
    with hub.subscribe(["x"]) as subscription:
        upstream.bring("x", raised)
        with pytest.raises(VenueError) as ended:
            await take(subscription, 1)
        assert ended.value.failure.remedy is remedy
    with hub.subscribe(["x"]) as again:
        upstream.bring("x", ("x", 1))
        assert await take(again, 1) == [(1, ("x", 1))]


async def test_closing_ends_all_subscriptions(hub: FanOut[str, Item]) -> None:
    with hub.subscribe(["x", "y"]) as subscription:
        await hub.close()
        with pytest.raises(VenueError):
            await take(subscription, 1)


async def test_a_subject_that_cannot_be_watched_leaves_nothing_behind(upstream: Upstream) -> None:
    def watch(subject: str) -> AsyncIterator[Item | Gap]:
        if subject == "bad":
            raise VenueError(Failure(Remedy.FIX_REQUEST, "no such interval"))
        return upstream.watch(subject)

    hub: FanOut[str, Item] = FanOut(watch)
    with pytest.raises(VenueError), hub.subscribe(["x", "bad"]):
        pytest.fail("it must not be subscribed")
    assert hub.subscribers == 0
    await hub.close()
    assert upstream.watched == upstream.left
