"""A simulated exchange on loopback: HTTP, WebSocket, faults and controls; what differs is in the faces."""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from aiohttp import web

from opensqt.api.exchange import Exchange
from tests.venues.changes import Change
from tests.venues.core import Core
from tests.venues.deadman import DeadMan
from tests.venues.faults import Fault, Faults, Operation
from tests.venues.keys import TRADER, Key
from tests.venues.limits import Meter
from tests.venues.listing import Candle, Intent, Listing, Order, Trade
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call, Route
from tests.venues.sockets import Connection

Json = dict[str, Any]


class Face(ABC):
    """One exchange. Everything a test does to it is the same for all five.

    Every request is kept in `calls`; `connections` are the WebSockets that are up.
    """

    exchange: ClassVar[Exchange]

    def __init__(self, core: Core, *, limit: int = 100_000) -> None:
        self.core = core
        self.keys = {TRADER.api_key: TRADER}
        self.faults = Faults()
        self.calls: list[Call] = []
        self.connections: list[Connection] = []
        self.heard: list[Any] = []
        self.maintenance = False
        self.meter = Meter(limit)
        self.dead_man = DeadMan(self.tell)
        self.url = ""
        self._routes = list(self.routes())
        self._runner: web.AppRunner | None = None

    # --- what a face says in its own way ---

    @abstractmethod
    def routes(self) -> Iterable[Route]: ...

    @abstractmethod
    def authenticate(self, call: Call) -> Key:
        """Whose request it is. Raises RefusalError: BAD_KEY, BAD_SIGNATURE, BAD_PASSPHRASE, CLOCK_SKEW."""

    @abstractmethod
    def envelope(self, call: Call, result: Any) -> Any:
        """An answer's body."""

    @abstractmethod
    def refusal(self, call: Call, refusal: RefusalError) -> tuple[int, Any]:
        """An error's HTTP status and body."""

    @abstractmethod
    async def opened(self, connection: Connection) -> bool:
        """A WebSocket has come; False refuses it."""

    @abstractmethod
    async def said(self, connection: Connection, text: str) -> None:
        """The client has sent this on a WebSocket."""

    @abstractmethod
    def news(self, connection: Connection, change: Change) -> Iterable[Any]:
        """What a connection is told of a change."""

    def gone(self, connection: Connection) -> None:  # noqa: B027 - most exchanges do nothing then
        """A WebSocket has ended."""

    def rate_headers(self, call: Call) -> dict[str, str]:
        return {}

    # --- what a test does ---

    @property
    def btc(self) -> Listing:
        return next(iter(self.core.listings.values()))

    async def price(self, price: str | Decimal, listing: Listing | None = None) -> None:
        self.core.move(listing or self.btc, Decimal(price))
        await self.tell()

    async def fill(self, client_id: str, quantity: str | Decimal, *, tell: bool = True) -> Trade:
        """Fills some of a resting order; without `tell` the streams keep it to themselves."""
        trade = self.core.fill(self.order(client_id), Decimal(quantity))
        if tell:
            await self.tell()
        else:
            self.core.take_changes()
        return trade

    async def candle(self, candle: Candle, listing: Listing | None = None) -> None:
        self.core.set_candle(listing or self.btc, candle)
        await self.tell()

    def intent(self, client_id: str, price: Decimal, quantity: Decimal) -> Intent:
        """A buy of the first symbol, as somebody else would send it."""
        return Intent(self.btc, client_id, True, price, quantity)

    def order(self, client_id: str) -> Order:
        order = self.core.by_client_id(client_id)
        assert order is not None, client_id
        return order

    def sent(self, operation: Operation) -> list[Call]:
        return [call for call in self.calls if call.operation is operation]

    def refuse_next(self, operation: Operation, reason: Reason, **values: int) -> None:
        """The next request of that kind is refused, in the exchange's own words."""
        call = Call(operation, "", "", "", "", {}, {}, [], {}, "")
        status, body = self.refusal(call, RefusalError(reason, values=values))
        headers = self.pause_headers(values["seconds"]) if "seconds" in values else {}
        self.faults.next(Fault(operation, status=status, body=body, headers=headers))

    def pause_headers(self, seconds: int) -> dict[str, str]:
        """How the exchange says for how long to be quiet."""
        return {"Retry-After": str(seconds)}

    def key_becomes(self, key: Key, **changes: Any) -> None:
        self.keys = {key.api_key: replace(key, **changes)}

    async def hang_up(self) -> None:
        """Closes every WebSocket properly."""
        for connection in list(self.connections):
            await connection.close()

    def cut(self) -> None:
        """Every WebSocket's TCP connection ends without a word."""
        for connection in list(self.connections):
            connection.cut()

    def freeze(self) -> None:
        """Half-closed: every WebSocket of now stays up, and nothing comes from it any more, no pong either."""
        for connection in self.connections:
            connection.frozen = True

    def silence(self, *, private: bool) -> None:
        """Every WebSocket of that kind stays up, answers pings, and brings no news."""
        for connection in self.connections:
            connection.silent = connection.silent or (connection.key is not None) is private

    @property
    def private(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.key is not None]

    @property
    def public(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.key is None]

    def told(self) -> list[str]:
        """The topics that are subscribed to, on all connections."""
        return [str(topic) for connection in self.connections for topic in connection.topics]

    def subscribed(self, word: str) -> bool:
        """Whether a topic with this word in its name is subscribed to."""
        return any(word in topic for topic in self.told())

    async def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - several conditions of several tests
                await asyncio.sleep(0.005)

    async def tell(self) -> None:
        """Sends what has changed to those who have subscribed to it."""
        for change in self.core.take_changes():
            for connection in list(self.connections):
                for message in self.news(connection, change):
                    await connection.push(message)

    # --- the server ---

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        assert site._server is not None
        self.url = f"http://{host}:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]

    async def stop(self) -> None:
        self.dead_man.stop()
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        call, route = await self._read(request)
        self.calls.append(call)
        fault = self.faults.take(call.operation)
        if fault is not None and fault.gate is not None:
            await fault.gate.wait()
        if fault is not None and fault.answers and not fault.carried_out:
            return await self._fail(request, fault)
        answer = await self._answer(call, route)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.answers:
            return await self._fail(request, fault)
        return answer

    async def _read(self, request: web.Request) -> tuple[Call, Route | None]:
        text = await request.text()
        query = request.rel_url.raw_query_string
        params: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
        payload: list[Any] = []
        if text.startswith(("{", "[")):
            body = json.loads(text)
            params |= body if isinstance(body, dict) else {}
            payload = body if isinstance(body, list) else []
        elif text:
            params |= dict(parse_qsl(text, keep_blank_values=True))
        path = request.rel_url.raw_path
        for route in self._routes:
            names = route.match(request.method, path)
            if names is not None:
                break
        else:
            route, names = None, {}
        call = Call(
            operation=route.operation if route else Operation.TIME,
            method=request.method,
            path=path,
            query=query,
            text=text,
            headers=request.headers,
            params=params,
            payload=payload,
            names=names or {},
            remote=request.remote or "",
        )
        return call, route

    async def _answer(self, call: Call, route: Route | None) -> web.Response:
        if route is None:
            return web.Response(text=f"the simulator has no {call.method} {call.path}", status=404)
        headers: dict[str, str] = {}
        try:
            self.meter.count(route.weight)
            headers = self.rate_headers(call)
            self._admit(call, route)
            result = route.handler(call)
            if isinstance(result, Awaitable):
                result = await result
        except RefusalError as refusal:
            if refusal.reason is Reason.RATE_LIMIT:
                headers |= self.pause_headers(self.meter.pause())
            status, body = self.refusal(call, refusal)
            return web.json_response(body, status=status, headers=headers)
        await self.tell()
        return web.json_response(self.envelope(call, result), headers=headers)

    def _admit(self, call: Call, route: Route) -> None:
        """Raises RefusalError."""
        if self.maintenance:
            raise RefusalError(Reason.MAINTENANCE)
        if not route.signed:
            return
        key = self.authenticate(call)
        if key.addresses and call.remote not in key.addresses:
            raise RefusalError(Reason.ADDRESS_NOT_ALLOWED, call.remote)
        if route.trading and not key.may_trade:
            raise RefusalError(Reason.MISSING_PERMISSION)

    @staticmethod
    async def _fail(request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.hang_up:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(fault.body, str):
            return web.Response(text=fault.body, status=fault.status, headers=fault.headers)
        return web.json_response(fault.body, status=fault.status, headers=fault.headers)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False, compress=False)
        connection = Connection(socket, request.path, dict(request.query), self.faults)
        if not await self.opened(connection):
            return web.Response(status=401)
        await socket.prepare(request)
        self.connections.append(connection)
        try:
            async for text in connection.texts():
                self.heard.append(text)
                await self.said(connection, text)
        finally:
            self.connections.remove(connection)
            self.gone(connection)
            with contextlib.suppress(Exception):
                await connection.close()
        return socket
