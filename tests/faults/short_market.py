"""A short market, the same each time: what an undisturbed bot has after each move is what every bot must have."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.engine.actions import Place
from opensqt.engine.replay import Decision
from opensqt.journal.errors import JournalUnreachable
from opensqt.journal.reader import JournalReader
from tests.faults.watched_venue import WatchedVenue
from tests.runtime.harness import PATIENCE, UID

Snapshot = Callable[[], Any]
"""A coroutine function: the bot's GetSnapshotResponse, None where it does not answer."""
Move = Callable[[WatchedVenue], None]

MOVES: tuple[Move, ...] = (
    lambda _: None,  # the first entries
    lambda venue: venue.move("39850"),  # an entry fills: an exit, another entry
    lambda venue: venue.fill_part("39800", "0.002"),  # in part
    lambda venue: venue.move("39990"),  # the window moves up: cancels, one of an entry with a part
    lambda venue: venue.move("40120"),  # exits fill
    lambda venue: venue.move("39870"),  # down again, through two levels
)
LENGTHS = {"short": 4, "whole": len(MOVES)}
"""How many of the moves a market has; tests of the whole one are for `make crash`."""
BOTH_LENGTHS = ["short", pytest.param("whole", marks=pytest.mark.exhaustive)]
RESTING = {"OPEN", "PARTIALLY_FILLED", "NOT_PLACED"}
SPEC: dict[str, Any] = {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 2, "sellWindow": 3}}


@dataclass(frozen=True)
class Stage:
    """What the exchange and the bot have once a move's consequences are through."""

    open_orders: list[tuple[str, str, str, str]]
    position: str
    fills: int
    slots: list[tuple[str, ...]]


def slots_of(snapshot: pb.GetSnapshotResponse) -> list[tuple[str, ...]]:
    """Side, entry price, position, held quantity and order of each slot that has any."""
    used = (slot for slot in snapshot.slots if slot.held != "0" or slot.order != "NOT_PLACED")
    return sorted((slot.side, slot.price, slot.position, slot.held, slot.order) for slot in used)


def stage_of(venue: WatchedVenue, snapshot: pb.GetSnapshotResponse) -> Stage:
    return Stage(venue.open_now(), snapshot.status.position, snapshot.status.fills, slots_of(snapshot))


async def record(venue: WatchedVenue, snapshot: Snapshot, moves: tuple[Move, ...] = MOVES) -> list[Stage]:
    """The stages of an undisturbed bot: after each move, what does not change any more."""
    stages = []
    for move in moves:
        move(venue)
        last, same = None, 0
        async with asyncio.timeout(PATIENCE):
            while same < 25:
                venue.tick()
                await asyncio.sleep(0.02)
                answer = await snapshot()
                now = stage_of(venue, answer) if answer is not None and answer.slots else None
                settled = now is not None and all(slot[-1] in RESTING for slot in now.slots)
                same = same + 1 if settled and now == last else 0
                last = now
        assert last is not None
        stages.append(last)
    return stages


async def settle(venue: WatchedVenue, snapshot: Snapshot, expected: Stage, *, seconds: float = PATIENCE) -> None:
    """Lets the market's time pass until exchange and bot have what they must have; fails with the difference."""
    now: Stage | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                venue.tick()
                answer = await snapshot()
                if answer is not None:
                    now = stage_of(venue, answer)
                    if now == expected:
                        return
                await asyncio.sleep(0.01)
    except TimeoutError:
        pass
    raise AssertionError(f"never settled:\n has {now}\nmust {expected}\nbreaches {venue.breaches}")


async def forget_all(dsn: str) -> None:
    """Another bot may start from nothing in this database."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("DROP SCHEMA IF EXISTS opensqt, paper CASCADE")
    finally:
        await connection.close()


async def check_books(venue: WatchedVenue, dsn: str) -> None:
    """No order twice, no fill lost or counted twice: exchange and journal have the same."""
    assert not venue.breaches, venue.breaches
    assert not venue.sold_short(), venue.trades
    assert len(set(venue.accepted)) == len(venue.accepted), venue.accepted
    traded = sorted(trade.trade_id for trade in venue.trades)
    counted: list[str] | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):  # the bot may have said what it is about to commit
            while counted != traded:
                placed = set(venue.placements)
                with suppress(JournalUnreachable):
                    counted, committed = await journalled(dsn)
                await asyncio.sleep(0.02)
    assert counted == traded, f"the journal has {counted}, the exchange {traded}"
    uncommitted = placed - committed
    assert not uncommitted, f"no commit, no order: {uncommitted}"


async def journalled(dsn: str) -> tuple[list[str], set[str]]:
    """The ids of trades, once each, and of the orders that the log has."""
    reader = await JournalReader.open(dsn)
    try:
        fills, log = await reader.fills(UID), await reader.decisions(UID, limit=100_000)
    finally:
        await reader.close()
    return sorted(fill.trade_id for fill in fills), orders_of(log)


def orders_of(log: Iterable[tuple[int, Decision]]) -> set[str]:
    """The client ids of all that was to be placed."""
    actions = (action for _, decision in log for action in decision.actions or ())
    return {action.client_id for action in actions if isinstance(action, Place)}
