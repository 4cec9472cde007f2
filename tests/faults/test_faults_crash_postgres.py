"""PostgreSQL is killed, kill -9 of its postmaster, before and after each statement in turn: of a bot, of its exchange.

Bot and connector live on, and go on once the server is back; nothing is placed or said meanwhile. Enumerated, not
sampled. Complaints 1 (lost state), 2 (duplicate orders) and 5 (a partial fill, then a cancel) of users.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.paper import commits
from opensqt.connector.paper import venue as paper_venue
from opensqt.runtime import feeds, loop, reconciliation, startup
from tests.faults.boundaries import Blow
from tests.faults.enumeration import LANES, SHARDS, Play, at_every_boundary
from tests.faults.mortal_postgres import MortalPostgres, mortal_postgres
from tests.faults.paper_market import SPEC as PAPER_SPEC
from tests.faults.paper_market import everything, paper_connector, short_waits, start_over
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
from tests.faults.zygote_process import QUICK
from tests.runtime.harness import bot, connector, environment


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[list[MortalPostgres]]:
    async with AsyncExitStack() as stack:
        starting = [asyncio.create_task(stack.enter_async_context(mortal_postgres())) for _ in range(LANES)]
        yield [await one for one in starting]


async def play_journal(
    server: MortalPostgres, blow_at: int, moves: tuple[Move, ...], stages: list[Stage] | None
) -> tuple[list[Stage], Blow]:
    """One market from the start, the server of the bot's journal struck; without `stages` it returns what they are."""
    await forget_all(server.dsn)
    venue = WatchedVenue()
    blow = server.proxy.blow = Blow(blow_at, server.strike)
    async with connector(venue) as address, bot(environment(server.through, changes=SPEC), address) as running:

        async def snapshot() -> pb.GetSnapshotResponse:
            return await running.stub.GetSnapshot(pb.GetSnapshotRequest())

        try:
            if stages is None:
                stages = await record(venue, snapshot, moves)
            else:
                for move, stage in zip(moves, stages, strict=True):
                    move(venue)
                    await settle(venue, snapshot, stage)
            server.proxy.blow = None
            await check_books(venue, server.dsn)
        except AssertionError as error:
            raise AssertionError(f"killed at boundary {blow_at}, {blow.struck}: {error}") from None
    return stages, blow


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("length", BOTH_LENGTHS)
async def test_complaints_1_2_5_a_postgres_killed_at_every_statement_of_a_journal(
    servers: list[MortalPostgres], monkeypatch: pytest.MonkeyPatch, length: str, shard: int
) -> None:
    monkeypatch.setattr(feeds, "TO_CONNECTOR", QUICK)
    monkeypatch.setattr(startup, "WAITS", QUICK)
    monkeypatch.setattr(loop, "COMMITS", QUICK)
    monkeypatch.setattr(loop, "SNAPSHOT_EVERY", 5)
    monkeypatch.setattr(reconciliation, "EVERY", 0.5)
    moves = MOVES[: LENGTHS[length]]
    stages, _ = await play_journal(servers[0], 0, moves, None)

    def lane(server: MortalPostgres) -> Play:
        async def play(boundary: int) -> Blow:
            return (await play_journal(server, boundary, moves, stages))[1]

        return play

    print("journal:", await at_every_boundary([lane(server) for server in servers], shard, least=30))  # noqa: T201


async def play_books(server: MortalPostgres, blow_at: int, folder: Path, length: str) -> tuple[Any, Blow]:
    """One market from its start to its end, the server of the exchange's books struck; returns all that is there then.

    The bot's journal is on the same server: it is away too.
    """
    await start_over(server.dsn, length)
    blow = server.proxy.blow = Blow(blow_at, server.strike)
    try:
        async with (
            paper_connector(folder, length, server.through) as address,
            bot(environment(server.dsn, changes=PAPER_SPEC), address) as running,
        ):
            await running.when(lambda status: status.market_ended)
            server.proxy.blow = None
            return await everything(address, running, server.dsn), blow
    except AssertionError as error:
        raise AssertionError(f"killed at boundary {blow_at}, {blow.struck}: {error}") from None


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("length", BOTH_LENGTHS)
async def test_complaints_1_2_5_a_postgres_killed_at_every_statement_of_a_paper_exchange(
    servers: list[MortalPostgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: str, shard: int
) -> None:
    short_waits(monkeypatch)
    monkeypatch.setattr(commits, "RETRIES", QUICK)
    monkeypatch.setattr(paper_venue, "REOPEN", QUICK)
    undisturbed, _ = await play_books(servers[0], 0, tmp_path, length)

    def lane(server: MortalPostgres) -> Play:
        async def play(boundary: int) -> Blow:
            result, blow = await play_books(server, boundary, tmp_path, length)
            assert result == undisturbed, f"killed at boundary {boundary}, {blow.struck}"
            return blow

        return play

    print("books:", await at_every_boundary([lane(server) for server in servers], shard, least=30))  # noqa: T201
