"""The write budget of statuses: numbers wait for their turn, everything else goes at once.

A turn once given is kept, so that keys are served in the order in which they asked, however often they ask again.
"""

import time
from collections.abc import Callable, Hashable


class StatusBudget:
    """At most `writes_per_second` writes of mere numbers over all keys, and one in `interval` seconds for each key."""

    def __init__(
        self, *, writes_per_second: float, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._spacing = 1.0 / writes_per_second
        self._interval = interval
        self._clock = clock
        self._next = 0.0
        self._last: dict[Hashable, float] = {}
        self._turns: dict[Hashable, float] = {}

    def wait(self, key: Hashable) -> float:
        """How many seconds a write of this key's numbers has to wait; 0 means that it is to be made now."""
        now = self._clock()
        turn = self._turns.get(key)
        if turn is None:
            turn = max(now, self._next, self._last.get(key, now - self._interval) + self._interval)
            self._turns[key] = turn
            self._next = max(now, self._next) + self._spacing
        return max(0.0, turn - now)

    def written(self, key: Hashable) -> None:
        """The key's status was written, for whatever reason."""
        self._turns.pop(key, None)
        self._last[key] = self._clock()

    def forgo(self, key: Hashable) -> None:
        """There is nothing to write any more: a turn that the key still had is another's."""
        self._turns.pop(key, None)

    def forget(self, key: Hashable) -> None:
        self._turns.pop(key, None)
        self._last.pop(key, None)
