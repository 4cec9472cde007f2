"""`opensqt postgres` as the chart runs it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import opensqt
from opensqt.cli.postgres import postgres
from opensqt.journal.errors import JournalMisconfigured, JournalUnreachable
from opensqt.journal.journal import Journal
from opensqt.journal.postgres import connect
from tests.journal.conftest import until
from tests.journal.sample import IDENTITY, decided, price
from tests.journal.test_journal_postgres import shown
from tests.runtime.processes import free_ports

PROGRAM = "from opensqt.cli.postgres import postgres; postgres()"


@asynccontextmanager
async def running(folder: Path, port: int, password: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, once it has said that it listens."""
    secret = folder / "password"
    secret.write_text(password, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}",
        "--user", "trader", "--database", "trading", "--password-file", str(secret),
        env={**os.environ, "PYTHONPATH": str(Path(opensqt.__path__[0]).parent)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            while line := await process.stdout.readline():
                if b"postgres.listening" in line:
                    break
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.stdout.read()
        assert await asyncio.wait_for(process.wait(), 120) == 0


async def test_it_serves_a_journal_and_keeps_it(tmp_path: Path) -> None:
    port = free_ports()[0]
    dsn = f"postgresql://trader:first-word@127.0.0.1:{port}/trading"
    async with running(tmp_path, port, "first-word\n"):
        journal = await Journal.open(dsn, **IDENTITY)
        await journal.append(decided([price(1)]))
        await journal.close()
    async with running(tmp_path, port, "second-word"):
        with pytest.raises(JournalMisconfigured, match="password authentication failed") as caught:
            await connect(dsn, application="test")
        assert "first-word" not in shown(caught.value)
        journal = await Journal.open(dsn.replace("first", "second"), **IDENTITY)
        assert (await journal.load()).events == [price(1)]
        await journal.close()
        superuser = f"postgresql://postgres:second-word@127.0.0.1:{port}/trading"
        with pytest.raises(JournalMisconfigured, match="password authentication failed"):
            await connect(superuser, application="test")
    for file in (tmp_path / "data").glob("*.log*"):
        assert "-word" not in file.read_text(encoding="utf-8")


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "pgdata" / "postmaster.pid").read_text(encoding="ascii").split("\n")[0])


async def test_the_server_comes_back_when_it_is_killed(tmp_path: Path) -> None:
    port = free_ports()[0]
    dsn = f"postgresql://trader:word@127.0.0.1:{port}/trading"
    async with running(tmp_path, port, "word"):
        pid = postmaster(tmp_path)
        os.kill(pid, signal.SIGKILL)

        async def is_back() -> bool:
            try:
                connection = await connect(dsn, application="test")
                started = await connection.fetchval("SELECT pg_postmaster_start_time()")
                await connection.close()
            except JournalUnreachable:
                return False
            return postmaster(tmp_path) != pid and started is not None

        await until(is_back)


@pytest.mark.parametrize("listen", ["5432", "localhost:", ":5432", "localhost:port", "localhost:0", "localhost:70000"])
def test_what_is_no_address(tmp_path: Path, listen: str) -> None:
    (tmp_path / "password").write_text("word", encoding="utf-8")
    result = CliRunner().invoke(
        postgres, ["--data", str(tmp_path / "data"), "--listen", listen, "--password-file", str(tmp_path / "password")]
    )
    assert result.exit_code == 2
    assert "HOST:PORT" in result.output


def test_an_empty_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n", encoding="utf-8")
    result = CliRunner().invoke(
        postgres, ["--data", str(tmp_path / "data"), "--password-file", str(tmp_path / "password")]
    )
    assert result.exit_code == 2
    assert "is empty" in result.output


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "password").write_text("word", encoding="utf-8")
    result = CliRunner().invoke(
        postgres, ["--data", str(tmp_path / "file" / "data"), "--password-file", str(tmp_path / "password")]
    )
    assert result.exit_code == 1
    assert "cannot be used" in result.output
