"""A web server on loopback that answers each path as a test wants, and keeps what it was asked."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Json
    body: Any
    headers: Json


@dataclass
class Answers:
    """`bodies` by path: JSON, or a function of the request's query. `status` by path where it is not 200."""

    bodies: dict[str, Any] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    commands: list[Json] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]

    async def push(self, message: Any) -> None:
        """To every WebSocket."""
        for socket in self.sockets:
            await socket.send_json(message)

    async def until(self, holds: Callable[[], bool], seconds: float = 120.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - several conditions of several tests
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        for socket in list(self.sockets):
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def of(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        text = await request.text()
        body = json.loads(text) if text.startswith(("{", "[")) else text
        query = dict(request.query)
        self.asked.append(Asked(request.method, request.path, query, body, dict(request.headers)))
        answer = self.bodies.get(request.path)
        if answer is None:
            return web.Response(text=f"nothing is laid out for {request.method} {request.path}", status=404)
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(query)
        status, headers = self.status.get(request.path, 200), self.headers.get(request.path)
        if isinstance(answer, str):
            return web.Response(text=answer, status=status, headers=headers)
        return web.json_response(answer, status=status, headers=headers)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        """Takes every log-in and every subscription, in the words of Bitget, Gate, OKX and Bybit."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data.startswith("{"):
                command = json.loads(message.data)
                self.commands.append(command)
                for answer in _acknowledged(command):
                    await socket.send_json(answer)
        self.sockets.remove(socket)
        return socket


def _acknowledged(command: Json) -> list[Json]:
    operation = command.get("op")
    if operation == "login":
        return [{"event": "login", "code": "0", "msg": "", "connId": "1"}]
    if operation == "auth" or "req_id" in command:
        return [{"success": True, "ret_msg": "", "op": operation, "conn_id": "1", "req_id": command.get("req_id", "")}]
    if command.get("event") == "subscribe":
        answer = {name: command[name] for name in ("time", "id", "channel", "event") if name in command}
        return [answer | {"error": None, "result": {"status": "success"}}]
    return []
