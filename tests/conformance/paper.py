"""The paper exchange as a subject: a market that stands still, over books of its own."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import asyncpg

from opensqt.connector.paper.venue import PaperVenue
from opensqt.journal.embedded import EmbeddedPostgres
from tests.conformance.subject import Subject
from tests.connector.paper_world import connector, market, write_candles

PRICE = 50_000
MINUTES = 24 * 60
_numbers = itertools.count(1)


@asynccontextmanager
async def paper_subject(server: EmbeddedPostgres, folder: Path, symbol: str) -> AsyncIterator[Subject]:
    candles = write_candles(folder / "still.csv", [(PRICE, PRICE, PRICE, PRICE)] * MINUTES)
    fields = {"tickSize": "0.1", "lotSize": "0.001", "minNotional": "5"}
    resource = connector(market(symbol, candles, **fields), speed=60)
    name = f"conformance_{next(_numbers)}"
    superuser = await asyncpg.connect(server.dsn_of("postgres", "postgres"))
    try:
        await superuser.execute(f"CREATE DATABASE {name} OWNER opensqt")
        venue = PaperVenue(resource, server.dsn_of("opensqt", name), fatal=lambda message: None)
        await venue.open()
        assert venue.health().ready, venue.health()
        (rules,) = await venue.symbols([symbol])
        yield Subject("paper", venue, None, rules, Decimal(PRICE), moment=0.1)
        await venue.close()
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await superuser.close()
