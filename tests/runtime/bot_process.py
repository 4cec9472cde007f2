"""A bot as the process that a Pod runs, to be killed."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from tests.runtime.harness import until

SOURCE = Path(__file__).parents[2] / "bot"
_COMMAND = (sys.executable, "-c", "from opensqt.cli.main import main; main()", "bot")


class BotProcess:
    """`opensqt bot` in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process, ports: tuple[int, int, int], log: Path) -> None:
        self.process = process
        self.port, self.health_port, self.metrics_port = ports
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals) -> int:
        """Sends the signal and waits for the end; returns the exit code."""
        with suppress(ProcessLookupError):
            self.send(number)
        return await asyncio.wait_for(self.process.wait(), 30)

    def resident_mebibytes(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def status(self) -> pb.Status | None:
        """None while it does not answer."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                return (await stubs.BotServiceStub(channel).GetSnapshot(pb.GetSnapshotRequest(), timeout=5)).status
            except grpc.aio.AioRpcError:
                return None

    async def when_phase(self, phase: "pb.Phase.ValueType") -> pb.Status:
        async def reached() -> pb.Status | None:
            assert self.process.returncode is None, self.log
            status = await self.status()
            return status if status is not None and status.phase == phase else None

        found = await until(reached, seconds=30)
        assert isinstance(found, pb.Status)
        return found


async def start(
    env: dict[str, str], connector: str, log: Path, ports: tuple[int, int, int] | None = None
) -> BotProcess:
    ports = ports or _free_ports()
    addresses = [f"127.0.0.1:{port}" for port in ports]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, "--connector", connector, "--listen", addresses[0], "--health", addresses[1],
            "--metrics", addresses[2], env={**os.environ, "PYTHONPATH": str(SOURCE), **env},
            stdout=output, stderr=output,
        )  # fmt: skip
    return BotProcess(process, ports, log)


@asynccontextmanager
async def bot_process(
    env: dict[str, str], connector: str, log: Path, ports: tuple[int, int, int] | None = None
) -> AsyncIterator[BotProcess]:
    """A process that is gone afterwards, however it is then."""
    running = await start(env, connector, log, ports)
    try:
        yield running
    finally:
        if running.process.returncode is None:
            await running.end(signal.SIGKILL)


def _free_ports() -> tuple[int, int, int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    first, second, third = (each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return first, second, third
