"""Events about a GridBot, on a real API server: how often each is counted, and that none is told for another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from opensqt.bot.v1 import bot_pb2
from opensqt_operator.api_client import ApiClient, load_config
from opensqt_operator.events import Events
from tests.operator.fake_cluster import eventually
from tests.operator.kube_client import Object
from tests.operator.world import World, bot_manifest

pytestmark = pytest.mark.envtest


def notice(number: int, reason: str, message: str) -> bot_pb2.WatchEventsResponse:
    return bot_pb2.WatchEventsResponse(
        id=number, severity=bot_pb2.SEVERITY_WARNING, reason=reason, message=f"{message} {number}"
    )


@contextlib.asynccontextmanager
async def an_operator(world: World) -> AsyncIterator[Events]:
    """Its Events alone, which know nothing of what an earlier operator has posted."""
    api = ApiClient(load_config(world.envtest.kubeconfig), requests_per_second=100)
    events = Events(api)
    posting = asyncio.create_task(events.run())
    try:
        yield events
    finally:
        posting.cancel()
        await api.aclose()


async def counted(world: World, reason: str, count: int) -> Object:
    async def look() -> Object | None:
        return next((one for one in await world.events(reason) if one["count"] == count), None)

    found: Object = await eventually(look, f"{reason} is counted {count} times")
    assert len(await world.events(reason)) == 1
    return found


async def test_what_an_earlier_operator_has_counted_is_counted_on(world: World) -> None:
    bot = await world.kube.create(bot_manifest())
    for times in (3, 2):
        async with an_operator(world) as events:
            for _ in range(times):
                await events.post(bot, "DriftRepaired", "Pod grid-bot was gone and is made again", warning=True)
    assert (await counted(world, "DriftRepaired", 5))["type"] == "Warning"


async def test_fills_found_after_an_outage_are_one_event_which_says_how_many(world: World) -> None:
    bot = await world.kube.create(bot_manifest())
    fills = [notice(number, "MissedFill", "no stream has told of") for number in range(1, 41)]
    async with an_operator(world) as events:
        for fill in fills:
            events.notice(bot, fill)
        events.notice(bot, notice(41, "BreakerOpened", "PnL is below its peak"))
        assert (await counted(world, "MissedFill", 40))["message"] == "no stream has told of 40"
        await counted(world, "BreakerOpened", 1)
    async with an_operator(world) as events:
        # The bot tells a new operator all that it remembers.
        for fill in [*fills, notice(42, "MissedFill", "no stream has told of")]:
            events.notice(bot, fill)
        events.notice(bot, notice(41, "BreakerOpened", "PnL is below its peak"))
        assert (await counted(world, "MissedFill", 41))["message"] == "no stream has told of 42"
        await counted(world, "BreakerOpened", 1)


async def test_a_flood_of_one_reason_keeps_no_other_from_being_told(world: World) -> None:
    bot = await world.kube.create(bot_manifest())
    async with an_operator(world) as events:
        for number in range(1, 61):
            events.notice(bot, notice(number, "OrderRefused", "the exchange refuses"))
        events.notice(bot, notice(61, "BreakerOpened", "PnL is below its peak"))
        await counted(world, "BreakerOpened", 1)
        assert len(await world.events("OrderRefused")) == 10
