"""Real parts wired together: a connector over the test's exchange, a bot, and what a test asks them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from opensqt.api.process import DSN_ENV, RESOURCE_ENV
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.connector.process import ConnectorServer
from opensqt.connector.venue import Venue
from opensqt.runtime.process import BotProcess
from opensqt.runtime.settings import read_settings
from tests.runtime.simulated_venue import SYMBOL

UID = "5f0c0000-0000-4000-8000-000000000001"
LOCAL = "127.0.0.1:0"
PATIENCE = 120.0
"""Seconds until a condition counts as missed: a machine may be ten times as slow as ours."""


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "connectorRef": {"name": "test"},
        "symbol": SYMBOL,
        "grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 3, "sellWindow": 3},
        "order": {"quoteSize": "200"},
        "riskLimits": {"maxPosition": "0.2", "maxOpenOrders": 40},
        **changes,
    }


def environment(
    dsn: str, *, uid: str = UID, generation: int = 1, changes: dict[str, Any] | None = None, **more: Any
) -> dict[str, str]:
    resource = {
        "apiVersion": "opensqt.io/v1alpha1",
        "kind": "GridBot",
        "metadata": {"name": "bot", "namespace": "test", "uid": uid, "generation": generation},
        "spec": spec(**(changes or {}), **more),
    }
    return {RESOURCE_ENV: json.dumps(resource), DSN_ENV: dsn}


async def until(condition: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """What `condition` returns once it is true (it may be a coroutine function). Fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return result
            await asyncio.sleep(0.02)


@asynccontextmanager
async def connector(venue: Venue, address: str = LOCAL) -> AsyncIterator[str]:
    """The address of a connector that serves `venue`."""
    server = ConnectorServer(venue)
    port, _ = await server.start(address, LOCAL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop()


@dataclass
class Bot:
    """A bot in this process, and a client of it."""

    process: BotProcess
    ended: asyncio.Task[int]
    stub: "stubs.BotServiceAsyncStub"

    async def status(self) -> pb.Status:
        return (await self.stub.GetSnapshot(pb.GetSnapshotRequest())).status

    async def when(self, condition: Callable[[pb.Status], bool], *, seconds: float = PATIENCE) -> pb.Status:
        """The first status of which `condition` holds."""
        last: pb.Status | None = None
        try:
            async with asyncio.timeout(seconds):
                async for answer in self.stub.WatchStatus(pb.WatchStatusRequest()):
                    last = answer.status
                    if condition(last):
                        return last
        except TimeoutError:
            pass
        raise AssertionError(f"the status never came to be as expected: {last}")

    async def phase(self, phase: "pb.Phase.ValueType") -> pb.Status:
        """The status once it has this phase."""
        return await self.when(lambda status: status.phase == phase)

    async def probe(self, name: str, *, healthy: bool) -> pb.Probe:
        """The probe once it is or is not well."""

        def find(status: pb.Status) -> pb.Probe:
            return next(probe for probe in status.probes if probe.name == name)

        return find(await self.when(lambda status: find(status).healthy is healthy))

    async def orders_known(self, number: int) -> None:
        """Returns when the bot knows of so many orders that the exchange has them."""

        async def known() -> bool:
            snapshot = await self.stub.GetSnapshot(pb.GetSnapshotRequest())
            return [slot.order for slot in snapshot.slots].count("OPEN") == number

        await until(known)

    async def reasons_until(self, last: str) -> list[str]:
        """What people have been told, up to this reason."""
        told, reasons = self.stub.WatchEvents(pb.WatchEventsRequest()), []
        async with asyncio.timeout(PATIENCE):
            async for event in told:
                reasons.append(event.reason)
                if event.reason == last:
                    break
        told.cancel()
        return reasons

    async def configure(
        self, goal: "pb.Goal.ValueType", *, generation: int, uid: str = UID, **changes: Any
    ) -> pb.Status:
        request = pb.ConfigureRequest(
            bot_uid=uid, generation=generation, goal=goal, spec_json=json.dumps(spec(**changes))
        )
        return (await self.stub.Configure(request, timeout=PATIENCE)).status


@asynccontextmanager
async def bot(env: dict[str, str], connector_address: str) -> AsyncIterator[Bot]:
    """A bot in this process, until it is stopped in good order."""
    settings = read_settings(env, connector=connector_address, listen=LOCAL, health=LOCAL, metrics=LOCAL)
    process = BotProcess(settings)
    ended = asyncio.create_task(process.run())
    await until(lambda: process.ports.metrics or ended.done())
    if ended.done():
        await ended
    async with grpc.aio.insecure_channel(f"127.0.0.1:{process.ports.listen}") as channel:
        try:
            yield Bot(process, ended, stubs.BotServiceStub(channel))
        finally:
            process.stop()
            await ended
