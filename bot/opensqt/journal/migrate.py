"""Migrations: numbered SQL files, applied in order, forward only, by whichever process comes first."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import asyncpg

from opensqt.journal.errors import DatabaseTooNew, JournalMisconfigured

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(folder: Traversable) -> list[Migration]:
    """The migrations of a folder, `0001_<name>.sql` and so on without a gap. Raises ValueError."""
    found = []
    for file in folder.iterdir():
        if match := _FILE.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
        elif file.name.endswith(".sql"):
            raise ValueError(f"{file.name} is not named NNNN_<name>.sql")
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations in {folder} are not numbered 1, 2, 3, … without a gap")
    return found


async def migrate(connection: "asyncpg.Connection[Any]", schema: str, folder: Traversable) -> int:
    """Brings `schema` to the newest migration of `folder`, creating it where missing; returns how many were applied.

    All pending migrations are one transaction under an advisory lock: of many that start at once one applies them and
    the others wait. The files name their tables without the schema. Raises DatabaseTooNew, JournalMisconfigured.
    """
    migrations = migrations_in(folder)
    if len(await _applied(connection, schema, migrations)) == len(migrations):
        return 0
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"migrate {schema}")
        if await connection.fetchval("SELECT to_regnamespace($1) IS NULL", schema):
            await connection.execute(f'CREATE SCHEMA "{schema}"')
        await connection.execute(f'SET LOCAL search_path TO "{schema}"')
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        pending = migrations[len(await _applied(connection, schema, migrations)) :]
        for migration in pending:
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    return len(pending)


async def _applied(connection: "asyncpg.Connection[Any]", schema: str, migrations: list[Migration]) -> list[int]:
    """The versions that the database has, which must be the first ones of ours, unchanged."""
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", f'"{schema}".migrations'):
        return []
    rows = await connection.fetch(f'SELECT version, name, checksum FROM "{schema}".migrations ORDER BY version')  # noqa: S608
    if len(rows) > len(migrations):
        raise DatabaseTooNew(
            f"schema {schema} is at migration {rows[-1]['version']} ({rows[-1]['name']}), this release knows "
            f"{len(migrations)}: run the newer release"
        )
    for row, migration in zip(rows, migrations, strict=False):
        if (row["version"], row["checksum"]) != (migration.version, migration.checksum):
            raise JournalMisconfigured(
                f"schema {schema}: migration {row['version']} ({row['name']}) was applied from another file than "
                f"{migration.version:04}_{migration.name}.sql: this database belongs to another build"
            )
    return [row["version"] for row in rows]
