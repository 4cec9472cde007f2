"""At every boundary in turn, counted out and not sampled: market after market, each struck at another one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

from tests.faults.boundaries import Blow

SHARDS = 2
"""Tests that share the boundaries of one enumeration among them."""
LANES = 3
"""Markets that are played at once: most of the time they wait."""
Play = Callable[[int], Awaitable[Blow]]
"""Plays one market with a blow at the boundary of this number, and checks its end."""


async def at_every_boundary(lanes: Sequence[Play], shard: int, *, least: int) -> str:
    """Until a market has no more boundaries than it was struck at; fails where there were fewer than `least`."""
    numbers = count(shard + 1, SHARDS)
    most = blows = 0

    async def play_on(play: Play) -> None:
        nonlocal most, blows
        while not most:
            blow = await play(next(numbers))
            if not blow.struck:
                most = blow.passed
            blows += bool(blow.struck)

    async with asyncio.TaskGroup() as tasks:
        for play in lanes:
            tasks.create_task(play_on(play))
    assert most >= least, f"{most} boundaries: a market so short kills nobody"
    return f"{most} boundaries, of which this shard struck {blows}"
