"""The supervisor: what dies is started again, what cannot run is not, what must end does."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from opensqt.api.process import Process
from opensqt.cli.run import supervisor
from opensqt.cli.run.supervisor import Death, Supervised
from tests.cli.conftest import ENVIRONMENT

# A command that needs neither network nor database: it ends with 2, for lack of a database in its environment.
MISCONFIGURED = Process(
    ("opensqt", "bot", "--connector", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0",
     "--metrics", "127.0.0.1:0"),
    {"PYTHONPATH": ENVIRONMENT["PYTHONPATH"]},
)  # fmt: skip


@pytest.fixture
def deaths() -> list[Death]:
    return []


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str], Process]:
    """A process whose `opensqt` is a program of the test's own."""

    def process(program: str) -> Process:
        package = tmp_path / "opensqt"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(program)
        return Process(("opensqt", "bot"), {"PYTHONPATH": str(tmp_path)})

    return process


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - it looks at other processes
            await asyncio.sleep(0.02)


async def test_bad_configuration_is_not_tried_again(tmp_path: Path, deaths: list[Death]) -> None:
    process = Supervised("bot grid", MISCONFIGURED, dsn="", log=tmp_path / "a.log", died=deaths.append)
    await process.run()
    (death,) = deaths
    assert death.code == supervisor.EXIT_MISCONFIGURED
    assert death.again_in is None
    assert "bot grid ended with code 2: it cannot run as it is configured" in str(death)
    assert "OPENSQT_JOURNAL_DSN is not set" in str(death), "the last lines of its log say why"


async def test_what_keeps_dying_is_started_later_and_later(
    tmp_path: Path, deaths: list[Death], stand_in: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.04)
    process = Supervised("bot", stand_in("raise SystemExit(1)"), dsn="", log=tmp_path / "a.log", died=deaths.append)
    running = asyncio.create_task(process.run())
    await _until(lambda: len(deaths) >= 4)
    await process.stop(1.0)
    await running
    assert [death.again_in for death in deaths[:4]] == [0.01, 0.02, 0.04, 0.04]


async def test_a_process_is_killed_where_it_does_not_listen(
    tmp_path: Path, deaths: list[Death], stand_in: Callable[[str], Process]
) -> None:
    program = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(600)"
    log = tmp_path / "a.log"
    process = Supervised("bot", stand_in(program), dsn="", log=log, died=deaths.append)
    running = asyncio.create_task(process.run())
    await _until(lambda: log.exists() and "deaf" in log.read_text())
    await process.stop(0.1)
    await running
    assert process.pid is None
    assert deaths == [], "it was told to end"


async def test_a_killed_process_says_by_which_signal(
    tmp_path: Path, deaths: list[Death], stand_in: Callable[[str], Process]
) -> None:
    process = Supervised(
        "bot", stand_in("import time\ntime.sleep(600)"), dsn="", log=tmp_path / "a.log", died=deaths.append
    )
    running = asyncio.create_task(process.run())
    await _until(lambda: process.pid is not None)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await _until(lambda: bool(deaths))
    await process.stop(1.0)
    await running
    assert str(deaths[0]).startswith("bot was killed by SIGKILL; starting again in 0.5 s")


async def test_the_log_of_the_run_before_stays_beside_the_new_one(
    tmp_path: Path, deaths: list[Death], stand_in: Callable[[str], Process]
) -> None:
    for run in ("first", "second"):
        process = Supervised(
            "bot", stand_in(f"print('{run}')\nraise SystemExit(2)"), dsn="", log=tmp_path / "a.log", died=deaths.append
        )
        await process.run()
    assert (tmp_path / "a.log").read_text() == "second\n"
    assert (tmp_path / "a.log.1").read_text() == "first\n"
