"""A connection that was given up is gone, and takes no newer one with it: of each kind there is one."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from opensqt.connector.ccxt_venue.venue import CcxtVenue
from opensqt.connector.venue import Gap, Price
from tests.conformance.subject import SYMBOL, Follow, Subject
from tests.venues.server import Face
from tests.venues.sockets import Connection


async def test_a_connection_whose_end_comes_late_ends_no_newer_one(simulated: Subject, following: Follow) -> None:
    stream = following(simulated.venue.watch_prices([SYMBOL]))
    await _prices_come(simulated, stream, 1)
    given_up = await _give_up(simulated)
    await _prices_come(simulated, stream, 2)
    given_up.on_close(1006)
    await _prices_come(simulated, stream, 3)
    assert _told_twice(simulated.face) == []


async def test_a_connection_that_is_given_up_before_it_is_there_goes_as_it_comes(
    simulated: Subject, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    face, arrived, let_in, gone = simulated.face, asyncio.Event(), asyncio.Event(), asyncio.Event()
    opened, forget = face.opened, face.gone
    first: list[Connection] = []

    async def slowly(connection: Connection) -> bool:
        if not first and "private" not in connection.path:
            first.append(connection)
            arrived.set()
            await let_in.wait()
        return await opened(connection)

    def went(connection: Connection) -> None:
        forget(connection)
        if connection in first:
            gone.set()

    monkeypatch.setattr(face, "opened", slowly)
    monkeypatch.setattr(face, "gone", went)
    stream = following(simulated.venue.watch_prices([SYMBOL]))
    await arrived.wait()
    await _give_up(simulated)
    await _prices_come(simulated, stream, 1)
    let_in.set()
    async with asyncio.timeout(60):
        await gone.wait()
    assert _told_twice(face) == []


@pytest.mark.spot
async def test_a_connection_that_is_lost_while_nobody_waits_for_a_message_is_told_of(simulated: Subject) -> None:
    """As when its last message and its end arrive together."""
    face, venue = simulated.face, simulated.venue
    assert isinstance(venue, CcxtVenue)
    stream: Any = aiter(venue._streams.prices([simulated.symbol]))
    first = asyncio.ensure_future(anext(stream))
    async with asyncio.timeout(60):
        await face.until(lambda: face.subscribed("icker"))
        clients = dict(venue._session.exchange.clients)
        await face.price("50000.5")
        assert not isinstance(await first, Gap)
        await face.hang_up()
        await face.until(lambda: clients != venue._session.exchange.clients)
        assert isinstance(await anext(stream), Gap)
    await stream.aclose()


async def _give_up(simulated: Subject) -> Any:
    """Drops the stream's connection, as after a long silence; returns ccxt's client of it."""
    assert isinstance(simulated.venue, CcxtVenue)
    session = simulated.venue._session
    clients = list(session.exchange.clients.values())
    await session.drop_streams(session.exchange, "icker")
    (given_up,) = [client for client in clients if client not in session.exchange.clients.values()]
    return given_up


async def _prices_come(simulated: Subject, stream: Any, number: int) -> None:
    """Two prices that were not told before: with the second the first has been dealt with, and been asked for anew."""
    for last in (f"{50000 + number}.1", f"{50000 + number}.2"):
        async with asyncio.timeout(60):
            while last not in [str(told.last) for told in stream.of(Price)]:
                await simulated.face.until(lambda: simulated.face.subscribed("icker"))
                await simulated.face.price(last)
                await asyncio.sleep(0.05)


def _told_twice(face: Face) -> list[str]:
    return [topic for topic, times in Counter(face.told()).items() if times > 1]
