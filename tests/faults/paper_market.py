"""A short market of the paper exchange, played in lockstep with a real bot: its end is the same each time.

Orders fill in parts; one is cancelled with a part.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import grpc
import pytest

from opensqt.api.connector import ExchangeConnector
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.client import ExchangeClient
from opensqt.connector.paper.books import SCHEMA
from opensqt.connector.paper.lockstep import Lockstep, LockstepService
from opensqt.connector.paper.venue import PaperVenue
from opensqt.connector.process import ConnectorServer
from opensqt.engine.events import OrderState
from opensqt.journal.postgres import connect, migrate
from opensqt.journal.reader import JournalReader
from opensqt.paper.v1.paper_pb2_grpc import add_LockstepServiceServicer_to_server
from opensqt.runtime import lockstep as bot_lockstep
from opensqt.runtime import loop, process, startup
from tests.connector.paper_world import connector, market, write_candles
from tests.faults.short_market import forget_all, slots_of
from tests.faults.zygote_process import QUICK
from tests.runtime.harness import UID, Bot
from tests.runtime.simulated_venue import SYMBOL

PRICES = (40000, -39850, 40250, 40150, 40050, 39890, 39780, 40050)
"""A negative one is there for a moment, in which an order fills in part."""
MINUTES = 2
"""The others stay for so long: what a death has delayed is made up for before the price moves on."""
LENGTHS = {"short": 4, "whole": len(PRICES)}
FILL_SHARE = "0.00012"
"""Of the candles' volumes three lots a price; the bot's orders are of five."""
TABLES = """
SELECT string_agg(schemaname || '.' || tablename, ', ') FROM pg_tables
WHERE schemaname IN ('paper', 'opensqt') AND tablename <> 'migrations'"""
SPEC: dict[str, Any] = {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 2, "sellWindow": 3}}


def paper_exchange(folder: Path, length: str) -> ExchangeConnector:
    """The exchange; its candles are written to the folder, once."""
    prices = PRICES[: LENGTHS[length]]
    rows: list[tuple[float, float, float, float]] = []
    for before, price, after in zip((0, *prices), prices, (*prices[1:], 0), strict=False):
        rows += [(price,) * 4] * MINUTES if price > 0 else [(before, after, -price, after)]
    candles = folder / f"{length}.csv"
    if not candles.exists():
        write_candles(candles, rows)
    return connector(market(SYMBOL, candles, fillShare=FILL_SHARE))


async def start_over(dsn: str, length: str) -> None:
    """Nothing has been before; in a short market the books' tables are there, for making them is most of a start."""
    if length != "short":
        await forget_all(dsn)
        return
    connection = await connect(dsn, application="test")
    try:
        await migrate(connection, SCHEMA, resources.files("opensqt.connector.paper") / "migrations")
        tables = await connection.fetchval(TABLES)
        await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()


def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bot in the test's process: it asks again soon, and ends at once."""
    for module, name in ((bot_lockstep, "RECONNECTS"), (startup, "WAITS"), (loop, "COMMITS")):
        monkeypatch.setattr(module, name, QUICK)
    monkeypatch.setattr(process, "_GRACE", 0.0)


@asynccontextmanager
async def paper_connector(folder: Path, length: str, dsn: str) -> AsyncIterator[str]:
    """The address of a connector in the test's process that plays the market, its books at `dsn`."""
    died: list[str] = []
    lockstep = Lockstep([UID])
    venue = PaperVenue(paper_exchange(folder, length), dsn, lockstep=lockstep, fatal=died.append)

    def add_services(server: grpc.aio.Server) -> tuple[str, ...]:
        add_LockstepServiceServicer_to_server(LockstepService(lockstep), server)
        return ()

    server = ConnectorServer(venue, add_services=add_services, fatal=died.append)
    port, _ = await server.start("127.0.0.1:0", "127.0.0.1:0")
    try:
        yield f"127.0.0.1:{port}"
        assert not died, died
    finally:
        await server.stop()


async def everything(address: str, bot: Bot, dsn: str) -> Any:
    """What exchange, bot and journal have at the end, the same in every undisturbed market."""
    snapshot = await bot.stub.GetSnapshot(pb.GetSnapshotRequest(fills=1000))
    client = ExchangeClient(address)
    try:
        fills = await client.fills(SYMBOL, "", 0)
        open_orders = await client.open_orders(SYMBOL, "")
        position = await client.positions([SYMBOL])
        account = await client.account()
        ended = {client_id: await client.order(SYMBOL, client_id) for client_id in {fill.client_id for fill in fills}}
    finally:
        await client.close()
    reader = await JournalReader.open(dsn)
    try:
        counted = await reader.fills(UID)
    finally:
        await reader.close()
    # What was missed meanwhile is learnt by look-ups, order by order.
    assert sorted(fill.trade_id for fill in counted) == sorted(fill.trade_id for fill in fills)
    assert len({fill.trade_id for fill in fills}) == len(fills) > len(ended), "some orders filled in parts"
    orders = [order for order, _ in ended.values()]
    for order in orders:
        assert order.filled == sum(fill.quantity for fill in fills if fill.client_id == order.client_id)
    assert any(order.state is OrderState.CANCELLED and order.filled for order in orders), "a part, then a cancel"
    # An order that was lost on its way is placed again under its id, later and with another number of the exchange.
    same = (replace(order, venue_id="", time_us=0) for order in open_orders)
    traded = [replace(fill, time_us=0) for fill in fills]
    return traded, _sorted(same), position, account, slots_of(snapshot), snapshot.status.realised_pnl


def _sorted(orders: Any) -> Sequence[Any]:
    return sorted(orders, key=lambda order: order.client_id)
