"""What the bots and connectors say, kept as the newest word of each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from opensqt.api.report import STATES
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.cli.run.fills import FillLog
from opensqt.cli.run.plan import PlannedBot, PlannedConnector
from opensqt.connector.client import CHANNEL_OPTIONS, ConnectorStatus, ExchangeClient
from opensqt.connector.venue import VenueError
from opensqt.engine.events import Remedy

POLL_SECONDS = 0.5
STATUS_INTERVAL_MS = 250
RETRY_SECONDS = 0.2

Answer = TypeVar("Answer")


@dataclass(slots=True)
class ConnectorView:
    """A connector and the last that it said."""

    planned: PlannedConnector
    client: ExchangeClient
    status: ConnectorStatus | None = None
    was_ready: bool = False

    @property
    def paper(self) -> bool:
        return self.planned.resource.spec.paper is not None

    @property
    def ended(self) -> bool:
        """It has played all its data."""
        markets = self.status.health.markets if self.status else ()
        return bool(markets) and all(market.ended for market in markets)

    async def refresh(self) -> None:
        """Raises VenueError."""
        self.status = await self.client.status()
        self.was_ready = self.was_ready or self.status.health.ready

    async def follow(self) -> None:
        while True:
            with suppress(VenueError):  # it is starting, or starting again: the supervisor says so
                await self.refresh()
            await asyncio.sleep(POLL_SECONDS)


class BotView:
    """A bot and the last that it said; `happened` is told of each of its events."""

    def __init__(self, planned: PlannedBot, happened: Callable[["BotView", pb.WatchEventsResponse], None]) -> None:
        self.planned = planned
        self.status = pb.Status(phase=pb.PHASE_STARTING, reason="Starting")
        self.fills: FillLog | None = None
        self.changed = asyncio.Event()
        self._channel = grpc.aio.insecure_channel(planned.address, options=CHANNEL_OPTIONS)
        self._service = stubs.BotServiceStub(self._channel)
        self._happened = happened
        self._last_event = 0

    @property
    def state(self) -> str:
        """The word in the column STATE."""
        return STATES.get(self.status.phase, "Unknown")

    async def follow(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_status())
            tasks.create_task(self._follow_events())

    async def configure(self, generation: int, goal: "pb.Goal.ValueType") -> None:
        """Tells the bot its goal, until it takes it."""
        resource = self.planned.resource
        request = pb.ConfigureRequest(
            bot_uid=resource.metadata.uid,
            generation=generation,
            goal=goal,
            spec_json=resource.spec.model_dump_json(by_alias=True, exclude_none=True),
        )
        while True:
            try:
                await self._service.Configure(request, timeout=5.0)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def refresh(self) -> None:
        """Raises grpc.aio.AioRpcError."""
        self.status = (await self._service.GetSnapshot(pb.GetSnapshotRequest(), timeout=10.0)).status

    async def wait_for(self, condition: Callable[[pb.Status], bool]) -> None:
        """Until a status of the bot is as wanted."""
        while not condition(self.status):
            self.changed.clear()
            await self.changed.wait()

    async def close(self) -> None:
        await self._channel.close()

    async def _follow_status(self) -> None:
        async for answer in self._again(
            lambda: self._service.WatchStatus(pb.WatchStatusRequest(min_interval_ms=STATUS_INTERVAL_MS))
        ):
            self.status = answer.status
            self.changed.set()

    async def _follow_events(self) -> None:
        async for event in self._again(
            lambda: self._service.WatchEvents(pb.WatchEventsRequest(after=self._last_event))
        ):
            self._last_event = event.id
            self._happened(self, event)

    async def _again(self, call: Callable[[], Any]) -> AsyncIterator[Any]:
        """The messages of a stream that is begun again whenever it ends."""
        while True:
            try:
                async for message in call():
                    yield message
            except grpc.aio.AioRpcError:
                pass  # it is starting, or starting again: the supervisor says so
            await asyncio.sleep(RETRY_SECONDS)


async def patiently(ask: Callable[[], Awaitable[Answer]], seconds: float) -> Answer:
    """The answer, asked for again while a process cannot be reached.

    gRPC refuses at once, without trying, for seconds after a process was not there, though it is there by now. Raises
    the last VenueError or grpc.aio.AioRpcError after `seconds`, and any other at once.
    """
    give_up = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await ask()
        except (VenueError, grpc.aio.AioRpcError) as error:
            if not _passing(error) or asyncio.get_running_loop().time() >= give_up:
                raise
        await asyncio.sleep(RETRY_SECONDS)


def _passing(error: VenueError | grpc.aio.AioRpcError) -> bool:
    if isinstance(error, VenueError):
        return error.failure.remedy is Remedy.RETRY
    return error.code() is grpc.StatusCode.UNAVAILABLE
