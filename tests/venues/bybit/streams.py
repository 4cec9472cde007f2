"""Bybit's WebSockets. bybit-exchange.github.io/docs/v5/ws/connect; websocket/private; websocket/public."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.venues.bybit import records
from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.core import Core
from tests.venues.keys import Key
from tests.venues.sockets import Connection

Json = dict[str, Any]


class Streams:
    """Of one face; `keys` are those that may log in; `category` is what is traded, spot or linear."""

    def __init__(self, core: Core, keys: Mapping[str, Key], category: str) -> None:
        self._core = core
        self.keys = keys
        self._category = category
        self._private_topics = {"wallet", "dcp.spot" if category == "spot" else "dcp.future"}
        for kind in ("order", "execution", "position"):
            self._private_topics |= {kind, f"{kind}.{category}"}

    async def said(self, connection: Connection, text: str) -> None:
        command = json.loads(text)
        operation = command.get("op")
        if operation == "ping":
            await connection.answer(self._pong(connection, command))
        elif operation == "auth":
            await self._log_in(connection, command)
        elif operation in {"subscribe", "unsubscribe"}:
            await self._subscribe(connection, command)
        else:
            await connection.answer(_told(command, "error:invalid op", ok=False))

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        if isinstance(change, OrderChanged | AccountChanged):
            yield from self._private_news(connection, change)
        else:
            yield from self._market_news(connection, change)

    def _private_news(self, connection: Connection, change: OrderChanged | AccountChanged) -> Iterable[Any]:
        core, topics, category = self._core, connection.topics, {"category": self._category}
        if isinstance(change, OrderChanged):
            if topics.keys() & {"order", f"order.{self._category}"}:
                yield self._pushed("order", [records.order(change.order, change.trade) | category])
            if change.trade is not None and topics.keys() & {"execution", f"execution.{self._category}"}:
                yield self._pushed("execution", [records.execution(change.trade) | category])
        else:
            spot = self._category == "spot"
            if not spot and change.listing is not None and topics.keys() & {"position", "position.linear"}:
                held = records.position(core.position(change.listing), core.now_ms())
                held["entryPrice"] = held.pop("avgPrice")
                yield self._pushed("position", [held | category])
            if "wallet" in topics:
                yield self._pushed("wallet", [records.wallet(core, spot=spot)])

    def _market_news(self, connection: Connection, change: PriceChanged | CandleChanged) -> Iterable[Any]:
        core, topics = self._core, connection.topics
        if isinstance(change, PriceChanged):
            name = f"tickers.{change.listing.id}"
            if name in topics and change.listing.spot:
                yield self._ticker(name, "snapshot", records.spot_ticker(core, change.listing))
            elif name in topics:
                yield self._ticker(name, "delta", records.ticker_delta(core, change.listing))
        else:
            name = f"kline.1.{change.listing.id}"
            if name in topics:
                data = [records.kline_push(change.candle, core.now_ms())]
                yield {"topic": name, "type": "snapshot", "ts": core.now_ms(), "data": data}

    async def _log_in(self, connection: Connection, command: Json) -> None:
        """HMAC SHA256 of GET/realtime and the time at which the log-in expires, in hexadecimal."""
        api_key, expires, signature = [str(value) for value in [*command.get("args", ()), "", "", ""][:3]]
        key = self.keys.get(api_key)
        signed = hmac.new((key.secret if key else "").encode(), f"GET/realtime{expires}".encode(), hashlib.sha256)
        good = key is not None and hmac.compare_digest(signed.hexdigest(), signature)
        in_time = expires.isdigit() and int(expires) > self._core.now_ms()
        if good and in_time:
            connection.key = key
            await connection.answer(_told(command, "", ok=True))
        else:
            await connection.answer(_told(command, "error:USVC1111" if in_time else "Params Error", ok=False))
            await connection.close()

    async def _subscribe(self, connection: Connection, command: Json) -> None:
        names = [str(name) for name in command.get("args", ())]
        private = [name for name in names if name in self._private_topics]
        on_private = connection.path.endswith("/private")
        if bool(private) is not on_private or (private and connection.key is None):
            reason = "Request not authorized" if on_private else f"error:handler not found,topic:{names[0]}"
            await connection.answer(_told(command, reason, ok=False))
            return
        for name in names:
            if command["op"] == "unsubscribe":
                connection.topics.pop(name, None)
            else:
                connection.topics[name] = None
        await connection.answer(_told(command, "subscribe" if on_private else "", ok=True))
        if command["op"] == "subscribe":
            for name in names:
                await self._snapshot(connection, name)

    async def _snapshot(self, connection: Connection, name: str) -> None:
        kind, _, rest = name.partition(".")
        if kind == "tickers":
            listing = self._core.listing(rest)
            data = (records.spot_ticker if listing.spot else records.ticker)(self._core, listing)
            await connection.push(self._ticker(name, "snapshot", data))

    def _ticker(self, name: str, kind: str, data: Json) -> Json:
        return {"topic": name, "type": kind, "data": data, "cs": 24987956059, "ts": self._core.now_ms()}

    def _pushed(self, topic: str, data: list[Json]) -> Json:
        return {"id": f"{topic}-{self._core.now_ms()}", "topic": topic, "creationTime": self._core.now_ms(),
                "data": data}  # fmt: skip

    def _pong(self, connection: Connection, command: Json) -> Json:
        if connection.path.endswith("/private"):
            answer: Json = {"op": "pong", "args": [str(self._core.now_ms())], "conn_id": "conn-1"}
        else:
            answer = _told(command, "pong", ok=True)
        return answer | {"req_id": command.get("req_id", "")}


def _told(command: Json, message: str, *, ok: bool) -> Json:
    answer: Json = {"success": ok, "ret_msg": message, "op": command.get("op"), "conn_id": "conn-1"}
    if not ok:
        answer["request"] = {"op": command.get("op"), "args": command.get("args")}
    return answer | {"req_id": command.get("req_id", "")}
