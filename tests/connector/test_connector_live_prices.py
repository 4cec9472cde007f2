"""The paper exchange at live prices: real ccxt, without a key, before the simulators of the five exchanges."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.ccxt_venue import ENDPOINT_ENV
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.venue import NewOrder, VenueError, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState
from tests.connector.paper_world import World, connector
from tests.venues.faces import face_of
from tests.venues.server import Face

ANYWHERE = [
    pytest.param((exchange, kind), id=f"{exchange.value}-{kind.value}") for exchange in DIALECTS for kind in MarketKind
]


@pytest.fixture(params=ANYWHERE)
async def face(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Face]:
    face = face_of(*request.param)
    await face.start()
    monkeypatch.setenv(ENDPOINT_ENV, face.url)
    yield face
    await face.stop()


@pytest.fixture
async def world(face: Face, postgres_dsn: str) -> AsyncIterator[World]:
    live = {"symbol": face.btc.symbol, "livePrices": {"exchange": face.exchange.value}}
    world = World(connector(live), postgres_dsn)
    await world.open()
    yield world
    await world.close()


async def healthy(world: World, reason: str, face: Face, price: str = "50000") -> None:
    """Prices come again and again until the venue says so."""
    async with asyncio.timeout(120):
        while world.venue.health().reason != reason:
            await face.price(price)
            await asyncio.sleep(0.05)


def buy(face: Face, client_id: str, price: str) -> NewOrder:
    return NewOrder(
        face.btc.symbol, client_id, OrderSide.BUY, Decimal(price), Decimal("0.01"), False, TimeInForce.POST_ONLY
    )


async def test_orders_fill_when_the_exchanges_price_touches_them(face: Face, world: World) -> None:
    health = world.venue.health()
    assert (health.ready, health.reason) == (False, "PricesUnavailable"), health
    with pytest.raises(VenueError):
        await world.venue.place([buy(face, "o0", "49000")])
    await healthy(world, "Ready", face)
    (placed,) = await world.venue.place([buy(face, "o1", "49500")])
    assert isinstance(placed, VenueOrder), placed
    await face.price("49600")
    await face.price("49499.9")
    async with asyncio.timeout(120):
        while (await world.venue.order(face.btc.symbol, "o1"))[0].state is not OrderState.FILLED:
            await face.price("49499.9")
    _, (fill,) = await world.venue.order(face.btc.symbol, "o1")
    assert (fill.price, fill.quantity, fill.maker) == (Decimal("49500.0"), Decimal("0.010"), True)
    (position,) = await world.venue.positions([face.btc.symbol])
    fee = fill.fee if fill.fee_currency == "BTC" else 0
    assert position.quantity == Decimal("0.010") - fee
    (progress,) = world.venue.health().markets
    assert (progress.total, progress.ended) == (0, False)
    assert all(connection.key is None for connection in face.connections)


async def test_the_books_outlive_the_process_and_the_prices_do_not(face: Face, world: World) -> None:
    await healthy(world, "Ready", face)
    await world.venue.place([buy(face, "o1", "49500")])
    await world.revive()
    assert world.venue.health().reason == "PricesUnavailable"
    await healthy(world, "Ready", face)
    (order,) = await world.venue.open_orders(face.btc.symbol)
    assert order.client_id == "o1"
    (kline, *_) = await world.venue.klines(face.btc.symbol, "1m", 5)
    assert kline.close > 0


@pytest.mark.parametrize("face", [(Exchange.BYBIT, MarketKind.PERPETUAL)], ids=["bybit"], indirect=True)
async def test_a_stream_that_breaks_closes_the_market_until_it_is_back(face: Face, world: World) -> None:
    await healthy(world, "Ready", face)
    await face.hang_up()
    async with asyncio.timeout(120):
        while world.venue.health().ready:
            await world.venue.health_changed()
    assert world.venue.health().reason == "PricesUnavailable"
    await healthy(world, "Ready", face, "50001")
