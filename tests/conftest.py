"""Fixtures of all tests: a PostgreSQL with a fresh database for each test, and the real candles."""

import asyncio
import gzip
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from opensqt.journal.embedded import EmbeddedPostgres
from tests.databases import a_database

pytest_plugins = ["tests.cluster.fixtures", "tests.schedule"]

settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")  # the machine may be busy: no test is judged by how long its examples take

CANDLES = Path(__file__).parents[2] / "shared" / "data"
POSTGRES_FOLDER = "OPENSQT_TEST_POSTGRES"
"""The environment's word for the folder of a server that runs already, for all processes that test at a time."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server a worker, in a thread of its own: it outlives the event loops of the tests."""
    if folder := os.environ.get(POSTGRES_FOLDER):
        yield EmbeddedPostgres(Path(folder))
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="postgres")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest_asyncio.fixture
async def postgres_dsn(postgres_server: EmbeddedPostgres) -> AsyncIterator[str]:
    """The DSN of an empty database of the test's own, which its role owns."""
    async with a_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def candle_file() -> Callable[[str], Path]:
    """The path of real candles by name, `btc-perp-2022-01-1m` or `dogeusdt-2025-06-1m`; skips where there are none."""

    def path(name: str) -> Path:
        file = CANDLES / f"{name}.csv.gz"
        if not file.is_file():
            pytest.skip(f"no real candles: {name}.csv.gz is not in {CANDLES}")
        return file

    return path


@pytest.fixture
def candle_part(candle_file: Callable[[str], Path], tmp_path: Path) -> Callable[[str, int], Path]:
    """The first minutes of real candles, as a file of their own."""

    def part(name: str, minutes: int) -> Path:
        with gzip.open(candle_file(name), "rt") as recorded:
            lines = [next(recorded) for _ in range(minutes + 1)]
        file = tmp_path / f"{name}-{minutes}.csv"
        file.write_text("".join(lines))
        return file

    return part
