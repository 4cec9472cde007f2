"""A bot and its connector, as real processes, trade on each exchange's own API over loopback while it misbehaves.

What the exchange has at the end is what the journal has: no order twice, no fill lost or counted twice. Orders fill in
parts, and what tells of a part comes twice, too late or never.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.api.exchange import Exchange
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.ccxt_venue.profile import Guard
from opensqt.engine.client_id import parse
from opensqt.journal.reader import JournalReader
from tests.faults.short_market import orders_of
from tests.runtime.harness import PATIENCE, UID, environment, until
from tests.runtime.processes import BotProcess, bot_process, exchange_process, free_ports
from tests.venues.changes import OrderChanged
from tests.venues.faces import FACES
from tests.venues.faults import Fault, Garble, Operation
from tests.venues.listing import Order
from tests.venues.server import Face

SPEC: dict[str, Any] = {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 2, "sellWindow": 3}}
AGAIN_SECONDS = 0.1
MESSAGES = 12
"""More than an exchange tells of one fill."""
BAD_GATEWAY = "<html>bad gateway</html>"


class Market:
    """The face's price, told again and again: who was not listening hears it later."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self._price = face.core.last(face.btc)
        self.breaches: list[str] = []

    async def run(self) -> None:
        while True:
            await self.face.price(self._price)
            self._watch()
            await asyncio.sleep(AGAIN_SECONDS)

    async def move(self, price: str) -> None:
        self._price = Decimal(price)
        await self.face.price(self._price)

    def open(self) -> list[Order]:
        return self.face.core.open_orders()

    @property
    def position(self) -> Decimal:
        return self.face.core.position(self.face.btc).quantity

    def _watch(self) -> None:
        """Notes what must never be: two orders of one slot and side in the market at once, and a short position."""
        keys = [parse(UID, order.client_id) for order in self.open()]
        slots = Counter((key.slot, order.intent.buy) for key, order in zip(keys, self.open(), strict=True) if key)
        self.breaches += [f"two orders of slot {slot}" for slot, count in slots.items() if count > 1]
        if None in keys:
            self.breaches.append("an order of nobody's")
        if self.position < 0:
            self.breaches.append(f"sold short: {self.position}")


@asynccontextmanager
async def a_market(exchange: Exchange) -> AsyncIterator[Market]:
    face = FACES[exchange]()
    await face.start()
    market = Market(face)
    telling = asyncio.create_task(market.run())
    try:
        yield market
        assert not telling.done(), telling
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await face.stop()


@pytest.mark.long
@pytest.mark.parametrize("exchange", FACES, ids=lambda exchange: exchange.value)
async def test_a_bot_trades_on_an_exchange_that_misbehaves(
    exchange: Exchange, postgres_dsn: str, tmp_path: Path
) -> None:
    ports = free_ports()
    log = tmp_path / "bot.log"
    async with a_market(exchange) as market:
        face = market.face
        face.faults.next(Fault(Operation.PLACE, hang_up=True, carried_out=True))
        env = environment(postgres_dsn, changes=SPEC)
        async with (
            exchange_process(exchange, face.url, tmp_path, ports=ports) as first,
            bot_process(env, first.address, log) as bot,
        ):
            await bot.when_phase(pb.PHASE_RUNNING)
            await settled(market, bot, buys=1, sells=0)
            assert face.faults.take(Operation.PLACE) is None, "the first answer was lost"

            await fill_in_parts(market, bot)
            face.faults.next(Fault(Operation.PLACE, status=502, body=BAD_GATEWAY))
            face.faults.garbles.extend([Garble.DUPLICATE, Garble.DROP, Garble.HOLD] * 3)
            await market.move("49850")
            await settled(market, bot, buys=1, sells=1)
            assert face.faults.take(Operation.PLACE) is None, "a placement came to nothing"

            face.cut()
            await market.move("49750")  # nobody is told
            await settled(market, bot, buys=1, sells=2)

            await first.end(signal.SIGKILL)
            await market.move("50120")  # all that is held is sold while there is no connector
            async with exchange_process(exchange, face.url, tmp_path, ports=ports):
                await settled(market, bot, buys=2, sells=0)
                assert market.position == 0
                await market.move("49950")
                await settled(market, bot, buys=1, sells=2)
                await check_books(market, postgres_dsn)
                await check_weaknesses(exchange, bot)


async def check_weaknesses(exchange: Exchange, bot: BotProcess) -> None:
    """What the exchange lacks of the guarantees is in the bot's own status, and so in its GridBot's."""
    status = await bot.status()
    assert status is not None
    profile = DIALECTS[exchange].profile
    assert profile.weaknesses
    assert set(profile.weaknesses) <= set(status.weaknesses)
    assert any("no dead-man switch" in one for one in status.weaknesses) == (profile.guard is Guard.NONE)


async def fill_in_parts(market: Market, bot: BotProcess) -> None:
    """A lot of the only order after another: it is told of twice, after the next one, and never; some is left."""
    (order,) = market.open()
    lot, faults = market.face.btc.lot, market.face.faults
    assert order.intent.quantity > 3 * lot
    await until(lambda: _listens(market.face, order))
    for garble in (Garble.DUPLICATE, Garble.HOLD, Garble.DROP):
        faults.private_garbles.extend([garble] * MESSAGES)
        await market.face.fill(order.client_id, lot)
        assert len(faults.private_garbles) < MESSAGES, "nobody was told"
        faults.private_garbles.clear()
        if garble is Garble.DUPLICATE:
            await settled(market, bot, buys=1, sells=0)


def _listens(face: Face, order: Order) -> bool:
    """Whether anybody is told of the account's orders."""
    return any(list(face.news(connection, OrderChanged(order))) for connection in face.private)


async def settled(market: Market, bot: BotProcess, *, buys: int, sells: int) -> None:
    """Returns when so many orders rest at the exchange, and the bot knows of them and of the position."""
    now = "nothing"
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert bot.process.returncode is None, bot.log
                orders = Counter(order.intent.buy for order in market.open())
                status = await bot.status()
                if status is not None:
                    there = orders[True], orders[False], market.position
                    known = status.open_buys, status.open_sells, Decimal(status.position or "0")
                    now = f"the exchange {there}, the bot {known}"
                    if there == known and there[:2] == (buys, sells):
                        return
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    raise AssertionError(f"wanted {buys} buys and {sells} sells: {now}:\n{bot.log[-4000:]}")


async def check_books(market: Market, dsn: str) -> None:
    """Each fill of the exchange is in the journal once, each order of the journal at the exchange once."""
    face, lot, tick = market.face, market.face.btc.lot, market.face.btc.tick
    assert not market.breaches, market.breaches
    ids = [order.client_id for order in face.core.orders.values()]
    assert len(set(ids)) == len(ids), "an order is there twice"
    traded = sorted((trade.order.client_id, trade.price, trade.quantity) for trade in face.core.trades)
    assert len(traded) >= 5
    parts = Counter(client_id for client_id, *_ in traded)
    assert max(parts.values()) >= 4, "no order was filled in parts"
    reader = await JournalReader.open(dsn)
    try:
        fills, log = await reader.fills(UID), await reader.decisions(UID, limit=100_000)
    finally:
        await reader.close()
    assert sorted((fill.client_id, fill.price * tick, fill.lots * lot) for fill in fills) == traded
    assert len({fill.trade_id for fill in fills}) == len(fills), "a fill is counted twice"
    assert set(ids) <= orders_of(log), "no commit, no order"
