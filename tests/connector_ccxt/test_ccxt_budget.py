"""The rate budget: never over the rate, the most urgent first, and everybody waits when the exchange says so."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.connector.ccxt_venue.budget import Budget, BudgetExhausted, Priority


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


requests = st.lists(st.tuples(st.sampled_from(Priority), st.integers(1, 10)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(requests=requests, burst=st.integers(1, 20))
def test_served_by_priority_then_by_age_and_never_over_the_rate(
    requests: list[tuple[Priority, int]], burst: int
) -> None:
    async def run() -> None:
        clock, rate = Clock(), 20.0
        budget = Budget(rate, burst, patience=1e9, clock=clock, sleep=clock.sleep)
        await budget.take(burst, Priority.CANCEL)  # empty: everybody queues
        served: list[tuple[int, Priority, int, float]] = []

        async def ask(number: int, priority: Priority, weight: int) -> None:
            await budget.take(weight, priority)
            served.append((number, priority, weight, clock.now))

        budget.back_off(1.0)  # until all stand in the queue
        async with asyncio.timeout(60):
            await asyncio.gather(*(ask(number, *request) for number, request in enumerate(requests)))
        assert [(priority, number) for number, priority, _, _ in served] == sorted(
            (priority, number) for number, (priority, _) in enumerate(requests)
        )
        spent = 0
        for _, _, weight, at in served:
            # A request heavier than the bucket goes when the bucket is full, and leaves a debt to the next.
            assert spent <= burst + rate * at + 1e-6
            spent += weight

    asyncio.run(run())


async def test_a_full_bucket_lets_a_burst_through_at_once() -> None:
    budget = Budget(1.0, 5, clock=Clock())
    for _ in range(5):
        await budget.take(1, Priority.ENTRY)
    assert budget.held_for == 0


async def test_a_cancel_that_comes_later_overtakes_entries() -> None:
    budget = Budget(20.0, 1, patience=60)
    await budget.take(1, Priority.ENTRY)
    served: list[str] = []

    async def ask(name: str, priority: Priority) -> None:
        await budget.take(1, priority)
        served.append(name)

    entries = [asyncio.create_task(ask(f"entry {number}", Priority.ENTRY)) for number in range(3)]
    await turn()
    await asyncio.gather(ask("cancel", Priority.CANCEL), ask("exit", Priority.EXIT), *entries)
    assert served.index("cancel") < served.index("exit") < served.index("entry 1")


async def test_who_would_wait_too_long_is_told_so() -> None:
    clock = Clock()
    budget = Budget(1.0, 1, patience=5.0, clock=clock)
    budget.back_off(30)
    with pytest.raises(BudgetExhausted) as error:
        await budget.take(1, Priority.CANCEL)
    assert error.value.wait == 30
    clock.now = 30.0
    await budget.take(1, Priority.CANCEL)


async def test_a_longer_pause_is_not_shortened() -> None:
    budget = Budget(1.0, 1, clock=Clock())
    budget.back_off(30)
    budget.back_off(1)
    assert budget.held_for == 30


async def test_who_stands_in_the_queue_when_a_ban_comes_is_told() -> None:
    budget = Budget(1.0, 1, patience=2.0)
    await budget.take(1, Priority.ENTRY)
    waiting = asyncio.create_task(budget.take(1, Priority.ENTRY))
    await turn()
    budget.back_off(120)
    with pytest.raises(BudgetExhausted):
        await waiting


async def test_who_gave_up_takes_nothing() -> None:
    budget = Budget(50.0, 1, patience=60)
    await budget.take(1, Priority.ENTRY)
    gone = asyncio.create_task(budget.take(1, Priority.ENTRY))
    stays = asyncio.create_task(budget.take(1, Priority.ENTRY))
    await turn()
    gone.cancel()
    async with asyncio.timeout(5):
        await stays
