"""What is appended is loaded by any later instance: all of it, once, in order."""

import asyncio

import pytest

from opensqt.engine.actions import Cancel, LookUp, Notify, OrderSide, Place, Severity, TimeInForce
from opensqt.engine.events import Event, FeedChanged, OrderNotFound, OrderState, PlaceFailed, Remedy, Started
from opensqt.engine.replay import Decision
from opensqt.journal import journal as journal_module
from opensqt.journal.errors import JournalDiverged, JournalMisconfigured
from opensqt.journal.postgres import Connection
from opensqt.journal.reader import JournalledFill, JournalReader
from tests.journal.conftest import OpenJournal, eventually
from tests.journal.sample import IDENTITY, decided, fill, place, price, report

BOT = IDENTITY["bot_uid"]
ORDERS = """
SELECT client_id, side, price, lots, reduce_only, time_in_force, first_seq, last_seq, placements, status, filled
FROM opensqt.orders WHERE bot_uid = $1
"""


async def test_each_start_takes_the_next_epoch(open_journal: OpenJournal) -> None:
    assert [(await open_journal()).epoch for _ in range(3)] == [1, 2, 3]


async def test_starts_at_the_same_time_take_different_epochs(open_journal: OpenJournal) -> None:
    journals = await asyncio.gather(*(open_journal() for _ in range(8)))
    assert sorted(journal.epoch for journal in journals) == list(range(1, 9))


async def test_a_new_bot_has_nothing(open_journal: OpenJournal) -> None:
    recovered = await (await open_journal()).load()
    assert (recovered.snapshot, recovered.snapshot_seq, recovered.events) == (None, 0, [])


async def test_events_come_back_as_they_were(open_journal: OpenJournal) -> None:
    odd = "quote ' backslash \\ NUL \0 half a pair \ud800 emoji \N{GRINNING FACE}"
    events: list[Event] = [
        Started(time=1, epoch=1),
        FeedChanged(time=2, feed="price", healthy=False, message=odd),
        PlaceFailed(time=3, client_id="o1", remedy=Remedy.BACK_OFF, message=odd, retry_at=2**60),
        fill("o1", "t1"),
    ]
    first = await open_journal()
    await first.append(decided(events[:3], [Notify(Severity.WARNING, "Odd", odd)]))
    await first.append(decided(events[3:]))
    assert first.seq == 4
    assert (await (await open_journal()).load()).events == events


async def test_what_was_decided_comes_back_with_its_event(open_journal: OpenJournal, postgres_dsn: str) -> None:
    first = Decision(price(1), [Notify(Severity.NORMAL, "Anchored", "NUL \0"), place("o1"), place("o2")])
    decisions = [first, Decision(price(2), []), Decision(report("o1", OrderState.OPEN), [Cancel("o1"), LookUp("o2")])]
    journal = await open_journal()
    await journal.append(decisions[:2])
    await journal.append(decisions[2:])
    assert (await (await open_journal()).load()).decisions == decisions
    reader = await JournalReader.open(postgres_dsn)
    assert await reader.decisions(BOT, after_seq=1) == [(2, decisions[1]), (3, decisions[2])]
    await reader.close()


async def test_a_log_from_before_decisions_were_kept_is_read(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1)], [place("o1")]))
    await sql.execute("UPDATE opensqt.events SET actions = NULL")
    assert (await (await open_journal()).load()).decisions == [Decision(price(1), None)]


async def test_a_long_log_is_loaded_whole(open_journal: OpenJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_PAGE", 4)
    journal = await open_journal()
    events: list[Event] = [price(time) for time in range(12)]
    await journal.append(decided(events))
    assert (await journal.load()).events == events


async def test_bots_do_not_see_each_other(open_journal: OpenJournal) -> None:
    one, other = await open_journal(), await open_journal(bot_uid="uid-2", name="other")
    await one.append(decided([price(1)], [place("o1")]))
    await other.append(decided([price(2), price(3)], [place("o1")]))
    assert (await one.load()).events == [price(1)]
    assert (await other.load()).events == [price(2), price(3)]


async def test_a_bot_keeps_its_symbol(open_journal: OpenJournal) -> None:
    await open_journal()
    with pytest.raises(JournalMisconfigured, match="another symbol than ETH"):
        await open_journal(symbol="ETH/USDT:USDT")


async def test_intents_are_there_before_any_word_of_the_exchange(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    market = Place("o2", OrderSide.SELL, None, 3, reduce_only=True, time_in_force=TimeInForce.IOC)
    await journal.append(decided([price(1), price(2)], [place("o1"), market, Cancel("o0")]))
    first, second = await sql.fetch(f"{ORDERS} ORDER BY client_id", BOT)
    assert tuple(first) == ("o1", "Buy", 400_000, 5, False, "PostOnly", 2, 2, 1, "Intended", 0)
    assert tuple(second) == ("o2", "Sell", None, 3, True, "IOC", 2, 2, 1, "Intended", 0)


@pytest.mark.parametrize(
    ("told", "status", "filled"),
    [
        ([report("o1", OrderState.OPEN)], "Open", 0),
        ([report("o1", OrderState.OPEN, filled=2), report("o1", OrderState.CANCELLED, filled=1)], "Cancelled", 2),
        ([report("o1", OrderState.FILLED, filled=5), report("o1", OrderState.OPEN, filled=3)], "Filled", 5),
        ([OrderNotFound(time=9, client_id="o1")], "NotFound", 0),
        ([PlaceFailed(time=9, client_id="o1", remedy=Remedy.FIX_REQUEST, message="")], "PlaceFailed", 0),
        ([OrderNotFound(time=9, client_id="o1"), report("o1", OrderState.OPEN)], "Open", 0),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_an_order_shows_the_furthest_that_is_known(
    open_journal: OpenJournal, sql: Connection, told: list[Event], status: str, filled: int, together: bool
) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1)], [place("o1")]))
    for events in [told] if together else [[event] for event in told]:
        await journal.append(decided(events))
    (order,) = await sql.fetch(ORDERS, BOT)
    assert (order["status"], order["filled"], order["placements"]) == (status, filled, 1)


async def test_an_order_that_never_arrived_is_placed_again_as_the_same_order(
    open_journal: OpenJournal, sql: Connection
) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1)], [place("o1")]))
    await journal.append(decided([OrderNotFound(time=9, client_id="o1")], [place("o1")]))
    (order,) = await sql.fetch(ORDERS, BOT)
    assert (order["status"], order["placements"], order["first_seq"], order["last_seq"]) == ("Intended", 2, 1, 2)


async def test_a_fill_counts_once_however_often_it_is_told(open_journal: OpenJournal, postgres_dsn: str) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1)], [place("o1")]))
    await journal.append(decided([fill("o1", "t1", lots=2), fill("o1", "t1", lots=2)]))
    await journal.append(decided([fill("o1", "t1", lots=2), fill("o1", "t2", lots=3)]))
    later = await open_journal()
    await later.append(decided([fill("o1", "t2", lots=3)]))
    reader = await JournalReader.open(postgres_dsn)
    fills = await reader.fills(BOT)
    await reader.close()
    assert [(each.trade_id, each.lots, each.fee, each.side) for each in fills] == [
        ("t1", 2, -12, "Buy"),
        ("t2", 3, -12, "Buy"),
    ]


async def test_readers_turn_pages(open_journal: OpenJournal, postgres_dsn: str) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1), *(fill("o1", f"t{number}") for number in range(7))]))
    reader = await JournalReader.open(postgres_dsn)
    fills: list[JournalledFill] = []
    while page := await reader.fills(BOT, after=fills[-1] if fills else None, limit=3):
        assert len(page) <= 3
        fills += page
    log = await reader.decisions(BOT, after_seq=6, limit=10)
    first = await reader.decisions(BOT, limit=2)
    recent = await reader.recent_fills(BOT, 2)
    (bot,) = await reader.bots()
    await reader.close()
    assert [each.trade_id for each in fills] == [f"t{number}" for number in range(7)]
    assert recent == fills[-2:]
    assert [(seq, decision.event) for seq, decision in log] == [(7, fill("o1", "t5")), (8, fill("o1", "t6"))]
    assert [seq for seq, _ in first] == [1, 2]
    assert (bot.name, bot.epoch, bot.last_seq) == (IDENTITY["name"], 1, 8)


async def test_a_reader_says_that_there_is_no_journal(postgres_dsn: str) -> None:
    with pytest.raises(JournalMisconfigured, match="holds no journal"):
        await JournalReader.open(postgres_dsn)


async def test_recovery_starts_at_the_newest_snapshot(open_journal: OpenJournal) -> None:
    journal = await open_journal()
    for time in range(6):
        await journal.append(decided([price(time)]))
        await journal.save_snapshot(journal.seq, {"time": time, "text": "\0"})
    await journal.append(decided([price(6)]))
    later = await open_journal()
    recovered = await later.load()
    assert (recovered.snapshot, recovered.snapshot_seq) == ({"time": 5, "text": "\0"}, 6)
    assert recovered.events == [price(6)]
    assert (await later.load(snapshot=False)).events == [price(time) for time in range(7)]


async def test_few_snapshots_are_kept_and_all_events(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    for time in range(6):
        await journal.append(decided([price(time)]))
        await journal.save_snapshot(journal.seq, {"time": time})
        await journal.save_snapshot(journal.seq, {"time": time, "again": True})
    assert [row["seq"] for row in await sql.fetch("SELECT seq FROM opensqt.snapshots ORDER BY seq")] == [4, 5, 6]
    assert await sql.fetchval("SELECT count(*) FROM opensqt.events") == 6


async def test_no_snapshot_is_ahead_of_the_log(open_journal: OpenJournal) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1)]))
    for seq in (0, 2):
        with pytest.raises(ValueError, match="no event"):
            await journal.save_snapshot(seq, {})


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_log_with_a_hole_is_refused(open_journal: OpenJournal, sql: Connection, lost: int) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1), price(2), price(3)]))
    await sql.execute("DELETE FROM opensqt.events WHERE seq = $1", lost)
    with pytest.raises(JournalDiverged, match="lacks some of the events 1 to 3"):
        await (await open_journal()).load()


async def test_calls_from_many_tasks_are_put_in_order(open_journal: OpenJournal) -> None:
    journal = await open_journal()
    await asyncio.gather(*(journal.append(decided([price(time)], [place(f"o{time}")])) for time in range(20)))
    assert sorted(event.time for event in (await journal.load()).events) == list(range(20))


async def test_an_append_finds_its_rows_by_key_also_in_tables_that_were_never_analysed(
    open_journal: OpenJournal, sql: Connection
) -> None:
    """The planner takes a young table for a small one, and would read it whole at each append."""
    journal = await open_journal()
    for table in ("bots", "events"):
        await sql.execute(f"ALTER TABLE opensqt.{table} SET (autovacuum_enabled = off)")
    appends, batch = 60, 20
    for number in range(appends):
        ids = [f"o{number}-{each}" for each in range(batch)]
        events = [report(client_id, OrderState.OPEN) for client_id in ids]
        fills = [fill(client_id, f"t{client_id}") for client_id in ids]
        await journal.append(decided([*events, *fills], [place(client_id) for client_id in ids]))
    await journal.close()  # hands in its statistics
    await eventually(sql, "SELECT n_tup_ins = 2400 FROM pg_stat_user_tables WHERE relname = 'events'")
    read = await sql.fetchval("SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables")
    assert read <= 5 * appends
