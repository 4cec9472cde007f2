"""Keeps a process running, as kubelet does: started again when it ends, later and later while it keeps ending."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opensqt.api.process import DSN_ENV, Process
from opensqt.journal import launch

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
WELL_AFTER = 30.0
"""Seconds after which a process counts as well: the next pause is the first one again."""
EXIT_MISCONFIGURED = 2
EXIT_FENCED = 3
_HOPELESS = {
    EXIT_MISCONFIGURED: "it cannot run as it is configured",
    EXIT_FENCED: "another instance of it has taken over: does it run somewhere else too?",
}
_LINES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Death:
    """A process that ended by itself; `again_in` seconds it is started again, or never where that is None."""

    name: str
    code: int
    meaning: str
    last_lines: str
    again_in: float | None

    def __str__(self) -> str:
        how = f"was killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"ended with code {self.code}"
        why = f": {self.meaning}" if self.meaning else ""
        after = "" if self.again_in is None else f"; starting again in {self.again_in:g} s"
        return f"{self.name} {how}{why}{after}{self.last_lines}"


class Supervised:
    """One process with its log. `run` keeps it running until `stop`, or until its exit code says that it is in vain."""

    def __init__(self, name: str, process: Process, *, dsn: str, log: Path, died: Callable[[Death], None]) -> None:
        self.name = name
        self._process = process
        self._dsn = dsn
        self._log = log
        self._died = died
        self._running: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """While it runs."""
        return self._running.pid if self._running is not None and self._running.returncode is None else None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = loop.time()
            code = await self._once()
            if self._stopping.is_set():
                return
            if loop.time() - started > WELL_AFTER:
                pause = FIRST_PAUSE
            hopeless = _HOPELESS.get(code, "")
            self._died(Death(self.name, code, hopeless, self._last_lines(), None if hopeless else pause))
            if hopeless:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def stop(self, patience: float) -> None:
        """SIGTERM, and after `patience` seconds SIGKILL."""
        self._stopping.set()
        process = self._running
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """At once."""
        self._stopping.set()
        if self._running is not None and self._running.returncode is None:
            with suppress(ProcessLookupError):
                self._running.kill()

    async def _once(self) -> int:
        _, *arguments = self._process.command
        numbers = (os.getpid(), signal.SIGKILL.value, -1, -1, -1)
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C is for us. It never outlives us, whatever ends us.
            self._running = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", launch.__file__, *map(str, numbers),
                sys.executable, "-m", "opensqt", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._process.env, DSN_ENV: self._dsn},
            )  # fmt: skip
        return await self._running.wait()

    def _last_lines(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
        return "".join(f"\n    {line[:300]}" for line in lines) + f"\n    (all of it: {self._log})"
