"""Retries: jittered, bounded, and none for what no repetition mends."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.retry import REPEATABLE, Backoff, retry
from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.events import Remedy


class Calls:
    """Fails with each of the failures in turn, then answers."""

    def __init__(self, *failures: Failure) -> None:
        self.failures = list(failures)
        self.made = 0
        self.slept: list[float] = []

    async def __call__(self) -> str:
        self.made += 1
        if self.failures:
            raise VenueError(self.failures.pop(0))
        return "answer"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_failed_read_is_repeated() -> None:
    calls = Calls(Failure(Remedy.RETRY, "x"), Failure(Remedy.BACK_OFF, "y", retry_after_ms=700))
    assert await retry(calls, sleep=calls.sleep) == "answer"
    assert calls.made == 3
    assert calls.slept[1] >= 0.7


@pytest.mark.parametrize("remedy", sorted(set(Remedy) - REPEATABLE))
async def test_what_cannot_succeed_fails_at_once(remedy: Remedy) -> None:
    calls = Calls(Failure(remedy, "x"))
    with pytest.raises(VenueError):
        await retry(calls, sleep=calls.sleep)
    assert (calls.made, calls.slept) == (1, [])


async def test_nobody_waits_longer_than_their_patience() -> None:
    calls = Calls(Failure(Remedy.BACK_OFF, "banned", retry_after_ms=120_000))
    with pytest.raises(VenueError):
        await retry(calls, patience=5.0, sleep=calls.sleep)
    assert (calls.made, calls.slept) == (1, [])


async def test_the_last_failure_is_the_one_that_is_told() -> None:
    calls = Calls(*(Failure(Remedy.RETRY, str(number)) for number in range(5)))
    with pytest.raises(VenueError, match="2"):
        await retry(calls, attempts=3, sleep=calls.sleep)
    assert calls.made == 3


@given(share=st.floats(0, 1), first=st.floats(0.01, 1), cap=st.floats(1, 60))
def test_delays_are_jittered_within_bounds_that_grow(share: float, first: float, cap: float) -> None:
    backoff = Backoff(first=first, cap=cap)
    delays = list(itertools.islice(backoff.delays(lambda low, high: low + share * (high - low)), 20))
    ceilings = [min(first * 2**number, cap) for number in range(20)]
    assert all(delay == max(backoff.floor, share * ceiling) for delay, ceiling in zip(delays, ceilings, strict=True))
