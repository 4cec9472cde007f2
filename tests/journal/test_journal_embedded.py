"""The embedded server: starts, stops, and comes back from whatever was done to it."""

import asyncio
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

import opensqt
from opensqt.journal import installation as installation_module
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.errors import PostgresUnavailable
from opensqt.journal.installation import Installation, find_installation
from tests.journal.conftest import until

BOT_FOLDER = Path(opensqt.__path__[0]).parent
KEEPER = """
import asyncio, sys
from pathlib import Path
import structlog
from opensqt.journal.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        print(server.pid, server.dsn, flush=True)
        await asyncio.Event().wait()

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main())
"""


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder to be made, with a short name; as root in one that no other user can get into."""
    with TemporaryDirectory(prefix="opensqt-") as path:
        yield Path(path) / "postgres"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A folder in which a server has been."""

    async def make(folder: Path) -> None:
        async with EmbeddedPostgres(folder):
            pass

    with TemporaryDirectory(prefix="opensqt-") as path:
        asyncio.run(make(Path(path) / "postgres"))
        yield Path(path) / "postgres"


@pytest.fixture
def folder(empty: Path, made: Path) -> Path:
    """A folder of the test's own in which a server has been: making one costs a second."""
    subprocess.run(["cp", "-a", made, empty], check=True)
    return empty


Kept = tuple[subprocess.Popen[str], int, str]


@contextmanager
def keeper(
    folder: Path, python: str = sys.executable, **options: Any
) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A process that keeps a server until it is killed; with the server's process id and DSN."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(BOT_FOLDER), sysconfig.get_path("purelib")))}
    with subprocess.Popen(
        [python, "-c", KEEPER, str(folder)], stdout=subprocess.PIPE, text=True, env=environment, **options
    ) as process:
        assert process.stdout is not None
        pid, dsn = process.stdout.readline().split()
        try:
            yield process, int(pid), dsn
        finally:
            process.kill()


def stray_server(folder: Path) -> subprocess.Popen[bytes]:
    """A server that somebody has started by hand."""
    return subprocess.Popen(
        [find_installation().folder / "postgres", "-D", folder / "pgdata", "-k", folder / "run", "-h", ""],
        stderr=subprocess.DEVNULL,
        cwd="/",
        **as_owner_of(folder / "pgdata"),
    )


def sleeper(name: str, **options: Any) -> subprocess.Popen[bytes]:
    """A program that is called `name`."""
    return subprocess.Popen([name, "1000"], executable="/bin/sleep", **options)


def as_owner_of(path: Path) -> dict[str, Any]:
    owner = path.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()} if os.geteuid() == 0 else {}


def runs(pid: int | None) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def status_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="ascii")


def made_for(folder: Path, uid: int) -> None:
    folder.mkdir()
    folder.parent.chmod(0o755)
    os.chown(folder, uid, uid)


def names(folder: Path, pattern: str) -> list[str]:
    return [path.name for path in folder.glob(pattern)]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def count(dsn: str, add: int = 0) -> int:
    """Writes so many rows to a table; returns how many it has."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
    await connection.execute("INSERT INTO kept SELECT generate_series(1, $1::int)", add)
    found = await connection.fetchval("SELECT count(*) FROM kept")
    await connection.close()
    return int(found)


async def answers(dsn: str) -> bool:
    try:
        await count(dsn)
    except (OSError, asyncpg.PostgresError):
        return False
    return True


def installations() -> list[Installation]:
    return list(installation_module._installations())


@pytest.mark.parametrize("installation", installations(), ids=lambda each: f"{each.major}-{each.folder.parent.name}")
async def test_a_restart_keeps_the_data(empty: Path, installation: Installation) -> None:
    async with EmbeddedPostgres(empty, installation=installation) as server:
        assert await count(server.dsn, 3) == 3
        pid = server.pid
    assert pid is not None
    assert not runs(pid)
    async with EmbeddedPostgres(empty, installation=installation) as server:
        assert await count(server.dsn) == 3


async def test_commits_are_durable(empty: Path) -> None:
    async with EmbeddedPostgres(empty) as server:
        connection = await asyncpg.connect(server.dsn)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval(f"SHOW {setting}") == "on"
        await connection.close()


async def test_nobody_else_reaches_it(empty: Path) -> None:
    async with EmbeddedPostgres(empty) as server:
        connection = await asyncpg.connect(server.dsn)
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        await connection.close()
    assert {mode(path) for path in (empty, empty / "pgdata", empty / "run")} == {0o700}


async def test_a_folder_has_one_owner(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        with pytest.raises(PostgresUnavailable, match=f"in use by process {os.getpid()}"):
            await EmbeddedPostgres(folder).start()
        assert await count(server.dsn, 1) == 1


async def test_a_server_that_is_killed_comes_back_with_all_that_was_committed(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        for killed in range(1, 3):
            await count(server.dsn, 1)
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

            async def is_back(dead: int = pid) -> bool:
                return server.pid not in {None, dead} and await answers(server.dsn)

            await until(is_back)
            assert await count(server.dsn) == killed


async def test_the_server_ends_with_its_parent_and_the_next_start_goes_on(folder: Path) -> None:
    with keeper(folder) as (parent, pid, dsn):
        await count(dsn, 2)
        parent.kill()

    async def has_ended() -> bool:
        return not runs(pid)

    await until(has_ended)
    async with EmbeddedPostgres(folder) as server:
        assert await count(server.dsn, 1) == 3


async def test_a_start_at_the_moment_of_the_parents_death(folder: Path) -> None:
    """The server is still at work then: it is waited for, or ended."""
    for _ in range(3):
        with keeper(folder) as (parent, _, dsn):
            before = await count(dsn, 1)
            parent.kill()
        async with EmbeddedPostgres(folder) as server:
            assert await count(server.dsn) == before


async def test_a_server_without_owner_is_taken_over(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        await count(server.dsn, 1)
    for path in (folder, folder.parent):
        path.chmod(0o711)
    with stray_server(folder) as stray:
        await until(lambda: answers(server.dsn))
        async with EmbeddedPostgres(folder) as server:
            assert await count(server.dsn, 1) == 2
            assert stray.wait(120) == 0


@pytest.mark.parametrize("holder", ["nobody", "another program", "a postgres of another folder", "rubbish"])
async def test_a_stale_process_id_does_not_matter(folder: Path, holder: str) -> None:
    """The id in postmaster.pid belongs to somebody else by now."""
    async with EmbeddedPostgres(folder) as server:
        await count(server.dsn, 1)
        last = server.pid
    name = "postgres" if holder.startswith("a postgres") else "sleep"
    with sleeper(name, **as_owner_of(folder / "pgdata")) as other:
        pid = {"nobody": last, "rubbish": "x"}.get(holder, other.pid)
        (folder / "pgdata" / "postmaster.pid").write_text(f"{pid}\n{folder / 'pgdata'}\n", encoding="ascii")
        async with EmbeddedPostgres(folder) as server:
            assert await count(server.dsn) == 1
        assert other.poll() is None
        other.kill()


async def test_half_a_database_is_made_anew(empty: Path) -> None:
    """initdb was killed: what it had made is under another name."""
    (empty / "pgdata.new" / "base").mkdir(parents=True)
    async with EmbeddedPostgres(empty) as server:
        assert await count(server.dsn, 1) == 1
    assert names(empty, "pgdata.new*") == []


async def test_a_long_path_has_its_socket_elsewhere(empty: Path) -> None:
    deep = empty / ("a" * 60) / ("b" * 60)
    async with EmbeddedPostgres(deep) as server:
        assert await count(server.dsn, 1) == 1
        sockets = Path(parse_qs(urlsplit(server.dsn).query)["host"][0])
    assert not sockets.is_relative_to(deep)
    assert names(sockets.parent, sockets.name) == []


def python_for_all() -> str:
    """A Python that any user can run: not one in root's home."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        if all(mode(path) & 0o001 for path in Path(python).resolve().parents):
            return python
    pytest.skip("no Python here that another user than root may run")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_as_another_user_than_root(empty: Path) -> None:
    made_for(empty, 65534)
    with keeper(empty, python_for_all(), user=65534, group=65534, extra_groups=()) as (_, _, dsn):
        assert await count(dsn, 1) == 1
    assert (empty / "pgdata").owner() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="about root")
async def test_as_root_the_modes_of_the_folders_above_stay(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        status = status_of(server.pid)
    assert mode(folder.parent) == 0o700
    assert "Uid:\t65534\t65534\t65534\t65534" in status
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000004" in status, "nothing but to pass through folders and to read"


async def test_no_postgresql_at_all(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation_module, "_system_folders", lambda: iter(()))
    monkeypatch.setattr(installation_module, "_wheel_folders", lambda: iter(()))
    with pytest.raises(PostgresUnavailable, match="pip install"):
        await EmbeddedPostgres(empty).start()


async def test_a_database_of_another_version_is_refused(empty: Path) -> None:
    (empty / "pgdata").mkdir(parents=True)
    (empty / "pgdata" / "PG_VERSION").write_text("9\n", encoding="ascii")
    with pytest.raises(PostgresUnavailable, match="the data is of PostgreSQL 9"):
        await EmbeddedPostgres(empty).start()


async def test_the_version_of_the_data_decides_which_installation_runs(empty: Path) -> None:
    oldest = min(installations(), key=lambda each: each.major)
    newest = max(installations(), key=lambda each: each.major)
    if oldest.major == newest.major:
        pytest.skip("there is only one version of PostgreSQL here")
    async with EmbeddedPostgres(empty, installation=newest):
        pass
    async with EmbeddedPostgres(empty) as server:
        connection = await asyncpg.connect(server.dsn)
        assert connection.get_server_version().major == newest.major
        await connection.close()


async def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with pytest.raises(PostgresUnavailable, match="unrecognized configuration parameter"):
        await EmbeddedPostgres(folder, settings={"no_such_setting": "1"}).start()
    async with EmbeddedPostgres(folder) as server:
        assert await count(server.dsn, 1) == 1


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(PostgresUnavailable, match="cannot be used"):
        await EmbeddedPostgres(file / "postgres").start()
