"""The circuit breaker: what opens it, and what closes it again. While it is open no entry is placed; exits go on."""

from dataclasses import dataclass
from enum import StrEnum

from opensqt.engine.accounting import Ledger
from opensqt.engine.config import PPM, EngineConfig

_PEAK_STEPS = 100
"""The peak follows the PnL in steps of this part of the limit, so that few of them have to be kept."""


class Trip(StrEnum):
    CONSECUTIVE_LOSSES = "ConsecutiveLosses"
    DRAWDOWN = "Drawdown"
    POSITION_DIVERGENCE = "PositionDivergence"


@dataclass(slots=True)
class Breaker:
    """Open or closed; money and microseconds. `base_equity` is the first equity that was reported."""

    open: bool = False
    reason: str = ""
    message: str = ""
    opened_at: int = 0
    trips: int = 0
    token: str | None = None
    peak: int = 0
    base_equity: int = 0

    def resets_at(self, config: EngineConfig) -> int:
        """When it closes by itself; 0 where only a new reset token closes it."""
        if not self.open or not config.cooldown or self.reason == Trip.POSITION_DIVERGENCE:
            return 0
        return self.opened_at + config.cooldown

    def limit(self, config: EngineConfig) -> int:
        """The largest drawdown allowed, in money; 0 for none."""
        relative = self.base_equity * config.max_drawdown_ppm // PPM
        limits = [limit for limit in (config.max_drawdown, relative) if limit > 0]
        return min(limits, default=0)

    def peak_step(self, config: EngineConfig) -> int:
        return max(1, (self.limit(config) or 10 * config.order_money) // _PEAK_STEPS)

    def follow(self, config: EngineConfig, pnl: int) -> bool:
        """Lets the peak follow the PnL; says whether it moved."""
        steps = (pnl - self.peak) // self.peak_step(config)
        if self.open or steps <= 0:
            return False
        self.peak += steps * self.peak_step(config)
        return True

    def tripped(self, config: EngineConfig, ledger: Ledger, pnl: int) -> Trip | None:
        """What must open it now, if anything."""
        if self.open:
            return None
        if 0 < config.max_consecutive_losses <= ledger.losses:
            return Trip.CONSECUTIVE_LOSSES
        if 0 < self.limit(config) <= self.peak - pnl:
            return Trip.DRAWDOWN
        return None

    def trip(self, now: int, reason: Trip, message: str) -> None:
        self.open, self.reason, self.message, self.opened_at = True, reason, message, now
        self.trips += 1

    def close(self, ledger: Ledger, pnl: int) -> None:
        """What opened it is forgiven: losses and drawdown are counted from here."""
        self.open, self.reason, self.message, self.opened_at = False, "", "", 0
        self.peak = pnl
        ledger.losses = 0
