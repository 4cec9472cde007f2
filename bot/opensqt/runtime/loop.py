"""The bot's one consumer of events: nothing is carried out that is not committed.

Event → `engine.on` → commit, if anything durable changed or anything is to be done → carry the actions out. All events
that wait are handled together and committed in one statement. Of prices, account and position only the newest counts.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Protocol

import structlog
from prometheus_client import Histogram

from opensqt.connector.retry import Backoff
from opensqt.engine.actions import Action
from opensqt.engine.engine import Engine
from opensqt.engine.events import AccountReported, CandleChanged, ClockTicked, Event, PositionReported, PriceChanged
from opensqt.engine.replay import Decision
from opensqt.engine.view import EngineView
from opensqt.journal.errors import JournalMisconfigured, JournalUnreachable
from opensqt.journal.journal import Journal
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.probes import JOURNAL, Probes

log = structlog.get_logger(__name__)

COMMITS = Backoff(first=0.1, cap=5.0)
SNAPSHOT_EVERY = 500
"""Logged events between two snapshots."""
SHORTEST_WAIT = 0.02
"""Seconds: a time that is already past is not waited for in a busy loop."""
MOST_AT_ONCE = 1000
"""Events committed together at most."""


class Observer(Protocol):
    """Told what has been committed, before it is carried out, and after every batch."""

    def committed(self, events: Sequence[Event], actions: Sequence[Action]) -> None: ...

    def advanced(self) -> None: ...


class EventLoop:
    """Owns the engine: no one else calls `engine.on`."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        *,
        clock: MarketClock,
        probes: Probes,
        random: Random,
        observer: Observer,
        commit_seconds: Histogram,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._probes = probes
        self._random = random
        self._observer = observer
        self._commit_seconds = commit_seconds
        self._queue: deque[Event] = deque()
        self._newest: dict[object, Event] = {}
        self._awaited: list[tuple[Event, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._unlogged_price: PriceChanged | None = None
        self._since_snapshot = 0
        self._stopping = False
        self._ahead = False
        self._shown: EngineView | None = None
        self._ticked = (0, 0)

    def view(self) -> EngineView:
        """The engine's view, without slots, as of the last commit: nobody is told what a crash now would take back."""
        if self._shown is None or not self._ahead:
            self._shown = self._engine.view(slots=False)
        return self._shown

    def put(self, event: Event) -> None:
        """Queues an event. A newer price, account, position or candle takes the place of one that still waits."""
        if isinstance(event, PriceChanged | AccountReported | PositionReported):
            self._newest[type(event)] = event
        elif isinstance(event, CandleChanged) and not event.closed:
            self._newest[event.symbol, event.interval] = event
        else:
            self._queue.append(event)
        self._wake.set()

    async def apply(self, event: Event) -> None:
        """Queues an event and returns when it has been committed."""
        done = asyncio.get_running_loop().create_future()
        self._awaited.append((event, done))
        self.put(event)
        await done

    def stop(self) -> None:
        """`run` returns when it has handled what waits."""
        self._stopping = True
        self._wake.set()

    async def run(self, carry_out: Callable[[Sequence[Action]], None]) -> None:
        """Handles events until `stop`. Raises `Fenced` when a newer instance of the bot exists."""
        while True:
            events = self.take()
            if events:
                carry_out(await self.handle(events))
            elif self._stopping:
                return
            else:
                await self.wait()

    async def handle(self, events: Iterable[Event]) -> list[Action]:
        """Takes the events to the engine and the journal; returns the actions, which may now be carried out."""
        logged: list[Decision] = []
        actions: list[Action] = []
        handled = list(events)
        self._ahead = True
        for event in handled:
            wanted = self._engine.on(event)
            if self._engine.dirty or wanted:
                if self._unlogged_price is not None:
                    logged.append(Decision(self._unlogged_price, ()))
                    self._unlogged_price = None
                logged.append(Decision(event, wanted))
                actions += wanted
            elif isinstance(event, PriceChanged):
                self._unlogged_price = event
        if logged:
            await self._commit(logged)
        self._ahead = False
        if logged:
            self._observer.committed([decision.event for decision in logged], actions)
            await self._snapshot_if_due(len(logged))
        self._answer(handled)
        self._observer.advanced()
        return actions

    async def save_snapshot(self) -> None:
        """Saves the engine's state. A failure costs only time at the next start."""
        if self._journal.seq == 0:
            return
        try:
            await self._journal.save_snapshot(self._journal.seq, self._engine.snapshot())
        except (JournalUnreachable, JournalMisconfigured) as error:
            log.warning("snapshot_failed", error=str(error))
        else:
            self._since_snapshot = 0

    def take(self) -> list[Event]:
        """What is to be handled now: what waits, the newest price, account, position and candles, then the clock."""
        self._wake.clear()
        events = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_AT_ONCE))]
        if not self._queue:
            events += self._newest.values()
            self._newest.clear()
        wake_at, now = self._engine.wake_at, self._clock.now()
        if wake_at is not None and wake_at <= now and self._ticked != (wake_at, now) and not self._stopping:
            self._ticked = (wake_at, now)
            events.append(ClockTicked(now))
        return events

    async def wait(self) -> None:
        """Until there is an event or the engine wants to be woken."""
        wake_at = self._engine.wake_at
        seconds = None if wake_at is None else max(SHORTEST_WAIT, (wake_at - self._clock.now()) / 1_000_000)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _commit(self, decisions: Sequence[Decision]) -> None:
        """Tries until it is done: until then nothing is carried out."""
        delays = COMMITS.delays(self._random.uniform)
        while True:
            try:
                with self._commit_seconds.time():
                    await self._journal.append(decisions)
            except (JournalUnreachable, JournalMisconfigured) as error:
                seconds = next(delays)
                reason = "Unreachable" if isinstance(error, JournalUnreachable) else "Misconfigured"
                self._probes.unhealthy(JOURNAL, reason, f"nothing is placed until it is back: {error}")
                log.warning("commit_failed", error=str(error), events=len(decisions), retry_seconds=round(seconds, 2))
                await asyncio.sleep(seconds)
            else:
                self._probes.healthy(JOURNAL)
                return

    async def _snapshot_if_due(self, logged: int) -> None:
        self._since_snapshot += logged
        if self._since_snapshot >= SNAPSHOT_EVERY:
            await self.save_snapshot()

    def _answer(self, handled: Sequence[Event]) -> None:
        identities = {id(event) for event in handled}
        for event, done in self._awaited:
            if id(event) in identities and not done.done():
                done.set_result(None)
        self._awaited = [(event, done) for event, done in self._awaited if not done.done()]
