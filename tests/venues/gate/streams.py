"""Gate's WebSocket. gate.com/docs/developers/futures/ws: one connection; each private subscription is signed."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.venues.changes import AccountChanged, CandleChanged, Change, OrderChanged, PriceChanged
from tests.venues.core import Core
from tests.venues.gate import records
from tests.venues.keys import Key
from tests.venues.sockets import Connection

Json = dict[str, Any]
WINDOW_SECONDS = 60


class Streams:
    """Of one face; `keys` are those that may subscribe. A topic is a channel with one of its contracts.

    `by_user`: private channels are subscribed to with the user's id.
    """

    prefix = "futures"
    private = frozenset({"futures.orders", "futures.usertrades", "futures.positions", "futures.balances"})
    by_user = True

    def __init__(self, core: Core, keys: Mapping[str, Key]) -> None:
        self._core = core
        self.keys = keys

    async def said(self, connection: Connection, text: str) -> None:
        command = json.loads(text)
        channel, event = str(command.get("channel")), command.get("event")
        if channel == f"{self.prefix}.ping":
            await connection.answer(self._envelope(f"{self.prefix}.pong", "", None) | {"error": None})
            return
        error = self._refused(command, channel)
        answer = self._envelope(channel, event, {"status": "success"})
        answer |= {name: command[name] for name in ("id", "payload") if name in command}
        if error is not None:
            code, message = error
            await connection.answer(answer | {"error": {"code": code, "message": message}, "result": None})
            return
        payload = [str(part) for part in command.get("payload") or ()]
        if channel in self.private:
            connection.key = self.keys[command["auth"]["KEY"]]
            payload = (payload[1:] if self.by_user else payload) or ["!all"]
        topics = [(channel, "_".join(payload))] if channel.endswith(".candlesticks") else [
            (channel, contract) for contract in payload
        ]  # fmt: skip
        for topic in topics:
            if event == "subscribe":
                connection.topics[topic] = None
            else:
                connection.topics.pop(topic, None)
        await connection.answer(answer)

    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        core = self._core

        def wants(channel: str, contract: str) -> bool:
            return bool(connection.topics.keys() & {(channel, contract), (channel, "!all")})

        if isinstance(change, OrderChanged):
            contract = change.order.listing.id
            if wants("futures.orders", contract):
                yield self._update("futures.orders", [records.order_push(change.order, change.trade)])
            if change.trade is not None and wants("futures.usertrades", contract):
                yield self._update("futures.usertrades", [records.trade_push(change.trade)])
        elif isinstance(change, AccountChanged):
            if change.listing is not None and wants("futures.positions", change.listing.id):
                held = core.position(change.listing)
                yield self._update("futures.positions", [records.position_push(held, core.now_ms())])
            if wants("futures.balances", "!all"):
                yield self._update("futures.balances", [records.balance_push(core)])
        elif isinstance(change, PriceChanged) and wants("futures.tickers", change.listing.id):
            yield self._update("futures.tickers", [records.ticker_push(core, change.listing)])
        elif isinstance(change, CandleChanged) and wants("futures.candlesticks", f"1m_{change.listing.id}"):
            yield self._update("futures.candlesticks", [records.candle_push(change.candle, change.listing)])

    def _refused(self, command: Json, channel: str) -> tuple[int, str] | None:
        """HMAC SHA512 of channel, event and time, in hexadecimal, for each private channel."""
        if channel in {f"{self.prefix}.tickers", f"{self.prefix}.candlesticks"}:
            return None
        if channel not in self.private:
            return 2, f"unknown channel {channel}"
        auth, stamp = command.get("auth") or {}, command.get("time", 0)
        key = self.keys.get(auth.get("KEY", ""))
        if key is None:
            return 4, "Authentication failed: INVALID_KEY"
        if abs(int(stamp) - self._core.now_ms() // 1000) > WINDOW_SECONDS:
            return 4, "Authentication failed: request expired"
        signed = f"channel={channel}&event={command.get('event')}&time={stamp}".encode()
        if not hmac.compare_digest(hmac.new(key.secret.encode(), signed, hashlib.sha512).hexdigest(), auth["SIGN"]):
            return 4, "Authentication failed: INVALID_SIGNATURE"
        user = str((command.get("payload") or [""])[0]) if self.by_user else str(records.USER)
        return None if user == str(records.USER) else (1, "invalid argument: user id")

    def _update(self, channel: str, result: Any) -> Json:
        return self._envelope(channel, "update", result)

    def _envelope(self, channel: str, event: Any, result: Any) -> Json:
        now_ms = self._core.now_ms()
        return {"time": now_ms // 1000, "time_ms": now_ms, "channel": channel, "event": event, "result": result}
