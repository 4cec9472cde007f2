"""All that the engine can be told. Times are microseconds since the Unix epoch, in the exchange's time."""

from dataclasses import dataclass
from enum import StrEnum

from opensqt.engine.actions import OrderSide
from opensqt.engine.config import EngineConfig
from opensqt.engine.market import Market


class Goal(StrEnum):
    """What the bot is to do."""

    RUN = "Run"
    PAUSE = "Pause"
    STOP = "Stop"
    CLOSE = "Close"


class OrderState(StrEnum):
    """An order as the exchange has it."""

    OPEN = "Open"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    EXPIRED = "Expired"


class Remedy(StrEnum):
    """What must be done about a failed request: opensqt.exchange.v1.Remedy."""

    RETRY = "Retry"
    BACK_OFF = "BackOff"
    LOOK_UP = "LookUp"
    WOULD_CROSS = "WouldCross"
    INSUFFICIENT_MARGIN = "InsufficientMargin"
    DUPLICATE = "Duplicate"
    UNKNOWN_ORDER = "UnknownOrder"
    FIX_REQUEST = "FixRequest"
    FIX_CREDENTIALS = "FixCredentials"
    FENCED = "Fenced"
    HALT = "Halt"


@dataclass(frozen=True, slots=True)
class Started:
    """A new instance of the bot has taken `epoch`; all that earlier ones left in flight is in doubt.

    `market` is what the exchange's rules are from now on: tick and lot are always the same, the rest may have changed.
    `engine` names the program that decides from here on (`opensqt.runtime.build`). Logs from before these were noted
    have neither.
    """

    time: int
    epoch: int
    market: Market | None = None
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Configured:
    """The spec of `generation` is in force, with a goal."""

    time: int
    generation: int
    goal: Goal
    config: EngineConfig


@dataclass(frozen=True, slots=True)
class PriceChanged:
    """The last price, in ticks."""

    time: int
    price: int


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """Time has passed; sent when `Engine.wake_at` is reached."""

    time: int


@dataclass(frozen=True, slots=True)
class AccountReported:
    """The account's equity and what is free for new orders, in money."""

    time: int
    equity: int
    available: int


@dataclass(frozen=True, slots=True)
class PositionReported:
    """The exchange's own view of the position, in lots, signed; compared with the sum of the fills."""

    time: int
    lots: int


@dataclass(frozen=True, slots=True)
class OrderReported:
    """An order as the exchange has it now: an answer to a placement, cancel or look-up, or a stream's message.

    `filled` is cumulative, in lots. It says only how many fills must still arrive: positions change by `OrderFilled`
    alone.
    `listed_twice`: in two comparisons in a row it was open at the exchange, and not live here.
    """

    time: int
    client_id: str
    state: OrderState
    filled: int
    would_cross: bool = False
    listed_twice: bool = False


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """One trade of one order: price in ticks, quantity in lots, fee paid in money (a rebate is negative).

    Where the fee was taken out of what was bought, `taken` is that, in parts of a lot, and `fee` its worth.
    `found`: it was asked for, at a time when a stream should have told of it long ago.
    `side` is for those who read the log; the engine goes by its own order.
    """

    time: int
    client_id: str
    trade_id: str
    price: int
    lots: int
    fee: int
    maker: bool
    taken: int = 0
    found: bool = False
    side: OrderSide | None = None


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """Funding at a funding time: money paid (received where negative), counted once by id.

    `lots` is the account's signed position that it was reckoned on; 0 where the exchange does not say.
    """

    time: int
    funding_id: str
    amount: int
    lots: int = 0


@dataclass(frozen=True, slots=True)
class PlaceFailed:
    """A placement failed; `retry_at` is the earliest time of another try."""

    time: int
    client_id: str
    remedy: Remedy
    message: str
    retry_at: int = 0


@dataclass(frozen=True, slots=True)
class CancelFailed:
    """A cancel failed; `UNKNOWN_ORDER` puts the order in doubt, it never means cancelled."""

    time: int
    client_id: str
    remedy: Remedy
    message: str
    retry_at: int = 0


@dataclass(frozen=True, slots=True)
class OrderNotFound:
    """A look-up by client id was answered: the exchange has no such order.

    `confirmed`: nor is it among the open orders, and all fills that speak of it have been told.
    """

    time: int
    client_id: str
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class LookUpFailed:
    """A look-up could not be answered."""

    time: int
    client_id: str
    message: str
    retry_at: int = 0


@dataclass(frozen=True, slots=True)
class FeedChanged:
    """The price or order stream was lost (`healthy` false: the gate closes) or is back and made up for."""

    time: int
    feed: str
    healthy: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class PositionFound:
    """The account's position before this bot has traded: signed lots, and what was paid for them in money, positive."""

    time: int
    lots: int
    cost: int


@dataclass(frozen=True, slots=True)
class ClockCompared:
    """The connector's clock less the exchange's, in microseconds."""

    time: int
    skew: int


@dataclass(frozen=True, slots=True)
class CandleChanged:
    """A candle of any symbol as it is now; with `closed` as it has become for good. Oldest first at each start.

    Symbols have ticks and lots of their own, so prices are in 10^-12 of the quote currency for one of base, the volume
    in 10^-12 of base. `open_time` is in microseconds, `interval` as exchanges write it: "1m", "1h".
    """

    time: int
    symbol: str
    interval: str
    open_time: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    closed: bool


Event = (
    Started
    | Configured
    | PriceChanged
    | ClockTicked
    | AccountReported
    | PositionReported
    | OrderReported
    | OrderFilled
    | FundingPaid
    | PlaceFailed
    | CancelFailed
    | OrderNotFound
    | LookUpFailed
    | FeedChanged
    | CandleChanged
    | PositionFound
    | ClockCompared
)
