"""What PostgreSQL says: the bot's journal beside the paper exchange's books, read through a port-forward."""

import asyncio
import base64
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

import asyncpg

from tests.cluster import binaries
from tests.cluster.kubectl import Kubectl
from tests.cluster.release import NAMESPACE


@dataclass(frozen=True, slots=True)
class Books:
    """Of one bot: what it wrote down and what the exchange did."""

    journal_fills: dict[int, tuple[str, str, int, int]]
    """By trade: client id, side, ticks, lots; as the journal has them."""
    exchange_fills: dict[int, tuple[str, str, int, int]]
    """The same as the exchange has them."""
    intended: set[str]
    """Client ids that the journal committed."""
    placed: list[tuple[str, str, int | None, str]]
    """The exchange's orders in the order of their numbers: client id, side, ticks, state."""
    epoch: int
    lot_size: Decimal

    @property
    def position(self) -> Decimal:
        """The sum of the exchange's fills, in base currency."""
        signs = {"BUY": 1, "SELL": -1}
        return self.lot_size * sum(signs[side.upper()] * lots for _, side, _, lots in self.exchange_fills.values())

    def assert_exactly_once(self) -> None:
        """Nothing was placed twice or without a commit, and no fill was lost, invented or counted twice."""
        ids = [client_id for client_id, *_ in self.placed]
        assert len(ids) == len(set(ids)), "a client id was placed twice"
        assert set(ids) <= self.intended, "an order was placed that the journal does not know"
        assert self.journal_fills == self.exchange_fills
        live = [(side, ticks) for _, side, ticks, state in self.placed if state.upper() in {"OPEN", "PARTIALLY_FILLED"}]
        assert len(live) == len(set(live)), "two live orders of one level"


@asynccontextmanager
async def database(kubectl: Kubectl, namespace: str = NAMESPACE) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to the trial PostgreSQL of the release, or to a test's own in `namespace`."""
    secret = kubectl.get("-n", namespace, "secret", "opensqt-journal")
    dsn = urlsplit(base64.b64decode(secret["data"]["dsn"]).decode())
    command = [
        binaries.tool("kubectl"), *kubectl.flags, "-n", namespace,
        "port-forward", "--address", "127.0.0.1", "service/opensqt-postgres", ":5432",
    ]  # fmt: skip
    forward = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert forward.stdout
        said = (await asyncio.wait_for(forward.stdout.readline(), 120)).decode()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        assert found, said
        connection = await asyncpg.connect(
            host="127.0.0.1", port=int(found[1]), user=dsn.username, password=dsn.password, database=dsn.path[1:]
        )
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        forward.terminate()
        await forward.wait()


async def journal(kubectl: Kubectl, bot_uid: str) -> tuple[set[str], list[tuple[str, str, int, int]]]:
    """The client ids that one bot's journal has committed, and its fills: trade, client id, ticks, lots."""
    async with database(kubectl) as connection:
        intended = await connection.fetch("SELECT client_id FROM opensqt.orders WHERE bot_uid = $1", bot_uid)
        booked = await connection.fetch(
            "SELECT trade_id, client_id, price, lots FROM opensqt.fills WHERE bot_uid = $1", bot_uid
        )
    return {row["client_id"] for row in intended}, [tuple(row) for row in booked]


async def read(kubectl: Kubectl, bot_uid: str, connector_uid: str, *, namespace: str = NAMESPACE) -> Books:
    """Both sides of one bot's books, from the PostgreSQL in `namespace`."""
    async with database(kubectl, namespace) as connection:
        epoch, symbol = await connection.fetchrow("SELECT epoch, symbol FROM opensqt.bots WHERE bot_uid = $1", bot_uid)
        account = await connection.fetchval("SELECT id FROM paper.accounts WHERE uid = $1", connector_uid)
        journal_fills = await connection.fetch(
            "SELECT trade_id, client_id, side, price, lots FROM opensqt.fills WHERE bot_uid = $1", bot_uid
        )
        intended = await connection.fetch("SELECT client_id FROM opensqt.orders WHERE bot_uid = $1", bot_uid)
        exchange_fills = await connection.fetch(
            "SELECT trade, client_id, side, price, lots FROM paper.fills WHERE account = $1 AND symbol = $2",
            account, symbol,
        )  # fmt: skip
        placed = await connection.fetch(
            "SELECT client_id, side, price, state FROM paper.orders WHERE account = $1 AND symbol = $2 ORDER BY number",
            account, symbol,
        )  # fmt: skip
        lot_size = await connection.fetchval(
            "SELECT lot_size FROM paper.markets WHERE account = $1 AND symbol = $2", account, symbol
        )
    return Books(
        journal_fills={int(row[0]): tuple(row)[1:] for row in journal_fills},
        exchange_fills={int(row[0]): tuple(row)[1:] for row in exchange_fills},
        intended={row["client_id"] for row in intended},
        placed=[tuple(row) for row in placed],
        epoch=epoch,
        lot_size=lot_size,
    )
