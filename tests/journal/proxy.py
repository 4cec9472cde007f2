"""A proxy before PostgreSQL's socket that loses what it is told to lose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit


class LossyProxy:
    """Counts the bytes of each direction from `arm` on, and cuts both sides when one has had as many as it may."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.sent = 0
        """Bytes from the client since `arm`."""
        self.answered = 0
        """Bytes from the server since `arm`."""
        self.requests = 0
        """Messages to the server that ask for an answer, since `arm`: round trips."""
        self._may_send: int | None = None
        self._may_answer: int | None = None
        self.released = asyncio.Event()
        self.released.set()
        """While clear, what the client sends is held back, also after the client has gone."""

    def arm(self, *, may_send: int | None = None, may_answer: int | None = None) -> None:
        """From now on, so many bytes pass; None is no bound."""
        self.sent = self.answered = self.requests = 0
        self._may_send, self._may_answer = may_send, may_answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        try:
            done, pending = await asyncio.wait(
                (
                    asyncio.create_task(self._to_server(reader, server_writer)),
                    asyncio.create_task(self._to_client(server_reader, writer)),
                ),
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in (*done, *pending):
                task.cancel()
        finally:
            writer.transport.abort()
            server_writer.transport.abort()

    async def _to_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            passing = data if self._may_send is None else data[: max(0, self._may_send - self.sent)]
            self.sent += len(data)
            self.requests += data.count(b"S\0\0\0\4")
            await self.released.wait()
            writer.write(passing)
            await writer.drain()
            if len(passing) < len(data) or self.sent == self._may_send:
                return

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            passing = data if self._may_answer is None else data[: max(0, self._may_answer - self.answered)]
            self.answered += len(data)
            writer.write(passing)
            await writer.drain()
            if len(passing) < len(data) or self.answered == self._may_answer:
                return


@asynccontextmanager
async def lossy(dsn: str, folder: Path) -> AsyncIterator[tuple[LossyProxy, str]]:
    """A proxy in `folder` and the DSN that leads through it."""
    url = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    name = f".s.PGSQL.{query['port']}"
    proxy = LossyProxy(f"{query['host']}/{name}")
    server = await asyncio.start_unix_server(proxy.handle, folder / name)
    through = urlunsplit(("postgresql", url.netloc, url.path, urlencode({**query, "host": str(folder)}), ""))
    yield proxy, through
    server.close()
