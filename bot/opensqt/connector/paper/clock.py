"""The live market: prices at their time, `speed` market seconds in a second, by an absolute schedule."""

import asyncio
import time

import structlog

from opensqt.connector.paper.exchange import PaperExchange

log = structlog.get_logger(__name__)

VALUES_SECONDS = 1.0
"""How often account and positions are told while only prices change."""
STALL_SECONDS = 2.0
"""Behind by more than this, after a standstill, the market goes on from where it is instead of racing to catch up."""
STEPS_AT_ONCE = 256
"""Steps that are overdue are played without pause and committed together, but no more of them than this."""


async def play(exchange: PaperExchange, speed: int) -> None:
    """Plays to the end of all data. A price is told when its place is durable: a crash never takes the market back."""
    markets, commits = exchange.markets, exchange.commits
    schedule = _Schedule(speed)
    values_due = time.monotonic()
    while (upcoming := markets.next()) is not None:
        await schedule.wait_for(upcoming[0])
        for _ in range(STEPS_AT_ONCE):
            touched = markets.play(upcoming[1])
            following = markets.next()
            if touched or following is None or not schedule.is_due(following[0]):
                break
            upcoming = following
        await commits.commit()
        now = time.monotonic()
        if now >= values_due:
            exchange.tell_values()
            values_due = now + VALUES_SECONDS
    log.info("market_ended")


class _Schedule:
    """When a market time is due, counted from the first one asked for."""

    def __init__(self, speed: int) -> None:
        self._us_per_second = speed * 1_000_000
        self._start_us = -1
        self._start = 0.0

    def is_due(self, time_us: int) -> bool:
        return self._in_seconds(time_us) <= 0

    async def wait_for(self, time_us: int) -> None:
        if self._start_us < 0:
            self._start_us, self._start = time_us, time.monotonic()
        seconds = self._in_seconds(time_us)
        if seconds < -STALL_SECONDS:
            log.warning("market_stood_still", seconds=round(-seconds, 1))
            self._start_us, self._start = time_us, time.monotonic()
        await asyncio.sleep(max(0.0, seconds))

    def _in_seconds(self, time_us: int) -> float:
        return self._start + (time_us - self._start_us) / self._us_per_second - time.monotonic()
