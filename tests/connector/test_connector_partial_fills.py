"""Orders that fill in parts, because a market's volume bounds them: the rules one by one, and over a death."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.connector.venue import VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState
from opensqt.paper.v1 import paper_pb2 as pb
from tests.connector.open_venue import order, placed
from tests.connector.paper_world import SYMBOL, World, connector, market, write_candles

BUY, SELL = OrderSide.BUY, OrderSide.SELL
OPEN, FILLED, CANCELLED, EXPIRED = OrderState.OPEN, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED
BOT = "bot-a"


class Bench:
    """A market of candles whose volume is 100; `fillShare` is 0.1: orders fill 2.5 at each price, 10 a minute."""

    def __init__(self, world: World, symbol: str) -> None:
        self.world = world
        self._symbol = symbol
        self._step = 0

    async def next(self) -> int:
        """Plays the next price; returns how many have been played."""
        before = self._step
        while self._step == before:  # it may have to be told first what its orders have done
            request = pb.AdvanceRequest(bot_uid=BOT, symbol=self._symbol, client_id_prefix="o", step=before)
            self._step = (await self.world.lockstep.advance(request)).step
        return self._step

    async def place(self, client_id: str, **fields: Any) -> VenueOrder:
        return placed((await self.world.venue.place([order(client_id, symbol=self._symbol, **fields)]))[0])

    async def cancel(self, client_id: str) -> VenueOrder:
        return placed((await self.world.venue.cancel(self._symbol, [client_id]))[0])

    async def parts(self, client_id: str) -> tuple[OrderState, list[str]]:
        """What has become of an order, and its fills' quantities."""
        found, fills = await self.world.venue.order(self._symbol, client_id)
        assert found.filled == sum(fill.quantity for fill in fills)
        return found.state, [f"{fill.quantity:f}" for fill in fills]

    @property
    async def position(self) -> Decimal:
        return (await self.world.venue.positions([self._symbol]))[0].quantity


@asynccontextmanager
async def opened(
    dsn: str, path: Path, prices: list[float], symbol: str = SYMBOL, **fields: str
) -> AsyncIterator[Bench]:
    write_candles(path / "c.csv", [(price,) * 4 for price in prices])
    spec = {"lotSize": "0.1", "fillShare": "0.1"} | fields
    world = World(connector(market(symbol, path / "c.csv", **spec), balance="1000000"), dsn, lockstep=[BOT])
    await world.open()
    try:
        bench = Bench(world, symbol)
        await bench.next()
        yield bench
    finally:
        await world.close()


async def test_a_large_order_fills_in_parts_over_time(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100, 90, 110]) as bench:
        await bench.place("o1", price="95", quantity="6")
        for _ in range(3):
            await bench.next()
        assert await bench.parts("o1") == (OPEN, [])
        for expected in ((OPEN, ["2.5"]), (OPEN, ["2.5", "2.5"]), (FILLED, ["2.5", "2.5", "1.0"])):
            await bench.next()
            assert await bench.parts("o1") == expected
        fills = await bench.world.venue.fills(SYMBOL, 0)
        assert {fill.price for fill in fills} == {Decimal(95)}
        assert all(fill.maker for fill in fills)
        assert [fill.fee for fill in fills] == [fill.quantity * 95 * Decimal("0.0002") for fill in fills]
        assert len({fill.trade_id for fill in fills}) == 3


async def test_a_part_filled_order_is_cancelled_and_keeps_what_it_got(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100, 90]) as bench:
        await bench.place("o1", price="95", quantity="6")
        while await bench.next() < 5:
            pass
        margin = (await bench.world.venue.account()).available
        cancelled = await bench.cancel("o1")
        assert (cancelled.state, cancelled.filled) == (CANCELLED, Decimal("2.5"))
        assert (await bench.world.venue.account()).available == margin + Decimal("3.5") * 95
        await bench.next()
        assert await bench.parts("o1") == (CANCELLED, ["2.5"])
        assert await bench.position == Decimal("2.5")


async def test_the_best_price_and_then_the_oldest_gets_the_volume(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100, 90]) as bench:
        for client_id, price in (("o1", "95"), ("o2", "96"), ("o3", "96")):
            await bench.place(client_id, price=price, quantity="2")
        while await bench.next() < 5:
            pass
        assert [await bench.parts(each) for each in ("o1", "o2", "o3")] == [
            (OPEN, []),
            (FILLED, ["2.0"]),
            (OPEN, ["0.5"]),
        ]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, EXPIRED),
        ({"price": "101", "time_in_force": TimeInForce.IOC}, EXPIRED),
        ({"price": "101"}, OPEN),
    ],
    ids=["market", "IOC", "GTC"],
)
async def test_what_takes_gets_what_is_left_of_the_price(
    postgres_dsn: str, tmp_path: Path, fields: dict[str, Any], state: OrderState
) -> None:
    async with opened(postgres_dsn, tmp_path, [100]) as bench:
        await bench.place("o1", quantity="1")
        assert (await bench.place("o2", quantity="4", **fields)).state is state
        assert await bench.parts("o2") == (state, ["1.5"])
        await bench.place("o3", price="100", quantity="1")
        assert await bench.parts("o3") == (OPEN, [])
        await bench.next()
        rest = (FILLED, ["1.5", "2.5"]) if state is OPEN else (EXPIRED, ["1.5"])
        assert await bench.parts("o2") == rest


async def test_a_reduce_only_order_expires_when_nothing_is_left_to_reduce(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100, 110]) as bench:
        await bench.place("o1", quantity="2.5")
        await bench.next()
        await bench.place("o2", quantity="1.5")
        await bench.place("o3", side=SELL, price="105", quantity="6", reduce_only=True)
        while await bench.next() < 5:
            pass
        assert await bench.parts("o3") == (OPEN, ["2.5"])
        await bench.next()
        assert await bench.parts("o3") == (EXPIRED, ["2.5", "1.5"])
        assert await bench.position == 0


async def test_on_spot_what_is_not_filled_yet_stays_reserved(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100, 90], symbol="BTC/USDT") as bench:
        before = (await bench.world.venue.account()).available
        await bench.place("o1", price="95", quantity="6")
        while await bench.next() < 5:
            pass
        assert await bench.parts("o1") == (OPEN, ["2.5"])
        assert before - (await bench.world.venue.account()).available == 6 * 95
        await bench.cancel("o1")
        assert before - (await bench.world.venue.account()).available == Decimal("2.5") * 95


async def test_volume_that_is_used_up_is_used_up_after_a_death(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100, 90]) as bench:
        await bench.place("o1", price="95", quantity="6")
        await bench.place("o2", quantity="1")
        await bench.world.revive()
        await bench.place("o3", quantity="9")
        assert await bench.parts("o3") == (EXPIRED, ["1.5"])
        while await bench.next() < 5:
            pass
        await bench.world.revive()
        assert await bench.parts("o1") == (OPEN, ["2.5"])
        assert (await bench.place("o4", quantity="1")).state is EXPIRED
        await bench.next()
        assert await bench.parts("o1") == (OPEN, ["2.5", "2.5"])
        await bench.next()
        assert await bench.parts("o1") == (FILLED, ["2.5", "2.5", "1.0"])


async def test_a_volume_of_less_than_a_lot_a_price_fills_when_it_has_become_one(
    postgres_dsn: str, tmp_path: Path
) -> None:
    """Three lots a minute: none with the first of its prices, one with each of the others."""
    async with opened(postgres_dsn, tmp_path, [100] * 3, fillShare="0.003") as bench:
        await bench.place("o1", price="100", quantity="0.9")
        while await bench.next() < 12:
            pass
        assert await bench.parts("o1") == (FILLED, ["0.1"] * 9)


async def test_a_market_says_whether_its_orders_fill_whole(postgres_dsn: str, tmp_path: Path) -> None:
    async with opened(postgres_dsn, tmp_path, [100]) as bench:
        assert not any("whole" in weakness for weakness in bench.world.venue.capabilities.weaknesses)
    whole = World(connector(market()), postgres_dsn).venue
    assert any("whole" in weakness for weakness in whole.capabilities.weaknesses)
