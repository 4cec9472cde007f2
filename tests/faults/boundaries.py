"""Where a process can die between two parts: before a request has left it, and after it was served but unanswered.

Two proxies count these boundaries, one before PostgreSQL and one before the connector; a blow falls at the one chosen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import grpc

UNCOUNTED = frozenset({"GetConnectorStatus"})
"""Asked by the clock, not by what happens."""


class StruckError(Exception):
    """Here the blow fell: nothing goes on."""


class Blow:
    """Falls at the boundary of this number, the first being 1; 0 for none. `struck` says where it fell."""

    def __init__(self, at: int, strike: Callable[[], Awaitable[None]]) -> None:
        self._at = at
        self._strike = strike
        self.passed = 0
        self.struck = ""
        self._falling: asyncio.Task[None] | None = None

    async def passing(self, place: str) -> None:
        """Raises StruckError where it falls."""
        self.passed += 1
        if self.passed == self._at:
            self.struck = place
            # In a task of its own: who passes here may be cancelled when the process at the other end is gone.
            self._falling = asyncio.create_task(self._fall())
            await asyncio.shield(self._falling)
            raise StruckError(place)

    async def _fall(self) -> None:
        await self._strike()


class StatementProxy:
    """Before PostgreSQL's socket. A boundary lies before each statement's way to the server and before its answer's."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.blow: Blow | None = None

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_writer: asyncio.StreamWriter | None = None
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._server)
            pumps = [
                asyncio.create_task(self._to_server(reader, server_writer)),
                asyncio.create_task(self._to_client(server_reader, writer)),
            ]
            done, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for task in (*done, *pending):
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # the server is away
        finally:
            writer.transport.abort()
            if server_writer is not None:
                server_writer.transport.abort()

    async def _to_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            if self.blow is not None and (b"S\0\0\0\4" in data or data[:1] == b"Q"):
                await self.blow.passing("before a statement")
            writer.write(data)
            await writer.drain()

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted = False
        while data := await reader.read(1 << 20):
            if self.blow is not None and b"Z\0\0\0\5" in data:
                if greeted:
                    await self.blow.passing("after a statement")
                greeted = True  # the first is the end of the connection's start
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def statements(dsn: str, folder: Path) -> AsyncIterator[tuple[StatementProxy, str]]:
    """A proxy in `folder` and the DSN that leads through it."""
    url = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    name = f".s.PGSQL.{query['port']}"
    proxy = StatementProxy(f"{query['host']}/{name}")
    server = await asyncio.start_unix_server(proxy.handle, folder / name)
    through = urlunsplit(("postgresql", url.netloc, url.path, urlencode({**query, "host": str(folder)}), ""))
    try:
        yield proxy, through
    finally:
        server.close()


class RpcProxy(grpc.GenericRpcHandler):
    """Before a connector. A boundary lies before each call's way to it and before the way of its answer back."""

    def __init__(self) -> None:
        self.blow: Blow | None = None
        self._channel: Any = None

    async def lead_to(self, address: str) -> None:
        """Where calls go from now on."""
        before, self._channel = self._channel, grpc.aio.insecure_channel(address)
        if before is not None:
            await before.close()

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        if method.rpartition("/")[2].startswith("Subscribe"):
            return grpc.unary_stream_rpc_method_handler(self._stream_of(method))
        return grpc.unary_unary_rpc_method_handler(self._call_of(method))

    def _call_of(self, method: str) -> Any:
        async def call(request: bytes, context: Any) -> bytes:
            try:
                await self._passing(f"before {method}")
                try:
                    answer = await self._channel.unary_unary(method)(request, timeout=30)
                finally:  # an error is an answer too
                    await self._passing(f"after {method}")
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), tuple(error.trailing_metadata() or ()))
            except (StruckError, grpc.aio.UsageError, asyncio.CancelledError) as error:
                await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            return answer  # type: ignore[no-any-return]

        return call

    def _stream_of(self, method: str) -> Any:
        async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
            upstream = None
            try:
                await self._passing(f"before {method}")
                upstream = self._channel.unary_stream(method)(request)
                first = True
                async for message in upstream:
                    if first:
                        await self._passing(f"after {method}")
                        first = False
                    yield message
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), tuple(error.trailing_metadata() or ()))
            except (StruckError, grpc.aio.UsageError) as error:
                await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            finally:
                if upstream is not None:
                    with suppress(Exception):
                        upstream.cancel()

        return stream

    async def _passing(self, place: str) -> None:
        if self.blow is not None and place.rpartition("/")[2] not in UNCOUNTED:
            await self.blow.passing(place)


@asynccontextmanager
async def calls() -> AsyncIterator[tuple[RpcProxy, str]]:
    """A proxy for calls and its address."""
    proxy = RpcProxy()
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((proxy,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield proxy, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
        await proxy.close()
