"""From a bot's start to trading, with 1,000 open orders and a journal of a million rows; killed in between.

The bot is a process, the journal an embedded PostgreSQL (fsync on), the exchange the runtime tests' own, behind a real
connector. While the bot is down the price moves a level, so that it has something to do: it trades when its first new
order has reached the exchange. Beside it: the same with a young journal and few orders, which is what a
start costs anyway. Target: 2 s.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "bot"), str(Path(__file__).parents[1])]

import asyncpg  # noqa: E402
import structlog  # noqa: E402

from opensqt.engine.actions import OrderSide  # noqa: E402
from opensqt.journal.embedded import EmbeddedPostgres  # noqa: E402
from tests.runtime.harness import UID, connector, environment, until  # noqa: E402
from tests.runtime.processes import BotProcess, bot_process  # noqa: E402
from tests.runtime.simulated_venue import SimulatedVenue  # noqa: E402

TARGET_SECONDS = 2.0
WINDOW = 500
SPACING = 20
PRICE = 20_000
ROWS = 1_000_000
PATIENCE = 900.0

AGED = """
UPDATE opensqt.events SET seq = seq + {events};
UPDATE opensqt.snapshots SET seq = seq + {events};
UPDATE opensqt.bots SET last_seq = last_seq + {events};
INSERT INTO opensqt.events (bot_uid, seq, epoch, time, event, actions)
    SELECT '{uid}', n, 1, n,
        CASE n % 10
            WHEN 2 THEN '{{"k":"OrderFilled/1","time":1,"client_id":"old' || n - 1 || '","trade_id":"old' || n
                || '","price":200000,"lots":2,"fee":0,"maker":true,"side":"Buy"}}'
            WHEN 3 THEN '{{"k":"OrderReported/1","time":1,"client_id":"old' || n - 2
                || '","state":"Filled","filled":2}}'
            ELSE '{{"k":"PriceChanged/1","time":1,"price":200000}}'
        END::json,
        CASE n % 10
            WHEN 1 THEN '[{{"k":"Place/1","client_id":"old' || n || '","side":"Buy","price":200000,"lots":2,'
                || '"reduce_only":false,"time_in_force":"PostOnly"}}]'
            ELSE '[]'
        END::json
    FROM generate_series(1, {events}) AS n;
"""
"""Years of trading before what the bot has really done."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds from the process's start; `cpu` is what the bot itself has used until it traded, whatever else runs."""

    trading: float
    settled: float
    cpu: float
    orders: int
    rows: int


async def started(window: int, rows: int, runs: int) -> list[Figures]:
    """Each run is a start after a kill."""
    spec: dict[str, Any] = {
        "grid": {"spacing": {"arithmetic": str(SPACING)}, "buyWindow": window, "sellWindow": window},
        "order": {"quoteSize": str(2 * SPACING)},
        "riskLimits": {"maxOpenOrders": 2 * window, "maxLeverage": 50, "maxPriceDeviationPercent": "60"},
        "leverage": 50,
    }
    venue = SimulatedVenue(str(PRICE))
    with tempfile.TemporaryDirectory(prefix="opensqt-benchmark-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as postgres, connector(venue) as address:
            env, log = environment(postgres.dsn, **spec), Path(folder) / "log"
            async with bot_process(env, address, log) as bot:
                await until(lambda: len(venue.live(OrderSide.BUY)) >= window - 1 or _ended(bot), seconds=PATIENCE)
                level = PRICE - window * SPACING // 2 * 2 + SPACING // 2
                venue.move(str(level))
                await until(lambda: _open(venue) >= 2 * window - 2 or _ended(bot), seconds=PATIENCE)
                await bot.end(signal.SIGTERM)  # with a snapshot, as a bot of any age has one
            held = await _age(postgres.dsn, rows)
            return [await _start(venue, env, address, log, held) for _ in range(runs)]


def _open(venue: SimulatedVenue) -> int:
    return len(venue.live(OrderSide.BUY)) + len(venue.live(OrderSide.SELL))


async def _start(venue: SimulatedVenue, env: dict[str, str], address: str, log: Path, rows: int) -> Figures:
    orders, before = _open(venue), len(venue.placements)
    nearest = max(order.price for order in venue.live(OrderSide.BUY) if order.price is not None)
    venue.move(nearest - Decimal("0.1"))  # fills it while nobody looks
    begun = time.perf_counter()
    async with bot_process(env, address, log) as bot:
        await until(lambda: len(venue.placements) > before or _ended(bot), seconds=PATIENCE)
        trading, cpu = time.perf_counter() - begun, _processor_seconds(bot)
        await until(lambda: _all_known(bot), seconds=PATIENCE)
        settled = time.perf_counter() - begun
        await bot.end(signal.SIGKILL)
    return Figures(trading, settled, cpu, orders, rows)


def _ended(bot: BotProcess) -> bool:
    if bot.process.returncode is not None:
        raise RuntimeError(f"the bot has ended: {bot.log}")
    return False


def _processor_seconds(bot: BotProcess) -> float:
    fields = Path(f"/proc/{bot.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _all_known(bot: BotProcess) -> bool:
    snapshot = await bot.snapshot()
    return snapshot is not None and not any(slot.order == "IN_DOUBT" for slot in snapshot.slots)


async def _age(dsn: str, rows: int) -> int:
    """Puts so many rows before what is there, and says how many there are then."""
    connection = await asyncpg.connect(dsn)
    try:
        if rows:
            await connection.execute(AGED.format(uid=UID, events=rows), timeout=PATIENCE)
        for table in ("events", "bots", "snapshots"):
            await connection.execute(f"VACUUM ANALYZE opensqt.{table}", timeout=PATIENCE)
        return int(await connection.fetchval("SELECT count(*) FROM opensqt.events"))
    finally:
        await connection.close()


async def measure(runs: int) -> bool:
    """Prints the table; says whether the target is met."""
    young = await started(3, 0, runs)
    some = await started(WINDOW // 10, ROWS, runs)
    many = await started(WINDOW, ROWS, runs)
    print(f"{'open orders':>12}{'rows':>12}{'trading s':>12}{'of CPU s':>12}{'all looked up s':>18}")
    for figures in (young, some, many):
        trading = statistics.median(each.trading for each in figures)
        settled = statistics.median(each.settled for each in figures)
        cpu = statistics.median(each.cpu for each in figures)
        print(f"{figures[0].orders:12,}{figures[0].rows:12,}{trading:12.2f}{cpu:12.2f}{settled:18.2f}")
    median = statistics.median(each.trading for each in many)
    print(
        f"start to trading: {median:.2f} s, target {TARGET_SECONDS}: {'met' if median <= TARGET_SECONDS else 'MISSED'}"
    )
    return median <= TARGET_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    return 0 if asyncio.run(measure(arguments.runs)) else 1


if __name__ == "__main__":
    sys.exit(main())
