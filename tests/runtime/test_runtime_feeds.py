"""Streams that break are opened again, soon enough however long they were gone."""

import asyncio
from collections.abc import AsyncGenerator
from random import Random

import pytest

from opensqt.connector.client import Message
from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.events import Remedy
from opensqt.runtime.feeds import Subscription

LONGEST = 3.0
TRIES = 20


class Unlucky(Random):
    """The jitter is always as long as it may be."""

    def uniform(self, _low: float, high: float) -> float:
        return high


async def pauses_after(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Before each new try of a stream that always ends so."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == TRIES:
            raise asyncio.CancelledError

    async def failing() -> AsyncGenerator[Message[str], None]:
        raise VenueError(failure)
        yield

    async def opened() -> None: ...

    monkeypatch.setattr("opensqt.runtime.feeds.asyncio.sleep", pause)
    subscription: Subscription[str] = Subscription(
        "price", failing, lambda _: None, random=Unlucky(), opened=opened, failed=lambda *_: None
    )
    with pytest.raises(asyncio.CancelledError):
        await subscription.run()
    return pauses


async def test_a_connector_that_was_gone_for_long_is_found_soon_after_its_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses = await pauses_after(Failure(Remedy.RETRY, "nobody is there"), monkeypatch)
    assert max(pauses) <= LONGEST
    assert pauses[-1] > pauses[0], "whoever is not there is not asked all the time"


async def test_a_used_up_rate_budget_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """All bots of an account that come again after a moment would keep it used up for ever."""
    pauses = await pauses_after(Failure(Remedy.BACK_OFF, "used up", retry_after_ms=5000), monkeypatch)
    assert min(pauses) >= 5
    assert pauses[-1] > 5 * LONGEST
