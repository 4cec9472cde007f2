"""An append whose answer is lost is repeated, and is there once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from opensqt.engine.events import Event
from opensqt.journal.errors import Fenced, JournalDiverged, JournalUnreachable
from opensqt.journal.journal import Journal
from opensqt.journal.postgres import Connection
from tests.journal.conftest import SESSIONS, OpenJournal, append_blocked, eventually, waiting
from tests.journal.proxy import LossyProxy, lossy
from tests.journal.sample import decided, fill, place, price

Lossy = tuple[LossyProxy, str]


@pytest_asyncio.fixture
async def through(postgres_dsn: str) -> AsyncIterator[Lossy]:
    """A proxy and the DSN that leads through it; its folder has a short name, as sockets must."""
    with TemporaryDirectory(prefix="opensqt-") as folder:
        async with lossy(postgres_dsn, Path(folder)) as proxy_and_dsn:
            yield proxy_and_dsn


async def _everything(sql: Connection) -> tuple[list[int], set[str], set[int]]:
    """Sequence numbers, client ids, and how often orders were placed."""
    seqs = [row["seq"] for row in await sql.fetch("SELECT seq FROM opensqt.events ORDER BY seq")]
    orders = await sql.fetch("SELECT client_id, placements FROM opensqt.orders")
    return seqs, {row["client_id"] for row in orders}, {row["placements"] for row in orders}


async def _repeated(journal: Journal, events: list[Event], client_id: str) -> int:
    """How often the append had to be made."""
    tries = 1
    while True:
        try:
            await journal.append(decided(events, [place(client_id)]))
        except JournalUnreachable:
            tries += 1
        else:
            return tries


async def test_an_append_is_one_round_trip(open_journal: OpenJournal, through: Lossy) -> None:
    proxy, dsn = through
    journal = await open_journal(dsn)
    # Which prepares the statement.
    await journal.append(decided([price(1), fill("o1", "t1")], [place("o1"), place("o2")]))
    for number in (2, 3):
        proxy.arm()
        await journal.append(decided([price(number), fill("o1", f"t{number}")], [place("o1"), place("o2")]))
        assert proxy.requests == 1


@pytest.mark.parametrize("direction", ["request", "answer"])
async def test_the_connection_may_break_at_any_byte(
    open_journal: OpenJournal, through: Lossy, sql: Connection, direction: str
) -> None:
    proxy, dsn = through
    journal = await open_journal(dsn)
    await journal.append(decided([price(1000)], [place("o1000")]))  # which prepares the statement
    proxy.arm()
    await journal.append(decided([price(1001)], [place("o1001")]))
    length, step = (proxy.sent, 37) if direction == "request" else (proxy.answered, 1)
    cuts = range(0, length, step)
    for number, cut in enumerate(cuts, 1002):
        proxy.arm(**{"may_send" if direction == "request" else "may_answer": cut})
        with pytest.raises(JournalUnreachable):
            await journal.append(decided([price(number)], [place(f"o{number}")]))
        proxy.arm()
        assert await _repeated(journal, [price(number)], f"o{number}") == 1
    last = 1001 + len(cuts)
    seqs, orders, placements = await _everything(sql)
    assert seqs == list(range(1, len(cuts) + 3))
    assert orders == {f"o{number}" for number in range(1000, last + 1)}
    assert placements == {1}
    assert (await journal.load()).events == [price(number) for number in range(1000, last + 1)]


async def test_a_server_that_ends_the_connection_between_appends(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    for number in range(5):
        await sql.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}")
        assert await _repeated(journal, [price(number)], f"o{number}") <= 2
    assert await _everything(sql) == ([1, 2, 3, 4, 5], {f"o{number}" for number in range(5)}, {1})


async def test_a_server_that_ends_the_connection_in_the_middle(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    async with append_blocked(sql):
        append = asyncio.create_task(journal.append(decided([price(1)], [place("o1")])))
        await eventually(sql, waiting(1))
        await sql.execute(f"SELECT pg_terminate_backend(pid) {SESSIONS}")
        with pytest.raises(JournalUnreachable):
            await append
    assert await _repeated(journal, [price(1)], "o1") == 1
    assert await _everything(sql) == ([1], {"o1"}, {1})


async def test_a_server_that_does_not_answer_in_time(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal(timeout=2.0)
    async with append_blocked(sql):
        with pytest.raises(JournalUnreachable, match="TimeoutError"):
            await journal.append(decided([price(1)], [place("o1")]))
    await _repeated(journal, [price(1)], "o1")
    assert await _everything(sql) == ([1], {"o1"}, {1})


async def test_a_cancelled_append_may_be_repeated(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    async with append_blocked(sql):
        append = asyncio.create_task(journal.append(decided([price(1)], [place("o1")])))
        await eventually(sql, waiting(1))
        append.cancel()
        with pytest.raises(asyncio.CancelledError):
            await append
    assert await _repeated(journal, [price(1)], "o1") == 1
    assert await _everything(sql) == ([1], {"o1"}, {1})


@pytest.mark.parametrize("repeated_first", [True, False])
async def test_an_append_that_arrives_late_changes_nothing(
    open_journal: OpenJournal, through: Lossy, sql: Connection, repeated_first: bool
) -> None:
    """Held back on its way, given up, and then delivered: before or after another instance has started."""
    proxy, dsn = through
    journal = await open_journal(dsn, timeout=2.0)
    held = await sql.fetchval(f"SELECT pid {SESSIONS}")
    proxy.released.clear()
    with pytest.raises(JournalUnreachable):
        await journal.append(decided([price(1)], [place("o1")]))
    other = await open_journal()
    if repeated_first:
        await other.append(decided([price(2)], [place("o2")]))
    proxy.released.set()
    await eventually(sql, f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {held}")  # noqa: S608
    expected = ([1], {"o2"}, {1}) if repeated_first else ([], set(), set())
    assert await _everything(sql) == expected
    with pytest.raises(Fenced):
        await _repeated(journal, [price(1)], "o1")


async def test_other_events_than_those_in_doubt_are_refused(
    open_journal: OpenJournal, through: Lossy, sql: Connection
) -> None:
    proxy, dsn = through
    journal = await open_journal(dsn)
    await journal.append(decided([price(0)], [place("o0")]))  # which prepares the statement
    proxy.arm(may_answer=0)
    with pytest.raises(JournalUnreachable):
        await journal.append(decided([price(1)], [place("o1")]))
    proxy.arm()
    for events in ([price(2)], [price(1), price(2)]):
        with pytest.raises(JournalDiverged):
            await journal.append(decided(events, [place("o2")]))
    assert await _everything(sql) == ([1, 2], {"o0", "o1"}, {1})
    await journal.append(decided([price(1)], [place("o1")]))


async def test_a_snapshot_may_be_repeated(open_journal: OpenJournal, through: Lossy) -> None:
    proxy, dsn = through
    journal = await open_journal(dsn)
    await journal.append(decided([price(1)]))
    proxy.arm(may_answer=0)
    with pytest.raises(JournalUnreachable):
        await journal.save_snapshot(1, {"a": 1})
    proxy.arm()
    await journal.save_snapshot(1, {"a": 1})
    assert (await journal.load()).snapshot == {"a": 1}
