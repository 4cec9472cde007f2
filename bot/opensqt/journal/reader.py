"""What the journal holds, for people and tables: read only, without taking an epoch."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import asyncpg

from opensqt.engine.replay import Decision
from opensqt.journal import statements
from opensqt.journal.errors import JournalMisconfigured
from opensqt.journal.postgres import Connection, connect, redacted, typed_errors
from opensqt.journal.rows import decision_of


@dataclass(frozen=True, slots=True)
class JournalledBot:
    """A bot that has ever run: its newest epoch, when that was taken, and its last event."""

    bot_uid: str
    namespace: str
    name: str
    symbol: str
    epoch: int
    last_seq: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class JournalledFill:
    """A trade: price in ticks, lots, fee in money, time in microseconds. `side` is None where the log does not say."""

    seq: int
    trade_id: str
    time: int
    client_id: str
    side: str | None
    price: int
    lots: int
    fee: int
    maker: bool


class JournalReader:
    """A connection of its own. Lists come in pages: ask on with the last item of the page before."""

    def __init__(self, dsn: str, connection: Connection) -> None:
        self._dsn = dsn
        self._connection = connection

    @classmethod
    async def open(cls, dsn: str) -> Self:
        """Raises JournalUnreachable, and JournalMisconfigured also where no bot has ever used the database."""
        connection = await connect(dsn, application="opensqt reader")
        reader = cls(dsn, connection)
        try:
            with typed_errors(dsn):
                await connection.execute("SET default_transaction_read_only = on")
                there = await connection.fetchval("SELECT to_regclass('opensqt.bots') IS NOT NULL")
        except BaseException:
            connection.terminate()
            raise
        if not there:
            await reader.close()
            raise JournalMisconfigured(f"{redacted(dsn)} holds no journal")
        return reader

    async def close(self) -> None:
        with typed_errors(self._dsn):
            await self._connection.close()

    async def bots(self) -> list[JournalledBot]:
        return [JournalledBot(**row) for row in await self._fetch(statements.BOTS)]

    async def fills(
        self, bot_uid: str, *, after: JournalledFill | None = None, limit: int = 500
    ) -> list[JournalledFill]:
        """In the order in which they were recorded."""
        return _fills(await self._fetch(statements.FILLS, bot_uid, after.seq if after else 0, limit))

    async def recent_fills(self, bot_uid: str, limit: int) -> list[JournalledFill]:
        """The last ones, oldest first."""
        return _fills(reversed(await self._fetch(statements.RECENT_FILLS, bot_uid, limit)))

    async def decisions(self, bot_uid: str, *, after_seq: int = 0, limit: int = 500) -> list[tuple[int, Decision]]:
        """The log with what the engine wanted, with sequence numbers. Raises UnreadableError."""
        rows = await self._fetch(statements.EVENTS, bot_uid, after_seq, limit)
        return [(row["seq"], decision_of(row)) for row in rows]

    async def snapshots(self, bot_uid: str) -> dict[int, dict[str, Any]]:
        """Those that are kept, by the number of the last event in them, oldest first."""
        return {row["seq"]: json.loads(row["snapshot"]) for row in await self._fetch(statements.SNAPSHOTS, bot_uid)}

    async def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        try:
            with typed_errors(self._dsn):
                return list(await self._connection.fetch(statement, *arguments))
        except asyncpg.UndefinedColumnError as error:
            raise JournalMisconfigured(
                f"{redacted(self._dsn)} has the journal of an older release, which a bot's next start migrates: {error}"
            ) from error


def _fills(rows: Iterable[Any]) -> list[JournalledFill]:
    return [JournalledFill(**{**row, "fee": int(row["fee"])}) for row in rows]
