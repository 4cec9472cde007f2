"""The real processes together: `opensqt connector` with the paper exchange, `opensqt bot`, PostgreSQL, real candles."""

import gzip
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2
from tests.runtime.harness import PATIENCE, UID, environment, until
from tests.runtime.processes import BotProcess, bot_process, paper_process
from tests.runtime.simulated_venue import SYMBOL

SPACING = {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 5, "sellWindow": 5}}


def _market(candles: Path, minutes: int, folder: Path) -> dict[str, Any]:
    """The first minutes of recorded candles."""
    with gzip.open(candles, "rt") as recorded:
        lines = [next(recorded) for _ in range(minutes + 1)]
    part = folder / "candles.csv"
    part.write_text("".join(lines))
    return {"symbol": SYMBOL, "candles": {"path": str(part)}}


async def _ended(bot: BotProcess) -> pb.GetSnapshotResponse:
    async def ended() -> pb.GetSnapshotResponse | None:
        assert bot.process.returncode is None, bot.log
        snapshot = await bot.snapshot(fills=100_000)
        return snapshot if snapshot is not None and snapshot.status.market_ended else None

    found = await until(ended, seconds=2 * PATIENCE)
    assert isinstance(found, pb.GetSnapshotResponse)
    return found


async def _fetch(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def _adds_up(snapshot: pb.GetSnapshotResponse) -> None:
    signed = (Decimal(fill.quantity) * (1 if fill.side == exchange_pb2.SIDE_BUY else -1) for fill in snapshot.fills)
    assert sum(signed, start=Decimal(0)) == Decimal(snapshot.status.position)
    assert len(snapshot.fills) == snapshot.status.fills
    assert len({fill.trade_id for fill in snapshot.fills}) == len(snapshot.fills)


async def _fills(bot: BotProcess, enough: int) -> int:
    """The bot's number of fills, once there are enough."""

    async def traded() -> int:
        assert bot.process.returncode is None, bot.log
        status = await bot.status()
        return status.fills if status is not None and status.fills >= enough else 0

    return int(await until(traded))


async def test_lockstep_gives_the_same_every_time(
    postgres_dsn: str, tmp_path: Path, candle_file: Callable[[str], Path]
) -> None:
    market = _market(candle_file("btc-perp-2022-01-1m"), 1500, tmp_path)
    results: list[Any] = []
    for number in range(2):
        await _fetch(postgres_dsn, "DROP SCHEMA IF EXISTS opensqt, paper CASCADE")
        log = tmp_path / f"log{number}"
        async with (
            paper_process(postgres_dsn, [market], log, lockstep=(UID,)) as connector,
            bot_process(environment(postgres_dsn, changes=SPACING), connector.address, log) as bot,
        ):
            snapshot = await _ended(bot)
        _adds_up(snapshot)
        results.append([(f.time_us, f.client_id, f.price, f.quantity, f.fee) for f in snapshot.fills])
        results.append([snapshot.status.realised_pnl, snapshot.status.position, snapshot.status.open_buys])
    assert len(results[0]) > 50
    assert results[:2] == results[2:]


async def test_complaint_01_everything_is_killed_in_turn_while_trading(
    postgres_dsn: str, tmp_path: Path, candle_file: Callable[[str], Path]
) -> None:
    market = _market(candle_file("btc-perp-2022-01-1m"), 1500, tmp_path)
    env, log = environment(postgres_dsn, changes=SPACING), tmp_path / "log"
    ports = None
    enough = 10
    for victim in ("bot", "connector", "bot", "connector"):
        async with paper_process(postgres_dsn, [market], log, ports=ports, speed=600) as connector:
            ports = (connector.port, connector.health_port, connector.metrics_port)
            async with bot_process(env, connector.address, log) as bot:
                enough = await _fills(bot, enough) + 10
                await (connector if victim == "connector" else bot).end(signal.SIGKILL)
    async with (
        paper_process(postgres_dsn, [market], log, ports=ports, speed=100_000) as connector,
        bot_process(env, connector.address, log) as bot,
    ):
        await _ended(bot)

        async def agrees() -> bool:
            status = await bot.status()
            held = (await _fetch(postgres_dsn, "SELECT lots FROM paper.markets"))[0]["lots"]
            return status is not None and Decimal(status.position) == held * Decimal("0.001")

        await until(agrees)
        snapshot = await bot.snapshot(fills=100_000)
        assert snapshot is not None
        _adds_up(snapshot)
    there = await _fetch(postgres_dsn, "SELECT client_id, trade, lots FROM paper.fills ORDER BY 2")
    here = await _fetch(postgres_dsn, "SELECT client_id, trade_id::bigint, lots FROM opensqt.fills ORDER BY 2")
    assert [tuple(row) for row in there] == [tuple(row) for row in here]
    assert len(there) >= 40
    placed = {row["client_id"] for row in await _fetch(postgres_dsn, "SELECT client_id FROM paper.orders")}
    intended = {row["client_id"] for row in await _fetch(postgres_dsn, "SELECT client_id FROM opensqt.orders")}
    assert placed <= intended


async def test_complaint_15_two_bots_share_a_symbol(postgres_dsn: str, tmp_path: Path) -> None:
    market = {"symbol": SYMBOL, "model": {"seed": 7}}
    changes = {**SPACING, "existingPosition": "Ignore"}  # what the other holds by then is not this one's
    envs = [environment(postgres_dsn, uid=uid, changes=changes) for uid in (UID, "another")]
    log = tmp_path / "log"
    async with (
        paper_process(postgres_dsn, [market], log, speed=600) as connector,
        bot_process(envs[0], connector.address, log) as one,
        bot_process(envs[1], connector.address, log) as other,
    ):
        await _fills(one, 10)
        await _fills(other, 10)
        for bot in (one, other):
            status = await bot.status()
            assert status is not None
            assert not status.breaker.open, status.breaker
            assert {one.kind for one in status.reconciliation.counts} <= {"ForeignPosition", "MissedFill"}
            assert await bot.end(signal.SIGTERM) == 0
    owners = {row["client_id"]: row["bot_uid"] for row in await _fetch(postgres_dsn, "SELECT * FROM opensqt.orders")}
    assert set(owners.values()) == {UID, "another"}
    for row in await _fetch(postgres_dsn, "SELECT bot_uid, client_id FROM opensqt.fills"):
        assert row["bot_uid"] == owners[row["client_id"]], "a fill was counted by the other bot"
    asked = await _fetch(
        postgres_dsn,
        "SELECT bot_uid, one->>'client_id' AS client_id FROM opensqt.events, json_array_elements(actions) AS one"
        " WHERE one->>'k' LIKE 'Cancel/%'",
    )
    assert asked, "a market without a cancel shows nothing"
    assert all(row["bot_uid"] == owners[row["client_id"]] for row in asked), "an order of the other was cancelled"
    gone = await _fetch(postgres_dsn, "SELECT client_id FROM paper.orders WHERE state = 'Cancelled'")
    assert {row["client_id"] for row in gone} <= {row["client_id"] for row in asked}


async def test_the_monitor_watches_several_markets_by_their_real_candles(
    postgres_dsn: str, tmp_path: Path, candle_file: Callable[[str], Path]
) -> None:
    """The same candles as two markets, so that both fall together; both runs decide the same."""
    bitcoin = _market(candle_file("btc-perp-2022-01-1m"), 300, tmp_path)
    markets = [bitcoin, {**bitcoin, "symbol": "ETH/USDT:USDT"}]
    monitor = {
        "symbols": [SYMBOL, "ETH/USDT:USDT"],
        "volumeMultiple": "2",
        "movingAverage": 10,
        "recoveryThreshold": 2,
    }
    results: list[Any] = []
    for number in range(2):
        await _fetch(postgres_dsn, "DROP SCHEMA IF EXISTS opensqt, paper CASCADE")
        log = tmp_path / f"log{number}"
        env = environment(postgres_dsn, changes={**SPACING, "marketMonitor": monitor})
        async with (
            paper_process(postgres_dsn, markets, log, lockstep=(UID,)) as connector,
            bot_process(env, connector.address, log) as bot,
        ):
            snapshot = await _ended(bot)
        _adds_up(snapshot)
        results.append((snapshot.status.monitor.triggers, snapshot.status.realised_pnl, snapshot.status.fills))
    assert results[0] == results[1]
    assert results[0][0] > 3
    assert results[0][2] > 10
