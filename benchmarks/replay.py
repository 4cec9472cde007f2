"""A week's trading replayed by `opensqt replay`, beside the week itself.

A week of real one-minute candles, four prices each, is traded by the engine against the paper exchange's matching in
this process. Every decision goes to the journal of an embedded PostgreSQL as the bot's loop has it there: in the same
rows, with a snapshot every 500 events. `opensqt replay` is the command itself, a process of its own; what it says of
itself is only its replaying, the whole has the interpreter's start too. The busy grid has nearer levels, and more.
Where the candles are absent, a seeded walk of the same length is traded. Target: 10 s of processor for the whole
command, which is what it takes on a machine that does nothing else.
"""

import argparse
import asyncio
import csv
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bot"), str(ROOT)]

import structlog  # noqa: E402

from opensqt.engine.actions import Action  # noqa: E402
from opensqt.engine.engine import Engine  # noqa: E402
from opensqt.engine.events import Event, PriceChanged  # noqa: E402
from opensqt.engine.replay import Decision  # noqa: E402
from opensqt.journal.embedded import EmbeddedPostgres  # noqa: E402
from opensqt.journal.journal import Journal  # noqa: E402
from opensqt.journal.reader import JournalReader  # noqa: E402
from opensqt.runtime.loop import SNAPSHOT_EVERY  # noqa: E402
from tests.runtime.paper_play import UID, PaperPlay  # noqa: E402

TARGET_SECONDS = 10.0
CANDLES = ROOT.parent / "shared" / "data" / "btc-perp-2022-01-1m.csv.gz"
WEEK = 7 * 24 * 60
TOGETHER = 20
"""Decisions in one commit: the rows are the same, whatever is committed together."""
MARKET = {"symbol": "BTC/USDT:USDT", "fundingRate": "0.01"}


def spec(spacing: str, window: int) -> dict[str, Any]:
    return {
        "grid": {"spacing": {"arithmetic": spacing}, "buyWindow": window, "sellWindow": window},
        "order": {"quoteSize": "500"},
        "riskLimits": {"maxPosition": "1", "maxOpenOrders": 4 * window},
        "leverage": 5,
    }


SPECS = {"usual": spec("100", 10), "busy": spec("40", 30)}


class Week(PaperPlay):
    """Keeps what the bot's loop would commit, and when it would have saved a snapshot."""

    def __init__(self, spec: dict[str, Any], candles: Path) -> None:
        self.decisions: list[Decision] = []
        self.snapshots: dict[int, dict[str, Any]] = {}
        self._unlogged_price: PriceChanged | None = None
        super().__init__(MARKET, spec, candles)

    def decide(self, event: Event) -> list[Action]:
        wanted = super().decide(event)
        if self.engine.dirty or wanted:
            if self._unlogged_price is not None:
                self.decisions.append(Decision(self._unlogged_price, ()))
                self._unlogged_price = None
            self.decisions.append(Decision(event, wanted))
            if len(self.decisions) - max(self.snapshots, default=0) >= SNAPSHOT_EVERY:
                self.snapshots[len(self.decisions)] = self.engine.snapshot()
        elif isinstance(event, PriceChanged):
            self._unlogged_price = event
        return wanted


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, beside what they were spent on."""

    events: int
    orders: int
    fills: int
    traded: float
    pure: float
    read: float
    replayed: float
    whole: float
    processor: float
    recovery: float


def week_of_candles(folder: Path) -> Path:
    """A week's candles as a file of their own."""
    file = folder / "week.csv"
    if CANDLES.is_file():
        with gzip.open(CANDLES, "rt") as recorded:
            file.write_text("".join(islice(recorded, WEEK + 1)))
        return file
    print(f"no real candles at {CANDLES}: a seeded walk")
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        writer.writerows(_walk(random.Random(4)))  # noqa: S311 - seeded, so that each run has the same market
    return file


def _walk(chance: random.Random) -> Iterator[Sequence[float]]:
    price = 46_000.0
    for minute in range(WEEK):
        prices = [price := max(1_000.0, price * (1 + chance.gauss(0, 0.0004))) for _ in range(4)]
        corners = [prices[0], max(prices), min(prices), prices[-1]]
        yield (1_640_995_200_000 + minute * 60_000, *(round(each, 1) for each in corners), 1.0)


def pure_replay(week: Week) -> float:
    """The decisions once more, from memory: what the engine itself takes of a replay."""
    engine = Engine(week.translation.market, UID)
    begun = time.perf_counter()
    for decision in week.decisions:
        engine.on(decision.event)
    assert engine.snapshot() == week.engine.snapshot()
    return time.perf_counter() - begun


async def journalled(dsn: str, week: Week) -> None:
    journal = await Journal.open(dsn, bot_uid=UID, namespace="default", name="week", symbol=week.symbol)
    decisions = week.decisions
    for first in range(0, len(decisions), TOGETHER):
        await journal.append(decisions[first : first + TOGETHER])
    for seq, snapshot in week.snapshots.items():
        await journal.save_snapshot(seq, snapshot)
    await journal.close()


async def bare_read(dsn: str, last: int) -> float:
    """The log read and decoded, and nothing decided."""
    begun = time.perf_counter()
    reader = await JournalReader.open(dsn)
    seq = 0
    while seq < last:
        page = await reader.decisions(UID, after_seq=seq, limit=1_000)
        seq = page[-1][0]
    await reader.close()
    return time.perf_counter() - begun


def command(dsn: str, *options: str) -> tuple[dict[str, Any], float, float]:
    """What `opensqt replay` says; how long it took from its start to its end, and how much of that it was computing."""
    begun, before = time.perf_counter(), _children()
    words = ["-c", "from opensqt.cli.main import main; main()", "replay", "week", "--dsn", dsn, "-o", "json", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bot")}
    ended = subprocess.run([sys.executable, *words], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    whole = time.perf_counter() - begun
    assert ended.returncode == 0, f"not the same: {ended.stdout}"
    return json.loads(ended.stdout), whole, _children() - before


def _children() -> float:
    """Processor time of all ended child processes, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def measure(name: str) -> Figures:
    with tempfile.TemporaryDirectory(prefix="opensqt-benchmark-") as text:
        folder = Path(text)
        begun = time.perf_counter()
        week = Week(SPECS[name], week_of_candles(folder))
        week.play()
        traded = time.perf_counter() - begun
        assert week.pnl == week.earned
        pure = pure_replay(week)
        async with EmbeddedPostgres(folder / "postgres") as postgres:
            await journalled(postgres.dsn, week)
            read = await bare_read(postgres.dsn, len(week.decisions))
            said, whole, processor = await asyncio.to_thread(command, postgres.dsn)
            _, recovery, _ = await asyncio.to_thread(command, postgres.dsn, "--from-snapshot")
        assert said["same"]
        assert (said["afterSeq"], said["events"]) == (0, len(week.decisions))
        assert said["fills"] == week.engine.view().fills > 0
        counts = said["events"], said["orders"], said["fills"]
        return Figures(*counts, traded, pure, read, said["seconds"], whole, processor, recovery)


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    titles = ("events", "orders", "fills", "trading", "engine", "reading", "replay", "command", "processor", "snapshot")
    print(f"{'seconds':>8}" + "".join(f"{title:>11}" for title in titles))
    slowest = 0.0
    for name in SPECS:
        figures = asyncio.run(measure(name))
        counts = (figures.events, figures.orders, figures.fills)
        seconds = (figures.traded, figures.pure, figures.read, figures.replayed, figures.whole, figures.processor)
        shown = "".join(f"{each:11,}" for each in counts) + "".join(f"{each:11.2f}" for each in seconds)
        print(f"{name:>8}{shown}{figures.recovery:11.2f}", flush=True)
        slowest = max(slowest, figures.processor)
    met = slowest <= TARGET_SECONDS
    print(f"the slower week: {slowest:.1f} s of processor, target {TARGET_SECONDS:.0f}: {'met' if met else 'MISSED'}")
    return not met


if __name__ == "__main__":
    sys.exit(main())
