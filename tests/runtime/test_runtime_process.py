"""The bot as a process: killed, stopped, paused and told nonsense."""

import asyncio
import signal
import urllib.request
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.api.process import DSN_ENV, RESOURCE_ENV
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.venue import NewOrder
from opensqt.engine.actions import OrderSide
from tests.runtime.harness import PATIENCE, connector, environment, until
from tests.runtime.processes import BotProcess, bot_process
from tests.runtime.simulated_venue import SimulatedVenue

KILLS = 4
PATH = ("39850", "39950", "39720", "39880", "39650", "40010", "39900", "39760", "39990", "39840")


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_every_placement(postgres_dsn: str, tmp_path: Path, moment: str) -> None:
    """`kill -9` while the exchange has the request (before) or has accepted it (after), again and again."""
    venue = SimulatedVenue("40000")
    env = environment(postgres_dsn)
    killed: list[int] = []
    instances: list[BotProcess] = []

    def dead() -> bool:
        return not instances or instances[-1].process.returncode is not None

    async def kill(_orders: Sequence[NewOrder]) -> None:
        if not dead() and len(killed) < KILLS:
            killed.append(instances[-1].process.pid)
            await instances[-1].end(signal.SIGKILL)

    if moment == "before":
        venue.before_place = kill
    else:
        venue.after_place = kill
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(connector(venue))
        for step, price in enumerate(cycle(PATH)):
            if step >= len(PATH) and len(killed) == KILLS:
                break
            if dead():
                instances.append(await stack.enter_async_context(bot_process(env, address, tmp_path / "log")))
            venue.move(price)
            await until(lambda: dead() or _has_settled(instances[-1], venue))
        if not dead():
            await instances[-1].end(signal.SIGKILL)
        async with bot_process(env, address, tmp_path / "log") as last:

            async def agrees() -> pb.Status | None:
                status = await last.status()
                done = status is not None and status.phase == pb.PHASE_RUNNING and status.fills == len(venue.trades)
                return status if done else None

            status = await until(agrees)
            assert Decimal(status.position) == venue.position
            await until(lambda: _settled(venue))
            assert await last.end(signal.SIGTERM) == 0
    assert len(killed) == KILLS
    assert len(set(venue.accepted)) == len(venue.accepted)
    journalled = await _fetch(postgres_dsn, "SELECT trade_id FROM opensqt.fills ORDER BY trade_id")
    assert sorted(row["trade_id"] for row in journalled) == sorted(fill.trade_id for fill in venue.trades)
    orders = await _fetch(postgres_dsn, "SELECT client_id FROM opensqt.orders")
    assert set(venue.placements) <= {row["client_id"] for row in orders}, "what was sent had been committed"


async def _has_settled(bot: BotProcess, venue: SimulatedVenue) -> bool:
    """At the price that is now: it has heard of it."""
    status = await bot.status()
    heard = status is not None and bool(status.last_price) and Decimal(status.last_price) == venue.last
    return heard and _settled(venue)


def _settled(venue: SimulatedVenue) -> bool:
    """Every lot held is on sale, and there is something to buy."""
    on_sale = sum((order.quantity - order.filled for order in venue.live(OrderSide.SELL)), start=Decimal(0))
    return on_sale == venue.position and bool(venue.live(OrderSide.BUY))


async def _fetch(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def test_a_paused_instance_cannot_place_after_a_newer_one(postgres_dsn: str, tmp_path: Path) -> None:
    venue = SimulatedVenue("40000")
    env = environment(postgres_dsn)
    async with connector(venue) as address, bot_process(env, address, tmp_path / "older") as older:
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        older.send(signal.SIGSTOP)
        async with bot_process(env, address, tmp_path / "newer") as newer:
            await newer.when_phase(pb.PHASE_RUNNING)
            venue.move("39850")
            await until(lambda: _settled(venue) and len(venue.live(OrderSide.BUY)) == 2)
            placed = list(venue.placements)
            older.send(signal.SIGCONT)
            assert await asyncio.wait_for(older.process.wait(), PATIENCE) == 3
            assert "fenced" in older.log
            assert venue.placements == placed
    assert len(set(venue.placements)) == len(venue.placements)


async def test_it_says_how_it_is(postgres_dsn: str, tmp_path: Path) -> None:
    venue = SimulatedVenue("40000")
    async with connector(venue) as address, bot_process(environment(postgres_dsn), address, tmp_path / "log") as bot:
        await bot.when_phase(pb.PHASE_RUNNING)
        await until(lambda: len(venue.live(OrderSide.BUY)) == 2)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{bot.health_port}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)

            async def serving(service: str) -> bool:
                answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

            assert await serving("liveness")
            await until(lambda: serving("readiness"))

        def metrics() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{bot.metrics_port}/metrics", timeout=PATIENCE) as answer:
                return str(answer.read().decode())

        async def measured(text: str) -> bool:
            return text in await asyncio.to_thread(metrics)

        await until(lambda: measured('opensqt_bot_open_orders{gridbot="bot",namespace="test",side="buy"} 2.0'))
        await until(lambda: measured('opensqt_bot_ready{gridbot="bot",namespace="test"} 1.0'))
        await until(lambda: measured("opensqt_bot_commit_seconds_bucket"))
        await until(lambda: measured('opensqt_bot_feed_age_seconds{feed="price"'))
        assert bot.resident_mebibytes() < 80
        assert await bot.end(signal.SIGTERM) == 0
        assert len(venue.live(OrderSide.BUY)) == 2, "the orders stay in the market"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({RESOURCE_ENV: ""}, [RESOURCE_ENV, "not set"]),
        ({RESOURCE_ENV: "{"}, [RESOURCE_ENV, "not JSON"]),
        ({DSN_ENV: ""}, [DSN_ENV, "dsnSecretRef"]),
        ({"order": {"quoteSize": "-1"}}, ["spec.order.quoteSize", "-1"]),
        ({"grid": {"spacing": {}}}, ["spec.grid.spacing", "exactly one"]),
    ],
)
async def test_a_wrong_environment_is_named(tmp_path: Path, change: dict[str, object], words: list[str]) -> None:
    variables = {name: str(value) for name, value in change.items() if name.startswith("OPENSQT")}
    spec = {name: value for name, value in change.items() if not name.startswith("OPENSQT")}
    env = {**environment("postgresql://nobody@127.0.0.1:1/none", changes=spec), **variables}
    async with bot_process(env, "127.0.0.1:1", tmp_path / "log") as bot:
        assert await asyncio.wait_for(bot.process.wait(), PATIENCE) == 2
        assert all(word in bot.log for word in words), bot.log
        assert "Traceback" not in bot.log


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    env = environment("postgresql://nobody@127.0.0.1:1/none")
    async with bot_process(env, "127.0.0.1:1", tmp_path / "first") as first:
        await until(first.status)
        ports = (first.port, 0, 0)
        async with bot_process(env, "127.0.0.1:1", tmp_path / "second", ports=ports) as second:
            assert await asyncio.wait_for(second.process.wait(), PATIENCE) == 2
            assert f"--listen: cannot listen on 127.0.0.1:{first.port}" in second.log


async def test_it_can_be_stopped_while_it_waits(postgres_dsn: str, tmp_path: Path) -> None:
    async with bot_process(environment(postgres_dsn), "127.0.0.1:1", tmp_path / "log") as bot:

        async def waits() -> bool:
            status = await bot.status()
            return status is not None and status.reason == "ConnectorNotReady"

        await until(waits)
        assert await bot.end(signal.SIGTERM) == 0
