"""Where a GridBot's levels lie: spec.grid."""

from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from opensqt.api.interval import Interval
from opensqt.api.schema import Boolean, Integer, Model, PositiveDecimal, Rule, UnsignedDecimal


class Atr(Model):
    """The distance is a multiple of the symbol's average true range: Wilder's, of closed candles. It is taken anew
    when that is off by a fifth, and is never below what both legs' fees need."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule("double(self.multiple) <= 100.0", "must be at most 100", ".multiple"),)

    interval: Interval = Field(default=Interval.H1, description="Length of a candle.")
    period: Integer = Field(
        default=14, ge=2, le=100, description="Candles of the average. One more must have closed before a first entry."
    )
    multiple: PositiveDecimal = Field(
        default=Decimal("0.5"), validate_default=True, description="The distance, in average true ranges."
    )

    @model_validator(mode="after")
    def _reasonable(self) -> Self:
        if self.multiple > 100:
            raise ValueError("must be at most 100", ".multiple")
        return self


class Spacing(Model):
    """The distance between neighbouring levels: exactly one of the three."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.arithmetic), has(self.geometric), has(self.atr)].exists_one(set, set)",
            "set exactly one of arithmetic, geometric and atr",
        ),
    )

    arithmetic: PositiveDecimal | None = Field(
        default=None, description='A fixed distance in quote currency, for example "50".'
    )
    geometric: PositiveDecimal | None = Field(
        default=None, description='A distance in percent of the price, for example "0.5".'
    )
    atr: Atr | None = Field(default=None, description="A distance that follows the market's volatility.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(spacing is not None for spacing in (self.arithmetic, self.geometric, self.atr)) != 1:
            raise ValueError("set exactly one of arithmetic, geometric and atr")
        return self


class Trailing(Model):
    """A bounded grid that follows the price by whole levels when that leaves it."""

    up: Boolean = Field(default=False, description="Follow a price above the grid's upper end.")
    down: Boolean = Field(default=False, description="Follow a price below the grid's lower end.")
    up_to: PositiveDecimal | None = Field(default=None, description="The upper end never goes beyond this price.")
    down_to: PositiveDecimal | None = Field(default=None, description="The lower end never goes below this price.")


class Grid(Model):
    """Where the levels lie. They are counted from `lower` in a bounded grid, else from the trigger price or the first
    price seen; those in a window around the price have orders."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.lower) || !has(self.upper) || double(self.upper) > double(self.lower)",
            "upper must be greater than lower",
            ".upper",
        ),
        Rule(
            "!has(self.trailing) || !(self.trailing.up || self.trailing.down) || (has(self.lower) && has(self.upper))",
            "only a grid with lower and upper can follow the price",
            ".trailing",
        ),
        Rule(
            "!has(self.trailing) || !has(self.trailing.upTo) || !has(self.upper)"
            " || double(self.trailing.upTo) >= double(self.upper)",
            "trailing.upTo must not be below upper",
            ".trailing.upTo",
        ),
        Rule(
            "!has(self.trailing) || !has(self.trailing.downTo) || !has(self.lower)"
            " || double(self.trailing.downTo) <= double(self.lower)",
            "trailing.downTo must not be above lower",
            ".trailing.downTo",
        ),
        Rule("!has(self.inventorySkew) || double(self.inventorySkew) <= 1.0", "must be at most 1", ".inventorySkew"),
    )

    spacing: Spacing
    buy_window: Integer = Field(
        default=10,
        ge=1,
        le=500,
        description="Levels below the price that have a buy order: entries of Long, exits of Short.",
    )
    sell_window: Integer = Field(
        default=10,
        ge=1,
        le=500,
        description="Levels above the price that have a sell order: entries of Short, exits of Long.",
    )
    lower: PositiveDecimal | None = Field(
        default=None,
        description="No entry below this price. With upper: a bounded grid, with entries and exits between the two.",
    )
    upper: PositiveDecimal | None = Field(
        default=None,
        description="No entry above this price. With lower: a bounded grid, with entries and exits between the two.",
    )
    trailing: Trailing = Trailing()
    trigger_price: PositiveDecimal | None = Field(
        default=None,
        description=(
            "Nothing is entered until the price has come here, from whichever side. Another price is waited for anew."
        ),
    )

    inventory_skew: UnsignedDecimal | None = Field(
        default=None,
        description=(
            "From 0 to 1: the more is held, the more levels beyond each held one have no entry: "
            "inventorySkew x window x held / riskLimits.maxPosition, rounded down."
        ),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower is not None and self.upper is not None and self.upper <= self.lower:
            raise ValueError("upper must be greater than lower")
        return self

    @model_validator(mode="after")
    def _trails_within_bounds(self) -> Self:
        lower, upper, trailing = self.lower, self.upper, self.trailing
        if (trailing.up or trailing.down) and (lower is None or upper is None):
            raise ValueError("only a grid with lower and upper can follow the price")
        if trailing.up_to is not None and upper is not None and trailing.up_to < upper:
            raise ValueError("trailing.upTo must not be below upper")
        if trailing.down_to is not None and lower is not None and trailing.down_to > lower:
            raise ValueError("trailing.downTo must not be above lower")
        return self

    @model_validator(mode="after")
    def _skew_is_a_share(self) -> Self:
        if self.inventory_skew is not None and self.inventory_skew > 1:
            raise ValueError("must be at most 1", ".inventorySkew")
        return self
