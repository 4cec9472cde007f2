"""Bitget's WebSockets. bitget.com/api-doc/common/websocket-intro; contract/websocket."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.venues.bitget import records
from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.core import Core
from tests.venues.keys import Key
from tests.venues.sockets import Connection

Json = dict[str, Any]
PRODUCT = "USDT-FUTURES"
LOG_IN_SECONDS = 30


class Streams:
    """Of one face; `keys` are those that may log in. A topic is a channel and what it is of."""

    product = PRODUCT
    private = frozenset({"orders", "fill", "positions", "account"})

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
            await connection.answer(_error(30003, f"Illegal request: {text}"))

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        core, topics = self._core, connection.topics
        if isinstance(change, OrderChanged):
            if ("orders", "default") in topics:
                yield self._pushed("orders", "default", [records.order_push(change.order, change.trade)])
            if change.trade is not None and ("fill", "default") in topics:
                yield self._pushed("fill", "default", [records.fill_push(change.trade)])
        elif isinstance(change, AccountChanged):
            if change.listing is not None and ("positions", "default") in topics:
                yield self._pushed("positions", "default", self._positions())
            if ("account", "default") in topics:
                yield self._account()
        elif isinstance(change, PriceChanged) and ("ticker", change.listing.id) in topics:
            data = records.ticker(core, change.listing) | {"instId": change.listing.id}
            yield self._pushed("ticker", change.listing.id, [data])
        elif isinstance(change, CandleChanged) and ("candle1m", change.listing.id) in topics:
            yield self._pushed("candle1m", change.listing.id, [records.candle(change.candle)], action="update")

    async def _log_in(self, connection: Connection, command: Json) -> None:
        """HMAC SHA256 of the time in seconds and GET/user/verify, in Base64."""
        arg = (command.get("args") or [{}])[0]
        key, stamp = self.keys.get(str(arg.get("apiKey"))), str(arg.get("timestamp"))
        signed = hmac.new((key.secret if key else "").encode(), f"{stamp}GET/user/verify".encode(), hashlib.sha256)
        error = None
        if key is None:
            error = _error(30011, "Invalid ACCESS_KEY")
        elif not stamp.isdigit() or abs(int(stamp) - self._core.now_ms() // 1000) > LOG_IN_SECONDS:
            error = _error(30014, "Request timestamp expired")
        elif arg.get("passphrase") != key.passphrase:
            error = _error(30012, "Invalid ACCESS_PASSPHRASE")
        elif not hmac.compare_digest(base64.b64encode(signed.digest()).decode(), str(arg.get("sign"))):
            error = _error(30015, "Invalid signature")
        if error is not None:
            await connection.answer(error)
            await connection.close()
            return
        connection.key = key
        await connection.answer({"event": "login", "code": 0, "msg": ""})

    async def _subscribe(self, connection: Connection, operation: str, arg: Json) -> None:
        channel = str(arg.get("channel"))
        private = channel in self.private
        of = str(arg.get("coin" if channel == "account" else "instId"))
        if (
            arg.get("instType") != self.product
            or not self._known(channel, of)
            or private is not connection.path.endswith("/private")
        ):
            await connection.answer(_error(30001, f"instType:{arg.get('instType')},channel:{channel} doesn't exist"))
            return
        if private and connection.key is None:
            await connection.answer(_error(30004, "User needs to log in"))
            return
        if operation == "unsubscribe":
            connection.topics.pop((channel, of), None)
        else:
            connection.topics[channel, of] = None
        await connection.answer({"event": operation, "arg": arg})
        if operation == "subscribe":
            await self._snapshot(connection, channel, of)

    def _known(self, channel: str, of: str) -> bool:
        return of == "default" if channel in self.private else of in self._core.listings

    async def _snapshot(self, connection: Connection, channel: str, of: str) -> None:
        if channel == "ticker":
            data = records.ticker(self._core, self._core.listing(of)) | {"instId": of}
            await connection.push(self._pushed(channel, of, [data]))
        elif channel == "positions":
            await connection.push(self._pushed(channel, of, self._positions()))
        elif channel == "account":
            await connection.push(self._account())
        elif channel == "candle1m":
            await connection.push(self._pushed(channel, of, [records.candle(row) for row in self._core.candles[of]]))

    def _positions(self) -> list[Json]:
        """All that are held: a flat account is an empty list."""
        held = [self._core.position(listing) for listing in self._core.listings.values()]
        return [records.position_push(position, self._core.now_ms()) for position in held if position.quantity]

    def _account(self) -> Json:
        pushed = self._pushed("account", "default", self._balance())
        pushed["arg"] = {"instType": self.product, "channel": "account", "coin": "default"}
        return pushed

    def _balance(self) -> list[Json]:
        return [records.account_push(self._core)]

    def _pushed(self, channel: str, of: str, data: list[Any], *, action: str = "snapshot") -> Json:
        arg = {"instType": self.product, "channel": channel, "instId": of}
        return {"action": action, "arg": arg, "data": data, "ts": self._core.now_ms()}


def _error(code: int, message: str) -> Json:
    return {"event": "error", "code": code, "msg": message}
