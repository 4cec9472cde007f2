"""Journals over the test's database, and a look at its tables."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest_asyncio

from opensqt.journal.journal import Journal
from opensqt.journal.postgres import Connection
from tests.journal.sample import IDENTITY

SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'opensqt bot%'"
OpenJournal = Callable[..., Coroutine[Any, Any, Journal]]


@pytest_asyncio.fixture
async def open_journal(postgres_dsn: str) -> AsyncIterator[OpenJournal]:
    """Opens a journal of the sample bot; keywords and `dsn` replace what is usual."""
    journals: list[Journal] = []

    async def open_one(dsn: str = postgres_dsn, **different: Any) -> Journal:
        journals.append(await Journal.open(dsn, **{**IDENTITY, **different}))
        return journals[-1]

    yield open_one
    for journal in journals:
        await journal.close()


@pytest_asyncio.fixture
async def sql(postgres_dsn: str) -> AsyncIterator[Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def until(condition: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Until the condition holds."""
    async with asyncio.timeout(120):
        while not await condition():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.01)


async def eventually(sql: Connection, condition: str) -> None:
    """Until the query says true, also within a transaction, which would see the same statistics for ever."""

    async def holds() -> object:
        await sql.execute("SELECT pg_stat_clear_snapshot()")
        return await sql.fetchval(condition)

    await until(holds)


def waiting(count: int) -> str:
    """The condition that so many statements wait for a lock in this database."""
    return f"SELECT count(*) = {int(count)} {SESSIONS} AND wait_event_type = 'Lock'"


@asynccontextmanager
async def append_blocked(sql: Connection) -> AsyncIterator[None]:
    """The sample bot's first append gets past its fence and then waits, until the end of the block."""
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(
        "INSERT INTO opensqt.events (bot_uid, seq, epoch, time, event) VALUES ($1, 1, 0, 0, '{}')", IDENTITY["bot_uid"]
    )
    try:
        yield
    finally:
        await transaction.rollback()
