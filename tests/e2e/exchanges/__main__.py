"""The five simulated exchanges as one process for a Pod: each on a port of its own, and a port for the test's hand.

POST /price {"price": "50000"}, /fault {"operation": "place", "status": 502}, /garble ["DUPLICATE"], /cut; GET /books.
What is told, all five are told.
"""

import asyncio
from decimal import Decimal
from typing import Any

from aiohttp import web

from opensqt.api.exchange import Exchange
from tests.e2e.exchanges.ports import CONTROL_PORT, EXCHANGE_PORTS
from tests.venues.faces import FACES
from tests.venues.faults import Fault, Garble, Operation
from tests.venues.server import Face

EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a Pod, its only address
AGAIN_SECONDS = 0.5
"""The price is told again and again: who was not listening hears it later."""


class Hand:
    """What a test does to all five."""

    def __init__(self, faces: dict[Exchange, Face]) -> None:
        self._faces = faces
        self._price = Decimal(0)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/price", self._move),
            web.post("/fault", self._fail),
            web.post("/garble", self._garble),
            web.post("/cut", self._cut),
            web.get("/books", self._books),
        ]

    async def keep_telling(self) -> None:
        while True:
            if self._price:
                await self._tell()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _tell(self) -> None:
        for face in self._faces.values():
            await face.price(self._price)

    async def _move(self, request: web.Request) -> web.Response:
        self._price = Decimal((await request.json())["price"])
        await self._tell()
        return web.json_response({})

    async def _fail(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        for face in self._faces.values():
            face.faults.next(
                Fault(Operation(wanted["operation"]), **{k: v for k, v in wanted.items() if k != "operation"})
            )
        return web.json_response({})

    async def _garble(self, request: web.Request) -> web.Response:
        wanted = [Garble[name] for name in await request.json()]
        for face in self._faces.values():
            face.faults.garbles.extend(wanted)
        return web.json_response({})

    async def _cut(self, _: web.Request) -> web.Response:
        for face in self._faces.values():
            face.cut()
        return web.json_response({})

    async def _books(self, _: web.Request) -> web.Response:
        return web.json_response({exchange.value: _book(face) for exchange, face in self._faces.items()})


def _book(face: Face) -> dict[str, Any]:
    """Everything that ever happened there."""
    core, listing = face.core, face.btc
    return {
        "tick": str(listing.tick),
        "lot": str(listing.lot),
        "position": str(core.position(listing).quantity),
        "orders": [
            {"clientId": order.client_id, "buy": order.buy, "open": order.open} for order in core.orders.values()
        ],
        "trades": [
            {"clientId": trade.order.client_id, "price": str(trade.price), "quantity": str(trade.quantity)}
            for trade in core.trades
        ],
        "calls": len(face.calls),
        "faults": len(face.faults),
    }


async def main() -> None:
    faces = {exchange: face() for exchange, face in FACES.items()}
    for exchange, face in faces.items():
        await face.start(EXCHANGE_PORTS[exchange], EVERYWHERE)
    hand = Hand(faces)
    app = web.Application()
    app.add_routes(hand.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, EVERYWHERE, CONTROL_PORT).start()
    await hand.keep_telling()


if __name__ == "__main__":
    asyncio.run(main())
