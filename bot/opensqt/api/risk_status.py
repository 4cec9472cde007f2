"""What holds a GridBot's orders back, in its status."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from opensqt.api.schema import Boolean, Integer, Model


class BreakerStatus(Model):
    """The circuit breaker."""

    state: Literal["Closed", "Open"] = Field(default="Closed", description="Open means that no entries are placed.")
    reason: str = Field(default="", max_length=128)
    message: str = Field(default="", max_length=1024)
    opened_at: datetime | None = None
    resets_at: datetime | None = Field(
        default=None, description="When it closes by itself; absent where only resetToken closes it."
    )
    trips: Integer = Field(default=0, ge=0, description="How often it has opened.")


class LimitStatus(Model):
    """A limit beside its use."""

    name: str = Field(max_length=64)
    used: str = Field(max_length=40)
    limit: str = Field(max_length=40)
    reached: Boolean = False


class GateStatus(Model):
    """A reason for which orders are held back."""

    reason: str = Field(max_length=64)
    message: str = Field(default="", max_length=1024)
    exits: Boolean = Field(default=False, description="Exits are held back too.")


MONITOR_STATES = ("Off", "Calm", "Triggered", "Blind")


class MonitorStatus(Model):
    """The market monitor."""

    state: str = Field(
        default="Off",
        max_length=16,
        description="Off, Calm, Triggered, or Blind: its candles are missing, and no new entries are placed.",
    )
    message: str = Field(default="", max_length=1024)
    since: datetime | None = Field(default=None, description="When it was triggered.")
    triggers: Integer = Field(default=0, ge=0, description="How often it was triggered.")
