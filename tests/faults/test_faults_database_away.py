"""The database goes away, for as long as it likes, as real processes: nothing is placed, the bot says so, and goes on.

Complaints 1 (lost state) and 12 (orders that nobody looks after) of users.
"""

import signal
from pathlib import Path
from tempfile import TemporaryDirectory

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.journal.embedded import EmbeddedPostgres
from tests.faults.short_market import SPEC, check_books
from tests.faults.watched_venue import WatchedVenue
from tests.runtime.harness import connector, environment, until
from tests.runtime.processes import BotProcess, bot_process


async def said(bot: BotProcess, *, healthy: bool) -> pb.Probe:
    """What the bot says of its journal, once that is so."""

    async def found() -> pb.Probe | None:
        status = await bot.status()
        probes = status.probes if status is not None else []
        return next((probe for probe in probes if probe.name == "Journal" and probe.healthy is healthy), None)

    result = await until(found)
    assert isinstance(result, pb.Probe)
    return result


async def test_complaint_1_nothing_is_placed_while_the_database_is_away(tmp_path: Path) -> None:
    venue = WatchedVenue()
    with TemporaryDirectory(prefix="opensqt-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings={"fsync": "off"})
        async with server, connector(venue) as address:
            env = environment(server.dsn, changes=SPEC)
            async with bot_process(env, address, tmp_path / "bot.log") as bot:
                await bot.when_phase(pb.PHASE_RUNNING)
                await until(lambda: len(venue.open_now()) == 1)
                await server.stop()
                venue.closed = "the database was away"
                placed = list(venue.placements)
                venue.move("39850")  # a fill: an exit and another entry are due
                probe = await said(bot, healthy=False)
                assert probe.reason == "Unreachable"
                assert "nothing is placed until it is back" in probe.message
                for minute in range(10):  # of market time, in which the price goes everywhere
                    venue.move(str(39850 + 40 * (-1) ** minute))
                    venue.time_us += 60_000_000
                assert venue.placements == placed
                venue.closed = ""
                await server.start()
                await said(bot, healthy=True)
                await until(lambda: {side for side, *_ in venue.open_now()} == {"Buy", "Sell"})
                await check_books(venue, server.dsn)


async def test_complaint_1_a_bot_that_dies_while_the_database_is_away(tmp_path: Path) -> None:
    """What the dead instance could not commit it has not done; the next one waits, and finds the fill."""
    venue = WatchedVenue()
    with TemporaryDirectory(prefix="opensqt-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings={"fsync": "off"})
        async with server, connector(venue) as address:
            env = environment(server.dsn, changes=SPEC)
            async with bot_process(env, address, tmp_path / "first.log") as first:
                await first.when_phase(pb.PHASE_RUNNING)
                await until(lambda: len(venue.open_now()) == 1)
                await server.stop()
                venue.closed = "the database was away"
                venue.move("39850")
                await said(first, healthy=False)
                await first.end(signal.SIGKILL)
            async with bot_process(env, address, tmp_path / "second.log") as second:
                await said(second, healthy=False)
                venue.closed = ""
                await server.start()
                await until(lambda: {side for side, *_ in venue.open_now()} == {"Buy", "Sell"})
                await check_books(venue, server.dsn)
