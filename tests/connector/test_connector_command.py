"""`opensqt connector` as a process: what it says when it cannot start, its ports, its end."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.api.process import DSN_ENV, RESOURCE_ENV
from opensqt.cli.connector import connector as command
from opensqt.connector.client import ExchangeClient
from tests.connector.eventually import eventually
from tests.connector.paper_world import SYMBOL, UID, market

ANY_PORTS = ("--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
SOURCE = Path(__file__).parents[2] / "bot"


def resource(spec: dict[str, Any] | None = None, **metadata: str) -> str:
    paper = {"exchange": "paper", "paper": {"markets": [market()]}}
    return json.dumps({"metadata": {"name": "x", "uid": UID} | metadata, "spec": spec or paper})


@pytest.mark.parametrize(
    ("env", "options", "said"),
    [
        ({}, ANY_PORTS, "OPENSQT_RESOURCE is not set"),
        ({RESOURCE_ENV: "{"}, ANY_PORTS, "OPENSQT_RESOURCE is not JSON"),
        ({RESOURCE_ENV: resource({"exchange": "kraken"})}, ANY_PORTS, "OPENSQT_RESOURCE: spec.exchange:"),
        ({RESOURCE_ENV: resource({"exchange": "paper"})}, ANY_PORTS, "paper must be set for exchange paper"),
        (
            {RESOURCE_ENV: resource({"exchange": "paper", "paper": {"markets": [market(tickSize="0")]}})},
            ANY_PORTS,
            "spec.paper.markets[0].tickSize:",
        ),
        ({RESOURCE_ENV: resource(uid="")}, ANY_PORTS, "metadata.uid: must be set"),
        ({RESOURCE_ENV: resource()}, ANY_PORTS, "OPENSQT_JOURNAL_DSN is not set"),
        (
            {RESOURCE_ENV: resource({"exchange": "okx", "credentialsSecretRef": {"name": "x"}})},
            (*ANY_PORTS, "--lockstep", "a"),
            "--lockstep: only the paper exchange",
        ),
        (
            {RESOURCE_ENV: resource(), DSN_ENV: "x"},
            ("--listen", "nowhere", *ANY_PORTS[2:]),
            "--listen: 'nowhere' is not",
        ),
        (
            {RESOURCE_ENV: resource(), DSN_ENV: "x"},
            (*ANY_PORTS[:4], "--metrics", "192.0.2.1:80"),
            "--metrics: cannot listen",
        ),
        (
            {RESOURCE_ENV: resource(), DSN_ENV: "x"},
            ("--listen", "192.0.2.1:80", *ANY_PORTS[2:]),
            "--listen: cannot listen",
        ),
    ],
)
def test_what_keeps_it_from_starting_is_named(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], options: tuple[str, ...], said: str
) -> None:
    for name in (RESOURCE_ENV, DSN_ENV):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(command, options, env=env)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


class Started:
    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def ports(self) -> tuple[int, int, int]:
        """Of the service, of health, of the metrics."""
        await eventually(lambda: "listening" in self.log or self.process.returncode is not None)
        found = [re.search(rf"\b{name}=(\d+)", self.log) for name in ("port", "health_port", "metrics_port")]
        assert all(found), self.log
        return tuple(int(match[1]) for match in found if match)  # type: ignore[return-value]


@asynccontextmanager
async def started(tmp_path: Path, dsn: str, *words: str, **paper: Any) -> AsyncIterator[Started]:
    log = tmp_path / "log"
    spec = {"exchange": "paper", "paper": {"markets": [market()], **paper}}
    env = {RESOURCE_ENV: resource(spec), DSN_ENV: dsn, "PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "opensqt", "connector", *ANY_PORTS, *words), env=env, stdout=output, stderr=output
        )
    try:
        yield Started(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_serves_says_how_it_is_and_ends_cleanly(postgres_dsn: str, tmp_path: Path) -> None:
    async with started(tmp_path, postgres_dsn) as running:
        port, health_port, metrics_port = await running.ports()
        client = ExchangeClient(f"127.0.0.1:{port}")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{health_port}") as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
            while (await watch.read()).status != health_pb2.HealthCheckResponse.SERVING:
                pass
        assert (await client.status()).capabilities.lockstep is False
        connection = HTTPConnection("127.0.0.1", metrics_port)
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read().decode()
        connection.close()
        assert "opensqt_connector_ready 1.0" in metrics
        assert f'opensqt_paper_market_steps{{symbol="{SYMBOL}",what="all"}} 5760.0' in metrics
        # A stream that is open does not hold the end up.
        stream = client.watch_price(SYMBOL)
        await anext(stream)
        running.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.process.wait(), 120) == 0
        await stream.aclose()
        await client.close()
        assert "Traceback" not in running.log


async def test_it_says_lockstep_where_it_was_asked_for(postgres_dsn: str, tmp_path: Path) -> None:
    async with started(tmp_path, postgres_dsn, "--lockstep", "a", "--lockstep", "b") as running:
        port, *_ = await running.ports()
        client = ExchangeClient(f"127.0.0.1:{port}")
        assert (await client.status()).capabilities.lockstep is True
        await client.close()


async def test_it_ends_while_it_still_tries_to_open(tmp_path: Path) -> None:
    async with started(tmp_path, "postgresql://nobody@127.0.0.1:9/none") as running:
        await running.ports()
        await eventually(lambda: "JournalUnreachable" in running.log)
        running.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.process.wait(), 120) == 0


async def test_a_password_is_never_shown(tmp_path: Path) -> None:
    async with started(tmp_path, "postgresql://someone:hunter2@127.0.0.1:9/none") as running:
        await running.ports()
        await eventually(lambda: "JournalUnreachable" in running.log)
        running.process.send_signal(signal.SIGTERM)
        await running.process.wait()
        assert "hunter2" not in running.log


async def test_books_that_went_back_in_time_end_the_process(postgres_dsn: str, tmp_path: Path) -> None:
    async with started(tmp_path, postgres_dsn, speed=1) as running:
        await eventually(lambda: "ready=True" in running.log)
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute("UPDATE paper.accounts SET sequence = sequence + 5")
        await connection.close()
        assert await asyncio.wait_for(running.process.wait(), 120) == 1
        assert "the books are at commit" in running.log


async def test_a_paper_connector_never_loads_ccxt() -> None:
    code = "import sys; import opensqt.cli.connector, opensqt.connector.paper.venue; sys.exit('ccxt' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env={"PYTHONPATH": str(SOURCE)})
    assert await process.wait() == 0
