"""Bot and connector as the processes that Pods run, to be killed."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import grpc

from opensqt.api.exchange import Exchange
from opensqt.api.process import CREDENTIALS_DIR_ENV, DSN_ENV, RESOURCE_ENV
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.connector.ccxt_venue import ENDPOINT_ENV
from tests.runtime.harness import PATIENCE, until
from tests.venues.keys import TRADER

SOURCE = Path(__file__).parents[2] / "bot"
CONNECTOR_UID = "5f0c0000-0000-4000-8000-00000000000c"
Ports = tuple[int, int, int]


class Running:
    """`opensqt bot` or `opensqt connector` with its three ports; its log goes to a file."""

    def __init__(self, process: asyncio.subprocess.Process, ports: Ports, log: Path) -> None:
        self.process = process
        self.port, self.health_port, self.metrics_port = ports
        self._log = log

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals) -> int:
        """Sends the signal and waits for the end; returns the exit code."""
        with suppress(ProcessLookupError):
            self.send(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    def resident_mebibytes(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class BotProcess(Running):
    async def snapshot(self, fills: int = 0) -> pb.GetSnapshotResponse | None:
        """None while it does not answer."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            try:
                return await stubs.BotServiceStub(channel).GetSnapshot(pb.GetSnapshotRequest(fills=fills), timeout=30)
            except grpc.aio.AioRpcError:
                return None

    async def status(self) -> pb.Status | None:
        snapshot = await self.snapshot()
        return snapshot.status if snapshot else None

    async def when_phase(self, phase: "pb.Phase.ValueType") -> pb.Status:
        async def reached() -> pb.Status | None:
            assert self.process.returncode is None, self.log
            status = await self.status()
            return status if status is not None and status.phase == phase else None

        found = await until(reached)
        assert isinstance(found, pb.Status)
        return found


@asynccontextmanager
async def bot_process(
    env: dict[str, str], connector: str, log: Path, ports: Ports | None = None
) -> AsyncIterator[BotProcess]:
    """A bot that is gone afterwards, however it is then."""
    ports = ports or free_ports()
    process = await _start("bot", ["--connector", connector], env, log, ports)
    async with _gone_afterwards(process):
        yield BotProcess(process, ports, log)


@asynccontextmanager
async def paper_process(
    dsn: str, markets: list[dict[str, Any]], log: Path, *, lockstep: tuple[str, ...] = (), ports: Ports | None = None,
    **paper: Any,
) -> AsyncIterator[Running]:  # fmt: skip
    """A connector with the paper exchange that is gone afterwards."""
    resource = {
        "apiVersion": "opensqt.io/v1alpha1",
        "kind": "ExchangeConnector",
        "metadata": {"name": "test", "namespace": "test", "uid": CONNECTOR_UID, "generation": 1},
        "spec": {"exchange": "paper", "paper": {"markets": markets, **paper}},
    }
    ports = ports or free_ports()
    words = [word for uid in lockstep for word in ("--lockstep", uid)]
    process = await _start("connector", words, {RESOURCE_ENV: json.dumps(resource), DSN_ENV: dsn}, log, ports)
    async with _gone_afterwards(process):
        yield Running(process, ports, log)


@asynccontextmanager
async def exchange_process(
    exchange: Exchange, url: str, folder: Path, *, ports: Ports | None = None
) -> AsyncIterator[Running]:
    """A connector to the simulator at `url` that is gone afterwards; its Secret and log are in `folder`."""
    secret = folder / "credentials"
    secret.mkdir(exist_ok=True)
    for name, value in (("apiKey", TRADER.api_key), ("apiSecret", TRADER.secret), ("passphrase", TRADER.passphrase)):
        (secret / name).write_text(value)
    resource = {
        "apiVersion": "opensqt.io/v1alpha1",
        "kind": "ExchangeConnector",
        "metadata": {"name": "test", "namespace": "test", "uid": CONNECTOR_UID, "generation": 1},
        "spec": {"exchange": exchange.value, "mode": "Demo", "credentialsSecretRef": {"name": "test"}},
    }
    env = {RESOURCE_ENV: json.dumps(resource), CREDENTIALS_DIR_ENV: str(secret), ENDPOINT_ENV: url}
    ports = ports or free_ports()
    process = await _start("connector", [], env, folder / "connector.log", ports)
    async with _gone_afterwards(process):
        yield Running(process, ports, folder / "connector.log")


FIRST_PORT, LAST_PORT = 10_000, 30_000
"""Ports below the 32,768th are given to nobody who asks for any: none is lost to another process meanwhile."""
# Workers have neighbouring process ids, and should not meet.
_ports = count(os.getpid() % 20 * 1000)


def free_ports() -> Ports:
    """Three ports that were never used by this process, and that nobody listens on."""
    found: list[int] = []
    while len(found) < 3:
        port = FIRST_PORT + next(_ports) % (LAST_PORT - FIRST_PORT)
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            found.append(port)
    return found[0], found[1], found[2]


async def _start(
    command: str, words: list[str], env: dict[str, str], log: Path, ports: Ports
) -> asyncio.subprocess.Process:
    listen, health, metrics = (f"127.0.0.1:{port}" for port in ports)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from opensqt.cli.main import main; main()", command, *words),
            *("--listen", listen, "--health", health, "--metrics", metrics),
            env={**os.environ, "PYTHONPATH": str(SOURCE), **env},
            stdout=output,
            stderr=output,
        )


@asynccontextmanager
async def _gone_afterwards(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
