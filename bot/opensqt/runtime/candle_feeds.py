"""Candles as events: the past of each symbol first, then each change. One stream an interval.

After every interruption the past is fetched again, so that no candle is missing; what came in the meantime is held back
until then.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from opensqt.api.gridbot import GridBotSpec
from opensqt.api.interval import Interval
from opensqt.connector.client import ExchangeClient, Message
from opensqt.connector.venue import Kline
from opensqt.engine.events import Event, FeedChanged
from opensqt.engine.state import candle_feed
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.feeds import Subscription
from opensqt.runtime.probes import CANDLE_FEED, Probes
from opensqt.runtime.translation import Translation


@dataclass(slots=True)
class Wanted:
    """The symbols of one interval, how many of the newest candles are needed at the start, and whether the one under
    way counts, too."""

    symbols: list[str]
    history: int
    live: bool = False


def wanted_candles(spec: GridBotSpec) -> dict[str, Wanted]:
    """What a spec needs, by interval."""
    wanted: dict[str, Wanted] = {}

    def want(interval: str, symbols: Iterable[str], history: int, *, live: bool) -> None:
        known = wanted.setdefault(interval, Wanted([], 0))
        known.symbols += [symbol for symbol in symbols if symbol not in known.symbols]
        known.history = max(known.history, history)
        known.live |= live

    if monitor := spec.market_monitor:
        want(monitor.interval, monitor.symbols, monitor.moving_average + 1, live=True)
    if atr := spec.grid.spacing.atr:
        # So many that little is left of where the average began.
        want(atr.interval, [spec.symbol], 2 * atr.period + 2, live=False)
    return wanted


class CandleFeeds:
    """The streams of all intervals that are wanted."""

    def __init__(
        self,
        client: ExchangeClient,
        wanted: Mapping[str, Wanted],
        put: Callable[[Event], None],
        *,
        clock: MarketClock,
        probes: Probes,
        random: Random,
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._put = put
        self._clock = clock
        self._probes = probes
        self._random = random
        self._lost: dict[str, str] = {}
        self._read_at = 0

    async def run(self) -> None:
        """Follows all streams until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for interval, wanted in self._wanted.items():
                tasks.create_task(_Interval(self, interval, wanted).subscription.run())

    async def read(self, newest: int = 0) -> None:
        """Puts the newest candles of each symbol, all the past that is needed where `newest` is 0."""
        for interval, wanted in self._wanted.items():
            for symbol in wanted.symbols:
                for kline in await self._client.klines(symbol, interval, newest or wanted.history):
                    self.tell(kline, interval)
        self._read_at = self._clock.now()

    @property
    def due(self) -> int | None:
        """When `read` has news: the next close of a candle (microseconds). None for every price, where the candles
        under way count."""
        if any(wanted.live for wanted in self._wanted.values()):
            return None
        lengths = [Interval(interval).microseconds for interval in self._wanted]
        return min((self._read_at // length + 1) * length for length in lengths)

    def subscribe(self, interval: str, wanted: Wanted) -> AsyncGenerator[Message[Kline], None]:
        return self._client.watch_klines(wanted.symbols, interval)

    async def past(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        return await self._client.klines(symbol, interval, limit)

    def tell(self, kline: Kline, interval: str) -> None:
        if kline.closed or self._wanted[interval].live:
            self._put(Translation.candle(kline, interval, self._clock.now()))

    def healthy(self, interval: str) -> None:
        self._lost.pop(interval, None)
        if not self._lost:
            self._probes.healthy(CANDLE_FEED)
        self._put(FeedChanged(self._clock.now(), candle_feed(interval), True))

    def lost(self, interval: str, reason: str, message: str) -> None:
        self._probes.unhealthy(CANDLE_FEED, reason, f"{interval}: {message}")
        if interval not in self._lost:
            self._lost[interval] = message
            self._put(FeedChanged(self._clock.now(), candle_feed(interval), False, f"{reason}: {message}"))

    @property
    def random(self) -> Random:
        return self._random


class _Interval:
    """The candles of one interval."""

    def __init__(self, feeds: CandleFeeds, interval: str, wanted: Wanted) -> None:
        self._feeds = feeds
        self._interval = interval
        self._wanted = wanted
        self._held_back: list[Kline] | None = []
        self.subscription: Subscription[Kline] = Subscription(
            f"candles {interval}",
            lambda: feeds.subscribe(interval, wanted),
            self._on_kline,
            random=feeds.random,
            opened=self._opened,
            failed=self._failed,
        )

    def _on_kline(self, kline: Kline) -> None:
        if self._held_back is None:
            self._feeds.tell(kline, self._interval)
        else:
            self._held_back.append(kline)

    async def _opened(self) -> None:
        for symbol in self._wanted.symbols:
            for kline in await self._feeds.past(symbol, self._interval, self._wanted.history):
                self._feeds.tell(kline, self._interval)
        for kline in self._held_back or ():
            self._feeds.tell(kline, self._interval)
        self._held_back = None
        self._feeds.healthy(self._interval)

    def _failed(self, reason: str, message: str) -> None:
        self._held_back = []
        self._feeds.lost(self._interval, reason, message)
