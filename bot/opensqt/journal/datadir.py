"""The folder of an embedded PostgreSQL: who owns it, what an earlier server left there, and the database itself."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from opensqt.journal import launch
from opensqt.journal.account import Account, check_has_name
from opensqt.journal.errors import PostgresUnavailable
from opensqt.journal.installation import Installation

SUPERUSER = "postgres"
_STOPPING = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
"""PostgreSQL's fast and immediate shutdown, then the end; with the seconds that each is given."""


async def start(
    account: Account, death: signal.Signals, lock: IO[str], *program: str | Path, output: IO[str] | int
) -> asyncio.subprocess.Process:
    """Runs `program` as `account`, with the lock in its hands; it gets the signal `death` when this thread ends.

    It has a session of its own: Ctrl-C is for us, who then stop it in good order.
    """
    numbers = (os.getpid(), death.value, account.uid, account.gid, account.capability)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", launch.__file__, *map(str, numbers), *map(str, program),
        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT if output == subprocess.PIPE else output,
        pass_fds=(lock.fileno(),), start_new_session=True, cwd="/",
    )  # fmt: skip


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ends a server: at once, with a checkpoint; harder where that takes too long."""
    for how, patience in _STOPPING:
        with suppress(ProcessLookupError):
            process.send_signal(how)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)
            return


class DataDirectory:
    """`pgdata`, `run` (the socket), `postgres.log` and two locks, in a folder that only one owner uses at a time.

    `owner.lock` is held by the process that started the server; `server.lock` is handed to the server, so that it is
    free only when its last process has gone, whatever became of the owner and of any process id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.cluster = self.path / "pgdata"
        self.log = self.path / "postgres.log"
        self._owner: IO[str] | None = None

    @property
    def major(self) -> int | None:
        """The major version of the database that is there."""
        with suppress(FileNotFoundError):
            return int((self.cluster / "PG_VERSION").read_text(encoding="ascii"))
        return None

    def claim(self) -> None:
        """Takes the folder, making it where it is missing. Raises PostgresUnavailable where another process has it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owner = (self.path / "owner.lock").open("a+", encoding="ascii")
        except OSError as error:
            raise PostgresUnavailable(f"{self.path} cannot be used: {error}") from error
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._owner.seek(0)
            holder = self._owner.read().strip()
            self.release()
            raise PostgresUnavailable(f"{self.path} is in use by process {holder}") from None
        self._owner.truncate(0)
        self._owner.write(f"{os.getpid()}\n")
        self._owner.flush()

    def release(self) -> None:
        """Gives the folder up."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    async def take_over(self) -> IO[str]:
        """Ends a server without an owner and clears its traces; returns the server's lock, to be handed on.

        Raises PostgresUnavailable where one of its processes does not end.
        """
        for how, patience in _STOPPING:
            if (pid := self._postmaster()) is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, how)
            await _until(lambda: self._postmaster() is None, patience)
        lock = (self.path / "server.lock").open("a", encoding="ascii")
        if not await _until(lambda: _locked(lock), sum(patience for _, patience in _STOPPING)):
            lock.close()
            raise PostgresUnavailable(f"an earlier server still uses {self.path}")
        # Nobody is left: its process id may belong to anyone by now, which would keep a new server from starting.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        return lock

    async def create(self, installation: Installation, account: Account, lock: IO[str]) -> None:
        """Makes the database where there is none: under another name first, so that it is whole or not there."""
        for leftover in self.path.glob("pgdata.new*"):
            shutil.rmtree(leftover)
        if self.cluster.exists():
            self.cluster.chmod(0o700)  # a volume's fsGroup widens it, which the server refuses
            return
        check_has_name()
        new = self.path / "pgdata.new"
        new.mkdir()
        account.give(new)
        initdb = await start(
            account, signal.SIGKILL, lock, installation.folder / "initdb", "-D", new, "-U", SUPERUSER,
            "--auth=trust", "--encoding=UTF8", "--locale=C", output=subprocess.PIPE,
        )  # fmt: skip
        said, _ = await initdb.communicate()
        if initdb.returncode != 0:
            raise PostgresUnavailable(f"initdb failed in {self.path}: {said.decode(errors='replace').strip()}")
        new.rename(self.cluster)
        folder = os.open(self.path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _postmaster(self) -> int | None:
        """The process id of a server that really is at work here, whoever started it."""
        try:
            pid = abs(int((self.cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]))
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        is_server = Path(os.fsdecode(arguments[0])).name in {"postgres", "postmaster"}
        return pid if is_server and os.fsencode(self.cluster) in arguments else None


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
