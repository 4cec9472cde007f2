"""All that the engine remembers, and the turn in which one event changes it."""

from dataclasses import dataclass, field
from enum import StrEnum

from opensqt.engine.accounting import Ledger
from opensqt.engine.actions import Action, Notify, Severity
from opensqt.engine.breaker import Breaker
from opensqt.engine.config import EngineConfig
from opensqt.engine.discrepancies import Discrepancies, Discrepancy, Kind, Resolution
from opensqt.engine.events import Goal
from opensqt.engine.layout import Layout, layout_of
from opensqt.engine.market import Market
from opensqt.engine.monitor import Monitor
from opensqt.engine.orders import Orders
from opensqt.engine.safety import Finding
from opensqt.engine.slots import Slots
from opensqt.engine.trigger import Trigger
from opensqt.engine.volatility import Volatility

PRICE_FEED = "price"
"""The name of the price feed in FeedChanged; the return of any other feed puts all orders in doubt."""
_CANDLES = "candles "


def candle_feed(interval: str) -> str:
    """The name of the feed of all candles of an interval."""
    return _CANDLES + interval


def is_candle_feed(feed: str) -> bool:
    return feed.startswith(_CANDLES)


class HaltReason(StrEnum):
    """Why nothing at all may be placed."""

    FENCED = "Fenced"
    CREDENTIALS = "Credentials"
    EXCHANGE = "Exchange"
    ORDERS_REFUSED = "OrdersRefused"


class Refusal(StrEnum):
    """Why no entry may be placed: the spec does not fit the market."""

    SPACING_TOO_SMALL = "SpacingTooSmall"
    BOUNDS_TOO_NARROW = "BoundsTooNarrow"
    LIMIT_TOO_SMALL = "LimitTooSmall"
    ORDER_TOO_SMALL = "OrderTooSmall"
    ORDER_TOO_LARGE = "OrderTooLarge"
    UNPROFITABLE = "Unprofitable"


@dataclass(slots=True)
class Mismatch:
    """The exchange's position less ours, in lots, first seen at `time`; 0 for none."""

    lots: int = 0
    time: int = 0
    asked: bool = False
    """All orders that could explain it have been looked up since."""
    told: bool = False
    """It is listed as somebody else's position."""


@dataclass(slots=True)
class Funding:
    """Which payments have been counted: the newest of their ids, the newest time, and the times of this bot's fills."""

    ids: list[str] = field(default_factory=list)
    last: int = 0
    first_fill: int = 0
    last_fill: int = 0


@dataclass(slots=True)
class Sizing:
    """The present size of an entry, in money or lots; 0 while it is not known. `terms` is what the spec said of it."""

    terms: list[int] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class Barriers:
    """The barrier that was reached, if any, and when; microseconds."""

    terms: list[int] = field(default_factory=list)
    """What the spec said of them when they came into force."""
    since: int = 0
    """When the grid began under these terms."""
    reached: str = ""
    message: str = ""
    at: int = 0


@dataclass(slots=True)
class State:
    """Durable: the same after the same log of events. Prices in ticks, money, microseconds; 0 where unknown."""

    epoch: int = 0
    generation: int = 0
    goal: Goal = Goal.RUN
    """The goal in force: the spec's, or what a barrier has made of it."""
    wanted: Goal = Goal.RUN
    """The spec's goal."""
    config: EngineConfig | None = None
    time: int = 0
    """When it last changed; time goes on from here, also where an event comes late and is older."""
    last_price: int = 0
    price_time: int = 0
    traded: int = 0
    """The price of the newest fill, until a price is told that is as new; 0 afterwards."""
    fresh: bool = False
    """The last price is one of this instance's, and its feed has not been lost since."""
    anchor: int = 0
    shift: int = 0
    """Levels by which a bounded grid has followed the price."""
    trigger: Trigger = field(default_factory=Trigger)
    equity: int | None = None
    available: int = 0
    feeds_lost: dict[str, str] = field(default_factory=dict)
    halt: str = ""
    halt_message: str = ""
    refusal: str = ""
    refusal_message: str = ""
    refused_in_a_row: int = 0
    margin_locked_until: int = 0
    backing_off_until: int = 0
    suspect: int = 0
    """A price that nothing has confirmed yet; 0 for none."""
    suspect_since: int = 0
    monitor: Monitor = field(default_factory=Monitor)
    volatility: Volatility = field(default_factory=Volatility)
    candles_missing: str = ""
    """Which candles the step of the grid waits for, as it was last told."""
    monitor_blind: str = ""
    """Why the market monitor cannot see, as it was last told."""
    clock_skew: int = 0
    unchecked: bool = True
    """The spec has still to pass the checks of `safety`."""
    findings: list[Finding] = field(default_factory=list)
    found_lots: int = 0
    found_cost: int = 0
    """A position that the account had before this bot."""
    found_refused: str = ""
    position_known: bool = False
    """Nothing is left to be decided about it."""
    foreign_lots: int = 0
    """A position of others on the other side, which is not counted when the exchange's is compared with ours."""
    mismatch: Mismatch = field(default_factory=Mismatch)
    foreign_told: int = 0
    """When a larger position than ours was last told of."""
    discrepancies: Discrepancies = field(default_factory=Discrepancies)
    strangers: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    funding: Funding = field(default_factory=Funding)
    barriers: Barriers = field(default_factory=Barriers)
    sizing: Sizing = field(default_factory=Sizing)
    breaker: Breaker = field(default_factory=Breaker)
    slots: Slots = field(default_factory=Slots)
    orders: Orders = field(default_factory=Orders)
    limit_reached: str = ""
    """The limit that keeps the nearest entry out that the window wants, as in spec.riskLimits."""
    outside_band: int = 0
    """The price of an order that the plan wants and the price band does not let through."""
    wound_down: bool = False
    """The goal of stopping or closing has been reached, and told."""

    @property
    def layout(self) -> Layout | None:
        """Where the levels lie; None until the grid has begun."""
        if self.config is None or not self.anchor:
            return None
        return layout_of(self.config, self.anchor, self.shift, self.volatility.step)


@dataclass(slots=True)
class Turn:
    """The handling of one event: what it knows, what it wants done, and whether it changed anything durable."""

    now: int
    market: Market
    bot_uid: str
    state: State
    actions: list[Action] = field(default_factory=list)
    changed: bool = False

    def do(self, action: Action) -> None:
        self.actions.append(action)
        self.changed = True

    def warn(self, reason: str, message: str) -> None:
        self.do(Notify(Severity.WARNING, reason, message))

    def tell(self, reason: str, message: str) -> None:
        self.do(Notify(Severity.NORMAL, reason, message))

    def found(self, kind: Kind, resolution: Resolution, what: str, *, tell: bool = True) -> None:
        """Lists a difference from the exchange, and tells people unless something else has told them already."""
        self.state.discrepancies.add(Discrepancy(self.now, kind, what, resolution))
        self.changed = True
        if tell:
            self.warn(kind, what)

    def halt(self, reason: HaltReason, message: str) -> None:
        """Nothing more is placed; a halt that is there already stays."""
        if not self.state.halt or reason is HaltReason.FENCED:
            self.state.halt, self.state.halt_message = reason, message
            self.warn("Halted", f"{reason}: {message}")

    @property
    def pnl(self) -> int:
        """Money at the last price."""
        return self.state.ledger.pnl(self.state.last_price * self.market.tick_value)

    @property
    def sure_pnl(self) -> int:
        """The PnL that may be called a gain.

        Beside a price from before it every fill looks like one: what was bought for less, or sold for more. Then what
        is held is worth no more than at the fill's own price.
        """
        if not self.state.traded:
            return self.pnl
        return min(self.pnl, self.state.ledger.pnl(self.state.traded * self.market.tick_value))
