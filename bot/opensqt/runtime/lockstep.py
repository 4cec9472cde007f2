"""The paper market in lockstep: it moves on when the bot has done all it wants to: no result depends on timing."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

import structlog

from opensqt.connector.client import ExchangeClient, Step
from opensqt.connector.retry import RECONNECTS
from opensqt.connector.venue import FundingPayment, VenueError, VenueFill
from opensqt.engine.engine import Engine
from opensqt.engine.events import FeedChanged, PriceChanged
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.candle_feeds import CandleFeeds
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.execution import Execution
from opensqt.runtime.loop import EventLoop
from opensqt.runtime.probes import CONNECTOR, ORDER_FEED, PRICE_FEED, Probes
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

_FARTHEST = Decimal(10) ** 15
"""Above every price."""
Result = TypeVar("Result")


class Lockstep:
    """A step: its orders and fills, then its price, then all that the engine makes of them, call by call in order."""

    def __init__(
        self,
        client: ExchangeClient,
        loop: EventLoop,
        engine: Engine,
        execution: Execution,
        translation: Translation,
        *,
        bot_uid: str,
        client_id_prefix: str,
        clock: MarketClock,
        probes: Probes,
        board: StatusBoard,
        random: Random,
        candles: CandleFeeds | None = None,
    ) -> None:
        self._client = client
        self._loop = loop
        self._engine = engine
        self._execution = execution
        self._translation = translation
        self._bot_uid = bot_uid
        self._prefix = client_id_prefix
        self._clock = clock
        self._probes = probes
        self._board = board
        self._random = random
        self._candles = candles
        self._step = 0
        self._waiting: asyncio.Task[Any] | None = None
        self._stopped = False

    async def run(self) -> None:
        """Plays the data to its end, then goes on serving what is asked of the bot; returns after `stop`."""
        await self._make_up_funding()
        self._restore_feeds()
        await self._read_candles()
        await self._settle()
        await self._play()
        while not self._stopped:
            await self._unless_stopped(self._loop.wait())
            await self._settle()

    def stop(self) -> None:
        """Ends the waiting for the market, but nothing that is under way."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def _play(self) -> None:
        delays = RECONNECTS.delays(self._random.uniform)
        while not self._stopped:
            try:
                step = await self._unless_stopped(self._advance())
            except VenueError as error:
                self._lose_feeds(str(error))
                await self._unless_stopped(asyncio.sleep(next(delays)))
                # Nobody knows what has happened since: the engine looks everything up when the feed is back.
                await self._make_up_funding()
                self._restore_feeds()
                await self._read_candles()
                await self._settle()
                continue
            if step is None:
                return
            delays = RECONNECTS.delays(self._random.uniform)
            self._take(step)
            await self._report_account(step)
            if self._candles is not None and (self._candles.due or 0) <= step.time_us:
                await self._read_candles(2)
            await self._settle()
            if step.ended:
                log.info("market_ended", step=self._step)
                self._board.market_ended(True)
                return

    async def _advance(self) -> Step:
        symbol = self._translation.market.symbol
        quiet, wake_us = self._quiet(), self._wake_us()
        return await self._client.advance(self._bot_uid, symbol, self._prefix, self._step, quiet, wake_us=wake_us)

    def _wake_us(self) -> int:
        """When the next price is wanted, whatever it is: by the engine, or since a candle has closed; 0 for never."""
        times = (self._engine.wake_at, self._candles.due if self._candles else None)
        return min((time for time in times if time), default=0)

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, Result]) -> Result | None:
        """The result, or None where `stop` was called."""
        task = asyncio.create_task(waiting)
        self._waiting = task
        try:
            return await task
        except asyncio.CancelledError:
            if not self._stopped:
                task.cancel()
                raise
            return None

    def _take(self, step: Step) -> None:
        self._step = step.number
        self._clock.saw(step.time_us)
        for update in step.updates:
            self._loop.put(self._translation.update(update))
        if step.price is not None:
            self._loop.put(PriceChanged(step.time_us, self._translation.market.to_ticks(step.price)))

    async def _report_account(self, step: Step) -> None:
        """The equity moves with fills; what a stream would tell is asked for, at a time that is always the same."""
        if any(isinstance(update, VenueFill | FundingPayment) for update in step.updates):
            try:
                self._loop.put(self._translation.account(await self._client.account()))
            except VenueError as error:
                log.warning("account_unknown", error=str(error))

    async def _read_candles(self, newest: int = 0) -> None:
        """What streams would tell; the one that has closed and the one under way, or all the past that is needed."""
        if self._candles is None:
            return
        try:
            await self._candles.read(newest)
        except VenueError as error:
            log.warning("candles_unknown", error=str(error))

    async def _settle(self) -> None:
        """Until there is nothing left to handle at this time."""
        while events := self._loop.take():
            for answer in await self._execution.carry_out(await self._loop.handle(events)):
                self._loop.put(answer)

    async def _make_up_funding(self) -> None:
        """Funding of the time in which this bot was not there, or could not be reached."""
        delays = RECONNECTS.delays(self._random.uniform)
        while (since := self._engine.funding_since) and not self._stopped:
            try:
                for payment in await self._client.funding(self._translation.market.symbol, since):
                    self._loop.put(self._translation.update(payment))
            except VenueError as error:
                log.warning("funding_unknown", error=str(error))
                await self._unless_stopped(asyncio.sleep(next(delays)))
            else:
                return

    def _quiet(self) -> tuple[Decimal, Decimal] | None:
        """The engine's quiet band as prices; every price is wanted where the candle under way counts."""
        if self._candles is not None and self._candles.due is None:
            return None
        low, high = self._engine.quiet_band()
        market = self._translation.market
        if low is not None and high is not None and low >= high:
            return None
        return (
            Decimal(0) if low is None else market.from_ticks(low),
            _FARTHEST if high is None else market.from_ticks(high),
        )

    def _lose_feeds(self, message: str) -> None:
        log.warning("advance_failed", error=message)
        self._probes.unhealthy(CONNECTOR, "Unreachable", message)
        for probe, feed in ((PRICE_FEED, "price"), (ORDER_FEED, "orders")):
            self._probes.unhealthy(probe, "Interrupted", message)
            self._loop.put(FeedChanged(self._clock.now(), feed, False, message))

    def _restore_feeds(self) -> None:
        for probe, feed in ((PRICE_FEED, "price"), (ORDER_FEED, "orders")):
            self._probes.healthy(probe)
            self._loop.put(FeedChanged(self._clock.now(), feed, True))
