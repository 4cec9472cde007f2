"""The connector is killed, kill -9, at every boundary in turn: each statement of its books, each call that it answers.

Its paper exchange plays in lockstep with a real bot, so that the end must be exactly that of an undisturbed market: the
same fills, position, open orders and slots. Enumerated, not sampled. Complaint 2 (duplicate orders) of users.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from opensqt.api.process import DSN_ENV, RESOURCE_ENV
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.client import ExchangeClient
from opensqt.connector.retry import Backoff
from opensqt.journal.reader import JournalReader
from opensqt.runtime import lockstep, loop, process, startup
from tests.connector.paper_world import connector as connector_resource
from tests.connector.paper_world import market, write_candles
from tests.faults.boundaries import Blow, RpcProxy, StatementProxy, calls, statements
from tests.faults.short_market import BOTH_LENGTHS, forget_all, slots_of
from tests.faults.zygote import Zygote, zygote
from tests.runtime.harness import UID, bot, environment
from tests.runtime.processes import free_ports
from tests.runtime.simulated_venue import SYMBOL

SHARDS = 4
QUICK = Backoff(first=0.02, cap=0.1, floor=0.01)
PRICES = (40000, 39850, 39780, 40050, 40250, 39960, 39890)
MINUTES = 4
"""The price stays for so long where it is: what a death has delayed is made up for before it moves on."""
LENGTHS = {"short": 4, "whole": len(PRICES)}
SPEC: dict[str, Any] = {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 2, "sellWindow": 3}}


class MortalConnector:
    """A connector process between two proxies; another one takes its place when it is killed."""

    def __init__(self, zygote: Zygote, rpcs: RpcProxy, books: StatementProxy, dsn: str, folder: Path) -> None:
        self._candles = folder / "candles.csv"
        resource = connector_resource(market(SYMBOL, self._candles)).to_json_object()
        self._env = {RESOURCE_ENV: json.dumps(resource), DSN_ENV: dsn}
        self._zygote = zygote
        self._rpcs = rpcs
        self._books = books
        self._log = folder / "connector.log"
        self._process = 0
        self._changing = asyncio.Lock()
        self.address = ""
        self.kills = 0

    def plays(self, prices: tuple[int, ...]) -> None:
        """The market from here on."""
        write_candles(self._candles, [(price,) * 4 for price in prices for _ in range(MINUTES)])

    async def start(self) -> None:
        async with self._changing:
            await self._start()

    async def _start(self) -> None:
        ports = free_ports()
        self._process = await self._zygote.start("connector", ["--lockstep", UID], self._env, self._log, ports)
        self.address = f"127.0.0.1:{ports[0]}"
        await self._rpcs.lead_to(self.address)

    async def end(self) -> None:
        async with self._changing:
            await self._zygote.kill(self._process)

    async def strike(self) -> None:
        """kill -9, and the next instance starts."""
        self.kills += 1
        async with self._changing:
            await self._zygote.kill(self._process)
            await self._start()

    async def play(self, blow_at: int, address: str, dsn: str) -> tuple[Any, Blow]:
        """One market from its start to its end, with a blow; returns all that is there then."""
        blow = self._rpcs.blow = self._books.blow = Blow(blow_at, self.strike)
        await self.start()
        try:
            async with bot(environment(dsn, changes=SPEC), address) as running:
                await running.when(lambda status: status.market_ended)
                self._rpcs.blow = self._books.blow = None
                snapshot = await running.stub.GetSnapshot(pb.GetSnapshotRequest(fills=1000))
                return await self._all(snapshot, dsn), blow
        except AssertionError as error:
            raise AssertionError(f"killed at boundary {blow_at}, {blow.struck}: {error}\n{self.log()}") from None
        finally:
            await self.end()

    async def _all(self, snapshot: pb.GetSnapshotResponse, dsn: str) -> Any:
        """What exchange, bot and journal have."""
        client = ExchangeClient(self.address)
        try:
            fills = await client.fills(SYMBOL, "", 0)
            open_orders = await client.open_orders(SYMBOL, "")
            position = await client.positions([SYMBOL])
            account = await client.account()
        finally:
            await client.close()
        reader = await JournalReader.open(dsn)
        try:
            counted = await reader.fills(UID)
        finally:
            await reader.close()
        # What was missed meanwhile is learnt by look-ups, order by order.
        assert sorted(fill.trade_id for fill in counted) == sorted(fill.trade_id for fill in fills)
        assert len({fill.trade_id for fill in fills}) == len(fills) > 2
        # An order that was lost on its way is placed again under its id, later and with another number of the exchange.
        same = (replace(order, venue_id="", time_us=0) for order in open_orders)
        orders = sorted(same, key=lambda order: order.client_id)
        return fills, orders, position, account, slots_of(snapshot), snapshot.status.realised_pnl

    def log(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-40:])


@pytest_asyncio.fixture
async def world(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[MortalConnector, str]]:
    """The connector, and the address through which the bot reaches it."""
    for module, name in ((lockstep, "RECONNECTS"), (startup, "WAITS"), (loop, "COMMITS")):
        monkeypatch.setattr(module, name, QUICK)
    monkeypatch.setattr(process, "_GRACE", 0.0)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(zygote())
        rpcs, address = await stack.enter_async_context(calls())
        books, dsn = await stack.enter_async_context(statements(postgres_dsn, tmp_path))
        yield MortalConnector(running, rpcs, books, dsn, tmp_path), address


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("length", BOTH_LENGTHS)
async def test_complaint_2_a_connector_killed_at_every_boundary(
    world: tuple[MortalConnector, str], postgres_dsn: str, length: str, shard: int
) -> None:
    mortal, address = world
    mortal.plays(PRICES[: LENGTHS[length]])
    undisturbed, _ = await mortal.play(0, address, postgres_dsn)
    boundary = shard + 1
    while True:
        await forget_all(postgres_dsn)
        result, blow = await mortal.play(boundary, address, postgres_dsn)
        assert result == undisturbed, f"killed at boundary {boundary}, {blow.struck}"
        if not blow.struck:
            break
        boundary += SHARDS
    assert blow.passed > 60, "a market so short kills nobody"
    print(f"connector: {blow.passed} boundaries, of which this shard killed it at {mortal.kills}")  # noqa: T201
