"""The fences and alarms of a GridBot's spec."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from opensqt.api.interval import Interval
from opensqt.api.schema import Integer, Model, PositiveDecimal, Rule, Symbol


class RiskLimits(Model):
    """Fences that no order passes; what is in flight counts."""

    max_position: PositiveDecimal | None = Field(default=None, description="Largest position in base currency.")
    max_notional: PositiveDecimal | None = Field(
        default=None, description="Largest value of position and open entries together, in quote currency."
    )
    max_open_orders: Integer = Field(default=100, ge=1, le=1000, description="Most live orders at any time.")
    max_leverage: Integer = Field(
        default=10,
        ge=1,
        le=125,
        description="Largest spec.leverage accepted, and largest ratio of position value to equity.",
    )
    max_price_deviation_percent: PositiveDecimal | None = Field(
        default=Decimal(10),
        validate_default=True,
        description=(
            "A price this far from the one before is not believed, and no entry placed, until another one confirms it. "
            "Nor does any order trade farther beyond the last price: an entry is refused, an exit goes at the limit."
        ),
    )
    max_price_age_seconds: Integer = Field(
        default=60, ge=5, le=3600, description="Nothing is placed while no price has come for so long."
    )
    margin_lock_seconds: Integer = Field(
        default=10,
        ge=1,
        le=3600,
        description="For so long no entries are placed after the exchange has refused one for lack of margin.",
    )


class CircuitBreaker(Model):
    """What stops entries and how they start again. Exits stay in the market while it is open."""

    max_consecutive_losses: Integer = Field(
        default=0, ge=0, le=1000, description="Opens after so many losing exits in a row; 0 turns this off."
    )
    max_drawdown: PositiveDecimal | None = Field(
        default=None, description="Opens when the bot's PnL falls this far below its peak, in quote currency."
    )
    max_drawdown_percent: PositiveDecimal | None = Field(
        default=None, description="The same in percent of the account's equity when the bot first started."
    )
    max_daily_loss: PositiveDecimal | None = Field(
        default=None,
        description="Opens when realised and unrealised PnL since 00:00 UTC fall to this loss, in quote currency.",
    )
    max_daily_loss_percent: PositiveDecimal | None = Field(
        default=None, description="The same in percent of the account's equity when the bot first started."
    )
    cooldown_seconds: Integer = Field(
        default=0,
        ge=0,
        le=2_592_000,
        description=(
            "Closes by itself after so long; 0 means only by resetToken. "
            "After a daily loss it closes at 00:00 UTC, after a divergence of the position only by resetToken."
        ),
    )
    reset_token: str = Field(
        default="", max_length=64, description="Change it, to anything, to close the breaker by hand."
    )


class Trigger(StrEnum):
    ALL = "All"
    ANY = "Any"


class MarketMonitor(Model):
    """Watches several markets for a common fall. While it is triggered entries are cancelled and none placed; exits
    go on. A market is alarming while its newest candle, the one under way counting, closes below the average of the
    closed candles before it with volumeMultiple times their average volume. It is calm again when its last closed
    candle closes above that average with less volume than that."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.recoveryThreshold <= self.symbols.size()",
            "recoveryThreshold must not exceed the number of symbols",
            ".recoveryThreshold",
        ),
    )

    symbols: list[Symbol] = Field(
        default=["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "XRP/USDT:USDT", "DOGE/USDT:USDT"],
        min_length=1,
        max_length=20,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="The markets watched; the connector must serve all of them.",
    )
    interval: Interval = Field(default=Interval.M1, description="Length of a candle.")
    volume_multiple: PositiveDecimal = Field(
        default=Decimal(3), validate_default=True, description="Volume above so many times the average is alarming."
    )
    moving_average: Integer = Field(default=20, ge=2, le=200, description="Closed candles of which averages are taken.")
    trigger: Trigger = Field(default=Trigger.ALL, description="All or Any of the markets must be alarming.")
    recovery_threshold: Integer = Field(default=3, ge=1, le=20, description="It ends when so many markets are calm.")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.recovery_threshold > len(self.symbols):
            raise ValueError("recoveryThreshold must not exceed the number of symbols", ".recoveryThreshold")
        return self
