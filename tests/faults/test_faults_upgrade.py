"""A bot that dies and comes back as a release that decides otherwise than the one that wrote the log: two real builds.

What the earlier one has sent stands, whatever the later one would have sent (docs/decisions/0008).
"""

import asyncio
import shutil
import signal
from pathlib import Path

import grpc

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.connector.venue import VenueOrder
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import OrderState, Started
from opensqt.journal.reader import JournalReader
from tests.faults.short_market import SPEC, check_books
from tests.faults.watched_venue import WatchedVenue
from tests.runtime.harness import PATIENCE, UID, connector, environment, until
from tests.runtime.processes import SOURCE, BotProcess, bot_process

EARLIER = {
    "sizing.py": """
_lots_at = lots_at
def lots_at(state, market, config, price):
    return _lots_at(state, market, config, price) - 1
""",
    "ladder.py": """
_window = Ladder.window
def _wider(self, price):
    *levels, last = _window(self, price)
    return iter([*levels, last, last - self.side.sign])
Ladder.window = _wider
""",
}
"""What is added to the engine's modules: each order a lot smaller, a level more. So slots get other numbers too."""
BEFORE = [("Buy", "39700.0", "0.004"), ("Buy", "39800.0", "0.004"), ("Sell", "40000.0", "0.004")]
AFTERWARDS = [("Buy", "39700.0", "0.005"), ("Sell", "39900.0", "0.004"), ("Sell", "40000.0", "0.004")]
"""What was bought is sold as it was bought; what was bid for is bid for anew, in the later release's size."""


def earlier_release(folder: Path) -> str:
    """The path of a build whose engine decides otherwise."""
    source = folder / "earlier"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    for module, more in EARLIER.items():
        with (source / "opensqt" / "engine" / module).open("a") as file:
            file.write(more)
    return str(source)


async def notice(bot: BotProcess, reason: str) -> pb.WatchEventsResponse:
    async with grpc.aio.insecure_channel(bot.address) as channel, asyncio.timeout(PATIENCE):
        async for event in stubs.BotServiceStub(channel).WatchEvents(pb.WatchEventsRequest()):
            if event.reason == reason:
                return event
    raise AssertionError(f"{reason} was not told:\n{bot.log}")


async def engines(dsn: str) -> list[str]:
    """The builds that the log names, in their order."""
    reader = await JournalReader.open(dsn)
    try:
        log = await reader.decisions(UID)
    finally:
        await reader.close()
    return [decision.event.engine for _, decision in log if isinstance(decision.event, Started)]


def entries(venue: WatchedVenue) -> list[VenueOrder]:
    return sorted(venue.live(OrderSide.BUY), key=lambda order: order.price or 0)


async def test_a_later_release_goes_by_what_the_earlier_one_has_sent(postgres_dsn: str, tmp_path: Path) -> None:
    venue = WatchedVenue()
    env = environment(postgres_dsn, changes=SPEC)
    async with connector(venue) as address:
        async with bot_process(
            env | {"PYTHONPATH": earlier_release(tmp_path)}, address, tmp_path / "earlier.log"
        ) as earlier:
            await earlier.when_phase(pb.PHASE_RUNNING)
            await until(lambda: len(entries(venue)) == 2)
            venue.move("39850")
            await until(lambda: [order[:3] for order in venue.open_now()] == BEFORE)
            await earlier.end(signal.SIGKILL)
        farthest, nearest = entries(venue)
        venue.move("39750")  # fills the nearest while no bot runs
        placed = list(venue.placements)
        async with bot_process(env, address, tmp_path / "later.log") as later:
            await later.when_phase(pb.PHASE_RUNNING)
            told = await notice(later, "DecisionsDiffer")
            assert told.severity == pb.SEVERITY_WARNING
            assert "this release decides otherwise" in told.message
            await until(lambda: venue.orders[farthest.client_id].state is OrderState.CANCELLED)
            await until(lambda: [order[:3] for order in venue.open_now()] == AFTERWARDS)
            assert not set(placed) & set(venue.placements[len(placed) :]), "an id that was sent was given out again"
            assert venue.orders[nearest.client_id].state is OrderState.FILLED
            await check_books(venue, postgres_dsn)
            venue.move("40050")  # it sells all that either has bought

            async def flat() -> bool:
                venue.tick()
                now = await later.status()
                return now is not None and now.position == "0" and now.fills == len(venue.trades)

            await until(flat)
            await check_books(venue, postgres_dsn)
    first, second = await engines(postgres_dsn)
    assert first != second
