"""A run from PostgreSQL's start to its end, and what signals do to it."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

from opensqt.cli.run.plan import Plan
from opensqt.cli.run.screen import Screen
from opensqt.cli.run.session import Ending, Session
from opensqt.cli.run.state import State
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.postgres import connect

EXIT_INTERRUPTED = 130
_THROW_AWAY = {"fsync": "off", "full_page_writes": "off"}
"""Nothing is to outlive a run whose state is thrown away."""


async def play(
    plan: Plan, state: State, screen: Screen, *, dsn: str | None, until_end: bool, throw_away: bool
) -> Ending:
    """Runs the plan, with a PostgreSQL of its own where there is no `dsn`. Raises JournalError."""
    async with AsyncExitStack() as stack:
        signals = _Signals(screen)
        if dsn is None:
            screen.step(f"starting PostgreSQL in {state.folder / 'postgres'}")
            postgres = EmbeddedPostgres(state.folder / "postgres", settings=_THROW_AWAY if throw_away else {})
            dsn = (await stack.enter_async_context(postgres)).dsn
        else:
            await _check_reachable(dsn)
        session = Session(plan, state, screen, dsn=dsn, until_end=until_end)
        signals.attach(session)
        return await session.run()


async def _check_reachable(dsn: str) -> None:
    """Once, before anything is started; later, each process waits for its database. Raises JournalError."""
    connection = await connect(dsn, application="opensqt run")
    await connection.close()


class _Signals:
    """The first Ctrl-C (or SIGTERM) ends the run in good order, the second one at once."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._session: Session | None = None
        self._received = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._receive)

    def attach(self, session: Session) -> None:
        self._session = session
        if self._received:
            session.interrupt()

    def _receive(self) -> None:
        if self._received:
            if self._session is not None:
                self._session.kill()
            self._screen.close()
            # PostgreSQL, which is told of our death, shuts down by itself.
            os._exit(EXIT_INTERRUPTED)
        self._received = True
        if self._session is not None:
            self._session.interrupt()
