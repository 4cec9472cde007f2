"""Journals over the test's database, and a look at its tables."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest_asyncio

from opensqt.journal.journal import Journal
from opensqt.journal.postgres import Connection
from tests.journal.sample import IDENTITY

OpenJournal = Callable[..., Awaitable[Journal]]


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
