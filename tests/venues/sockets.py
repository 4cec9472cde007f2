"""One WebSocket connection as a simulator sees it."""

import asyncio
import json
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.venues.faults import Faults, Garble
from tests.venues.keys import Key


class Connection:
    """`topics` are what is subscribed to, with what the face wants to remember of each; `key` is whose log-in it is.

    A `frozen` one neither reads nor answers pings, and sends nothing: its TCP connection is up, and dead.
    """

    def __init__(self, socket: web.WebSocketResponse, path: str, query: dict[str, str], faults: Faults) -> None:
        self.path = path
        self.query = query
        self.topics: dict[Any, Any] = {}
        self.key: Key | None = None
        self.frozen = False
        self.silent = False
        self._socket = socket
        self._faults = faults
        self._held: list[Any] = []
        self._sending = asyncio.Lock()

    async def texts(self) -> Any:
        """The client's messages until it goes; answers its WebSocket pings."""
        while not self._socket.closed:
            message = await self._socket.receive()
            if self.frozen:
                continue
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                yield message.data
            elif message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                return

    async def answer(self, message: Any) -> None:
        """A reply to the client, never garbled."""
        if self.frozen or self._socket.closed:
            return
        try:
            async with self._sending:
                await self._socket.send_str(message if isinstance(message, str) else json.dumps(message))
        except ConnectionError:
            await self.close()

    async def push(self, message: Any) -> None:
        """News, which faults may befall."""
        if self.silent:
            return
        garble = self._faults.garble(private=self.key is not None)
        if garble is Garble.HOLD:
            self._held.append(message)
            return
        if garble is not Garble.DROP:
            for _ in range(2 if garble is Garble.DUPLICATE else 1):
                await self.answer(message)
        held, self._held = self._held, []
        for late in held:
            await self.answer(late)

    async def close(self, code: int = WSCloseCode.GOING_AWAY) -> None:
        await asyncio.wait_for(self._socket.close(code=code, drain=False), 60)

    def cut(self) -> None:
        """Ends the TCP connection without a word."""
        request = self._socket._req
        if request is not None and request.transport is not None:
            request.transport.abort()
