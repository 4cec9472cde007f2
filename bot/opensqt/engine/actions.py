"""All that the engine can ask for. The shell commits them to the journal before it carries any of them out."""

from dataclasses import dataclass
from enum import StrEnum


class OrderSide(StrEnum):
    BUY = "Buy"
    SELL = "Sell"


class TimeInForce(StrEnum):
    GTC = "GTC"
    POST_ONLY = "PostOnly"
    IOC = "IOC"


@dataclass(frozen=True, slots=True)
class Place:
    """Place an order: price in ticks (None is a market order), quantity in lots.

    The same client id always comes with the same order: it is a pure function of (bot uid, slot, cycle, attempt).
    """

    client_id: str
    side: OrderSide
    price: int | None
    lots: int
    reduce_only: bool
    time_in_force: TimeInForce


@dataclass(frozen=True, slots=True)
class Cancel:
    client_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the exchange for one order by its client id, with its fills.

    With `since`, the time at which it was sent, a denial is not the last word: it is looked for among the open orders
    and the fills as well, and `OrderNotFound.confirmed` says that there is no trace of it.
    """

    client_id: str
    since: int = 0


class Severity(StrEnum):
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell people: becomes a log line, a BotService event and a Kubernetes Event."""

    severity: Severity
    reason: str
    message: str


Action = Place | Cancel | LookUp | Notify
