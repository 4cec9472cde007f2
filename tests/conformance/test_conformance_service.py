"""`ExchangeService` itself, over gRPC, with each exchange behind it: a bot's day from its first call to its last."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest_asyncio

from opensqt.connector.client import Caller, ExchangeClient, Message
from opensqt.connector.process import ConnectorServer
from opensqt.connector.venue import Position, Price, Venue, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import OrderState, Remedy
from tests.conformance.subject import SYMBOL, Follow, Following, Subject, placed, refused
from tests.venues.server import Face

CALLER = Caller("a-bot", 7)


@pytest_asyncio.fixture
async def client(face: Face, unopened: Venue) -> AsyncIterator[ExchangeClient]:
    server = ConnectorServer(unopened)
    port, _ = await server.start("127.0.0.1:0", "127.0.0.1:0")
    client = ExchangeClient(f"127.0.0.1:{port}")
    await face.until(lambda: unopened.health().ready)
    try:
        yield client
    finally:
        await client.close()
        await server.stop()


def updates(stream: Following) -> list[object]:
    return [message.update for message in stream.of(Message) if message.update is not None]


async def test_a_bots_day(client: ExchangeClient, face: Face, unopened: Venue, following: Follow) -> None:
    status = await client.status()
    assert (status.exchange, status.health.ready) == (face.exchange.value, True)
    (rules,) = await client.symbols([SYMBOL])
    subject = Subject(unopened.name, unopened, face, rules, face.core.last(face.btc))
    await client.prepare(CALLER, SYMBOL, 5)
    orders = following(client.watch_orders(SYMBOL, "oc"))
    positions = following(client.watch_position(SYMBOL))
    prices = following(client.watch_price(SYMBOL))
    account = following(client.watch_account())
    await subject.following_orders()
    await subject.following_positions()
    await face.until(lambda: face.subscribed("icker"))
    await face.price("50000.5")
    await prices.until(lambda _: any(isinstance(told, Price) for told in updates(prices)))

    resting, taking = subject.order(), subject.order(None)
    results = await client.place(CALLER, [resting, taking])
    assert [getattr(result, "client_id", result) for result in results] == [resting.client_id, taking.client_id]
    await orders.until(
        lambda _: any(isinstance(told, VenueFill) and told.client_id == taking.client_id for told in updates(orders))
    )
    await positions.until(
        lambda _: any(isinstance(told, Position) and told.quantity == taking.quantity for told in updates(positions))
    )
    await account.until(lambda _: bool(updates(account)))
    assert [order.client_id for order in await client.open_orders(SYMBOL, "oc")] == [resting.client_id]
    found, fills = await client.order(SYMBOL, taking.client_id)
    assert (found.state, sum(fill.quantity for fill in fills)) == (OrderState.FILLED, taking.quantity)

    old = await client.place(CALLER, [subject.order("1.02", side=OrderSide.SELL, reduce_only=True)])
    cancelled = await client.cancel(CALLER, SYMBOL, [resting.client_id, placed(old).client_id])
    assert [result.state for result in cancelled if isinstance(result, VenueOrder)] == [OrderState.CANCELLED] * 2
    assert refused(await client.cancel(CALLER, SYMBOL, [subject.new_id()])).remedy is Remedy.UNKNOWN_ORDER
    closing = subject.order(None, side=OrderSide.SELL, reduce_only=True)
    placed(await client.place(CALLER, [closing]))
    await subject.settled(closing.client_id)
    (flat,) = await client.positions([SYMBOL])
    assert flat.quantity == Decimal(0)
    assert (await client.account()).equity < Decimal(10_000), "fees were paid"
