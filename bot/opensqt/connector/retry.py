"""Retries of calls that are safe to repeat: jittered exponential backoff, and no second try for what cannot succeed."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from opensqt.connector.venue import VenueError
from opensqt.engine.events import Remedy

Result = TypeVar("Result")

REPEATABLE = frozenset({Remedy.RETRY, Remedy.BACK_OFF, Remedy.LOOK_UP})
"""A read that failed in doubt may be repeated; a placement or a cancel never comes here."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds: full jitter below `first * factor**n`, at most `cap`, never below `floor`."""

    first: float = 0.25
    factor: float = 2.0
    cap: float = 30.0
    floor: float = 0.05

    def delays(self, uniform: Callable[[float, float], float] = random.uniform) -> Iterator[float]:
        ceiling = self.first
        while True:
            yield max(self.floor, uniform(0.0, min(ceiling, self.cap)))
            ceiling = min(ceiling * self.factor, self.cap)


READS = Backoff(first=0.2, cap=2.0)
RECONNECTS = Backoff(first=0.5, cap=30.0)
"""To an exchange, which has nothing to do with us alone."""
TO_CONNECTOR = Backoff(first=0.5, cap=3.0)
"""To a connector of our own: whoever waits for long here trades that much later after its restart."""


async def retry(
    call: Callable[[], Awaitable[Result]],
    *,
    attempts: int = 3,
    backoff: Backoff = READS,
    patience: float = 5.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Result:
    """The first result of at most `attempts` calls.

    Raises the `VenueError` of the last call, and at once one that no repetition mends or that asks to wait
    longer than `patience` seconds.
    """
    delays = backoff.delays()
    for remaining in range(attempts - 1, -1, -1):
        try:
            return await call()
        except VenueError as error:
            asked = error.failure.retry_after_ms / 1000
            if not remaining or error.failure.remedy not in REPEATABLE or asked > patience:
                raise
            pause = max(asked, next(delays))
        await sleep(pause)
    raise AssertionError("attempts must be at least 1")
