"""Of all instances of a bot only the newest can commit, whatever the others are doing at that moment."""

import asyncio
import itertools
import os
import signal
from contextlib import suppress

import pytest

from opensqt.journal import statements
from opensqt.journal.errors import Fenced, JournalDiverged
from opensqt.journal.postgres import Connection
from tests.journal.conftest import SESSIONS, OpenJournal, append_blocked, eventually, waiting
from tests.journal.sample import IDENTITY, decided, fill, place, price

TAKE_EPOCH_ARGUMENTS = (IDENTITY["bot_uid"], IDENTITY["namespace"], IDENTITY["name"], IDENTITY["symbol"])


async def _rows(sql: Connection) -> list[int]:
    return [
        await sql.fetchval(f"SELECT count(*) FROM opensqt.{table}")  # noqa: S608
        for table in ("events", "orders", "fills", "snapshots")
    ]


async def test_an_older_instance_writes_nothing(open_journal: OpenJournal, sql: Connection) -> None:
    old = await open_journal()
    await old.append(decided([price(1)], [place("o1")]))
    new = await open_journal()
    before = await _rows(sql)
    with pytest.raises(Fenced, match="epoch 2 of bot uid-1 has been taken"):
        await old.append(decided([fill("o1", "t1")], [place("o2")]))
    with pytest.raises(Fenced):
        await old.append([])
    with pytest.raises(Fenced):
        await old.save_snapshot(1, {})
    assert await _rows(sql) == before
    await new.append(decided([price(2)], [place("o2")]))


async def test_an_append_waits_for_a_take_over_and_then_writes_nothing(
    open_journal: OpenJournal, sql: Connection
) -> None:
    old = await open_journal()
    async with sql.transaction():
        await sql.execute(statements.TAKE_EPOCH, *TAKE_EPOCH_ARGUMENTS)
        append = asyncio.create_task(old.append(decided([fill("o1", "t1")], [place("o1")])))
        await eventually(sql, waiting(1))
        assert not append.done()
    with pytest.raises(Fenced):
        await append
    assert await _rows(sql) == [0, 0, 0, 0]


async def test_an_append_goes_on_where_the_take_over_is_rolled_back(open_journal: OpenJournal, sql: Connection) -> None:
    old = await open_journal()
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(statements.TAKE_EPOCH, *TAKE_EPOCH_ARGUMENTS)
    append = asyncio.create_task(old.append(decided([fill("o1", "t1")], [place("o1")])))
    await eventually(sql, waiting(1))
    await transaction.rollback()
    await append
    assert await _rows(sql) == [1, 1, 1, 0]


async def test_a_take_over_waits_for_an_append_and_has_its_events(open_journal: OpenJournal, sql: Connection) -> None:
    old = await open_journal()
    async with append_blocked(sql):
        append = asyncio.create_task(old.append(decided([price(1)], [place("o1")])))
        await eventually(sql, waiting(1))
        take_over = asyncio.create_task(open_journal())
        await eventually(sql, waiting(2))
        assert not take_over.done()
    await append
    new = await take_over
    assert (new.epoch, new.seq) == (2, 1)
    assert (await new.load()).events == [price(1)]
    with pytest.raises(Fenced):
        await old.append(decided([price(2)]))


async def test_an_instance_that_was_paused_in_its_statement_writes_nothing(
    open_journal: OpenJournal, sql: Connection
) -> None:
    old = await open_journal()
    pid = await sql.fetchval(f"SELECT pid {SESSIONS}")
    os.kill(pid, signal.SIGSTOP)
    try:
        append = asyncio.create_task(old.append(decided([fill("o1", "t1")], [place("o1")])))
        new = await open_journal()
        await new.append(decided([price(2)], [place("o2")]))
        assert not append.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    with pytest.raises(Fenced):
        await append
    assert (await new.load()).events == [price(2)]
    assert await _rows(sql) == [1, 1, 0, 0]


async def test_instances_that_fight_leave_one_gapless_log(open_journal: OpenJournal, sql: Connection) -> None:
    """Each appends until it is fenced; every append that returned is in the log, in its epoch's order."""
    written: list[int] = []

    async def instance() -> None:
        journal = await open_journal()
        with suppress(Fenced):
            for step in itertools.count():
                time = journal.epoch * 10_000 + step
                await journal.append(decided([price(time)], [place(f"o{time}")]))
                written.append(time)

    await open_journal()
    async with asyncio.TaskGroup() as instances:
        for number in range(6):
            instances.create_task(instance())
            await eventually(sql, f"SELECT max(epoch) = {number + 2} FROM opensqt.events")  # noqa: S608
        await open_journal()
    rows = await sql.fetch("SELECT seq, time FROM opensqt.events ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["time"] for row in rows] == sorted(written)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE opensqt.bots SET last_seq = last_seq - 1",
        "DELETE FROM opensqt.bots",
        "UPDATE opensqt.bots SET epoch = epoch - 1",
    ],
)
async def test_a_database_that_was_put_back_is_noticed_before_anything_is_placed(
    open_journal: OpenJournal, sql: Connection, damage: str
) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1), price(2)]))
    await sql.execute(damage)
    with pytest.raises(JournalDiverged):
        await journal.append(decided([price(3)], [place("o3")]))
    with pytest.raises(JournalDiverged):
        await journal.save_snapshot(2, {})
    assert await sql.fetchval("SELECT count(*) FROM opensqt.orders") == 0


async def test_a_closed_journal_has_no_session_left(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    connection = journal._connection  # which would also end where nobody held it any more
    assert await sql.fetchval(f"SELECT count(*) {SESSIONS}") == 1
    await journal.close()
    await eventually(sql, f"SELECT count(*) = 0 {SESSIONS}")
    assert connection is not None
    assert connection.is_closed()
