"""What `kubectl get gridbots` and `kubectl describe gridbot` tell: the status of a GridBot."""

from datetime import datetime

from pydantic import Field

from opensqt.api.meta import Condition
from opensqt.api.reconciliation_status import ReconciliationStatus
from opensqt.api.risk_status import BreakerStatus, GateStatus, LimitStatus, MonitorStatus
from opensqt.api.schema import Boolean, Integer, Model, SignedDecimal, UnsignedDecimal, keyed_by


class ProbeStatus(Model):
    """One health probe of the bot."""

    name: str = Field(max_length=64)
    healthy: Boolean
    reason: str = Field(default="", max_length=128)
    message: str = Field(default="", max_length=1024)


class OrdersStatus(Model):
    buys: Integer = Field(default=0, ge=0, description="Live buy orders.")
    sells: Integer = Field(default=0, ge=0, description="Live sell orders.")
    fills: Integer = Field(default=0, ge=0, description="Fills so far.")
    cycles: Integer = Field(default=0, ge=0, description="Completed entries and exits of one level.")


class PnlStatus(Model):
    """In quote currency, net of fees and funding."""

    realised: SignedDecimal = Field(default="0", validate_default=True)
    unrealised: SignedDecimal = Field(default="0", validate_default=True)
    total: SignedDecimal = Field(default="0", validate_default=True)
    fees: SignedDecimal = Field(
        default="0", validate_default=True, description="Paid; negative where rebates exceed them."
    )
    funding: SignedDecimal = Field(
        default="0", validate_default=True, description="Paid on perpetuals; negative where more was received."
    )
    volume: UnsignedDecimal = Field(default="0", validate_default=True, description="Value of all fills.")
    drawdown: UnsignedDecimal = Field(default="0", validate_default=True, description="How far PnL is below its peak.")


class PositionStatus(Model):
    quantity: SignedDecimal = Field(
        default="0", validate_default=True, description="In base currency, negative where short."
    )
    average_entry_price: UnsignedDecimal = Field(default="0", validate_default=True)
    last_price: UnsignedDecimal = Field(default="0", validate_default=True)


class GridStatus(Model):
    """Where the grid is. Prices of 0: not yet, or none."""

    anchor_price: UnsignedDecimal = Field(
        default="0", validate_default=True, description="Levels are counted from here, unless the grid is bounded."
    )
    lower_price: UnsignedDecimal = Field(
        default="0", validate_default=True, description="Lowest level of a bounded grid, where it has trailed to."
    )
    upper_price: UnsignedDecimal = Field(
        default="0", validate_default=True, description="Highest level of a bounded grid, where it has trailed to."
    )
    step: UnsignedDecimal = Field(
        default="0", validate_default=True, description="Distance of levels in force, unless spacing is geometric."
    )
    average_true_range: UnsignedDecimal = Field(
        default="0", validate_default=True, description="What the step was made of, as of the last closed candle."
    )


class GridBotStatus(Model):
    """What the operator and the bot last said."""

    observed_generation: Integer = Field(default=0, ge=0, description="metadata.generation this status speaks of.")
    state: str = Field(
        default="Pending",
        max_length=32,
        description=(
            "Pending, Starting, Running, Paused, WindingDown, Stopped, Halted, Restarting, Terminating or Unknown."
        ),
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra=keyed_by("type"),
        description="Ready, Progressing, Degraded, ConnectorReady, EntriesAllowed, CircuitClosed, WithinRiskLimits.",
    )
    epoch: Integer = Field(default=0, ge=0, description="Counts the bot's instances; only the newest can place orders.")
    pod: str = Field(default="", max_length=253)
    breaker: BreakerStatus = Field(default=BreakerStatus())
    gate: list[GateStatus] = Field(
        default_factory=list, max_length=16, json_schema_extra=keyed_by("reason"), description="Why no entry is placed."
    )
    monitor: MonitorStatus = Field(default=MonitorStatus())
    limits: list[LimitStatus] = Field(default_factory=list, max_length=16, json_schema_extra=keyed_by("name"))
    grid: GridStatus = Field(default=GridStatus())
    position: PositionStatus = Field(default=PositionStatus())
    orders: OrdersStatus = Field(default=OrdersStatus())
    pnl: PnlStatus = Field(default=PnlStatus())
    probes: list[ProbeStatus] = Field(default_factory=list, max_length=16, json_schema_extra=keyed_by("name"))
    reconciliation: ReconciliationStatus = Field(default=ReconciliationStatus())
    weaknesses: list[str] = Field(
        default_factory=list, max_length=16, description="What this exchange lacks of the guarantees."
    )
    last_report: datetime | None = Field(default=None, description="When the bot last reported its numbers.")
