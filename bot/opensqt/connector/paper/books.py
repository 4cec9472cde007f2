"""The paper exchange's books in PostgreSQL: everything that an exchange must not forget when it dies.

One account a connector. Taking it takes the next epoch, after which no earlier instance can commit; each commit is one
statement and has a number, so that one whose answer was lost is never made twice.
"""

import asyncio
import zlib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any

import structlog

from opensqt.connector.metrics import COMMIT_SECONDS
from opensqt.connector.paper import statements
from opensqt.connector.paper.account import Holding
from opensqt.connector.paper.funding import PaperFunding
from opensqt.connector.paper.instrument import Instrument
from opensqt.connector.paper.matching import Changes, Matching
from opensqt.connector.paper.orders import PaperFill, PaperOrder
from opensqt.connector.paper.seen import SeenIds
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState
from opensqt.journal.errors import JournalDiverged, JournalMisconfigured
from opensqt.journal.postgres import Connection, connect, migrate, typed_errors

log = structlog.get_logger(__name__)

SCHEMA = "paper"
APPLICATION = "opensqt-paper-exchange"


_TRADES_OF_AN_ACCOUNT = 10**9


def trades_before(uid: str) -> int:
    """Where an account begins to count its trades: a connector made anew must not use ids that bots know already."""
    return zlib.crc32(uid.encode()) * _TRADES_OF_AN_ACCOUNT


class SupersededError(Exception):
    """Another instance of this connector has taken the books: this one may commit nothing more."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit writes, as it was when it was taken: later changes do not reach it."""

    account: tuple[Any, ...]
    markets: statements.Columns
    placed: statements.Columns
    changed: statements.Columns
    fills: statements.Columns
    funding: statements.Columns = ()

    durable: bool = True
    """False where it holds nothing but the markets' places."""


def commit_of(matching: Matching, changes: Changes, places: dict[str, int]) -> Commit:
    """The rows of `changes`; `places` are the times of the markets' last prices, of all that have moved."""
    holdings = matching.account.holdings
    moved = [(holdings[symbol], time_us) for symbol, time_us in places.items()]
    return Commit(
        account=(matching.step, matching.time_us, Decimal(matching.account.balance), matching.orders, matching.trades),
        markets=statements.market_rows(moved),
        placed=statements.placed_rows(changes.placed.values()),
        changed=statements.changed_rows(changes.changed.values()),
        fills=statements.fill_rows(changes.fills),
        funding=statements.funding_rows(changes.funding),
        durable=bool(changes.placed or changes.changed or changes.fills or changes.funding or changes.traded),
    )


class Books:
    """A connector's account. Calls raise JournalUnreachable and JournalMisconfigured; any may be repeated."""

    def __init__(self, dsn: str, uid: str) -> None:
        self._dsn = dsn
        self._uid = uid
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self._reading = asyncio.Lock()
        self._account = 0
        self._epoch = 0
        self._sequence = 0

    async def close(self) -> None:
        for connection in (self._writer, self._reader):
            if connection is not None:
                await connection.close(timeout=2)

    async def take(self, matching: Matching, seen: SeenIds) -> dict[str, int]:
        """Takes the account over, puts what it holds into `matching` and `seen`; returns each market's place (µs).

        Raises JournalMisconfigured where a market's tick or lot size is another one than that of its books.
        """
        connection = await self._connection_to_write()
        with typed_errors(self._dsn):
            await migrate(connection, SCHEMA, resources.files("opensqt.connector.paper") / "migrations")
            row = await connection.fetchrow(
                statements.TAKE, self._uid, Decimal(matching.account.balance), trades_before(self._uid)
            )
            assert row is not None  # noqa: S101 - the statement returns a row in either case
            self._account, self._epoch, self._sequence = row["id"], row["epoch"], row["sequence"]
            matching.account.balance = int(row["balance"])
            matching.step, matching.time_us = row["step"], row["time_us"]
            matching.orders, matching.trades = row["orders"], row["trades"]
            places = await self._take_markets(connection, matching)
            await self._take_orders(connection, matching, seen)
        log.info(
            "books_taken", uid=self._uid, epoch=self._epoch, open_orders=len(matching.open), orders=matching.orders
        )
        return places

    async def commit(self, commit: Commit) -> None:
        """Makes the commit durable; after an error that says nothing of the outcome, the same one may be given again.

        Raises SupersededError, and JournalDiverged where the books are not what this instance left.
        """
        if not commit.durable:
            await self._commit_places(commit)
            return
        connection = await self._connection_to_write()
        query, arguments = statements.commit(self._account, self._epoch, self._sequence + 1, commit)
        with COMMIT_SECONDS.time(), typed_errors(self._dsn):
            done = await connection.fetchval(query, *arguments)
            if not done:
                await self._explain(connection, self._sequence + 1)
        self._sequence += 1

    async def _commit_places(self, commit: Commit) -> None:
        """Without waiting for the disk: a place survives our own death and, but for its last moments, PostgreSQL's."""
        async with self._reading:
            connection = await self._connection_to_read()
            query, arguments = statements.place(self._account, self._epoch, self._sequence, commit)
            with COMMIT_SECONDS.time(), typed_errors(self._dsn):
                if not await connection.fetchval(query, *arguments):
                    await self._explain(connection, self._sequence)

    async def order(
        self, symbol: str, client_id: str, instrument: Instrument
    ) -> tuple[PaperOrder, list[PaperFill]] | None:
        """An order with its fills, whatever became of it."""
        async with self._reading:
            connection = await self._connection_to_read()
            with typed_errors(self._dsn):
                row = await connection.fetchrow(statements.ORDER, self._account, client_id, symbol)
                if row is None:
                    return None
                fills = await connection.fetch(statements.FILLS_OF_ORDER, self._account, client_id)
        return _order(row, instrument), [_fill(fill, instrument) for fill in fills]

    async def known(self, client_ids: list[str]) -> set[str]:
        """Those of the client ids that have ever been used."""
        async with self._reading:
            connection = await self._connection_to_read()
            with typed_errors(self._dsn):
                rows = await connection.fetch(statements.KNOWN, self._account, client_ids)
        return {row["client_id"] for row in rows}

    async def fills(self, instrument: Instrument, since_us: int) -> list[PaperFill]:
        """All fills of a market from a time on, oldest first."""
        async with self._reading:
            connection = await self._connection_to_read()
            with typed_errors(self._dsn):
                rows = await connection.fetch(statements.FILLS_SINCE, self._account, instrument.symbol, since_us)
        return [_fill(row, instrument) for row in rows]

    async def funding(self, instrument: Instrument, since_us: int) -> list[PaperFunding]:
        """All funding of a market from a time on, oldest first."""
        async with self._reading:
            connection = await self._connection_to_read()
            with typed_errors(self._dsn):
                rows = await connection.fetch(statements.FUNDING_SINCE, self._account, instrument.symbol, since_us)
        return [_funding(row, instrument) for row in rows]

    async def filled_after(
        self, instrument: Instrument, prefix: str, step: int
    ) -> tuple[list[PaperOrder], list[PaperFill]]:
        """What has filled after a step, of the client ids that start with `prefix`."""
        async with self._reading:
            connection = await self._connection_to_read()
            with typed_errors(self._dsn):
                fills = await connection.fetch(
                    statements.FILLS_AFTER_STEP, self._account, instrument.symbol, step, prefix
                )
                ids = [row["client_id"] for row in fills]
                orders = await connection.fetch(statements.ORDERS, self._account, ids)
        return [_order(row, instrument) for row in orders], [_fill(row, instrument) for row in fills]

    async def _take_markets(self, connection: Connection, matching: Matching) -> dict[str, int]:
        places: dict[str, int] = {}
        for holding in matching.account.holdings.values():
            instrument = holding.instrument
            row = await connection.fetchrow(
                statements.TAKE_MARKET, self._account, instrument.symbol, instrument.tick_size, instrument.lot_size
            )
            assert row is not None  # noqa: S101 - the statement returns a row in either case
            _check_units(row["tick_size"], instrument.tick_size, instrument, "tickSize")
            _check_units(row["lot_size"], instrument.lot_size, instrument, "lotSize")
            _restore(holding, row)
            places[instrument.symbol] = row["time_us"]
        return places

    async def _take_orders(self, connection: Connection, matching: Matching, seen: SeenIds) -> None:
        holdings = matching.account.holdings
        async with connection.transaction(readonly=True):
            async for row in connection.cursor(statements.ALL_IDS, self._account, prefetch=5000):
                seen.add(row["client_id"])
            for row in await connection.fetch(statements.OPEN_ORDERS, self._account):
                holding = holdings.get(row["symbol"])
                if holding is None:
                    log.warning("order_of_a_market_not_in_the_spec", client_id=row["client_id"], symbol=row["symbol"])
                else:
                    matching.restore(_order(row, holding.instrument))

    async def _explain(self, connection: Connection, expected: int) -> None:
        """Returns where the commit `expected` had been made already."""
        row = await connection.fetchrow(statements.ACCOUNT, self._account)
        if row is None or row["epoch"] < self._epoch:
            raise JournalDiverged("the paper exchange's books have gone back to an earlier state")
        if row["epoch"] > self._epoch:
            raise SupersededError("another instance of this connector has taken over the paper exchange's books")
        if row["sequence"] != expected:
            raise JournalDiverged(f"the books are at commit {row['sequence']}, not at {expected}")

    async def _connection_to_write(self) -> Connection:
        if self._writer is None or self._writer.is_closed():
            self._writer = await connect(self._dsn, application=APPLICATION)
        return self._writer

    async def _connection_to_read(self) -> Connection:
        if self._reader is None or self._reader.is_closed():
            self._reader = await connect(self._dsn, application=APPLICATION)
            with typed_errors(self._dsn):
                await self._reader.execute("SET synchronous_commit TO off")
        return self._reader


def _check_units(kept: Decimal, wanted: Decimal, instrument: Instrument, name: str) -> None:
    if kept != wanted:
        raise JournalMisconfigured(
            f"{instrument.symbol}: {name} was {kept.normalize():f} when its books were opened and cannot become "
            f"{wanted:f}: set it back, or create another ExchangeConnector"
        )


def _restore(holding: Holding, row: Any) -> None:
    holding.last, holding.lots, holding.cost = row["last"], row["lots"], int(row["cost"])
    holding.dust, holding.depth = row["dust"], row["depth"]
    holding.leverage, holding.time_us = row["leverage"], row["time_us"]
    holding.recount()


def _order(row: Any, instrument: Instrument) -> PaperOrder:
    return PaperOrder(
        instrument=instrument,
        client_id=row["client_id"],
        number=row["number"],
        side=OrderSide(row["side"]),
        price=row["price"],
        lots=row["lots"],
        filled=row["filled"],
        state=OrderState(row["state"]),
        reduce_only=row["reduce_only"],
        time_in_force=TimeInForce(row["time_in_force"]),
        time_us=row["time_us"],
        step=row["step"],
        reason=row["reason"],
    )


def _funding(row: Any, instrument: Instrument) -> PaperFunding:
    return PaperFunding(instrument, row["due_us"], row["lots"], row["price"], int(row["amount"]), row["step"])


def _fill(row: Any, instrument: Instrument) -> PaperFill:
    return PaperFill(
        instrument=instrument,
        client_id=row["client_id"],
        trade=row["trade"],
        side=OrderSide(row["side"]),
        price=row["price"],
        lots=row["lots"],
        fee=int(row["fee"]),
        maker=row["maker"],
        time_us=row["time_us"],
        step=row["step"],
        taken=int(row["taken"]),
    )
