"""The processes of a soak: one connector and its bots, each started again whenever it ends, as Pods are."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc

from opensqt.api.exchange import Exchange
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.engine.client_id import client_id_prefix
from tests.runtime.harness import environment
from tests.runtime.processes import BotProcess, Running, bot_process, exchange_process, free_ports
from tests.soak.judges import Sample
from tests.soak.market import SoakMarket, Walk

AGAIN_SECONDS = 1.0
SPREAD = 10
"""The widest grid's step is twice the narrowest: bots of one symbol do not all trade at once."""
Process = TypeVar("Process", bound=Running)


class Kept(Generic[Process]):
    """One process. `since` (monotonic) is when the present one was started, `deaths` are ends that nobody wanted."""

    def __init__(self, name: str, start: Callable[[], AbstractAsyncContextManager[Process]]) -> None:
        self.name = name
        self._start = start
        self.process: Process | None = None
        self.since = time.monotonic()
        self.kills = 0
        self.deaths: list[str] = []
        self.samples: list[Sample] = []
        self._killed = False

    async def run(self) -> None:
        while True:
            self.since, self._killed = time.monotonic(), False
            async with self._start() as process:
                self.process = process
                code = await process.process.wait()
            self.process = None
            if not self._killed:
                self.deaths.append(f"{self.name} ended with {code} by itself: {process.log[-600:]}")
            await asyncio.sleep(AGAIN_SECONDS)

    def kill(self) -> None:
        if self.process is not None and self.process.process.returncode is None:
            self._killed = True
            self.kills += 1
            self.process.send(signal.SIGKILL)

    def measure(self) -> float:
        """Mebibytes that are resident now, kept among the samples; 0 where it does not run."""
        if self.process is None:
            return 0.0
        with suppress(OSError):  # it has just ended
            resident = self.process.resident_mebibytes()
            self.samples.append(Sample(time.monotonic(), self.process.process.pid, resident))
            return resident
        return 0.0


class KeptBot(Kept[BotProcess]):
    """One bot, with a channel to it that stays."""

    def __init__(self, number: int, uid: str, walk: Walk, start: Callable[[], Any], port: int) -> None:
        super().__init__(f"bot {number}", start)
        self.uid, self.walk = uid, walk
        self.prefix = client_id_prefix(uid)
        self._stub = stubs.BotServiceStub(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))

    async def status(self) -> pb.Status | None:
        """None while it does not answer."""
        try:
            return (await self._stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=10)).status
        except grpc.aio.AioRpcError:
            return None


class Fleet:
    """A connector and `count` bots, spread over the market's symbols."""

    def __init__(self, market: SoakMarket, exchange: Exchange, dsn: str, folder: Path, count: int) -> None:
        self._ports = free_ports()
        self.address = f"127.0.0.1:{self._ports[0]}"
        self.connector: Kept[Running] = Kept(
            "connector", lambda: exchange_process(exchange, market.face.url, folder, ports=self._ports)
        )
        walks = list(market.walks.values())
        self.bots = [self._bot(number, walks[number % len(walks)], dsn, folder) for number in range(count)]
        self.all: list[Kept[Any]] = [self.connector, *self.bots]

    def _bot(self, number: int, walk: Walk, dsn: str, folder: Path) -> KeptBot:
        uid = f"5f0c0000-0000-4000-8000-{number:012}"
        changes = {
            "symbol": walk.listing.symbol,
            "leverage": 10,
            "grid": {
                "spacing": {"arithmetic": f"{walk.step * (SPREAD + number % SPREAD) / SPREAD:f}"},
                "buyWindow": 2,
                "sellWindow": 3,
            },
            "riskLimits": {"maxNotional": "20000", "maxOpenOrders": 40},
            "existingPosition": "Ignore",  # another bot's of the same symbol
        }
        env, ports = environment(dsn, uid=uid, changes=changes), free_ports()
        log = folder / f"bot-{number:02}.log"
        return KeptBot(number, uid, walk, lambda: bot_process(env, self.address, log, ports), ports[0])

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for kept in self.all:
                tasks.create_task(kept.run())

    async def kill_bots(self, every: float, seed: int) -> None:
        """Every other bot lives on, so that its memory can be judged."""
        chance = random.Random(f"bots {seed}")  # noqa: S311 - faults, not secrets
        while True:
            await asyncio.sleep(chance.expovariate(1 / every))
            chance.choice(self.bots[::2]).kill()

    async def kill_connector(self, after: list[float]) -> None:
        """At each of these times (seconds from now)."""
        started = time.monotonic()
        for seconds in after:
            await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
            self.connector.kill()
