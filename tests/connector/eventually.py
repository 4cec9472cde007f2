"""Waiting for a condition, with a deadline."""

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Returns when the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the conditions are of all kinds
            await asyncio.sleep(0.005)
