"""What the engine shows of itself: all that a status is made of, in the market's integers."""

from dataclasses import dataclass
from enum import StrEnum

from opensqt.engine.actions import Place
from opensqt.engine.discrepancies import Discrepancy
from opensqt.engine.side import Side


class Phase(StrEnum):
    """opensqt.bot.v1.Phase."""

    STARTING = "Starting"
    RUNNING = "Running"
    PAUSED = "Paused"
    WINDING_DOWN = "WindingDown"
    STOPPED = "Stopped"
    HALTED = "Halted"


class Unit(StrEnum):
    """What the integers of a limit count."""

    LOTS = "Lots"
    MONEY = "Money"
    ORDERS = "Orders"
    PPM = "Ppm"


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit beside its use; `name` as in spec.riskLimits. Limits that are off are not listed."""

    name: str
    used: int
    limit: int
    unit: Unit
    reached: bool


@dataclass(frozen=True, slots=True)
class BreakerView:
    """The circuit breaker; times in microseconds, `resets_at` 0 where only a new reset token closes it."""

    open: bool
    reason: str
    message: str
    opened_at: int
    resets_at: int
    trips: int


@dataclass(frozen=True, slots=True)
class GateView:
    """A reason for which entries are held back, `exits` too."""

    reason: str
    message: str
    exits: bool


@dataclass(frozen=True, slots=True)
class MonitorView:
    """The market monitor: `state` is Off, Calm, Triggered or Blind; `since` in microseconds, 0 while not triggered."""

    state: str
    message: str
    since: int
    triggers: int


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot: entry and exit price in ticks, `position` and `order` as in docs/engine.md, held in lots (signed)."""

    number: int
    price: int
    exit_price: int
    side: Side
    position: str
    order: str
    held: int
    client_id: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """A live order as it was placed, in ticks and lots; `known` once the exchange is known to have had it."""

    place: Place
    filled: int
    known: bool


@dataclass(frozen=True, slots=True)
class EngineView:
    """Prices in ticks (0: none yet), quantities in lots, amounts in money (10^-12 quote), times in microseconds.

    `lower` and `upper` are the lowest and highest level of a bounded grid, where it is now; 0 where there is none.
    `step` is the distance of levels in ticks, 0 where it is a ratio or not known yet; `average_true_range` is money.
    `realised` is net of the fees of both legs and of funding paid; `unrealised` is the position at the last price less
    what was paid for it, fees included; `entry_cost` is what was paid for the position without fees, so that its
    average entry price is entry_cost / (position x tick_value) ticks.
    """

    time: int
    epoch: int
    generation: int
    phase: Phase
    reason: str
    message: str
    last_price: int
    anchor: int
    lower: int
    upper: int
    step: int
    average_true_range: int
    position: int
    dust: int
    entry_cost: int
    realised: int
    unrealised: int
    fees: int
    funding: int
    volume: int
    open_buys: int
    open_sells: int
    fills: int
    cycles: int
    consecutive_losses: int
    drawdown: int
    breaker: BreakerView
    gate: tuple[GateView, ...]
    monitor: MonitorView
    limits: tuple[LimitView, ...]
    slots: tuple[SlotView, ...]
    discrepancies: tuple[Discrepancy, ...]
    """The newest differences from the exchange, oldest first."""
    discrepancy_counts: tuple[tuple[str, int], ...]
    """By kind."""
