"""A bot that is told something while it starts: it answers at once, and does what it was told when it can."""

import asyncio

import grpc
import pytest

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.venue import Account, Position
from opensqt.engine.actions import OrderSide
from opensqt.runtime.feeds import Feeds
from tests.runtime.harness import Bot, bot, connector, environment
from tests.runtime.simulated_venue import SimulatedVenue


class SlowVenue(SimulatedVenue):
    """Positions are not told before the test says so."""

    def __init__(self) -> None:
        super().__init__("40000")
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def positions(self, symbols: object) -> list[Position]:
        self.asked.set()
        await self.answers.wait()
        return []


class SlowAccount(SimulatedVenue):
    """In hedge mode, which no start passes; the account is not told before the test says so."""

    def __init__(self) -> None:
        super().__init__("40000")
        self.hedged = True
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def account(self) -> Account:
        self.asked.set()
        await self.answers.wait()
        return await super().account()


async def refused(running: Bot, goal: "pb.Goal.ValueType", generation: int) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await running.configure(goal, generation=generation)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE, "the operator asks again, and says nothing"
    return error.value.details() or ""


async def paused_without_an_order(running: Bot, venue: SimulatedVenue) -> None:
    await running.when(lambda status: (status.generation, status.phase) == (3, pb.PHASE_PAUSED))
    assert (await running.configure(pb.GOAL_PAUSE, generation=3)).generation == 3
    assert venue.placements == []
    await running.configure(pb.GOAL_RUN, generation=4)
    await running.orders_known(2)
    assert len(venue.live(OrderSide.BUY)) == 2


async def test_what_it_is_told_while_the_position_is_asked_for_is_taken_later(postgres_dsn: str) -> None:
    venue = SlowVenue()
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await venue.asked.wait()
        assert "starting" in await refused(running, pb.GOAL_CLOSE, 2)
        assert "starting" in await refused(running, pb.GOAL_PAUSE, 3)
        venue.answers.set()
        await paused_without_an_order(running, venue)


def held_up(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """The first event says that the bot is about to follow its orders, the second lets it."""
    asked, answers = asyncio.Event(), asyncio.Event()
    opened = Feeds._orders_opened

    async def opened_late(feeds: Feeds) -> None:
        asked.set()
        await answers.wait()
        await opened(feeds)

    monkeypatch.setattr(Feeds, "_orders_opened", opened_late)
    return asked, answers


async def test_an_instance_that_follows_no_orders_yet_does_not_look_like_the_one_before(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address:
        async with bot(environment(postgres_dsn), address) as first:
            await first.orders_known(2)
        asked, answers = held_up(monkeypatch)
        async with bot(environment(postgres_dsn), address) as again:
            await asked.wait()
            status = await again.status()
            assert (status.phase, status.reason) == (pb.PHASE_STARTING, "OrdersNotFollowed")
            assert (status.epoch, status.gate[0].reason) == (2, "OrdersNotFollowed")
            answers.set()
            assert (await again.phase(pb.PHASE_RUNNING)).epoch == 2


async def test_what_it_is_told_before_the_orders_are_followed_is_taken_later(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = held_up(monkeypatch)
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await asked.wait()
        assert "starting" in await refused(running, pb.GOAL_CLOSE, 2)
        assert "starting" in await refused(running, pb.GOAL_PAUSE, 3)
        answers.set()
        await paused_without_an_order(running, venue)


async def test_an_account_that_was_not_prepared_for_a_bot_that_ends_is_when_it_runs_again(postgres_dsn: str) -> None:
    venue = SimulatedVenue("40000")
    venue.hedged = True
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.phase(pb.PHASE_HALTED)
        await running.configure(pb.GOAL_STOP, generation=2)
        await running.when(lambda status: (status.phase, status.reason) == (pb.PHASE_STOPPED, "WoundDown"))
        for _ in range(2):
            assert "one-way" in await refused(running, pb.GOAL_RUN, 3)
        assert venue.placements == []
        venue.hedged = False
        await running.configure(pb.GOAL_RUN, generation=3)
        await running.orders_known(2)
        assert (await running.reasons_until("Anchored")).count("PrepareRefused") == 1


async def test_nor_does_it_run_unprepared_where_it_was_told_otherwise_during_the_start(postgres_dsn: str) -> None:
    venue = SlowAccount()
    async with connector(venue) as address, bot(environment(postgres_dsn), address) as running:
        await running.phase(pb.PHASE_HALTED)
        await running.configure(pb.GOAL_STOP, generation=2)
        await venue.asked.wait()
        await refused(running, pb.GOAL_RUN, 3)
        venue.answers.set()
        await running.when(lambda status: (status.phase, status.reason) == (pb.PHASE_HALTED, "PrepareRefused"))
        assert venue.placements == []
        venue.hedged = False
        await running.orders_known(2)
