"""What is well and what is not, each with a reason for programs and a message for people."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

JOURNAL = "Journal"
CONNECTOR = "Connector"
PRICE_FEED = "PriceFeed"
ORDER_FEED = "OrderFeed"
CANDLE_FEED = "CandleFeed"
"""Of bots that want candles only."""


@dataclass(frozen=True, slots=True)
class Probe:
    """`reason` is CamelCase; `since_us` is the real time at which `healthy` last changed."""

    name: str
    healthy: bool
    reason: str
    message: str
    since_us: int


class Probes:
    """The newest word of each part of the bot; `changed` is called when one says something new."""

    def __init__(self, *more: str) -> None:
        """`more` are the names of probes that not every bot has."""
        now, names = _now(), (JOURNAL, CONNECTOR, PRICE_FEED, ORDER_FEED, *more)
        self._probes = {name: Probe(name, False, "Starting", "not tried yet", now) for name in names}
        self.changed: Callable[[], None] = lambda: None

    def healthy(self, name: str, reason: str = "Healthy", message: str = "") -> None:
        self._set(name, True, reason, message)

    def unhealthy(self, name: str, reason: str, message: str) -> None:
        self._set(name, False, reason, message)

    def __getitem__(self, name: str) -> Probe:
        return self._probes[name]

    def __iter__(self) -> Iterator[Probe]:
        return iter(self._probes.values())

    @property
    def all_healthy(self) -> bool:
        return all(probe.healthy for probe in self)

    def _set(self, name: str, healthy: bool, reason: str, message: str) -> None:
        old = self._probes[name]
        if (old.healthy, old.reason, old.message) == (healthy, reason, message):
            return
        since = old.since_us if old.healthy == healthy else _now()
        self._probes[name] = Probe(name, healthy, reason, message, since)
        self.changed()


def _now() -> int:
    return time.time_ns() // 1000
