"""A bot's log: committed before anything is sent, by the newest instance alone, once."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import structlog

from opensqt.engine.events import Event
from opensqt.engine.replay import Decision
from opensqt.journal import statements
from opensqt.journal.errors import Fenced, JournalDiverged, JournalMisconfigured
from opensqt.journal.postgres import POINT_LOOKUPS, Connection, connect, migrate, redacted, typed_errors
from opensqt.journal.rows import Columns, columns_of, decision_of

log = structlog.get_logger(__name__)

SCHEMA = "opensqt"
MIGRATIONS = files("opensqt.journal") / "migrations"
SNAPSHOTS_KEPT = 3
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """The newest snapshot (or None) with the number of the last event in it (or 0), and all that came after it."""

    snapshot: dict[str, Any] | None
    snapshot_seq: int
    decisions: list[Decision]

    @property
    def events(self) -> list[Event]:
        return [decision.event for decision in self.decisions]


class Journal:
    """One instance of a bot. Calls are serialised; each may be repeated as it was after JournalUnreachable."""

    def __init__(self, dsn: str, bot_uid: str, application: str, timeout: float) -> None:
        self._dsn = dsn
        self._bot_uid = bot_uid
        self._application = application
        self._timeout = timeout
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self.epoch = 0
        """This instance's epoch: 1, 2, 3, …"""
        self.seq = 0
        """The sequence number of the last event that is committed; the first is 1."""

    @classmethod
    async def open(
        cls, dsn: str, *, bot_uid: str, namespace: str, name: str, symbol: str, timeout: float = 10.0
    ) -> "Journal":
        """Migrates the database and takes the bot's next epoch: from now on, no earlier instance can commit.

        `timeout` is in seconds, for each statement. Raises JournalUnreachable, JournalMisconfigured.
        """
        journal = cls(dsn, bot_uid, f"opensqt bot {namespace}/{name}", timeout)
        connection = await journal._connected()
        with journal._dropped_on_failure(), typed_errors(dsn):
            await migrate(connection, SCHEMA, MIGRATIONS)
            row = await connection.fetchrow(statements.TAKE_EPOCH, bot_uid, namespace, name, symbol)
        if row is None:
            await journal.close()
            raise JournalMisconfigured(f"the journal of bot {bot_uid} is of another symbol than {symbol}")
        journal.epoch, journal.seq = row["epoch"], row["last_seq"]
        log.info("journal.opened", bot_uid=bot_uid, epoch=journal.epoch, seq=journal.seq, database=redacted(dsn))
        return journal

    async def load(self, *, snapshot: bool = True) -> Recovered:
        """All that the log has: the newest snapshot and the events after it, or without `snapshot` the whole log.

        Raises JournalUnreachable, and JournalDiverged where the log has a gap.
        """
        async with self._lock:
            connection = await self._connected()
            with self._dropped_on_failure(), typed_errors(self._dsn):
                newest = await connection.fetchrow(statements.NEWEST_SNAPSHOT, self._bot_uid) if snapshot else None
                seq = newest["seq"] if newest else 0
                decisions: list[Decision] = []
                while rows := await connection.fetch(statements.EVENTS, self._bot_uid, seq + len(decisions), _PAGE):
                    if [row["seq"] - seq - len(decisions) for row in rows] != list(range(1, len(rows) + 1)):
                        break
                    decisions.extend(decision_of(row) for row in rows)
        if seq + len(decisions) != self.seq:
            raise JournalDiverged(
                f"the journal of bot {self._bot_uid} lacks some of the events {seq + 1} to {self.seq}"
            )
        return Recovered(json.loads(newest["snapshot"]) if newest else None, seq, decisions)

    async def append(self, decisions: Sequence[Decision]) -> None:
        """Commits events with their actions in one statement; none of these may be carried out before it returns.

        Raises Fenced, JournalDiverged, and JournalUnreachable: then the outcome is unknown and the same call must be
        made again; what turns out to be there already is not written twice.
        """
        async with self._lock:
            columns = columns_of(decisions)
            connection = await self._connected()
            with self._dropped_on_failure(), typed_errors(self._dsn):
                done = await connection.fetchval(statements.APPEND, self._bot_uid, self.epoch, self.seq, *columns)
                if not done:
                    await self._check_appended(connection, columns)
            self.seq += len(decisions)

    async def save_snapshot(self, seq: int, snapshot: dict[str, Any]) -> None:
        """Stores the engine's state after the committed event `seq`. The newest few are kept; events always are.

        Raises Fenced, JournalDiverged, JournalUnreachable.
        """
        if not 0 < seq <= self.seq:
            raise ValueError(f"no event {seq} is committed, the last is {self.seq}")
        async with self._lock:
            connection = await self._connected()
            with self._dropped_on_failure(), typed_errors(self._dsn):
                done = await connection.fetchval(
                    statements.SAVE_SNAPSHOT, self._bot_uid, self.epoch, seq, json.dumps(snapshot), SNAPSHOTS_KEPT - 1
                )
                if not done:
                    await self._check_in_charge(connection)
                    raise JournalDiverged(f"the journal of bot {self._bot_uid} has lost event {seq}")

    async def close(self) -> None:
        """Ends the connection. What is committed stays; a later call would connect again."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(Exception):
                    await connection.close(timeout=self._timeout)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(
                self._dsn, application=self._application, timeout=self._timeout, settings=POINT_LOOKUPS
            )
        return self._connection

    @contextmanager
    def _dropped_on_failure(self) -> Iterator[None]:
        """A connection that failed, or was given up in the middle of a statement, is never used again."""
        try:
            yield
        except BaseException:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.terminate()
            raise

    async def _check_in_charge(self, connection: Connection) -> int:
        """The last sequence number that the database has for this bot; raises Fenced."""
        bot = await connection.fetchrow(statements.BOT, self._bot_uid)
        if bot is None or bot["epoch"] < self.epoch:
            raise JournalDiverged(f"the journal has not had epoch {self.epoch} of bot {self._bot_uid}: it was put back")
        if bot["epoch"] > self.epoch:
            raise Fenced(f"epoch {bot['epoch']} of bot {self._bot_uid} has been taken, this instance is {self.epoch}")
        return int(bot["last_seq"])

    async def _check_appended(self, connection: Connection, appended: Columns) -> None:
        """Returns where the refused append is already in the log, from an earlier try whose answer was lost."""
        last_seq = await self._check_in_charge(connection)
        rows = await connection.fetch(statements.EVENTS, self._bot_uid, self.seq, None)
        there = [(row["epoch"], json.loads(row["event"]), json.loads(row["actions"] or "null")) for row in rows]
        texts = zip(json.loads(appended.events), json.loads(appended.actions), strict=True)
        if there != [(self.epoch, event, actions) for event, actions in texts]:
            raise JournalDiverged(
                f"the journal of bot {self._bot_uid} ends with event {last_seq}, this instance has committed {self.seq}"
            )
