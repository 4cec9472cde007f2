"""How much of an exchange's allowance has been used: weights in a fixed window, as their headers tell it."""

import time

from tests.venues.refusals import Reason, RefusalError


class Meter:
    """`limit` weights in `window` seconds."""

    def __init__(self, limit: int, window: float = 60.0) -> None:
        self.limit = limit
        self.used = 0
        self._window = window
        self._since = time.monotonic()

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def reset_ms(self) -> int:
        """When the window ends, in Unix milliseconds."""
        return int((time.time() + self._window - (time.monotonic() - self._since)) * 1000)

    def pause(self) -> int:
        """Whole seconds until then, at least one."""
        return max(1, int(self._window - (time.monotonic() - self._since)) + 1)

    def count(self, weight: int) -> None:
        """Raises RefusalError RATE_LIMIT where it is used up."""
        if time.monotonic() - self._since > self._window:
            self._since, self.used = time.monotonic(), 0
        self.used += weight
        if self.used > self.limit:
            raise RefusalError(Reason.RATE_LIMIT)
