"""A PostgreSQL of our own, for where no DSN is given: started and ended with us, and restarted when it dies."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote, urlencode

import asyncpg
import structlog

from opensqt.journal.account import Account, account_for
from opensqt.journal.datadir import SUPERUSER, DataDirectory, start, stop
from opensqt.journal.errors import PostgresUnavailable
from opensqt.journal.installation import Installation, find_installation
from opensqt.journal.postgres import Connection

log = structlog.get_logger(__name__)

_LONGEST_SOCKET_PATH = 107
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "32MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "jit": "off",
}


class EmbeddedPostgres:
    """A server over the database in `folder`, which is made where it is missing; `async with` runs it.

    It is reached through a Unix socket that only this user may open, and where `listen` (host, port) is given also by
    TCP with a password. It ends with the thread that started it, even where that is killed. A server that dies by
    itself is started again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "opensqt",
        database: str = "opensqt",
        password: str | None = None,
        listen: tuple[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
        installation: Installation | None = None,
        log_to_stderr: bool = False,
        start_timeout: float = 120.0,
    ) -> None:
        self._directory = DataDirectory(folder)
        self._user = user
        self._database = database
        self._password = password
        self._listen = listen
        self._settings = {**_SETTINGS, **(settings or {})}
        self._installation = installation
        self._log_to_stderr = log_to_stderr
        self._start_timeout = start_timeout
        self._account = Account(-1, -1)
        self._sockets = self._directory.path / "run"
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def dsn(self) -> str:
        """Where the database is."""
        return self.dsn_of(self._user, self._database)

    def dsn_of(self, user: str, database: str) -> str:
        """The DSN of another user or database of this server; `postgres` is its superuser."""
        query = urlencode({"host": str(self._sockets), "port": self._port})
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{query}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Returns when the database can be used. Raises PostgresUnavailable."""
        self._directory.claim()
        try:
            installation = self._installation or find_installation(self._directory.major)
            self._account = account_for((self._directory.cluster, installation.folder / "postgres"))
            self._prepare_sockets()
            await self._launch(installation)
            await self._ensure_database()
        except BaseException:
            await self._end()
            raise
        self._supervisor = asyncio.create_task(self._supervise(installation))
        log.info("postgres.ready", folder=str(self._directory.path), version=installation.major, pid=self.pid)

    async def stop(self) -> None:
        """Shuts down at once, with a checkpoint; open transactions are rolled back."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._end()
        log.info("postgres.stopped", folder=str(self._directory.path))

    @property
    def _port(self) -> int:
        return self._listen[1] if self._listen else 5432

    def _prepare_sockets(self) -> None:
        if len(os.fsencode(self._sockets / f".s.PGSQL.{self._port}")) > _LONGEST_SOCKET_PATH:
            self._sockets = Path(tempfile.mkdtemp(prefix="opensqt-"))
        self._sockets.mkdir(exist_ok=True)
        self._account.give(self._sockets)

    async def _launch(self, installation: Installation) -> None:
        with await self._directory.take_over() as lock:
            await self._directory.create(installation, self._account, lock)
            self._write_access_rules()
            with self._log_file() as output:
                program = installation.folder / "postgres"
                self._process = await start(
                    self._account, signal.SIGINT, lock, program, *self._arguments(), output=output
                )
        await self._answers()

    def _arguments(self) -> list[str]:
        settings = {
            **self._settings,
            "unix_socket_directories": str(self._sockets),
            "listen_addresses": self._listen[0] if self._listen else "",
            "port": str(self._port),
        }
        return ["-D", str(self._directory.cluster), *(f"--{name}={value}" for name, value in settings.items())]

    def _write_access_rules(self) -> None:
        """Written at each start, so that they always are those of this release."""
        rules = "local all all trust\n" + ("host all all all scram-sha-256\n" if self._listen else "")
        (self._directory.cluster / "pg_hba.conf").write_text(rules, encoding="ascii")

    def _log_file(self) -> IO[str]:
        """This start's messages; those of the start before stay beside it."""
        if self._log_to_stderr:
            return os.fdopen(os.dup(2), "w")
        path = self._directory.log
        if path.exists():
            path.replace(path.with_suffix(".log.1"))
        return path.open("w", encoding="utf-8")

    async def _answers(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._start_timeout
        while True:
            if self.pid is None:
                raise PostgresUnavailable(
                    f"PostgreSQL does not start in {self._directory.path}: {self._last_messages()}"
                )
            try:
                connection = await asyncpg.connect(self.dsn_of(SUPERUSER, "postgres"), timeout=5)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise PostgresUnavailable(
                        f"PostgreSQL in {self._directory.path} does not answer: {error}"
                    ) from error
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return

    def _last_messages(self) -> str:
        if self._log_to_stderr:
            return "see its messages above"
        return " / ".join(self._directory.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self.dsn_of(SUPERUSER, "postgres"), timeout=30)
        try:
            user = await connection.fetchval("SELECT quote_ident($1)", self._user)
            database = await connection.fetchval("SELECT quote_ident($1)", self._database)
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", self._user):
                await connection.execute(f"CREATE ROLE {user} LOGIN")
            if self._password is not None:
                await _set_password(connection, self._user, self._password)
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", self._database):
                await connection.execute(f"CREATE DATABASE {database} OWNER {user}")
        finally:
            await connection.close()

    async def _supervise(self, installation: Installation) -> None:
        pause = 0.1
        while True:
            assert self._process is not None  # noqa: S101 - set by start
            code = await self._process.wait()
            log.error("postgres.died", folder=str(self._directory.path), code=code)
            try:
                await self._launch(installation)
            except (PostgresUnavailable, OSError) as error:
                log.error(  # noqa: TRY400 - the reason is in the message
                    "postgres.restart_failed", folder=str(self._directory.path), reason=str(error), again_in=pause
                )
                await asyncio.sleep(pause)
                pause = min(2 * pause, 10.0)
            else:
                pause = 0.1
                log.info("postgres.restarted", folder=str(self._directory.path), pid=self.pid)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            await stop(process)
        if self._sockets.parent != self._directory.path:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._directory.release()


async def _set_password(connection: Connection, user: str, password: str) -> None:
    """As settings and not in the statement's text, so that no log can hold the password."""
    await connection.execute(
        "SELECT set_config('opensqt.user', $1, false), set_config('opensqt.password', $2, false)", user, password
    )
    await connection.execute(
        "DO $$BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', "
        "current_setting('opensqt.user'), current_setting('opensqt.password')); END$$"
    )
