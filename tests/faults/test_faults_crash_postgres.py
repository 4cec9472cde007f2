"""PostgreSQL is killed, kill -9 of its postmaster, at each statement of a bot's journal in turn, before and after.

The bot lives on, places nothing meanwhile, and goes on once the server is back. Enumerated, not sampled. Complaints 1
(lost state) and 2 (duplicate orders) of users.
"""

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.runtime import feeds, loop, reconciliation, startup
from tests.faults.boundaries import Blow, StatementProxy, statements
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
from tests.runtime.harness import bot, connector, environment, until

SHARDS = 4


class MortalPostgres:
    """A server that is killed; it is started again by itself."""

    def __init__(self, server: EmbeddedPostgres, journal: StatementProxy, dsn: str) -> None:
        self._server = server
        self._journal = journal
        self._dsn = dsn
        self.kills = 0

    async def strike(self) -> None:
        """kill -9; returns when another postmaster is there."""
        killed = self._server.pid
        assert killed is not None
        self.kills += 1
        os.kill(killed, signal.SIGKILL)
        await until(lambda: self._server.pid not in {None, killed})

    async def play(self, blow_at: int, moves: tuple[Move, ...], stages: list[Stage] | None) -> tuple[list[Stage], Blow]:
        """One market from the start, with a blow; without `stages` it returns what they are."""
        await forget_all(self._server.dsn)
        venue = WatchedVenue()
        blow = self._journal.blow = Blow(blow_at, self.strike)
        async with connector(venue) as address, bot(environment(self._dsn, changes=SPEC), address) as running:

            async def snapshot() -> pb.GetSnapshotResponse:
                return await running.stub.GetSnapshot(pb.GetSnapshotRequest())

            try:
                if stages is None:
                    stages = await record(venue, snapshot, moves)
                else:
                    for move, stage in zip(moves, stages, strict=True):
                        move(venue)
                        await settle(venue, snapshot, stage)
                self._journal.blow = None
                await check_books(venue, self._server.dsn)
            except AssertionError as error:
                raise AssertionError(f"killed at boundary {blow_at}, {blow.struck}: {error}") from None
        return stages, blow


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("length", BOTH_LENGTHS)
async def test_complaints_1_2_a_postgres_killed_at_every_statement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: str, shard: int
) -> None:
    monkeypatch.setattr(feeds, "RECONNECTS", QUICK)
    monkeypatch.setattr(startup, "WAITS", QUICK)
    monkeypatch.setattr(loop, "COMMITS", QUICK)
    monkeypatch.setattr(loop, "SNAPSHOT_EVERY", 5)
    monkeypatch.setattr(reconciliation, "EVERY", 0.5)
    moves = MOVES[: LENGTHS[length]]
    with TemporaryDirectory(prefix="opensqt-") as folder:
        async with (
            EmbeddedPostgres(Path(folder) / "postgres", settings={"fsync": "off"}) as server,
            statements(server.dsn, tmp_path) as (journal, dsn),
        ):
            mortal = MortalPostgres(server, journal, dsn)
            stages, _ = await mortal.play(0, moves, None)
            boundary = shard + 1
            while True:
                _, blow = await mortal.play(boundary, moves, stages)
                if not blow.struck:
                    break
                boundary += SHARDS
    assert blow.passed > 30, "a market so short kills nobody"
    print(f"PostgreSQL: {blow.passed} boundaries, of which this shard killed it at {mortal.kills}")  # noqa: T201
