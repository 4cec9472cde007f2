"""The market monitor: a common fall of several markets, seen in their candles. Pure."""

from dataclasses import dataclass, field

from opensqt.api.risk import Trigger
from opensqt.engine.config import PPM, MonitorConfig
from opensqt.engine.events import CandleChanged

LATE = 3
"""A market's closed candles are too old when the next one has not come so many intervals after the last one began."""


@dataclass(slots=True)
class Market:
    """One market: its newest closed candles, oldest first; `newest` is the open time of the last of them."""

    closes: list[int] = field(default_factory=list)
    volumes: list[int] = field(default_factory=list)
    newest: int = 0
    alarming: bool = False
    calm: bool = False


@dataclass(slots=True)
class Monitor:
    """What it remembers. Live candles change it only where they change whether their market is alarming."""

    markets: dict[str, Market] = field(default_factory=dict)
    triggered: bool = False
    since: int = 0
    triggers: int = 0
    lost: str = ""
    """Why the feed of candles is lost, if it is."""

    def take(self, config: MonitorConfig, candle: CandleChanged) -> bool:
        """Takes a candle; says whether that changes anything. One that is older than what is known is ignored."""
        if candle.interval != config.interval or candle.symbol not in config.symbols:
            return False
        market = self.markets.get(candle.symbol) or Market()
        if candle.open_time <= market.newest:
            return False
        count = len(market.closes)
        known = count >= config.window
        below = candle.close * count < sum(market.closes)
        above = candle.close * count > sum(market.closes)
        loud = candle.volume * count * PPM > sum(market.volumes) * config.volume_ppm
        was_alarming, market.alarming = market.alarming, known and below and loud
        if not candle.closed:
            return market.alarming != was_alarming
        self.markets[candle.symbol] = market
        market.calm = known and above and not loud
        market.closes = [*market.closes, candle.close][-config.window :]
        market.volumes = [*market.volumes, candle.volume][-config.window :]
        market.newest = candle.open_time
        return True

    def judge(self, config: MonitorConfig, now: int) -> str:
        """Triggers or recovers; returns what has happened in words, empty where nothing has."""
        alarming, calm = self._that_are(config, now, alarming=True), self._that_are(config, now, alarming=False)
        enough = len(config.symbols) if config.trigger is Trigger.ALL else 1
        if not self.triggered and len(alarming) >= enough:
            self.triggered, self.since = True, now
            self.triggers += 1
            return f"{', '.join(alarming)} fall with {config.volume_ppm / PPM:g} times the usual volume or more"
        if self.triggered and len(calm) >= config.recovery and len(alarming) < enough:
            self.triggered, self.since = False, 0
            return f"{', '.join(calm)} are calm again"
        return ""

    def blind(self, config: MonitorConfig, now: int) -> str:
        """Why it cannot see the markets; empty where it can."""
        if self.lost:
            return self.lost
        short = [symbol for symbol in config.symbols if self._count(symbol) < config.window]
        if short:
            return f"fewer than {config.window} closed candles are known of {', '.join(short)}"
        late = [symbol for symbol in config.symbols if self._late_at(config, symbol) <= now]
        return f"no candles come of {', '.join(late)}" if late else ""

    def wakes(self, config: MonitorConfig) -> list[int]:
        """When a market's candles will be too old."""
        return [self._late_at(config, symbol) for symbol in config.symbols if symbol in self.markets]

    def _that_are(self, config: MonitorConfig, now: int, *, alarming: bool) -> list[str]:
        return [
            symbol
            for symbol in config.symbols
            if (market := self.markets.get(symbol))
            and (market.alarming if alarming else market.calm)
            and now < self._late_at(config, symbol)
        ]

    def _count(self, symbol: str) -> int:
        market = self.markets.get(symbol)
        return len(market.closes) if market else 0

    def _late_at(self, config: MonitorConfig, symbol: str) -> int:
        market = self.markets.get(symbol)
        return market.newest + LATE * config.interval.microseconds if market else 0
