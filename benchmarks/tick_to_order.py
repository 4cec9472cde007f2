"""From a price to the order at the exchange: stream, engine, commit, call; and the same without the commit.

Bot, connector and the runtime tests' exchange are in this process, which speak gRPC over loopback; the journal is an
embedded PostgreSQL (fsync on). Each price fills an order a level away, and another order has to follow: the time is
from the price to that order's arrival. Rounds with and without the journal take turns; the difference is its price.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path[:0] = [str(Path(__file__).parents[1] / "bot"), str(Path(__file__).parents[1])]

import structlog  # noqa: E402

from opensqt.bot.v1 import bot_pb2 as pb  # noqa: E402
from opensqt.connector.venue import NewOrder  # noqa: E402
from opensqt.engine.replay import Decision  # noqa: E402
from opensqt.journal.embedded import EmbeddedPostgres  # noqa: E402
from opensqt.journal.journal import Journal  # noqa: E402
from tests.runtime.harness import bot, connector, environment, until  # noqa: E402
from tests.runtime.simulated_venue import SimulatedVenue  # noqa: E402

LEVELS = ("39890", "40010")
"""Below the entry at 39900, and above its exit at 40000."""
TICKS = 100


@contextmanager
def without_journal() -> Iterator[None]:
    """Commits take no time, and nothing is durable."""

    async def append(self: Journal, decisions: Sequence[Decision]) -> None:
        self.seq += len(decisions)

    async def save_snapshot(_self: Journal, _seq: int, _snapshot: object) -> None:
        return

    with patch.object(Journal, "append", append), patch.object(Journal, "save_snapshot", save_snapshot):
        yield


async def round_trips(dsn: str, uid: str, ticks: int) -> list[float]:
    """Milliseconds of each tick, of a new bot."""
    venue = SimulatedVenue("40000")
    arrived = asyncio.Event()

    def arrive(_orders: Sequence[NewOrder]) -> None:
        arrived.set()

    venue.before_place = arrive
    durations = []
    async with connector(venue) as address, bot(environment(dsn, uid=uid), address) as running:
        await running.phase(pb.PHASE_RUNNING)
        venue.move("40010")
        await until(lambda: len(venue.placements) >= 2)
        for number in range(-10, ticks):
            await _quiet(venue)
            arrived.clear()
            begun = time.perf_counter()
            venue.move(LEVELS[number % 2])
            async with asyncio.timeout(30):
                await arrived.wait()
            if number >= 0:  # the first ones warm up
                durations.append(1000 * (time.perf_counter() - begun))
    return durations


async def _quiet(venue: SimulatedVenue) -> None:
    """Until the bot has placed all that it wants to."""
    known = -1
    while known != len(venue.placements):
        known = len(venue.placements)
        await asyncio.sleep(0.05)


async def measure(rounds: int) -> None:
    """Prints the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    figures: dict[str, list[list[float]]] = {"with the journal": [], "without": []}
    with tempfile.TemporaryDirectory(prefix="opensqt-benchmark-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as postgres:
            for number in range(rounds):
                figures["with the journal"].append(await round_trips(postgres.dsn, f"with-{number}", TICKS))
                with without_journal():
                    figures["without"].append(await round_trips(postgres.dsn, f"without-{number}", TICKS))
    print(f"{'price to order at the venue':32}{'p50 ms':>10}{'p99 ms':>10}")
    for name, durations in figures.items():
        p50 = statistics.median(statistics.median(each) for each in durations)
        p99 = statistics.median(statistics.quantiles(each, n=100)[98] for each in durations)
        print(f"{name:32}{p50:10.2f}{p99:10.2f}")
    price = statistics.median(
        statistics.median(durable) - statistics.median(bare) for durable, bare in zip(*figures.values(), strict=True)
    )
    print(f"the journal's price: {price:.2f} ms at the median (no target)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(measure(parser.parse_args().rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
