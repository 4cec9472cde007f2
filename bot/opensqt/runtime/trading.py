"""A bot that trades: the engine with its loop, its connector and its journal, from the first event to the last."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from random import Random

import structlog

from opensqt.api.gridbot import GridBot
from opensqt.connector.client import Caller, ExchangeClient
from opensqt.connector.venue import Account, Capabilities, Position
from opensqt.engine.actions import Action, Notify, Severity
from opensqt.engine.client_id import client_id_prefix
from opensqt.engine.engine import Engine
from opensqt.engine.events import ClockCompared, Configured, Event, Started
from opensqt.journal.journal import Journal
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.book import Book
from opensqt.runtime.build import engine_build
from opensqt.runtime.candle_feeds import CandleFeeds, wanted_candles
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.dispatcher import Dispatcher
from opensqt.runtime.execution import Execution
from opensqt.runtime.feeds import Feeds
from opensqt.runtime.lockstep import Lockstep
from opensqt.runtime.loop import EventLoop
from opensqt.runtime.metrics import Metrics
from opensqt.runtime.notices import Notices
from opensqt.runtime.probes import Probes
from opensqt.runtime.reconciliation import Reconciliation
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

LAST_ANSWERS = 5.0
"""Seconds that calls under way have to end when the bot is told to stop, and then the journal to take their answers."""

_SKEW_STEP = 100_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What start-up has made ready."""

    bot: GridBot
    client: ExchangeClient
    capabilities: Capabilities
    translation: Translation
    quote: str
    dsn: str
    journal: Journal
    engine: Engine
    clock: MarketClock
    probes: Probes
    board: StatusBoard
    notices: Notices
    metrics: Metrics


class Trading:
    """One instance. `run` ends with `stop`, or by `Fenced` when a newer instance of the bot exists."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        uid = around.bot.metadata.uid
        random = Random(f"{uid} {around.journal.epoch}")  # noqa: S311 - jitter, reproducible
        self.book = Book(around.engine, around.translation.market, uid, around.quote, around.dsn)
        self.loop = EventLoop(
            around.engine, around.journal, clock=around.clock, probes=around.probes, random=random, observer=self,
            commit_seconds=around.metrics.commit_seconds,
        )  # fmt: skip
        self._caller = Caller(uid, around.journal.epoch)
        self._execution = Execution(
            around.client,
            self._caller,
            around.translation,
            around.capabilities,
            clock=around.clock,
            random=random,
            metrics=around.metrics,
        )
        self._prefix = client_id_prefix(uid)
        self._random = random
        self._feeds: Feeds | None = None
        self._skew = 0
        self._under_way = self._begun = False
        self._told: Configured | None = None
        """The newest configuration of those that came before trading was under way."""
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Ends `run` in good order; the orders stay in the market."""
        self._stop.set()

    async def configure(self, event: Configured) -> bool:
        """Returns True when it is committed; False where nothing is handled yet: it will be, before any price."""
        if not self._under_way:
            self._told = event
            return False
        await self.loop.apply(event)
        return True

    def clock_compared(self, skew: int) -> None:
        """Tells the engine of the connector's clock, in steps of 100 ms."""
        rounded = round(skew / _SKEW_STEP) * _SKEW_STEP
        if rounded != self._skew:
            self._skew = rounded
            self.loop.put(ClockCompared(self._around.clock.now(), rounded))

    def feed_ages(self) -> dict[str, float]:
        """Seconds since the last message of each stream."""
        return self._feeds.ages() if self._feeds else {}

    def committed(self, events: Sequence[Event], actions: Sequence[Action]) -> None:
        if not self._begun:  # what the log says is of earlier instances until this one's start is in it
            self._begun = True
            self._around.board.attach(self.loop.view, self._around.translation.market)
        self.book.committed(events)
        for action in actions:
            if isinstance(action, Notify):
                write = log.warning if action.severity is Severity.WARNING else log.info
                write("notice", reason=action.reason, message=action.message)
                self._around.notices.add(action.severity, action.reason, action.message)
        self._around.board.check()

    def advanced(self) -> None:
        self._around.board.numbers_changed()

    async def run(
        self, configured: Configured | None, account: Account, position: Position | None, clock_skew: int
    ) -> None:
        """Trades from the epoch's first event on. Raises `Fenced`, `JournalDiverged`, in an exception group."""
        market = self._around.translation.market
        self.loop.put(Started(self._around.clock.now(), self._around.journal.epoch, market, engine_build()))
        if configured is not None:
            self.loop.put(configured)
        self.loop.put(self._around.translation.account(account))
        if position is not None:
            self.loop.put(self._around.translation.found(position))
        self.clock_compared(clock_skew)
        self._around.board.starting("OrdersNotFollowed", "the stream of the bot's orders is not followed yet")
        if self._around.capabilities.lockstep:
            self._go()
            await self._run_lockstep()
        else:
            await self._run_live()

    async def _run_live(self) -> None:
        around = self._around
        async with asyncio.TaskGroup() as calls:
            dispatcher = Dispatcher(self._execution, self.loop.put, calls)
            self._feeds = Feeds(
                around.client, around.translation, self._caller, self.loop.put,
                clock=around.clock, probes=around.probes, random=self._random, notices=around.notices,
                funding_since=lambda: around.engine.funding_since, price_age=self._price_age,
            )  # fmt: skip
            feeds = [calls.create_task(self._feeds.run())]
            if candles := self._candles():
                feeds.append(calls.create_task(candles.run()))
            reconciliation = Reconciliation(
                around.client, around.engine, around.translation, self._prefix,
                put=self.loop.put, dispatch=dispatcher.dispatch, clock=around.clock, random=self._random,
                board=around.board, notices=around.notices,
            )  # fmt: skip
            feeds.append(calls.create_task(reconciliation.run()))
            # What earlier instances left in doubt is looked up when the stream of orders is followed, not before.
            stop = calls.create_task(self._stop.wait())
            followed = calls.create_task(self._feeds.orders_followed.wait())
            await asyncio.wait({stop, followed}, return_when=asyncio.FIRST_COMPLETED)
            followed.cancel()
            self._go()
            events = calls.create_task(self.loop.run(dispatcher.dispatch))
            await stop
            for feed in feeds:
                feed.cancel()
            dispatcher.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_ANSWERS):
                    await dispatcher.idle()
            await self._end(events)

    def _go(self) -> None:
        """From here on events are handled: what waits, then what was told meanwhile, then prices."""
        self._under_way = True
        if self._told is not None:
            self.loop.put(self._told)

    def _price_age(self) -> float:
        """Seconds; a market that has been played to its end has no newer prices, which is as it should be."""
        return inf if self._around.board.status().market_ended else self._around.engine.max_price_age / 1_000_000

    def _candles(self) -> CandleFeeds | None:
        around, wanted = self._around, wanted_candles(self._around.bot.spec)
        if not wanted:
            return None
        return CandleFeeds(
            around.client, wanted, self.loop.put, clock=around.clock, probes=around.probes, random=self._random
        )

    async def _run_lockstep(self) -> None:
        around = self._around
        lockstep = Lockstep(
            around.client, self.loop, around.engine, self._execution, around.translation,
            bot_uid=around.bot.metadata.uid, client_id_prefix=self._prefix,
            clock=around.clock, probes=around.probes, board=around.board, random=self._random, candles=self._candles(),
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(lockstep.run())
            await self._stop.wait()
            lockstep.stop()
            await self._end(playing)

    async def _end(self, events: asyncio.Task[None]) -> None:
        """Lets the loop commit what it has, for as long as the journal answers, and saves a snapshot."""
        self.loop.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS):
                await asyncio.shield(events)
                await self.loop.save_snapshot()
        events.cancel()
