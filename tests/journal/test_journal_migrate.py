"""Migrations: in order, once, by one of many, and never backwards."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from opensqt.journal.errors import DatabaseTooNew, JournalMisconfigured
from opensqt.journal.journal import MIGRATIONS, SCHEMA
from opensqt.journal.migrate import migrate, migrations_in
from opensqt.journal.postgres import Connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations, of which the second needs the first."""
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE thing (a integer);", encoding="utf-8")
    (tmp_path / "0002_second.sql").write_text(
        "ALTER TABLE thing ADD b integer;\nINSERT INTO thing VALUES (1, 2);", encoding="utf-8"
    )
    (tmp_path / "notes.md").write_text("not a migration", encoding="utf-8")
    return tmp_path


async def test_they_are_applied_in_order_and_once(sql: Connection, folder: Path) -> None:
    assert await migrate(sql, "shop", folder) == 2
    assert await migrate(sql, "shop", folder) == 0
    assert [tuple(row) for row in await sql.fetch("SELECT a, b FROM shop.thing")] == [(1, 2)]
    applied = await sql.fetch("SELECT version, name FROM shop.migrations ORDER BY version")
    assert [tuple(row) for row in applied] == [(1, "first"), (2, "second")]


async def test_later_ones_are_added(sql: Connection, folder: Path) -> None:
    await migrate(sql, "shop", folder)
    (folder / "0003_third.sql").write_text("INSERT INTO thing VALUES (3, 4);", encoding="utf-8")
    assert await migrate(sql, "shop", folder) == 1
    assert await sql.fetchval("SELECT count(*) FROM shop.thing") == 2


async def test_schemas_are_independent(sql: Connection, folder: Path) -> None:
    await migrate(sql, "shop", folder)
    assert await migrate(sql, SCHEMA, MIGRATIONS) == len(migrations_in(MIGRATIONS))
    assert await migrate(sql, "shop", folder) == 0
    assert await sql.fetchval("SHOW search_path") == '"$user", public'


async def test_of_many_that_start_at_once_one_applies_them(postgres_dsn: str, sql: Connection, folder: Path) -> None:
    connections = [await asyncpg.connect(postgres_dsn) for _ in range(12)]
    try:
        applied = await asyncio.gather(*(migrate(connection, "shop", folder) for connection in connections))
    finally:
        for connection in connections:
            await connection.close()
    assert sorted(applied) == [0] * 11 + [2]
    assert await sql.fetchval("SELECT count(*) FROM shop.thing") == 1


async def test_a_failing_one_leaves_nothing_behind(sql: Connection, folder: Path) -> None:
    (folder / "0003_third.sql").write_text("CREATE TABLE late (a integer); SELECT 1 / 0;", encoding="utf-8")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(sql, "shop", folder)
    assert await sql.fetchval("SELECT to_regnamespace('shop') IS NULL")


async def test_a_database_of_a_newer_release_is_refused(sql: Connection, folder: Path) -> None:
    await migrate(sql, "shop", folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(DatabaseTooNew, match=r"at migration 2 \(second\), this release knows 1"):
        await migrate(sql, "shop", folder)


async def test_a_migration_that_was_changed_is_refused(sql: Connection, folder: Path) -> None:
    await migrate(sql, "shop", folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE thing (a bigint);", encoding="utf-8")
    with pytest.raises(JournalMisconfigured, match=r"migration 1 \(first\) was applied from another file"):
        await migrate(sql, "shop", folder)


@pytest.mark.parametrize("name", ["0004_gap.sql", "3_short.sql", "0003-dash.sql", "0002_twice.sql"])
def test_names_that_would_leave_the_order_open_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;", encoding="utf-8")
    with pytest.raises(ValueError, match=r"NNNN_<name>\.sql|without a gap"):
        migrations_in(folder)
