"""Keeps the exchange's dead-man switch from firing as long as bots can trade through this connector, and no longer."""

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from opensqt.api.connector import DeadManSwitch as Settings
from opensqt.connector.ccxt_venue.budget import Priority
from opensqt.connector.ccxt_venue.profile import Guard
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.ccxt_venue.watching import follow

log = structlog.get_logger(__name__)

RENEWALS = 3
"""How often in one time-out it is renewed; a renewal that failed is repeated four times as often as that."""


class DeadManSwitch:
    """One account's. It is never disarmed at the end: what follows may be nothing, and then the orders must go."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._guard = session.dialect.profile.guard
        self._symbols: set[str] = set()
        self._added = asyncio.Event()
        self._fault = "it has not been armed yet"
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def active(self) -> bool:
        return self._settings.enabled and self._guard is not Guard.NONE and not self._fault

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """For people, in the connector's capabilities."""
        if self._guard is Guard.NONE:
            return ("no dead-man switch: open orders stay when the connector is gone",)
        if not self._settings.enabled:
            return ("the dead-man switch is off: open orders stay when the connector is gone",)
        return (f"the dead-man switch is not armed: {self._fault}",) if self._fault else ()

    def start(self) -> None:
        if self._guard is Guard.NONE or self._tasks:
            return
        self._tasks = [asyncio.create_task(self._keep_alive())]
        if self._guard is Guard.CONNECTION and self._settings.enabled:
            self._tasks.append(asyncio.create_task(self._hold_connection()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def watch_over(self, symbols: Iterable[str]) -> None:
        """Orders of these symbols are, or may be, open."""
        fresh = set(symbols) - self._symbols
        if fresh:
            self._symbols |= fresh
            self._added.set()

    async def _keep_alive(self) -> None:
        interval = self._settings.timeout_seconds / RENEWALS
        while True:
            self._added.clear()
            if not self._session.health.ready:
                # Nobody can cancel through us either: should that last, it is better that the exchange does.
                await self._session.health_changed()
            elif not await self._renew():
                await self._pause(interval / 4)
            elif self._settings.enabled:
                await self._pause(interval)
            else:
                await self._added.wait()

    async def _renew(self) -> bool:
        """Arms it, or disarms what an earlier instance has armed where it is to be off."""
        seconds = self._settings.timeout_seconds if self._settings.enabled else 0
        symbols = sorted(self._symbols)
        try:
            fault = await self._session.call(
                lambda exchange: self._session.dialect.set_dead_man_switch(exchange, seconds, symbols), Priority.CANCEL
            )
        except CallError as error:
            self._note(error.failure.message)
            return False
        self._note(fault)
        return True

    def _note(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            if fault:
                log.warning("dead_man_switch_not_armed", reason=fault)
            else:
                log.info("dead_man_switch_armed", timeout_seconds=self._settings.timeout_seconds)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._added.wait()

    async def _hold_connection(self) -> None:
        async for _ in follow(self._session, "dcp", self._session.dialect.hold_dead_man_switch):
            pass
