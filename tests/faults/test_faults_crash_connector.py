"""The connector is killed, kill -9, at every boundary in turn: each statement of its books, each call that it answers.

Its paper exchange plays in lockstep with a real bot, so that the end must be exactly that of an undisturbed market: the
same fills, in the same parts, position, open orders and slots. Enumerated, not sampled. Complaints 2 (duplicate orders)
and 5 (a partial fill, then a cancel) of users.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from opensqt.api.process import DSN_ENV, RESOURCE_ENV
from opensqt.journal.embedded import EmbeddedPostgres
from tests.databases import a_database
from tests.faults.boundaries import Blow, RpcProxy, StatementProxy, calls, statements
from tests.faults.enumeration import LANES, SHARDS, Play, at_every_boundary
from tests.faults.paper_market import SPEC, everything, paper_exchange, short_waits, start_over
from tests.faults.short_market import BOTH_LENGTHS
from tests.faults.zygote import Zygote, zygote
from tests.runtime.harness import UID, bot, environment
from tests.runtime.processes import free_ports


class MortalConnector:
    """A connector process between two proxies; another one takes its place when it is killed."""

    def __init__(
        self, zygote: Zygote, rpcs: RpcProxy, address: str, books: StatementProxy, through: str, dsn: str, folder: Path
    ) -> None:
        """The bot reaches it at `address`, it reaches its books by the DSN `through`."""
        self._zygote = zygote
        self._rpcs = rpcs
        self._address = address
        self._books = books
        self._dsn = dsn
        self._env = {DSN_ENV: through}
        self._folder = folder
        self._log = folder / "connector.log"
        self._process = 0
        self._changing = asyncio.Lock()
        self._own_address = ""

    async def _start(self) -> None:
        async with self._changing:
            await self._another()

    async def _another(self) -> None:
        ports = free_ports()
        self._process = await self._zygote.start("connector", ["--lockstep", UID], self._env, self._log, ports)
        self._own_address = f"127.0.0.1:{ports[0]}"
        await self._rpcs.lead_to(self._own_address)

    async def _end(self) -> None:
        async with self._changing:
            await self._zygote.kill(self._process)

    async def _strike(self) -> None:
        """kill -9, and the next instance starts."""
        async with self._changing:
            await self._zygote.kill(self._process)
            await self._another()

    async def play(self, length: str, blow_at: int) -> tuple[Any, Blow]:
        """One market from its start to its end, with a blow; returns all that is there then."""
        self._env[RESOURCE_ENV] = json.dumps(paper_exchange(self._folder, length).to_json_object())
        await start_over(self._dsn, length)
        blow = self._rpcs.blow = self._books.blow = Blow(blow_at, self._strike)
        await self._start()
        try:
            async with bot(environment(self._dsn, changes=SPEC), self._address) as running:
                await running.when(lambda status: status.market_ended)
                self._rpcs.blow = self._books.blow = None
                return await everything(self._own_address, running, self._dsn), blow
        except AssertionError as error:
            raise AssertionError(
                f"killed at boundary {blow_at}, {blow.struck}: {error}\n{self._last_words()}"
            ) from None
        finally:
            await self._end()

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-40:])


@pytest_asyncio.fixture
async def connectors(
    postgres_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[MortalConnector]]:
    short_waits(monkeypatch)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(zygote())
        lanes = []
        for lane in range(LANES):
            folder = tmp_path / str(lane)
            folder.mkdir()
            dsn = await stack.enter_async_context(a_database(postgres_server))
            rpcs, address = await stack.enter_async_context(calls())
            books, through = await stack.enter_async_context(statements(dsn, folder))
            lanes.append(MortalConnector(running, rpcs, address, books, through, dsn, folder))
        yield lanes


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("length", BOTH_LENGTHS)
async def test_complaints_2_5_a_connector_killed_at_every_boundary(
    connectors: list[MortalConnector], length: str, shard: int
) -> None:
    undisturbed, _ = await connectors[0].play(length, 0)

    def lane(mortal: MortalConnector) -> Play:
        async def play(boundary: int) -> Blow:
            result, blow = await mortal.play(length, boundary)
            assert result == undisturbed, f"killed at boundary {boundary}, {blow.struck}"
            return blow

        return play

    print("connector:", await at_every_boundary([lane(mortal) for mortal in connectors], shard, least=60))  # noqa: T201
