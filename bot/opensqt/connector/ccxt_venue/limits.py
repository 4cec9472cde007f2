"""The exchange's limits beside the account's budget: what it says is left, and windows of its own for each endpoint."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto


class Priority(IntEnum):
    """Who goes first. Reads come before entries: what is in doubt must be known before new risk is taken."""

    CANCEL = 0
    EXIT = 1
    READ = 2
    ENTRY = 3
    LATER = 4
    """Funding: no order depends on it."""


RESERVED: Mapping[Priority, float] = {
    Priority.CANCEL: 0.0,
    Priority.EXIT: 0.05,
    Priority.READ: 0.1,
    Priority.ENTRY: 0.2,
    Priority.LATER: 0.3,
}
"""The share of an allowance that is kept for those who go before; who would touch it waits for the next window."""


class Counts(Enum):
    """What an allowance is counted in."""

    REQUESTS = auto()
    """All requests, of the account or of the address."""
    PLACEMENTS = auto()
    ENDPOINT = auto()


@dataclass(frozen=True, slots=True)
class Allowance:
    """An exchange's headers: `left` of `whole` until `seconds` have passed; a `whole` of 0 was not told."""

    counts: Counts
    left: float
    whole: float
    seconds: float

    @property
    def share(self) -> float:
        if self.left <= 0:
            return 0.0
        return self.left / self.whole if self.whole else 1.0


class Window:
    """At most `weights` in any `seconds`; one request may be heavier than that, alone."""

    def __init__(self, weights: float, seconds: float) -> None:
        self._weights = weights
        self._seconds = seconds
        self._sent: deque[tuple[float, float]] = deque()
        self._used = 0.0

    def wait(self, now: float, weight: float) -> float:
        """Seconds until a request of this weight fits."""
        self._forget(now)
        excess = self._used + weight - self._weights
        if excess <= 1e-9 or not self._sent:
            return 0.0
        for at, freed in self._sent:
            excess -= freed
            if excess <= 1e-9:
                return at + self._seconds - now
        return self._sent[-1][0] + self._seconds - now

    def add(self, now: float, weight: float) -> None:
        self._sent.append((now, weight))
        self._used += weight

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] + self._seconds <= now:
            self._used -= self._sent.popleft()[1]
        if not self._sent:
            self._used = 0.0


class Limits:
    """Of one account: `window` is (weights, seconds) of each endpoint, None where the exchange has no such limits."""

    def __init__(self, window: tuple[float, float] | None = None) -> None:
        self._window = window
        self._windows: dict[str, Window] = {}
        self._told: dict[str, tuple[float, float]] = {}

    def told(self, endpoint: str, allowance: Allowance, now: float) -> None:
        self._told[_name(allowance.counts, endpoint)] = (now + allowance.seconds, allowance.share)

    def wait(self, endpoint: str, weight: float, priority: Priority, now: float) -> float:
        """Seconds until a request may go, as far as these limits are concerned."""
        names = [_name(Counts.REQUESTS, ""), _name(Counts.ENDPOINT, endpoint)]
        if priority in {Priority.EXIT, Priority.ENTRY}:
            names.append(_name(Counts.PLACEMENTS, ""))
        wait = max(self._scarce_for(name, priority, now) for name in names)
        if self._window is not None and endpoint:
            wait = max(wait, self._of(endpoint, self._window).wait(now, weight))
        return wait

    def backlog(self, endpoint: str, weight: float) -> float:
        """Seconds that so much weight before one costs at this endpoint."""
        if self._window is None or not endpoint:
            return 0.0
        weights, seconds = self._window
        return weight / weights * seconds

    def sent(self, endpoint: str, weight: float, now: float) -> None:
        if self._window is not None and endpoint:
            self._of(endpoint, self._window).add(now, weight)

    def _of(self, endpoint: str, window: tuple[float, float]) -> Window:
        if endpoint not in self._windows:
            self._windows[endpoint] = Window(*window)
        return self._windows[endpoint]

    def _scarce_for(self, name: str, priority: Priority, now: float) -> float:
        until, share = self._told.get(name, (0.0, 1.0))
        return max(0.0, until - now) if share <= RESERVED[priority] else 0.0


def _name(counts: Counts, endpoint: str) -> str:
    return endpoint if counts is Counts.ENDPOINT else f"all {counts.name}"
