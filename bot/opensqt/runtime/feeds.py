"""The connector's streams as events: what is lost is noticed, what was missed is fetched.

A stream has failed when it breaks, when a sequence number is missing, or when it is silent for longer than the server's
heartbeats allow. It is then opened again, with jittered backoff. The stream of orders is followed first and the state
is fetched then, so that nothing falls in between; only after that is the feed healthy again.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import Random
from typing import Generic, TypeVar

import structlog

from opensqt.connector.client import Caller, ExchangeClient, Message
from opensqt.connector.retry import RECONNECTS, TO_CONNECTOR
from opensqt.connector.venue import Account, Failure, OrderUpdate, Position, Price, VenueError
from opensqt.engine.client_id import client_id_prefix
from opensqt.engine.events import Event, FeedChanged, Remedy
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.missed_funding import MissedFunding
from opensqt.runtime.notices import Notices
from opensqt.runtime.probes import ORDER_FEED, PRICE_FEED, Probes
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

SILENCE = 15.0
"""Seconds without a message after which a stream has failed: three of the server's heartbeats."""
Update = TypeVar("Update")


class StreamFailedError(Exception):
    """The stream must be opened again."""


class Subscription(Generic[Update]):
    """One stream, followed for ever."""

    def __init__(
        self,
        name: str,
        open_stream: Callable[[], AsyncGenerator[Message[Update], None]],
        handle: Callable[[Update], None],
        *,
        random: Random,
        opened: Callable[[], Awaitable[None]],
        failed: Callable[[str, str], None],
    ) -> None:
        """`opened` runs once the stream is followed, and the stream fails with it; `failed` gets reason and message."""
        self._name = name
        self._open = open_stream
        self._handle = handle
        self._random = random
        self._opened = opened
        self._failed = failed
        self._calm()
        self.heard_at = 0.0
        """The event loop's time of the last message."""

    async def run(self) -> None:
        while True:
            crowded = False
            reason, message, asked = "Interrupted", "the stream ended", 0.0
            try:
                await self._follow()
            except* StreamFailedError as errors:
                reason, message = errors.exceptions[0].args
            except* VenueError as errors:
                failure = _failure(errors)
                reason, message, asked = "Unreachable", failure.message, failure.retry_after_ms / 1000
                # The budget is all bots': who comes again soon helps to keep it used up.
                crowded = failure.remedy is Remedy.BACK_OFF
            seconds = max(asked, next(self._crowded if crowded else self._delays))
            log.warning(
                "stream_failed", stream=self._name, reason=reason, error=message, retry_seconds=round(seconds, 2)
            )
            self._failed(reason, message)
            await asyncio.sleep(seconds)

    async def _follow(self) -> None:
        sequence = 0
        async with aclosing(self._open()) as stream, asyncio.TaskGroup() as tasks:
            while True:
                try:
                    async with asyncio.timeout(SILENCE):
                        message = await anext(stream)
                except TimeoutError:
                    raise StreamFailedError("Silent", f"no message for {SILENCE:g} s") from None
                if message.sequence != sequence + 1:
                    raise StreamFailedError("Gap", f"message {sequence + 1} is missing: {message.sequence} came")
                sequence = message.sequence
                self.heard_at = asyncio.get_running_loop().time()
                if sequence == 1:
                    tasks.create_task(self._catch_up())
                if message.update is not None:
                    self._handle(message.update)

    async def _catch_up(self) -> None:
        await self._opened()
        self._calm()

    def _calm(self) -> None:
        self._delays = TO_CONNECTOR.delays(self._random.uniform)
        self._crowded = RECONNECTS.delays(self._random.uniform)


def _failure(errors: ExceptionGroup[VenueError]) -> Failure:
    error = errors.exceptions[0]
    return error.failure if isinstance(error, VenueError) else _failure(error)


class Feeds:
    """Price, orders, account and position of one bot's symbol."""

    def __init__(
        self,
        client: ExchangeClient,
        translation: Translation,
        caller: Caller,
        put: Callable[[Event], None],
        *,
        clock: MarketClock,
        probes: Probes,
        random: Random,
        notices: Notices,
        funding_since: Callable[[], int],
        price_age: Callable[[], float],
    ) -> None:
        """`funding_since` says from when on (µs) funding may have been missed, 0 for never; `price_age` after how many
        seconds a price is too old.
        """
        self._price_age = price_age
        self._priced_at = 0.0
        self._stale = False
        self._translation = translation
        self._put = put
        self._client = client
        self._prefix = prefix = client_id_prefix(caller.bot_uid)
        self._clock = clock
        self._probes = probes
        self._known: dict[str, bool] = {}
        self.orders_followed = asyncio.Event()
        symbol = translation.market.symbol
        self._funding = MissedFunding(
            client, symbol, self._on_order, since=funding_since, random=random, notices=notices
        )

        def follow(
            name: str,
            stream: Callable[[], AsyncGenerator[Message[Update], None]],
            handle: Callable[[Update], None],
            opened: Callable[[], Awaitable[None]],
            probe: str = "",
        ) -> Subscription[Update]:
            def failed(reason: str, message: str) -> None:
                if probe:
                    self._lost(name, probe, reason, message)

            return Subscription(name, stream, handle, random=random, opened=opened, failed=failed)

        self.price = follow("price", lambda: client.watch_price(symbol), self._on_price, self._price_opened, PRICE_FEED)
        self.orders = follow(
            "orders",
            lambda: client.watch_orders(symbol, prefix, caller),
            self._on_order,
            self._orders_opened,
            ORDER_FEED,
        )
        self.account = follow("account", client.watch_account, self._on_account, self._nothing)
        self.position = follow("position", lambda: client.watch_position(symbol), self._on_position, self._nothing)

    async def run(self) -> None:
        """Follows all streams until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for subscription in (self.price, self.orders, self.account, self.position):
                tasks.create_task(subscription.run())
            tasks.create_task(self._watch_price_age())
            tasks.create_task(self._funding.run())

    def ages(self) -> dict[str, float]:
        """Seconds since the last message of each stream that has had one."""
        now = asyncio.get_running_loop().time()
        heard = {
            "price": self.price.heard_at,
            "orders": self.orders.heard_at,
            "account": self.account.heard_at,
            "position": self.position.heard_at,
        }
        return {name: now - at for name, at in heard.items() if at}

    def _on_price(self, price: Price) -> None:
        self._clock.saw(price.time_us)
        self._priced_at = asyncio.get_running_loop().time()
        if self._stale:
            self._stale = False
            self._healthy("price", PRICE_FEED)
        self._put(self._translation.price(price))

    def _on_order(self, update: OrderUpdate) -> None:
        self._clock.saw(update.time_us)
        self._put(self._translation.update(update))

    def _on_account(self, account: Account) -> None:
        self._put(self._translation.account(account))

    def _on_position(self, position: Position) -> None:
        if position.symbol == self._translation.market.symbol:
            self._put(self._translation.position(position))

    async def _price_opened(self) -> None:
        if not self._stale:  # only a price ends that
            self._healthy("price", PRICE_FEED)

    async def _orders_opened(self) -> None:
        self.orders_followed.set()
        self._funding.ask()
        # The engine looks up what it knows of; an order that it does not know of shows only here.
        for order in await self._client.open_orders(self._translation.market.symbol, self._prefix):
            self._on_order(order)
        self._healthy("orders", ORDER_FEED)

    async def _watch_price_age(self) -> None:
        """A stream may be alive and bring no prices: heartbeats do not count here."""
        loop = asyncio.get_running_loop()
        while True:
            left = self._priced_at + self._price_age() - loop.time()
            if self._priced_at and left <= 0 and not self._stale:
                self._stale = True
                message = f"no price for {self._price_age():g} s (spec.riskLimits.maxPriceAgeSeconds)"
                self._lost("price", PRICE_FEED, "Stale", message)
            await asyncio.sleep(min(1.0, left) if left > 0 else 1.0)

    async def _nothing(self) -> None:
        pass

    def _healthy(self, feed: str, probe: str) -> None:
        self._known[feed] = True
        self._probes.healthy(probe)
        self._put(FeedChanged(self._clock.now(), feed, True))

    def _lost(self, feed: str, probe: str, reason: str, message: str) -> None:
        self._probes.unhealthy(probe, reason, message)
        if self._known.get(feed, True):
            self._known[feed] = False
            self._put(FeedChanged(self._clock.now(), feed, False, f"{reason}: {message}"))
