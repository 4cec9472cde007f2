"""Two instances of one bot at once, as real processes: what the older may do when the newer has started is nothing.

Complaints 1 (restarts) and 2 (duplicate orders) of users.
"""

import asyncio
import signal
from pathlib import Path

from opensqt.bot.v1 import bot_pb2 as pb
from tests.faults.short_market import SPEC, check_books
from tests.faults.watched_venue import WatchedVenue
from tests.runtime.harness import PATIENCE, connector, environment, until
from tests.runtime.processes import BotProcess, bot_process

FENCED = 3
"""Exit code of a bot that a newer instance has taken over from."""


async def ended(bot: BotProcess) -> int:
    """Its exit code; fails with its log where it does not end."""
    try:
        return await asyncio.wait_for(bot.process.wait(), PATIENCE)
    except TimeoutError:
        raise AssertionError(f"it goes on:\n{bot.log}") from None


async def test_complaint_2_an_older_instance_that_was_paused_places_nothing(postgres_dsn: str, tmp_path: Path) -> None:
    """It is stopped with a fill on its way to it: when it goes on, it has every reason to place an exit."""
    venue = WatchedVenue()
    env = environment(postgres_dsn, changes=SPEC)
    async with connector(venue) as address, bot_process(env, address, tmp_path / "older.log") as older:
        await older.when_phase(pb.PHASE_RUNNING)
        await until(lambda: len(venue.open_now()) == 1)
        older.send(signal.SIGSTOP)
        venue.move("39850")  # its entry fills, of which it does not know
        async with bot_process(env, address, tmp_path / "newer.log") as newer:
            await newer.when_phase(pb.PHASE_RUNNING)
            await until(lambda: [side for side, *_ in venue.open_now()] == ["Buy", "Sell"])
            placed = list(venue.placements)
            older.send(signal.SIGCONT)
            venue.tick()
            assert await ended(older) == FENCED, older.log
            assert venue.placements == placed, "the older instance placed something"
            venue.move("40120")  # the newer one trades on
            await until(lambda: len(venue.trades) == 2)
            await check_books(venue, postgres_dsn)


async def test_complaint_2_an_older_instance_that_is_at_work_is_put_out(postgres_dsn: str, tmp_path: Path) -> None:
    """Both are awake, and the market moves all the while."""
    venue = WatchedVenue()
    env = environment(postgres_dsn, changes=SPEC)
    async with connector(venue) as address, bot_process(env, address, tmp_path / "older.log") as older:
        await older.when_phase(pb.PHASE_RUNNING)
        moving = asyncio.create_task(_to_and_fro(venue))
        try:
            async with bot_process(env, address, tmp_path / "newer.log") as newer:
                assert await ended(older) == FENCED, older.log
                status = await newer.when_phase(pb.PHASE_RUNNING)
                assert status.epoch == 2
                enough = len(venue.trades) + 4
                await until(lambda: len(venue.trades) >= enough)
                moving.cancel()
                await check_books(venue, postgres_dsn)
        finally:
            moving.cancel()


async def _to_and_fro(venue: WatchedVenue) -> None:
    while True:
        for price in (39950, 39880, 39820, 39780, 39720, 39780, 39820, 39880, 39920, 39980, 40020):
            venue.move(str(price))
            for _ in range(4):
                await asyncio.sleep(0.05)
                venue.tick()
