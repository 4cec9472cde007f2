"""Binance's WebSockets: market streams by subscription, the user data stream by a listen key.

Pages: websocket market streams, live subscribing; user data streams, start, keep alive, expired.
"""

import json
from collections.abc import Iterable
from typing import Any

from tests.venues.binance import records
from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.core import Core
from tests.venues.keys import Key
from tests.venues.sockets import Connection

LISTEN_KEY_SECONDS = 3600


class ListenKeys:
    """One valid key an account; a stream that is open under an expired one tells nothing any more."""

    def __init__(self) -> None:
        self.owners: dict[str, Key] = {}
        self._count = 0

    def start(self, owner: Key) -> str:
        """The account's key, as long as it is valid."""
        for listen_key, other in self.owners.items():
            if other == owner:
                return listen_key
        self._count += 1
        listen_key = f"listen{self._count:058d}"
        self.owners[listen_key] = owner
        return listen_key

    def end(self, owner: Key) -> list[str]:
        gone = [listen_key for listen_key, other in self.owners.items() if other == owner]
        for listen_key in gone:
            del self.owners[listen_key]
        return gone


def listen_key(connection: Connection) -> str:
    last = connection.path.rpartition("/")[2]
    return connection.query.get("listenKey", last if len(last) > 20 else "")


async def command(connection: Connection, text: str) -> None:
    request = json.loads(text)
    names = request.get("params") or []
    if request.get("method") == "SUBSCRIBE":
        connection.topics |= dict.fromkeys(names)
    elif request.get("method") == "UNSUBSCRIBE":
        for name in names:
            connection.topics.pop(name, None)
    else:
        error = {"code": 2, "msg": f"Invalid request: unknown method {request.get('method')}"}
        await connection.answer({"error": error, "id": request.get("id")})
        return
    await connection.answer({"result": None, "id": request.get("id")})


def market_news(connection: Connection, change: Change, core: Core) -> Iterable[Any]:
    if isinstance(change, PriceChanged):
        name = change.listing.id.lower()
        if f"{name}@miniTicker" in connection.topics:
            yield records.mini_ticker_event(core, change.listing)
        if f"{name}@ticker" in connection.topics:
            yield records.mini_ticker_event(core, change.listing) | {"e": "24hrTicker"}
    if isinstance(change, CandleChanged) and f"{change.listing.id.lower()}@kline_1m" in connection.topics:
        yield records.kline_event(change.listing, change.candle, core.now_ms())


def user_news(change: Change, core: Core) -> Iterable[Any]:
    if isinstance(change, OrderChanged):
        yield records.order_event(change.order, change.trade, core.now_ms())
    elif isinstance(change, AccountChanged):
        yield records.account_event(core, change.listing)
