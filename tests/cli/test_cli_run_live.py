"""`opensqt run` while it runs: Ctrl-C and the run after it, deaths of its processes, the terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.conftest import ENVIRONMENT, OPENSQT, Opensqt
from tests.cli.running import PATIENCE, Running, alive


def test_ctrl_c_winds_down_and_the_next_run_goes_on(manifest: Path, tmp_path: Path) -> None:
    with Running("-f", manifest, cwd=tmp_path) as first:
        first.wait_for(lambda: len(first.fills()) >= 5)
        assert first.interrupt() == 0
    assert first.lines[0].startswith("starting PostgreSQL in ")
    assert first.says("winding down: all orders are being cancelled")
    assert first.says("0 open orders")
    assert first.says("the next run goes on from there")
    seen = len(first.fills())
    with Running("-f", manifest, "-o", "json", cwd=tmp_path) as second:
        second.wait_for(lambda: second.says("STATE=Running READY=True"))
        second.wait_for(lambda: any(re.search(r"[1-9]\d*\.\d%", line) for line in second.lines))
        assert second.interrupt() == 0
    document = json.loads(second.output)
    (bot,) = document["bots"]
    assert bot["state"] == "Stopped"
    assert bot["openOrders"] == []
    assert len(bot["fills"]) >= seen
    for line, fill in zip(first.fills(), bot["fills"], strict=False):
        assert f"{fill['side']} {fill['quantity']} BTC at {fill['price']}," in line
    signed = [Decimal(fill["quantity"]) * (1 if fill["side"] == "Buy" else -1) for fill in bot["fills"]]
    assert Decimal(bot["position"]) == sum(signed)


def test_ctrl_c_cancels_the_orders_of_those_whose_word_has_not_come_yet(manifest: Path, tmp_path: Path) -> None:
    """On a slow machine a bot trades before its connector was heard to be ready."""
    slow = "from opensqt.cli import main; from opensqt.cli.run import follow; follow.POLL_SECONDS = 3600; main.main()"
    with Running("-f", manifest, cwd=tmp_path, program=(sys.executable, "-c", slow)) as run:
        run.wait_for(lambda: len(run.fills()) >= 1)
        assert run.interrupt() == 0
    assert run.says("winding down: all orders are being cancelled")
    assert run.says("0 open orders")


@pytest.mark.parametrize("victim", ["bot grid", "connector paper"])
def test_a_process_that_dies_is_started_again(manifest: Path, tmp_path: Path, victim: str) -> None:
    with Running("-f", manifest, cwd=tmp_path) as run:
        run.wait_for(lambda: len(run.fills()) >= 3)
        os.kill(run.pid_of(victim), signal.SIGKILL)
        run.wait_for(lambda: run.says(f"! {victim} was killed by SIGKILL; starting again in 0.5 s"))
        seen = len(run.fills())
        run.wait_for(lambda: len(run.fills()) >= seen + 3)
        assert run.interrupt() == 0
    shown = run.fills()
    (summary,) = [line for line in run.lines if line.startswith("grid: ") and " fills, " in line]
    assert summary.startswith(f"grid: {len(shown)} fills"), "every fill was shown once"


def test_killed_outright_it_leaves_no_process_and_no_doubt(manifest: Path, tmp_path: Path) -> None:
    with Running("-f", manifest, cwd=tmp_path) as run:
        run.wait_for(lambda: len(run.fills()) >= 3)
        children = run.descendants()
        assert len(children) > 3
        run.process.kill()
        run.ended()
        deadline = time.monotonic() + PATIENCE
        while any(alive(pid) for pid in children):
            assert time.monotonic() < deadline, [pid for pid in children if alive(pid)]
            time.sleep(0.05)
    with Running("-f", manifest, cwd=tmp_path) as again:
        again.wait_for(lambda: len(again.fills()) >= 1)
        assert again.interrupt() == 0
    assert again.says("0 open orders")


def test_the_second_ctrl_c_ends_it_at_once(manifest: Path, tmp_path: Path) -> None:
    with Running("-f", manifest, cwd=tmp_path) as run:
        run.wait_for(lambda: len(run.fills()) >= 1)
        bot = run.pid_of("bot grid")
        os.kill(bot, signal.SIGSTOP)  # it will not confirm anything
        run.process.send_signal(signal.SIGINT)
        run.wait_for(lambda: run.says("winding down"))
        assert run.interrupt() == 130
        deadline = time.monotonic() + PATIENCE
        while alive(bot):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_state_in_use_is_refused(manifest: Path, tmp_path: Path, opensqt: Opensqt) -> None:
    with Running("-f", manifest, cwd=tmp_path) as run:
        run.wait_for(lambda: run.says("starting"))
        done = opensqt("run", "-f", manifest)
        assert done.returncode == 2
        assert f"process {run.process.pid} runs with it" in done.stderr
        run.interrupt()


def test_fresh_says_what_it_forgets_and_starts_over(manifest: Path, tmp_path: Path) -> None:
    for expected in (0, 1):
        with Running("-f", manifest, "--fresh", cwd=tmp_path) as run:
            run.wait_for(lambda: len(run.fills()) >= 1)
            assert run.interrupt() == 0
        said = [line for line in run.lines if "--fresh: forgetting journal, orders and positions of grid" in line]
        assert len(said) == expected
        assert " 2026-01-01 0" in run.fills()[0], "from the beginning of the data"


def test_a_database_of_ones_own(manifest: Path, tmp_path: Path, postgres_dsn: str) -> None:
    with Running("-f", manifest, "--dsn", postgres_dsn, cwd=tmp_path) as run:
        run.wait_for(lambda: len(run.fills()) >= 1)
        assert run.interrupt() == 0
    assert not (tmp_path / ".opensqt" / "postgres").exists()


def _plain(screen: str) -> str:
    """What was written to a terminal, without its control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)


def test_on_a_terminal_it_is_a_table(manifest: Path, tmp_path: Path) -> None:
    """The columns of `kubectl get gridbots`, fills and progress; Ctrl-C as typed."""
    controller, terminal = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "130", "LINES": "40"}
    process = subprocess.Popen(
        [*OPENSQT, "run", "-f", str(manifest)], cwd=tmp_path, env=environment,
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    row = r"grid +BTC/USDT:USDT +Long +Running +True +Closed +0\.\d+ "
    screen, interrupted = "", False
    deadline = time.monotonic() + PATIENCE
    try:
        while process.poll() is None or select.select([controller], [], [], 0)[0]:
            assert time.monotonic() < deadline, screen[-2000:]
            if not select.select([controller], [], [], 0.2)[0]:
                continue
            try:
                screen += os.read(controller, 65536).decode(errors="replace")
            except OSError:
                break  # the terminal is closed
            if not interrupted and "MARKET TIME" in screen and re.search(row, _plain(screen)):
                interrupted = True
                process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    plain = _plain(screen)
    assert re.search(r"NAME +SYMBOL +SIDE +STATE +READY +BREAKER +POSITION +PNL +CONNECTOR +AGE", plain), plain[-3000:]
    assert re.search(row, plain)
    assert re.search(r"\d\.\d% +[\dhms]+ elapsed", plain), plain[-3000:]
    assert "winding down" in plain
    assert "0 open orders" in plain
    assert screen.endswith("\n")
    assert "\x1b[?25h" in screen, "the cursor is given back"
