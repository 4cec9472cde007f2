"""What differed between the exchange and this bot, how each difference is classified, and what became of it."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The same words as in `status.reconciliation` and as an Event's reason; docs/engine.md has the table."""

    MISSED_FILL = "MissedFill"
    LATE_FILL = "LateFill"
    UNKNOWN_ORDER = "UnknownOrder"
    LOST_ORDER = "LostOrder"
    RETURNED_ORDER = "ReturnedOrder"
    FOREIGN_POSITION = "ForeignPosition"
    POSITION_DIVERGENCE = "PositionDivergence"


class Resolution(StrEnum):
    """What was done about it."""

    BOOKED = "Booked"
    CANCELLED = "Cancelled"
    FREED = "Freed"
    ADOPTED = "Adopted"
    IGNORED = "Ignored"
    ENTRIES_STOPPED = "EntriesStopped"
    BREAKER_OPENED = "BreakerOpened"


@dataclass(slots=True)
class Discrepancy:
    """One difference; `time` in microseconds, `what` is for people."""

    time: int
    kind: Kind
    what: str
    resolution: Resolution


@dataclass(slots=True)
class Discrepancies:
    """How many of each kind there have been, and the newest, oldest first."""

    counts: dict[str, int] = field(default_factory=dict)
    newest: list[Discrepancy] = field(default_factory=list)

    KEPT = 8

    def add(self, found: Discrepancy) -> None:
        self.counts[found.kind] = self.counts.get(found.kind, 0) + 1
        self.newest = [*self.newest[-(self.KEPT - 1) :], found]
