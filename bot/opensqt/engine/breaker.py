"""The circuit breaker: what opens it, and what closes it again. While it is open no entry is placed; exits go on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from opensqt.engine.accounting import Ledger
from opensqt.engine.config import PPM, EngineConfig
from opensqt.engine.market import MONEY_SCALE, from_money

DAY = 86_400_000_000
"""Microseconds; days begin at 00:00 UTC."""
_PEAK_STEPS = 100
"""The peak follows the PnL in steps of this part of the limit, so that few of them have to be kept."""
_BY_PERSON = "change spec.circuitBreaker.resetToken to close it"
_PEAK_UNIT = 100 * MONEY_SCALE
"""What the steps are parts of where there is no limit, no order size in money, and no equity yet."""


class Trip(StrEnum):
    CONSECUTIVE_LOSSES = "ConsecutiveLosses"
    DRAWDOWN = "Drawdown"
    DAILY_LOSS = "DailyLoss"
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
    day: int = 0
    """Days since the epoch."""
    day_pnl: int = 0
    """PnL at the start of the day, when the limit was set on that day, or when the breaker was closed after a loss."""

    def resets_at(self, config: EngineConfig) -> int:
        """When it closes by itself; 0 where only a new reset token closes it."""
        if not self.open or self.reason == Trip.POSITION_DIVERGENCE:
            return 0
        if self.reason == Trip.DAILY_LOSS:
            return (self.opened_at // DAY + 1) * DAY
        return self.opened_at + config.cooldown if config.cooldown else 0

    def how_it_closes(self, config: EngineConfig) -> str:
        """In words."""
        at = self.resets_at(config)
        if not at:
            return _BY_PERSON
        return f"it closes at {datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC, or {_BY_PERSON}"

    def limit(self, config: EngineConfig) -> int:
        """The largest drawdown allowed, in money; 0 for none."""
        return self._smaller(config.max_drawdown, config.max_drawdown_ppm)

    def daily_limit(self, config: EngineConfig) -> int:
        """The largest loss of a day, in money; 0 for none."""
        return self._smaller(config.max_daily_loss, config.max_daily_loss_ppm)

    def next_day(self, config: EngineConfig) -> int:
        """When the next day begins, where a day's loss is limited; else 0."""
        return (self.day + 1) * DAY if self.daily_limit(config) else 0

    def floor(self, config: EngineConfig) -> int | None:
        """The PnL at or below which it opens; None where it does not for that."""
        limits = ((self.peak, self.limit(config)), (self.day_pnl, self.daily_limit(config)))
        return max((start - limit for start, limit in limits if limit), default=None)

    def peak_step(self, config: EngineConfig) -> int:
        return max(
            1, (self.limit(config) or 10 * config.order_money or self.base_equity // 10 or _PEAK_UNIT) // _PEAK_STEPS
        )

    def follow(self, config: EngineConfig, now: int, pnl: int) -> bool:
        """Lets the day and the peak follow time and PnL; says whether one moved."""
        rolled = self.daily_limit(config) > 0 and now // DAY > self.day
        if rolled:
            self.day, self.day_pnl = now // DAY, pnl
        steps = (pnl - self.peak) // self.peak_step(config)
        if self.open or steps <= 0:
            return rolled
        self.peak += steps * self.peak_step(config)
        return True

    def tripped(self, config: EngineConfig, ledger: Ledger, pnl: int) -> tuple[Trip, str] | None:
        """What must open it now, if anything, and the figures."""
        if self.open:
            return None
        if 0 < config.max_consecutive_losses <= ledger.losses:
            return Trip.CONSECUTIVE_LOSSES, f"{ledger.losses} losing exits in a row"
        if 0 < (limit := self.limit(config)) <= self.peak - pnl:
            lost = from_money(self.peak - pnl)
            return Trip.DRAWDOWN, f"PnL is {lost:f} below its peak, {from_money(limit):f} are allowed"
        if 0 < (limit := self.daily_limit(config)) <= self.day_pnl - pnl:
            lost = from_money(self.day_pnl - pnl)
            return Trip.DAILY_LOSS, f"{lost:f} lost since 00:00 UTC, {from_money(limit):f} are allowed"
        return None

    def trip(self, now: int, reason: Trip, message: str) -> None:
        self.open, self.reason, self.message, self.opened_at = True, reason, message, now
        self.trips += 1

    def close(self, ledger: Ledger, pnl: int) -> None:
        """What opened it is forgiven: losses and drawdown are counted from here, the day's loss where it was that."""
        if self.reason == Trip.DAILY_LOSS:
            self.day_pnl = pnl
        self.open, self.reason, self.message, self.opened_at = False, "", "", 0
        self.peak = pnl
        ledger.losses = 0

    def _smaller(self, money: int, ppm: int) -> int:
        limits = [limit for limit in (money, self.base_equity * ppm // PPM) if limit > 0]
        return min(limits, default=0)
