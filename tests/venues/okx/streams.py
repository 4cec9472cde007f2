"""OKX's WebSockets. okx.com/docs-v5: overview, WebSocket, connect, login, subscribe; error code, WebSocket.

Each subscription is told by itself: who subscribes to the orders of all swaps and to those of one is told twice.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.core import Core
from tests.venues.keys import Key
from tests.venues.listing import Listing
from tests.venues.okx import records
from tests.venues.sockets import Connection

Json = dict[str, Any]
PRIVATE = frozenset({"orders", "account", "positions", "balance_and_position"})
LOG_IN_SECONDS = 30


class Streams:
    """Of one face; `keys` are those that may log in. A topic is its `arg`, as sorted JSON."""

    def __init__(self, core: Core, keys: Mapping[str, Key]) -> None:
        self._core = core
        self.keys = keys

    async def said(self, connection: Connection, text: str) -> None:
        if text == "ping":
            await connection.answer("pong")
            return
        command = json.loads(text)
        operation = command.get("op")
        if operation == "login":
            await self._log_in(connection, command)
        elif operation in {"subscribe", "unsubscribe"}:
            for arg in command.get("args", ()):
                await self._subscribe(connection, operation, arg)
        else:
            await connection.answer(_error("60012", f"Illegal request: {text}"))

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        core = self._core
        for arg in connection.topics.values():
            channel = arg["channel"]
            if isinstance(change, OrderChanged) and channel == "orders" and _covers(arg, change.order.listing):
                yield _pushed(arg, [records.order_push(change.order, change.trade)])
            elif isinstance(change, AccountChanged) and channel == "account":
                yield _pushed(arg, [self._balance()])
            elif isinstance(change, AccountChanged) and channel == "positions" and change.listing is not None:
                if _covers(arg, change.listing):
                    yield _pushed(arg, [records.position(core.position(change.listing), core.now_ms())])
            elif isinstance(change, PriceChanged) and channel == "tickers" and arg["instId"] == change.listing.id:
                yield _pushed(arg, [records.ticker(core, change.listing)])
            elif isinstance(change, CandleChanged) and channel == "candle1m" and arg["instId"] == change.listing.id:
                yield _pushed(arg, [records.candle(change.candle, change.listing)])

    def _balance(self) -> Json:
        return records.balance(self._core, spot=any(listing.spot for listing in self._core.listings.values()))

    async def _log_in(self, connection: Connection, command: Json) -> None:
        """HMAC SHA256 of the time in seconds and GET/users/self/verify, in Base64."""
        arg = (command.get("args") or [{}])[0]
        key, stamp = self.keys.get(str(arg.get("apiKey"))), str(arg.get("timestamp"))
        error = None
        if key is None:
            error = _error("60005", "Invalid apiKey")
        elif not stamp.isdigit() or abs(int(stamp) - self._core.now_ms() // 1000) > LOG_IN_SECONDS:
            error = _error("60006", "Timestamp request expired")
        elif arg.get("passphrase") != key.passphrase:
            error = _error("60024", "Wrong passphrase")
        else:
            signed = hmac.new(key.secret.encode(), f"{stamp}GET/users/self/verify".encode(), hashlib.sha256).digest()
            if not hmac.compare_digest(base64.b64encode(signed).decode(), str(arg.get("sign"))):
                error = _error("60007", "Invalid sign")
        if error is not None:
            await connection.answer(error)
            await connection.close()
            return
        connection.key = key
        await connection.answer({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"})

    async def _subscribe(self, connection: Connection, operation: str, arg: Json) -> None:
        channel = str(arg.get("channel", ""))
        private = channel in PRIVATE
        where = connection.path.rpartition("/")[2]
        wanted = "private" if private else "business" if channel.startswith("candle") else "public"
        if where != wanted:
            await connection.answer(_error("60018", f"Wrong URL or channel:{channel} doesn't exist."))
            return
        if private and connection.key is None:
            await connection.answer(_error("60011", "Please log in"))
            return
        topic = json.dumps(arg, sort_keys=True)
        if operation == "unsubscribe":
            connection.topics.pop(topic, None)
        else:
            connection.topics[topic] = arg
        await connection.answer({"event": operation, "arg": arg, "connId": "a4d3ae55"})
        if operation == "subscribe":
            await self._snapshot(connection, arg)

    async def _snapshot(self, connection: Connection, arg: Json) -> None:
        core = self._core
        if arg["channel"] == "account":
            await connection.push(_pushed(arg, [self._balance()]) | {"eventType": "snapshot", "curPage": 1})
        elif arg["channel"] == "positions":
            held = [core.position(listing) for listing in core.listings.values() if _covers(arg, listing)]
            data = [records.position(position, core.now_ms()) for position in held if position.quantity]
            await connection.push(_pushed(arg, data) | {"eventType": "snapshot", "curPage": 1, "lastPage": True})
        elif arg["channel"] == "tickers" and arg.get("instId") in core.listings:
            await connection.push(_pushed(arg, [records.ticker(core, core.listing(arg["instId"]))]))


def _covers(arg: Json, listing: Listing) -> bool:
    return arg.get("instType") in {records.kind(listing), "ANY"} and arg.get("instId") in {None, listing.id}


def _pushed(arg: Json, data: list[Any]) -> Json:
    return {"arg": arg | ({"uid": "77982378738415879"} if arg["channel"] in PRIVATE else {}), "data": data}


def _error(code: str, message: str) -> Json:
    return {"event": "error", "code": code, "msg": message, "connId": "a4d3ae55"}
