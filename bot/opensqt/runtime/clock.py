"""The exchange's time, in microseconds since the Unix epoch."""

import time
from collections.abc import Callable


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

    def saw(self, time_us: int) -> None:
        """An exchange message of this time has arrived."""
        if time_us > self.now():
            self._time = time_us
            self._at = self._monotonic()

    def now(self) -> int:
        """0 until the first message."""
        if self._time == 0:
            return 0
        return self._time + int((self._monotonic() - self._at) * 1_000_000)


def frozen_clock() -> MarketClock:
    """A clock that only messages move: for lockstep, where results must not depend on real time."""
    return MarketClock(lambda: 0.0)
