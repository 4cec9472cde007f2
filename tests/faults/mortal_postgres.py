"""A PostgreSQL of a test's own that is killed, kill -9 of its postmaster, and started again by itself."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from opensqt.journal.embedded import EmbeddedPostgres
from tests.faults.boundaries import StatementProxy, statements
from tests.runtime.harness import until


class MortalPostgres:
    """`dsn` leads to it, and `through` through the `proxy`, which counts statements."""

    def __init__(self, server: EmbeddedPostgres, proxy: StatementProxy, through: str) -> None:
        self._server = server
        self.proxy = proxy
        self.through = through
        self.dsn = server.dsn

    async def strike(self) -> None:
        """kill -9; returns when another postmaster is there."""
        killed = self._server.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: self._server.pid not in {None, killed})


@asynccontextmanager
async def mortal_postgres() -> AsyncIterator[MortalPostgres]:
    with TemporaryDirectory(prefix="opensqt-") as folder:
        sockets = Path(folder) / "proxy"
        sockets.mkdir()
        async with (
            EmbeddedPostgres(Path(folder) / "postgres", settings={"fsync": "off"}) as server,
            statements(server.dsn, sockets) as (proxy, through),
        ):
            yield MortalPostgres(server, proxy, through)
