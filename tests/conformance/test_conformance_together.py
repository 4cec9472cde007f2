"""Many bots on one account ask at once after every gap: they share the readings, and each has its own answer."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from tests.conformance.subject import Subject, placed
from tests.venues.faults import Operation

BOTS = 20


def requests_since(subject: Subject, before: int, operations: Collection[Operation]) -> int:
    return sum(call.operation in operations for call in subject.face.calls[before:])


@pytest.mark.spot
async def test_what_many_ask_for_at_once_is_read_once(simulated: Subject) -> None:
    venue, symbol = simulated.venue, simulated.symbol
    placed(await venue.place([simulated.order()]))
    filled = simulated.taking()
    placed(await venue.place([filled]))
    order, _ = await simulated.settled(filled.client_id)
    asks: list[tuple[Callable[[], Awaitable[object]], set[Operation]]] = [
        (lambda: venue.open_orders(symbol), {Operation.OPEN_ORDERS, Operation.ORDER}),
        (venue.account, {Operation.BALANCE}),
        (lambda: venue.positions([symbol]), {Operation.BALANCE if simulated.spot else Operation.POSITIONS}),
        (lambda: venue.fills(symbol, order.time_us - 60_000_000), {Operation.FILLS}),
    ]
    for ask, operations in asks:
        await ask()  # what is asked for once and then known
        before = len(simulated.face.calls)
        await ask()
        alone = requests_since(simulated, before, operations)
        before = len(simulated.face.calls)
        answers = await asyncio.gather(*(ask() for _ in range(BOTS)))
        assert requests_since(simulated, before, operations) == alone >= 1, operations
        assert all(answers), operations


@pytest.mark.spot
async def test_each_hears_of_the_fills_since_its_own_time(simulated: Subject) -> None:
    """Whoever asks first: the one reading is as old as the oldest needs it."""
    venue, symbol = simulated.venue, simulated.symbol
    ids = []
    for _ in range(3):
        order = simulated.taking()
        placed(await venue.place([order]))
        await simulated.settled(order.client_id)
        ids.append(order.client_id)
    told = await venue.fills(symbol, simulated.face.core.now_ms() * 1000 - 60_000_000)
    times = [max(fill.time_us for fill in told if fill.client_id == one) for one in ids]
    for asked in (times, times[::-1]):
        heard = await asyncio.gather(*(venue.fills(symbol, since) for since in asked))
        for since, fills in zip(asked, heard, strict=True):
            assert fills == [fill for fill in told if fill.time_us >= since]


async def test_every_symbol_has_its_own_leverage(simulated: Subject) -> None:
    listings = [listing for listing in simulated.face.core.listings.values() if not listing.spot]
    rules = await simulated.venue.symbols([listing.symbol for listing in listings])
    assert len(rules) > 1
    assert [each.max_leverage for each in rules] == [listing.max_leverage for listing in listings]
