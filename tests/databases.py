"""Databases of a test's own on a server that many tests share."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from opensqt.journal.embedded import EmbeddedPostgres

_numbers = itertools.count(1)


@asynccontextmanager
async def a_database(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """The DSN of an empty database, which its role owns; it is gone afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    superuser = await asyncpg.connect(server.dsn_of("postgres", "postgres"))
    try:
        await superuser.execute(f"CREATE DATABASE {name} OWNER opensqt")
        yield server.dsn_of("opensqt", name)
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await superuser.close()
