"""The queue: no key twice, none in two workers, backoff for what fails."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from opensqt_operator.budget import StatusBudget
from opensqt_operator.queue import KeyedQueue, TryAgainError

Handle = Callable[[str], Awaitable[float | None]]


@asynccontextmanager
async def working(handle: Handle, workers: int = 4) -> AsyncIterator[KeyedQueue[str]]:
    queue = KeyedQueue(handle, workers=workers)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - it looks at the queue from outside
            await asyncio.sleep(0.005)


async def test_a_key_added_many_times_is_handled_once() -> None:
    handled: Counter[str] = Counter()

    async def handle(key: str) -> None:
        handled[key] += 1

    queue = KeyedQueue(handle, workers=2)
    for _ in range(100):
        queue.add("a")
    queue.add("b")
    task = asyncio.create_task(queue.run())
    await until(lambda: handled["b"] == 1 and queue.depth() == 0)
    task.cancel()
    assert handled == {"a": 1, "b": 1}


async def test_a_key_is_never_in_two_workers_and_comes_again_when_added_meanwhile() -> None:
    running, most, handled = 0, 0, 0
    go = asyncio.Event()

    async def handle(_: str) -> None:
        nonlocal running, most, handled
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        handled += 1

    async with working(handle) as queue:
        queue.add("a")
        await until(lambda: running == 1)
        for _ in range(5):
            queue.add("a")
        await asyncio.sleep(0)
        go.set()
        await until(lambda: handled == 2)
    assert most == 1
    assert handled == 2


async def test_different_keys_run_side_by_side_up_to_the_number_of_workers() -> None:
    running: set[str] = set()
    most = 0
    go = asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal most
        running.add(key)
        most = max(most, len(running))
        await go.wait()
        running.discard(key)

    async with working(handle, workers=3) as queue:
        for key in "abcde":
            queue.add(key)
        await until(lambda: len(running) == 3)
        assert queue.depth() == 2
        go.set()
        await until(lambda: queue.depth() == 0 and not running)
    assert most == 3


async def test_what_the_handler_returns_brings_the_key_back() -> None:
    handled = 0

    async def handle(_: str) -> float | None:
        nonlocal handled
        handled += 1
        return 0.01 if handled < 3 else None

    async with working(handle) as queue:
        queue.add("a")
        await until(lambda: handled == 3)


async def test_a_failing_key_backs_off_and_no_event_hastens_it() -> None:
    tries: list[float] = []
    loop = asyncio.get_running_loop()

    async def handle(_: str) -> None:
        tries.append(loop.time())
        if len(tries) < 4:
            raise TryAgainError("not yet")

    async with working(handle) as queue:
        queue.add("a")
        while len(tries) < 4:
            queue.add("a")
            await asyncio.sleep(0.005)
    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps[0] >= 0.12
    assert gaps[2] >= 0.45


async def test_one_failing_key_stops_no_other() -> None:
    handled: Counter[str] = Counter()

    async def handle(key: str) -> None:
        handled[key] += 1
        if key == "bad":
            raise RuntimeError("broken")

    async with working(handle, workers=1) as queue:
        queue.add("bad")
        queue.add("good")
        await until(lambda: handled["good"] == 1)


async def test_the_oldest_key_shows_while_it_waits_and_while_it_runs() -> None:
    go = asyncio.Event()

    async def handle(_: str) -> None:
        await go.wait()

    async with working(handle, workers=1) as queue:
        assert queue.oldest() == 0
        queue.add("later", 60)
        assert queue.oldest() == 0
        queue.add("a")
        await until(lambda: queue.oldest() > 0.05)
        go.set()
        await until(lambda: queue.oldest() == 0)


@pytest.mark.parametrize("keys", [1, 5])
def test_the_status_budget_spaces_writes_over_all_keys_and_keeps_turns(keys: int) -> None:
    now = 100.0
    budget = StatusBudget(writes_per_second=10, interval=0.0, clock=lambda: now)
    first = [budget.wait(f"bot-{number}") for number in range(keys)]
    assert first == pytest.approx([number / 10 for number in range(keys)])
    # Who asks again before its turn has not lost it, and has not got another.
    now += 0.05
    again = [budget.wait(f"bot-{number}") for number in range(keys)]
    assert again == pytest.approx([max(0.0, wait - 0.05) for wait in first])


def test_one_bots_numbers_wait_for_its_interval() -> None:
    now = 100.0
    budget = StatusBudget(writes_per_second=1000, interval=5.0, clock=lambda: now)
    assert budget.wait("a") == 0
    budget.written("a")
    assert budget.wait("a") == pytest.approx(5)
    now += 1
    assert budget.wait("a") == pytest.approx(4)
    assert budget.wait("b") == 0
