"""The lengths of candles, as exchanges name them."""

from enum import StrEnum

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class Interval(StrEnum):
    """The lengths that all five exchanges and the paper exchange have."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def microseconds(self) -> int:
        return int(self[:-1]) * _SECONDS[self[-1]] * 1_000_000
