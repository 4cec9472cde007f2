"""The simulated exchange's book beside the bots' journals."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from opensqt.engine.client_id import parse
from tests.soak.fleet import KeptBot
from tests.venues.server import Face

LATE_SECONDS = 120.0
"""A fill that the journal does not have after so long is missed."""
_FILLS = """
SELECT bot_uid, trade_id, client_id, price, lots, fills.time, extract(epoch FROM recorded_at) * 1000 AS recorded_ms
FROM opensqt.fills JOIN opensqt.events USING (bot_uid, seq)
"""
Booked = tuple[str, Decimal, Decimal]
"""Client id, price, quantity in base currency."""


@dataclass(frozen=True)
class JournalFill:
    """`lag` is seconds from the trade to its commit."""

    bot_uid: str
    trade_id: str
    client_id: str
    price: int
    lots: int
    time_ms: float
    lag: float


@dataclass(frozen=True)
class Differences:
    """`waiting` fills are younger than `LATE_SECONDS`; `breaches` are what must never be."""

    fills: int
    waiting: int
    breaches: tuple[str, ...]


async def read(dsn: str) -> list[JournalFill]:
    connection = await asyncpg.connect(dsn, timeout=60)
    try:
        there = await connection.fetchval("SELECT to_regclass('opensqt.fills') IS NOT NULL")
        rows = await connection.fetch(_FILLS) if there else []
    finally:
        await connection.close()
    return [
        JournalFill(row["bot_uid"], row["trade_id"], row["client_id"], row["price"], row["lots"],
                    row["time"] / 1000, (float(row["recorded_ms"]) - row["time"] / 1000) / 1000)
        for row in rows
    ]  # fmt: skip


def compare(
    traded: Sequence[tuple[Booked, float]], journalled: Sequence[tuple[Booked, str]], now_ms: float
) -> Differences:
    """The exchange's fills with their times (ms), and the journals' with an id that must be unique."""
    breaches = [f"a fill is counted {n} times: {key}" for key, n in _more_than_once(key for _, key in journalled)]
    there, counted = Counter(fill for fill, _ in traded), Counter(fill for fill, _ in journalled)
    breaches += [f"the journal has a fill that the exchange has not: {fill}" for fill in counted - there]
    missing, waiting = there - counted, 0
    for fill in missing:
        youngest = max(time_ms for one, time_ms in traded if one == fill)
        if now_ms - youngest > LATE_SECONDS * 1000:
            breaches.append(f"missed for {(now_ms - youngest) / 1000:.0f} s: {fill}")
        else:
            waiting += 1
    return Differences(len(traded), waiting, tuple(breaches))


def compare_fills(face: Face, bots: Sequence[KeptBot], journal: Sequence[JournalFill]) -> Differences:
    units = {bot.uid: (bot.walk.listing.tick, bot.walk.listing.lot) for bot in bots}
    traded = [((trade.order.client_id, trade.price, trade.quantity), trade.time_ms) for trade in face.core.trades]
    journalled = [
        ((fill.client_id, fill.price * units[fill.bot_uid][0], fill.lots * units[fill.bot_uid][1]),
         f"{fill.bot_uid} {fill.trade_id}")
        for fill in journal
    ]  # fmt: skip
    return compare(traded, journalled, time.time() * 1000)


def order_breaches(face: Face, bots: Sequence[KeptBot]) -> list[str]:
    """A client id used twice, two orders of one slot and leg in the market at once, an order of nobody's, a short."""
    found = [f"client id {one} was used {n} times" for one, n in _more_than_once(
        order.client_id for order in face.core.orders.values())]  # fmt: skip
    owners = {bot.prefix: bot for bot in bots}
    slots: list[str] = []
    for order in face.core.open_orders():
        owner = owners.get(order.client_id[:9])
        key = parse(owner.uid, order.client_id) if owner else None
        if owner is None or key is None:
            found.append(f"an order of nobody's: {order.client_id}")
        else:
            slots.append(f"{owner.name} {key.slot} {key.leg}")
    found += [f"{n} orders of {slot} at once" for slot, n in _more_than_once(slots)]
    for listing in face.core.listings.values():
        if face.core.position(listing).quantity < 0:
            found.append(f"sold short: {listing.symbol}")
    return found


def decimal(text: str) -> Decimal:
    """Of a status, in which nothing is 0."""
    return Decimal(text or "0")


def _more_than_once(things: Iterable[str]) -> list[tuple[str, int]]:
    return [(thing, count) for thing, count in Counter(things).items() if count > 1]
