"""The exchange's time, in microseconds since the Unix epoch."""

import time
from collections import deque
from collections.abc import Callable

STREAM_SECONDS = 2.5
"""Real seconds that a stream has to tell of a fill before it counts as missed."""
_REMEMBERED, _APART = 16, 0.25
"""How many moments are remembered, so many seconds apart at least: longer than STREAM_SECONDS."""


class MarketClock:
    """The time of the newest exchange message plus the real time that has passed since.

    A paper market that plays 600 times as fast moves the clock with each of its messages; between two messages the
    clock goes at the speed of ours. It never goes back: a message that was slower on its way than the one before
    it changes nothing.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._time = 0
        self._at = monotonic()
        self._seen: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def saw(self, time_us: int) -> None:
        """An exchange message of this time has arrived."""
        if time_us > self.now():
            self._time = time_us
            self._at = self._monotonic()
            self._remember()

    def now(self) -> int:
        """0 until the first message."""
        if self._time == 0:
            return 0
        return self._time + int((self._monotonic() - self._at) * 1_000_000)

    def told_by(self) -> int:
        """The market time of STREAM_SECONDS ago: in a market that plays 600 times as fast, as much longer ago."""
        if not self._seen:
            return 0
        then = self._monotonic() - STREAM_SECONDS
        moments = ((self._time, self._at), *reversed(self._seen))
        seen, at = next((moment for moment in moments if moment[1] <= then), self._seen[0])
        return seen + int((then - at) * 1_000_000)

    def _remember(self) -> None:
        if self._seen and self._seen[-1][1] == self._at:  # a clock that stands still between messages
            self._seen.pop()
        if not self._seen or self._at - self._seen[-1][1] >= _APART:
            self._seen.append((self._time, self._at))


def frozen_clock() -> MarketClock:
    """A clock that only messages move: for lockstep, where results must not depend on real time."""
    return MarketClock(lambda: 0.0)
