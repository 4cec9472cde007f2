"""A running `opensqt run`, followed line by line."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cli.conftest import ENVIRONMENT, OPENSQT

PATIENCE = 120.0


class Running:
    """The command with its output, both streams mixed into `lines`; a context manager that leaves no process behind."""

    def __init__(self, *arguments: object, cwd: Path, program: Sequence[str] = OPENSQT) -> None:
        self.lines: list[str] = []
        self.output = ""
        command = [*program, "run", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._readers = [threading.Thread(target=self._read_output), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def fills(self) -> list[str]:
        return [line for line in self.lines if " Buy " in line or " Sell " in line]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.lines[-30:]
            assert self.process.poll() is None, self.lines[-30:]
            time.sleep(0.05)

    def says(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        return code

    def pid_of(self, name: str) -> int:
        """The process id of a child, by the name that the run gives it."""
        line = next(line for line in self.lines if line.startswith(f"starting {name} at "))
        address = line.split(" at ")[1].split(",")[0]
        (pid,) = [pid for pid in _processes() if f"--listen\0{address}" in _command_line(pid)]
        return pid

    def descendants(self) -> list[int]:
        """All processes that came of this one, PostgreSQL's too."""
        found, todo = [], [self.process.pid]
        while todo:
            parent = todo.pop()
            children = [pid for pid in _processes() if _parent(pid) == parent]
            found += children
            todo += children
        return found

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            self.lines.append(line.rstrip("\n"))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
