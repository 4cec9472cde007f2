"""What goes wrong on the way: lost and late answers, broken, half-closed and silent streams, garbled messages."""

import asyncio
from decimal import Decimal

import pytest

from opensqt.connector.venue import Failure, Gap, Price, VenueError, VenueFill, VenueOrder
from opensqt.engine.events import OrderState, Remedy
from tests.conformance.subject import SYMBOL, Follow, Following, Subject, placed, refused
from tests.venues.faults import Fault, Garble, Operation
from tests.venues.sockets import Connection

LOST = {
    "no answer": Fault(Operation.PLACE, hang_up=True),
    "no answer, but carried out": Fault(Operation.PLACE, hang_up=True, carried_out=True),
    "502": Fault(Operation.PLACE, status=502, body="<html>bad gateway</html>"),
    "502, but carried out": Fault(Operation.PLACE, status=502, body="<html>bad gateway</html>", carried_out=True),
    "504 without a word, but carried out": Fault(Operation.PLACE, status=504, body="", carried_out=True),
    "200 with nonsense, but carried out": Fault(Operation.PLACE, status=200, body="nonsense", carried_out=True),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("count", [1, 3])
async def test_a_lost_answer_leads_to_a_look_up_which_tells_the_truth(
    simulated: Subject, fault: Fault, count: int
) -> None:
    orders = [simulated.order() for _ in range(count)]
    simulated.face.faults.next(Fault(**vars(fault)))
    results = await simulated.venue.place(orders)
    assert [result.remedy for result in results if isinstance(result, Failure)] == [Remedy.LOOK_UP] * count
    assert len(simulated.face.sent(Operation.PLACE)) == 1, "a placement is never repeated"
    for order in orders:
        if fault.carried_out:
            found, _ = await simulated.venue.order(SYMBOL, order.client_id)
            assert found.state is OrderState.OPEN
        else:
            with pytest.raises(VenueError) as error:
                await simulated.venue.order(SYMBOL, order.client_id)
            assert error.value.failure.remedy is Remedy.UNKNOWN_ORDER


@pytest.mark.spot
async def test_an_order_whose_answer_was_lost_is_not_there_twice_when_it_is_sent_again(simulated: Subject) -> None:
    order = simulated.order()
    simulated.face.faults.next(Fault(Operation.PLACE, hang_up=True, carried_out=True))
    assert refused(await simulated.venue.place([order])).remedy is Remedy.LOOK_UP
    assert refused(await simulated.venue.place([order])).remedy is Remedy.DUPLICATE
    assert len(simulated.face.core.open_orders()) == 1


@pytest.mark.spot
async def test_an_order_that_is_over_meanwhile_is_not_placed_again(simulated: Subject) -> None:
    """Some exchanges take a client id again once its order is over: what was filled would be bought twice."""
    order = simulated.order()
    simulated.face.faults.next(Fault(Operation.PLACE, hang_up=True, carried_out=True))
    assert refused(await simulated.venue.place([order])).remedy is Remedy.LOOK_UP
    await simulated.venue.cancel(simulated.symbol, [order.client_id])
    assert refused(await simulated.venue.place([order])).remedy is Remedy.DUPLICATE
    assert simulated.face.core.open_orders() == []


async def test_an_order_that_never_arrived_is_taken_when_it_is_sent_again(simulated: Subject) -> None:
    order = simulated.order()
    simulated.face.faults.next(Fault(Operation.PLACE, hang_up=True))
    assert refused(await simulated.venue.place([order])).remedy is Remedy.LOOK_UP
    assert placed(await simulated.venue.place([order])).state is OrderState.OPEN
    assert len(simulated.face.core.open_orders()) == 1


@pytest.mark.spot
async def test_a_cancel_whose_answer_was_lost_is_in_doubt(simulated: Subject) -> None:
    order = simulated.order()
    placed(await simulated.venue.place([order]))
    simulated.face.faults.next(Fault(Operation.CANCEL, hang_up=True, carried_out=True))
    assert refused(await simulated.venue.cancel(simulated.symbol, [order.client_id])).remedy is Remedy.LOOK_UP
    found, _ = await simulated.venue.order(simulated.symbol, order.client_id)
    assert found.state is OrderState.CANCELLED


async def test_a_late_answer_is_an_answer(simulated: Subject) -> None:
    simulated.face.faults.next(Fault(Operation.PLACE, delay=0.3))
    assert placed(await simulated.venue.place([simulated.order()])).state is OrderState.OPEN


async def test_a_read_is_repeated(simulated: Subject) -> None:
    order = simulated.order()
    placed(await simulated.venue.place([order]))
    for operation in (Operation.ORDER, Operation.OPEN_ORDERS, Operation.FILLS, Operation.BALANCE, Operation.POSITIONS):
        simulated.face.faults.next(Fault(operation, hang_up=True), Fault(operation, status=502, body="<html></html>"))
    found, _ = await simulated.venue.order(SYMBOL, order.client_id)
    assert found.client_id == order.client_id
    assert len(await simulated.venue.open_orders(SYMBOL)) == 1
    assert await simulated.venue.fills(SYMBOL, found.time_us) == []
    assert (await simulated.venue.account()).equity > 0
    assert len(await simulated.venue.positions([SYMBOL])) == 1


async def test_an_exchange_that_is_not_there_has_taken_nothing(simulated: Subject) -> None:
    """On a connection that is kept alive, and whose end has not been heard of yet, it may have taken something."""
    await simulated.face.stop()
    remedies = [refused(await simulated.venue.place([simulated.order()])).remedy for _ in range(5)]
    assert set(remedies) <= {Remedy.LOOK_UP, Remedy.RETRY}
    assert remedies[-1] is Remedy.RETRY, remedies


# --- streams ---


@pytest.mark.parametrize("how", ["hung up", "cut off"])
async def test_a_broken_stream_shows_gaps_and_goes_on(simulated: Subject, following: Follow, how: str) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_prices([SYMBOL]))
    await _price_comes(simulated, stream, "50000.5")
    await face.hang_up() if how == "hung up" else face.cut()
    await stream.until(lambda _: bool(stream.of(Gap)))
    await _price_comes(simulated, stream, "50001.5")


@pytest.mark.spot
async def test_a_half_closed_stream_is_noticed_and_healed(
    impatient: None, simulated: Subject, following: Follow
) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_orders([simulated.symbol]))
    await simulated.following_orders()
    face.freeze()
    await stream.until(lambda _: bool(stream.of(Gap)))
    await face.until(lambda: not any(connection.frozen for connection in face.connections))
    await simulated.following_orders()
    order = simulated.order()
    placed(await simulated.venue.place([order]))
    await face.fill(order.client_id, order.quantity)
    await stream.until(lambda _: _filled(stream) == order.quantity)


async def test_silent_prices_are_noticed_and_healed(impatient: None, simulated: Subject, following: Follow) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_prices([SYMBOL]))
    await _price_comes(simulated, stream, "50000.5")
    face.silence(private=False)
    await face.price("50001")
    await stream.until(lambda _: any("silent" in gap.reason for gap in stream.of(Gap)))
    await _price_comes(simulated, stream, "50001.5")


@pytest.mark.spot
async def test_a_quiet_market_is_no_silent_stream(impatient: None, simulated: Subject, following: Follow) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_prices([simulated.symbol]))
    await face.until(lambda: face.subscribed("icker"))
    await face.price("50000.5")
    await stream.until(lambda _: bool(stream.of(Price)))
    count = len(stream.of(Price))
    await stream.until(lambda _: len(stream.of(Price)) >= count + 2)
    assert {price.last for price in stream.of(Price)[-2:]} == {Decimal("50000.5")}
    assert not stream.of(Gap), "bots need not fetch anything again"


async def test_fills_that_the_stream_keeps_to_itself_are_found(
    impatient: None, simulated: Subject, following: Follow
) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_orders([SYMBOL]))
    await simulated.following_orders()
    face.silence(private=True)
    total = Decimal(0)
    while not stream.of(Gap):  # a fill that is read at once does not yet say that the stream is dead
        order = simulated.order()
        placed(await simulated.venue.place([order]))
        await face.fill(order.client_id, order.quantity)
        total += order.quantity
        await stream.until(lambda _: _filled(stream) == total)  # noqa: B023
    # What comes before the stream says that it is subscribed again may be lost: the state is fetched then.
    await stream.until(lambda _: sum("subscribed again" in gap.reason for gap in stream.of(Gap)) >= 2)
    again = simulated.order("0.96")
    placed(await simulated.venue.place([again]))
    await stream.until(lambda _: any(told.client_id == again.client_id for told in stream.of(VenueOrder)))


async def test_a_fill_that_was_made_while_its_stream_was_being_subscribed_comes_soon(
    simulated: Subject, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.streams.AUDIT_SECONDS", 3600.0)
    face, subscribing = simulated.face, asyncio.Event()
    order = simulated.order()
    placed(await simulated.venue.place([order]))
    opened = face.opened

    async def slowly(connection: Connection) -> bool:
        await subscribing.wait()
        return await opened(connection)

    monkeypatch.setattr(face, "opened", slowly)
    stream = following(simulated.venue.watch_orders([SYMBOL]))
    await face.fill(order.client_id, order.quantity)
    subscribing.set()
    await stream.until(lambda _: _filled(stream) == order.quantity)


async def test_a_busy_stream_that_keeps_a_fill_to_itself_is_found_out(
    simulated: Subject, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.streams.AUDIT_SECONDS", 0.3)
    face, stream = simulated.face, following(simulated.venue.watch_orders([SYMBOL]))
    await simulated.following_orders()
    order = simulated.order(quantity=simulated.quantity * 2000)
    placed(await simulated.venue.place([order]))
    await face.fill(order.client_id, simulated.quantity, tell=False)
    for told in range(1000):
        if _filled(stream) > simulated.quantity * told:
            return
        await face.fill(order.client_id, simulated.quantity)
        await asyncio.sleep(0.05)
    raise AssertionError(f"of {order.quantity} the stream has only told {_filled(stream)}")


@pytest.mark.parametrize("garble", [Garble.DROP, Garble.DUPLICATE, Garble.HOLD], ids=lambda garble: garble.name)
async def test_garbled_messages_cost_no_fill_and_count_none_twice(
    impatient: None, simulated: Subject, following: Follow, garble: Garble
) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_orders([SYMBOL]))
    await simulated.following_orders()
    order = simulated.order(quantity=simulated.quantity * 4)
    placed(await simulated.venue.place([order]))
    await stream.until(lambda _: bool(stream.of(VenueOrder)))
    face.faults.garbles.extend([garble, Garble.PASS] * 6)
    for _ in range(4):
        await face.fill(order.client_id, simulated.quantity)
    await stream.until(lambda _: _filled(stream) >= order.quantity)
    assert _filled(stream) == order.quantity
    found, fills = await simulated.settled(order.client_id)
    assert found.state is OrderState.FILLED
    assert {fill.trade_id for fill in stream.of(VenueFill)} == {fill.trade_id for fill in fills}


async def test_a_stream_that_was_subscribed_before_the_exchange_was_there(
    simulated: Subject, following: Follow
) -> None:
    face = simulated.face
    port = int(face.url.rpartition(":")[2])
    await face.stop()
    stream = following(simulated.venue.watch_prices([SYMBOL]))
    await stream.until(lambda _: bool(stream.of(Gap)))
    await face.start(port)
    await _price_comes(simulated, stream, "50001.5")


async def test_a_hundred_fills_in_one_burst_all_come(simulated: Subject, following: Follow) -> None:
    face, stream = simulated.face, following(simulated.venue.watch_orders([SYMBOL]))
    await simulated.following_orders()
    order = simulated.order(quantity=simulated.quantity * 100)
    placed(await simulated.venue.place([order]))
    await asyncio.gather(*(face.fill(order.client_id, simulated.quantity) for _ in range(100)))
    await stream.until(lambda _: _filled(stream) == order.quantity)
    assert len(stream.of(VenueFill)) == 100


async def _price_comes(simulated: Subject, stream: Following, price: str) -> None:
    """Subscribed, told, and heard; a price that nobody heard is told again."""
    async with asyncio.timeout(120):
        while Decimal(price) not in [told.last for told in stream.of(Price)]:
            await simulated.face.until(lambda: simulated.face.subscribed("icker"))
            await simulated.face.price(price)
            await asyncio.sleep(0.05)


def _filled(stream: Following) -> Decimal:
    return sum((fill.quantity for fill in stream.of(VenueFill)), Decimal(0))
