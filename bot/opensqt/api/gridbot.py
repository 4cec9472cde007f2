"""GridBot: one bot that trades one symbol on one side of a grid."""

from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from opensqt.api.barriers import Barriers
from opensqt.api.grid import Grid
from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.meta import ConnectorRef, Journal, ObjectMeta, Resources
from opensqt.api.risk import CircuitBreaker, MarketMonitor, RiskLimits
from opensqt.api.safety import ExistingPosition, Safety
from opensqt.api.schema import (
    Boolean,
    Column,
    Integer,
    Model,
    PositiveDecimal,
    Rule,
    Symbol,
    immutable,
)


class Side(StrEnum):
    LONG = "Long"
    SHORT = "Short"
    NEUTRAL = "Neutral"


class RunState(StrEnum):
    RUNNING = "Running"
    PAUSED = "Paused"
    STOPPED = "Stopped"


class DeletionPolicy(StrEnum):
    CANCEL_ORDERS = "CancelOrders"
    CLOSE_POSITION = "ClosePosition"
    ORPHAN = "Orphan"


class Order(Model):
    """What each order is. Exactly one of quoteSize, baseSize and equityPercent says how large entries are."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.quoteSize), has(self.baseSize), has(self.equityPercent)].exists_one(set, set)",
            "set exactly one of quoteSize, baseSize and equityPercent",
        ),
        Rule(
            "!has(self.equityPercent) || !has(self.reinvestPercent)",
            "equityPercent puts profit back in by itself: leave reinvestPercent out",
            ".reinvestPercent",
        ),
        Rule(
            "!has(self.reinvestPercent) || double(self.reinvestPercent) <= 100.0",
            "must be at most 100",
            ".reinvestPercent",
        ),
    )

    quote_size: PositiveDecimal | None = Field(
        default=None, description="Worth of each entry in quote currency; rounded down to the exchange's lot."
    )
    base_size: PositiveDecimal | None = Field(
        default=None, description="Quantity of each entry in base currency; rounded down to the exchange's lot."
    )
    equity_percent: PositiveDecimal | None = Field(
        default=None,
        description=(
            "Worth of each entry in percent of the account's equity, whatever the leverage. It follows the equity in "
            "steps of a twentieth."
        ),
    )
    reinvest_percent: PositiveDecimal | None = Field(
        default=None,
        description=(
            "How much of the realised profit makes entries larger, spread over the levels of the window, in steps of "
            "a twentieth."
        ),
    )
    post_only: Boolean = Field(
        default=True,
        description="Entries and exits only as maker; re-priced by the rules of docs/engine.md where they would take.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(size is not None for size in (self.quote_size, self.base_size, self.equity_percent)) != 1:
            raise ValueError("set exactly one of quoteSize, baseSize and equityPercent")
        if self.reinvest_percent is not None:
            if self.equity_percent is not None:
                raise ValueError(
                    "equityPercent puts profit back in by itself: leave reinvestPercent out", ".reinvestPercent"
                )
            if self.reinvest_percent > 100:
                raise ValueError("must be at most 100", ".reinvestPercent")
        return self


class GridBotSpec(Model):
    """What the bot is to do. Changes to its leverage, spacing, orders, market monitor, resources and image restart it
    safely; all else reaches it live."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable("symbol", "delete the bot and create another"),
        immutable("side", "delete the bot and create another"),
        immutable("connectorRef", "delete the bot and create another"),
        # With another journal a bot would forget its position, its orders and its epoch.
        immutable("journal", "move the database, and change the Secret's DSN, instead"),
        Rule(
            "self.symbol.contains(':') || self.side == 'Long'",
            "spot has no short positions: side must be Long, or symbol a perpetual such as BTC/USDT:USDT",
            ".side",
        ),
        Rule("self.symbol.contains(':') || self.leverage == 1", "spot has no leverage: it must be 1", ".leverage"),
        Rule(
            "!has(self.riskLimits) || self.leverage <= self.riskLimits.maxLeverage",
            "leverage must not exceed riskLimits.maxLeverage",
            ".leverage",
        ),
        Rule(
            "!has(self.grid.inventorySkew) || double(self.grid.inventorySkew) == 0.0"
            " || (has(self.riskLimits) && has(self.riskLimits.maxPosition))",
            "inventorySkew is measured against riskLimits.maxPosition: set that too",
            ".grid.inventorySkew",
        ),
    )

    connector_ref: ConnectorRef = Field(description="The exchange account to trade with.")
    symbol: Symbol = Field(
        description="Market in ccxt's unified form: BTC/USDT:USDT is the linear perpetual, BTC/USDT spot."
    )
    side: Side = Field(
        default=Side.LONG,
        description=(
            "Long buys below the price and sells what it holds above it; "
            "Short sells above the price and buys back below it; "
            "Neutral is long below the middle of the grid and short above it."
        ),
    )
    state: RunState = Field(
        default=RunState.RUNNING,
        description=(
            "Running trades; Paused places no entries and keeps exits; "
            "Stopped cancels all orders and keeps the position."
        ),
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.CANCEL_ORDERS,
        description=(
            "On deletion: CancelOrders keeps the position, ClosePosition closes it at market, "
            "Orphan leaves orders and position as they are."
        ),
    )
    deletion_timeout_seconds: Integer = Field(
        default=300,
        ge=10,
        le=86_400,
        description="How long deletion waits for the exchange before it lets go and says so in an Event.",
    )
    grid: Grid
    order: Order
    leverage: Integer = Field(default=1, ge=1, le=125, description="Set at the exchange before trading.")
    risk_limits: RiskLimits = RiskLimits()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    existing_position: ExistingPosition = Field(
        default=ExistingPosition.REFUSE,
        description=(
            "What a position means that the account has at the bot's first start: Refuse places no entries until it is "
            "gone, Ignore leaves it alone, Adopt takes it over by the rule of docs/engine.md."
        ),
    )
    safety: Safety = Safety()
    market_monitor: MarketMonitor | None = Field(
        default=None, description="Stops entries while the whole market falls; absent: off."
    )
    barriers: Barriers = Barriers()
    journal: Journal = Journal()
    resources: Resources = Field(default=Resources(), description="Resources of the bot's container.")
    image: str | None = Field(default=None, max_length=512, description="Another image than the operator's default.")

    @model_validator(mode="after")
    def _spot_is_long(self) -> Self:
        if ":" not in self.symbol:
            if self.side is not Side.LONG:
                raise ValueError(
                    "spot has no short positions: side must be Long, or symbol a perpetual such as BTC/USDT:USDT",
                    ".side",
                )
            if self.leverage != 1:
                raise ValueError("spot has no leverage: it must be 1", ".leverage")
        return self

    @model_validator(mode="after")
    def _leverage_within_limit(self) -> Self:
        if self.leverage > self.risk_limits.max_leverage:
            raise ValueError("leverage must not exceed riskLimits.maxLeverage", ".leverage")
        return self

    @model_validator(mode="after")
    def _skew_has_a_measure(self) -> Self:
        if self.grid.inventory_skew and self.risk_limits.max_position is None:
            raise ValueError(
                "inventorySkew is measured against riskLimits.maxPosition: set that too", ".grid.inventorySkew"
            )
        return self


class GridBot(Model):
    """A grid-trading bot."""

    kind_name: ClassVar[str] = "GridBot"
    plural: ClassVar[str] = "gridbots"
    short_names: ClassVar[tuple[str, ...]] = ("gb",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Symbol", ".spec.symbol", "Market"),
        Column("Side", ".spec.side", "Side of the grid"),
        Column("State", ".status.state", "What the bot is doing"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether it does what the spec asks"),
        Column("Breaker", ".status.breaker.state", "Circuit breaker"),
        Column("Position", ".status.position.quantity", "Base currency held, negative where short"),
        Column("PnL", ".status.pnl.total", "Realised and unrealised, net of fees and funding, in quote currency"),
        Column("Connector", ".spec.connectorRef.name", "Exchange account"),
        Column("Age", ".metadata.creationTimestamp", "Age", type="date"),
        Column("Realised", ".status.pnl.realised", "Realised PnL net of fees and funding", priority=1),
        Column("Buys", ".status.orders.buys", "Live buy orders", type="integer", priority=1),
        Column("Sells", ".status.orders.sells", "Live sell orders", type="integer", priority=1),
        Column("Fills", ".status.orders.fills", "Fills so far", type="integer", priority=1),
        Column("Step", ".status.grid.step", "Distance of levels in force", priority=1),
        Column("Monitor", ".status.monitor.state", "Market monitor", priority=1),
        Column("Epoch", ".status.epoch", "Instance", type="integer", priority=1),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why it is or is not ready", priority=1),
    )

    api_version: Literal["opensqt.io/v1alpha1"] = "opensqt.io/v1alpha1"
    kind: Literal["GridBot"] = "GridBot"
    metadata: ObjectMeta
    spec: GridBotSpec
    status: GridBotStatus = Field(default_factory=GridBotStatus)
