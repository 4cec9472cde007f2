"""Durable orders: the journal's append beside a bare write + fdatasync, a bare INSERT, and DBOS workflows.

Interleaved rounds in one run on one PostgreSQL, medians; the machine is noisy, so read the ratios. Targets: an append
of one event and one order at most 3 times a write + fdatasync; 20 of them at once, a hundred times the orders a second
of DBOS with one workflow of one step an order, singly or 20 at once, whichever is faster. DBOS is in
`requirements/bench.txt`. `--dsn` measures another database than an embedded one.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import statistics
import subprocess
import sys
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


@contextmanager
def dbos_workflows(dsn: str) -> Iterator[dict[str, tuple[int, Operation]]]:
    """One workflow of one step an order, singly and 20 at once, in a process of its own. Without DBOS, nothing."""
    if importlib.util.find_spec("dbos") is None:
        yield {}
        return
    command = [sys.executable, __file__, "--dbos", dsn]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        asked, answered = child.stdin, child.stdout

        def operation(amount: int) -> Operation:
            async def run(number: int) -> None:
                asked.write(f"{amount} {number}\n")
                asked.flush()
                assert answered.readline() == "done\n"

            return run

        yield {"DBOS, 1 workflow of 1 step": (1, operation(1)), "DBOS, 20 such at once": (20, operation(20))}
        asked.close()


def serve_dbos(dsn: str) -> None:
    """The child: runs as many workflows as each line says."""
    from dbos import DBOS  # noqa: PLC0415 - only this benchmark has it

    def step(client_id: str, _side: str, _price: int, _lots: int) -> str:
        return client_id

    def workflow(client_id: str, side: str, price: int, lots: int) -> str:
        return str(placed(client_id, side, price, lots))

    DBOS(config={"name": "benchmark", "system_database_url": dsn, "log_level": "ERROR", "run_admin_server": False})
    placed, ordered = DBOS.step()(step), DBOS.workflow()(workflow)
    DBOS.launch()
    for line in sys.stdin:
        amount, number = map(int, line.split())
        orders = [order(number * 1000 + each) for each in range(amount)]
        arguments = [(each.client_id, each.side.value, each.price, each.lots) for each in orders]
        if amount == 1:
            ordered(*arguments[0])
        else:
            for handle in [DBOS.start_workflow(ordered, *each) for each in arguments]:
                handle.get_result()
        print("done", flush=True)
    DBOS.destroy()


def append(journal: Journal, batch: int) -> Operation:
    decided = [Decision(event(number), [order(number)]) for number in range(batch)]

    async def run(_: int) -> None:
        await journal.append(decided)

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
    with written_file(folder) as write, dbos_workflows(dsn) as workflows:
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
    ratios = {}
    for name, durations in rounds.items():
        p50 = statistics.median(statistics.median(each) for each in durations)
        p99 = statistics.median(statistics.quantiles(each, n=100)[98] for each in durations)
        ratios[name] = statistics.median(
            statistics.median(mine) / statistics.median(bare)
            for mine, bare in zip(durations, rounds[base], strict=True)
        )
        print(f"{name:32}{p50:9.3f}{p99:9.3f}{1000 * batches[name] / p50:12,.0f}{ratios[name]:9.2f}")
    single = ratios["append, 1 events + orders"]
    met = single <= TARGET
    print(f"an append of one: {single:.2f} x write + fdatasync; target {TARGET:.1f}: {'met' if met else 'MISSED'}")
    if not any(name.startswith("DBOS") for name in rounds):
        print("MISSED: no comparison with DBOS, which is not installed: requirements/bench.txt")
        return False
    mine, *theirs = (
        [statistics.median(each) / batches[name] for each in rounds[name]]
        for name in rounds
        if name == "append, 20 events + orders" or name.startswith("DBOS")
    )
    times = statistics.median(min(other) / own for own, *other in zip(mine, *theirs, strict=True))
    enough = times >= DBOS_TARGET
    print(f"orders/s in batches of 20: {times:.0f} x DBOS; target {DBOS_TARGET:.0f}: {'met' if enough else 'MISSED'}")
    return met and enough


async def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", help="a PostgreSQL to measure; without it an embedded one")
    parser.add_argument("--dbos", metavar="DSN", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dbos:
        serve_dbos(options.dbos)
        return True
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="opensqt-", dir=Path.cwd()) as folder:
        if options.dsn:
            return await compare(options.dsn, folder)
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            return await compare(server.dsn, folder)


if __name__ == "__main__":
    raise SystemExit(0 if asyncio.run(main()) else 1)
