"""Durable orders: the journal's append beside a bare write + fdatasync, a bare INSERT, and DBOS workflows.

Interleaved rounds in one run on one PostgreSQL, medians; the machine is noisy, so read the ratios. Targets: an append
of one event and one order at most 3 times a write + fdatasync; 20 of them at once, a hundred times the orders a second
of DBOS with one workflow of one step an order. DBOS is in `requirements/bench.txt`. `--dsn` measures another database
than an embedded one.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from opensqt.engine.actions import OrderSide, Place, TimeInForce
from opensqt.engine.codec import encode_event
from opensqt.engine.events import OrderReported, OrderState
from opensqt.engine.replay import Decision
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.journal import Journal
from opensqt.journal.postgres import Connection, connect

ROUNDS = 5
REPETITIONS = 200
BATCHES = (1, 20, 100)
TARGET = 3.0
DBOS_TARGET = 100.0
DBOS_REPETITIONS = 40

Operation = Callable[[int], Awaitable[None]]


def event(number: int) -> OrderReported:
    return OrderReported(time=number, client_id=f"oabcdefghe{number:010}", state=OrderState.OPEN, filled=0)


def order(number: int) -> Place:
    client_id = f"oabcdefghx{number:010}"
    return Place(client_id, OrderSide.BUY, 400_000, 5, reduce_only=False, time_in_force=TimeInForce.POST_ONLY)


@contextmanager
def written_file(folder: str) -> Iterator[Operation]:
    """Writes one event to a file of WAL-like blocks and makes it durable."""
    block = json.dumps(encode_event(event(1))).encode().ljust(512)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(16 * 2**20))  # allocated before, as WAL is
        os.fsync(file.fileno())

        async def write(number: int) -> None:
            os.pwrite(file.fileno(), block, number * len(block) % (16 * 2**20))
            os.fdatasync(file.fileno())

        yield write


async def bare_insert(connection: Connection) -> Operation:
    await connection.execute("DROP TABLE IF EXISTS bare; CREATE TABLE bare (seq bigint PRIMARY KEY, event json)")
    statement = await connection.prepare("INSERT INTO bare VALUES ($1, $2)")

    async def insert(number: int) -> None:
        await statement.fetch(number, json.dumps(encode_event(event(number))))

    return insert


def dbos_workflows(dsn: str) -> Iterator[dict[str, tuple[int, Operation]]]:
    """One workflow of one step an order, one after the other and 20 at once. Without DBOS, nothing."""
    try:
        from dbos import DBOS  # noqa: PLC0415 - only this benchmark has it
    except ImportError:
        yield {}
        return
    DBOS(config={"name": "benchmark", "system_database_url": dsn, "log_level": "ERROR", "run_admin_server": False})

    def step(client_id: str, _side: str, _price: int, _lots: int) -> str:
        return client_id

    def workflow(client_id: str, side: str, price: int, lots: int) -> str:
        return str(placed(client_id, side, price, lots))

    placed, ordered = DBOS.step()(step), DBOS.workflow()(workflow)

    def arguments(number: int) -> tuple[str, str, int, int]:
        wanted = order(number)
        assert wanted.price is not None
        return wanted.client_id, wanted.side.value, wanted.price, wanted.lots

    async def single(number: int) -> None:
        ordered(*arguments(number))

    async def at_once(number: int) -> None:
        handles = [DBOS.start_workflow(ordered, *arguments(number * 1000 + each)) for each in range(20)]
        for handle in handles:
            handle.get_result()

    DBOS.launch()
    try:
        yield {"DBOS, 1 workflow of 1 step": (1, single), "DBOS, 20 such at once": (20, at_once)}
    finally:
        DBOS.destroy()


def append(journal: Journal, batch: int) -> Operation:
    async def run(number: int) -> None:
        numbers = range(number * 1000, number * 1000 + batch)
        await journal.append([Decision(event(each), [order(each + batch * 10**7)]) for each in numbers])

    return run


async def measured(operation: Operation, start: int, repetitions: int) -> list[float]:
    """Milliseconds of each repetition."""
    durations = []
    for number in range(start, start + repetitions):
        before = time.perf_counter()
        await operation(number)
        durations.append(1000 * (time.perf_counter() - before))
    return durations


async def compare(dsn: str, folder: str) -> bool:
    """Prints the table; returns whether the target is met."""
    connection = await connect(dsn, application="benchmark")
    identity = f"benchmark-{time.time_ns()}"
    journal = await Journal.open(dsn, bot_uid=identity, namespace="benchmark", name=identity, symbol="BTC/USDT:USDT")
    with written_file(folder) as write, contextmanager(dbos_workflows)(dsn) as workflows:
        operations: dict[str, tuple[int, Operation]] = {
            "write + fdatasync": (1, write),
            "bare INSERT, asyncpg": (1, await bare_insert(connection)),
            **{f"append, {batch} events + orders": (batch, append(journal, batch)) for batch in BATCHES},
            **workflows,
        }
        rounds: dict[str, list[list[float]]] = {name: [] for name in operations}
        for number in range(ROUNDS + 1):
            for name, (_, operation) in operations.items():
                repetitions = DBOS_REPETITIONS if name in workflows else REPETITIONS
                durations = await measured(operation, number * REPETITIONS, repetitions)
                if number:  # the first round warms up
                    rounds[name].append(durations)
    await journal.close()
    await connection.execute("DROP TABLE bare")
    await connection.close()
    return report({name: batch for name, (batch, _) in operations.items()}, rounds)


def report(batches: dict[str, int], rounds: dict[str, list[list[float]]]) -> bool:
    base, *_ = rounds
    print(f"{'':32}{'p50 ms':>9}{'p99 ms':>9}{'rows/s':>12}{'ratio':>9}")
    ratios, rates = {}, {}
    for name, durations in rounds.items():
        p50 = statistics.median(statistics.median(each) for each in durations)
        p99 = statistics.median(statistics.quantiles(each, n=100)[98] for each in durations)
        ratios[name] = statistics.median(
            statistics.median(mine) / statistics.median(bare)
            for mine, bare in zip(durations, rounds[base], strict=True)
        )
        rates[name] = 1000 * batches[name] / p50
        print(f"{name:32}{p50:9.3f}{p99:9.3f}{rates[name]:12,.0f}{ratios[name]:9.2f}")
    single = ratios["append, 1 events + orders"]
    met = single <= TARGET
    print(f"an append of one: {single:.2f} x write + fdatasync; target {TARGET:.1f}: {'met' if met else 'MISSED'}")
    if "DBOS, 1 workflow of 1 step" not in rates:
        print("MISSED: no comparison with DBOS, which is not installed: requirements/bench.txt")
        return False
    times = rates["append, 20 events + orders"] / rates["DBOS, 1 workflow of 1 step"]
    enough = times >= DBOS_TARGET
    print(f"orders/s in batches of 20: {times:.0f} x DBOS; target {DBOS_TARGET:.0f}: {'met' if enough else 'MISSED'}")
    return met and enough


async def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", help="a PostgreSQL to measure; without it an embedded one")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="opensqt-", dir=Path.cwd()) as folder:
        if options.dsn:
            return await compare(options.dsn, folder)
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            return await compare(server.dsn, folder)


if __name__ == "__main__":
    raise SystemExit(0 if asyncio.run(main()) else 1)
