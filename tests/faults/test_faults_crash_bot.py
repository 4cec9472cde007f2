"""The bot is killed, kill -9, at every boundary in turn: each statement of its journal, each call to its connector.

Enumerated, not sampled: one market after the other, the first killed at the first boundary, until one has no more.
Complaints 1 (a restart orphans state), 2 (duplicate orders) and 5 (a partial fill, then a cancel) of users.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.journal.embedded import EmbeddedPostgres
from tests.databases import a_database
from tests.faults.boundaries import Blow, RpcProxy, StatementProxy, calls, statements
from tests.faults.enumeration import LANES, SHARDS, Play, at_every_boundary
from tests.faults.short_market import (
    BOTH_LENGTHS,
    LENGTHS,
    MOVES,
    SPEC,
    Move,
    Stage,
    check_books,
    forget_all,
    record,
    settle,
)
from tests.faults.watched_venue import WatchedVenue
from tests.faults.zygote import Zygote, zygote
from tests.runtime.harness import connector, environment
from tests.runtime.processes import free_ports


class MortalBot:
    """A bot process between two proxies, and what it is asked; another one takes its place when it is killed."""

    def __init__(
        self, zygote: Zygote, rpcs: RpcProxy, journal: StatementProxy, address: str, dsn: str, folder: Path
    ) -> None:
        self._zygote = zygote
        self._rpcs = rpcs
        self._journal = journal
        self._address = address
        self._env = environment(dsn, changes=SPEC)
        self._dsn = dsn
        self._log = folder / "bot.log"
        self._channels: list[Any] = []
        self._process = 0
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        async with self._changing:  # a bot may reach its end before all of its start is through
            await self._start()

    async def _start(self) -> None:
        ports = free_ports()
        words = ["--connector", self._address]
        self._process = await self._zygote.start("bot", words, self._env, self._log, ports)
        backoff = (("grpc.initial_reconnect_backoff_ms", 30), ("grpc.max_reconnect_backoff_ms", 100))
        self._channels.append(grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}", options=backoff))

    async def end(self) -> None:
        async with self._changing:
            await self._zygote.kill(self._process)
        for channel in self._channels:
            await channel.close()
        self._channels.clear()

    async def strike(self) -> None:
        """kill -9, and the next instance starts."""
        async with self._changing:
            await self._zygote.kill(self._process)
            await self._start()

    async def snapshot(self) -> pb.GetSnapshotResponse | None:
        stub = stubs.BotServiceStub(self._channels[-1])
        try:
            return await stub.GetSnapshot(pb.GetSnapshotRequest(), timeout=30)  # type: ignore[no-any-return]
        except grpc.aio.AioRpcError:
            return None

    async def play(self, blow_at: int, moves: tuple[Move, ...], stages: list[Stage] | None) -> tuple[list[Stage], Blow]:
        """One market from the start, with a blow; returns the blow, or without `stages` what the stages are."""
        await forget_all(self._dsn)
        venue = WatchedVenue()
        blow = self._rpcs.blow = self._journal.blow = Blow(blow_at, self.strike)
        async with connector(venue) as address:
            await self._rpcs.lead_to(address)
            await self.start()
            try:
                if stages is None:
                    stages = await record(venue, self.snapshot, moves)
                else:
                    for move, stage in zip(moves, stages, strict=True):
                        move(venue)
                        await settle(venue, self.snapshot, stage)
                self._rpcs.blow = self._journal.blow = None
                await check_books(venue, self._dsn)
            except AssertionError as error:
                raise AssertionError(f"killed at boundary {blow_at}, {blow.struck}: {error}\n{self.log()}") from None
            finally:
                await self.end()
        return stages, blow

    def log(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-40:])


@pytest_asyncio.fixture
async def bots(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[list[MortalBot]]:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(zygote())
        lanes = []
        for lane in range(LANES):
            folder = tmp_path / str(lane)
            folder.mkdir()
            dsn = await stack.enter_async_context(a_database(postgres_server))
            rpcs, address = await stack.enter_async_context(calls())
            journal, through = await stack.enter_async_context(statements(dsn, folder))
            lanes.append(MortalBot(running, rpcs, journal, address, through, folder))
        yield lanes


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("length", BOTH_LENGTHS)
async def test_complaints_1_2_5_a_bot_killed_at_every_boundary(bots: list[MortalBot], length: str, shard: int) -> None:
    moves = MOVES[: LENGTHS[length]]
    stages, _ = await bots[0].play(0, moves, None)

    def lane(mortal: MortalBot) -> Play:
        async def play(boundary: int) -> Blow:
            return (await mortal.play(boundary, moves, stages))[1]

        return play

    print("bot:", await at_every_boundary([lane(mortal) for mortal in bots], shard, least=40))  # noqa: T201
