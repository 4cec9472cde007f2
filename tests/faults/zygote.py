"""Bots and connectors as processes that start at once: forked from one that has imported everything already."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


FORKS = 3
"""A fork of a process with gRPC in it may hang before it has done anything; then another is made."""
LISTENS_WITHIN = 30.0


async def _came_to_life(process: int, port: int) -> bool:
    """Whether it listens, as the first thing it does, or has ended by itself; not so where it hangs."""
    with suppress(TimeoutError, ProcessLookupError):
        async with asyncio.timeout(LISTENS_WITHIN):
            while True:
                os.kill(process, 0)
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return True
                await asyncio.sleep(0.005)
    return not _alive(process)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class Zygote:
    """Starts processes, and kills them; none outlives it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()
        self._started: set[int] = set()

    async def start(self, command: str, words: list[str], env: dict[str, str], log: Path, ports: Any) -> int:
        """`opensqt COMMAND WORDS…` with its three ports; returns its process id."""
        addresses = [f"127.0.0.1:{port}" for port in ports]
        options = [word for pair in zip(("--listen", "--health", "--metrics"), addresses, strict=True) for word in pair]
        wanted = {"words": [command, *words, *options], "env": env, "log": str(log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for _ in range(FORKS):
            async with self._asking:
                self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
                process = int(await self._process.stdout.readline())
            self._started.add(process)
            if await _came_to_life(process, ports[0]):
                return process
            await self.kill(process)
        raise AssertionError(f"{FORKS} forks hung before they listened: see {log}")

    async def kill(self, process: int) -> None:
        """SIGKILL; returns when it is gone."""
        self._started.discard(process)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            while True:
                os.kill(process, 0)
                await asyncio.sleep(0.001)

    async def kill_all(self) -> None:
        for process in list(self._started):
            await self.kill(process)


@asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from tests.faults.zygote_process import main; main()"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "bot"), str(ROOT)))},
    )
    running = Zygote(process)
    try:
        yield running
    finally:
        await running.kill_all()
        process.kill()
        await process.wait()
