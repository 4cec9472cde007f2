"""The bot's newest status, and who is to be told of a change when."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.engine.market import Market
from opensqt.engine.view import EngineView, Phase
from opensqt.runtime.probes import Probes
from opensqt.runtime.status import PHASES, probe_of, status_of, urgent_part


class StatusBoard:
    """Before there is an engine, the status is what start-up says: why the bot does not trade yet."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._view: Callable[[], EngineView] | None = None
        self._market: Market | None = None
        self._start = pb.Status()
        self._weaknesses: tuple[str, ...] = ()
        self._market_ended = False
        self._compared = pb.Reconciliation()
        self._urgent = b""
        self._urgent_version = 0
        self._version = 0
        self._changed = asyncio.Event()
        probes.changed = self.check
        self.starting("Starting", "the bot is starting")

    def starting(self, reason: str, message: str) -> None:
        self._say(Phase.STARTING, reason, message)

    def halted(self, reason: str, message: str) -> None:
        """A person must act before the bot can trade at all."""
        self._say(Phase.HALTED, reason, message)

    def stopped(self, generation: int, message: str) -> None:
        """Nothing was ever placed, and nothing will be."""
        self._start.generation = generation
        self._say(Phase.STOPPED, "NeverTraded", message)

    def epoch(self, epoch: int) -> None:
        self._start.epoch = epoch
        self.check()

    def attach(self, view: Callable[[], EngineView], market: Market) -> None:
        """From now on the engine speaks."""
        self._view, self._market = view, market
        self.check()

    def weaknesses(self, weaknesses: tuple[str, ...]) -> None:
        if weaknesses != self._weaknesses:
            self._weaknesses = weaknesses
            self.check()

    def market_ended(self, ended: bool) -> None:
        if ended != self._market_ended:
            self._market_ended = ended
            self.check()

    def compared(self, *, last_run: int, failing_since: int = 0, message: str = "") -> None:
        """How the comparisons with the exchange go; microseconds."""
        self._compared = pb.Reconciliation(last_run_us=last_run, failing_since_us=failing_since, message=message)
        self.check()

    def view(self) -> EngineView | None:
        return self._view() if self._view else None

    def status(self) -> pb.Status:
        if self._view is not None and self._market is not None:
            status = status_of(self._view(), self._market)
        else:
            status = pb.Status()
            status.CopyFrom(self._start)
            status.time_us = time.time_ns() // 1000
        status.probes.extend(probe_of(probe) for probe in self._probes)
        status.weaknesses.extend(self._weaknesses)
        status.market_ended = self._market_ended
        status.reconciliation.MergeFrom(self._compared)
        return status

    @property
    def ready(self) -> bool:
        """All probes are well, and the bot does what it is asked."""
        waiting = {PHASES[Phase.STARTING], PHASES[Phase.HALTED]}
        return self._probes.all_healthy and self.status().phase not in waiting

    def numbers_changed(self) -> None:
        """Something that may be told later has changed."""
        self._version += 1
        self._notify()

    def check(self) -> None:
        """Something that must be told at once may have changed."""
        urgent = urgent_part(self.status())
        if urgent != self._urgent:
            self._urgent = urgent
            self._urgent_version += 1
        self.numbers_changed()

    async def watch(self, min_interval: float) -> AsyncIterator[pb.Status]:
        """The status now, then after each change: numbers at most once in `min_interval` seconds, all else at once."""
        loop = asyncio.get_running_loop()
        while True:
            version, urgent_version, told_at = self._version, self._urgent_version, loop.time()
            yield self.status()
            while self._urgent_version == urgent_version:
                due = self._version != version
                wait = told_at + min_interval - loop.time() if due else None
                if wait is not None and wait <= 0:
                    break
                changed = self._changed
                try:
                    async with asyncio.timeout(wait):
                        await changed.wait()
                except TimeoutError:
                    break

    def _say(self, phase: Phase, reason: str, message: str) -> None:
        self._start.phase, self._start.reason, self._start.message = PHASES[phase], reason, message
        del self._start.gate[:]
        self._start.gate.add(reason=reason, message=message, exits=True)
        self.check()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
