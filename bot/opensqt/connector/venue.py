"""What an exchange must be able to do: the one interface of the five exchanges and the paper exchange."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed, and what must be done about it. The message never holds credentials."""

    remedy: Remedy
    message: str
    venue_code: str = ""
    retry_after_ms: int = 0


class VenueError(Exception):
    """A call failed as a whole."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Capabilities:
    look_up_by_client_id: bool
    cancel_all: bool
    batch_cancel: bool
    place_batch_limit: int
    cancel_batch_limit: int
    dead_man_switch: bool = False
    lockstep: bool = False
    weaknesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """Quantities in base currency, never contracts; fees as fractions. The largest are 0 where nobody says."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    max_leverage: int
    max_quantity: Decimal = Decimal(0)
    """Of a limit order."""
    max_market_quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """`price` is None for a market order."""

    symbol: str
    client_id: str
    side: OrderSide
    price: Decimal | None
    quantity: Decimal
    reduce_only: bool
    time_in_force: TimeInForce


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the exchange has it; `filled` is cumulative; `failure` says why it ended, where that came later."""

    symbol: str
    client_id: str
    venue_id: str
    side: OrderSide
    price: Decimal | None
    quantity: Decimal
    filled: Decimal
    state: OrderState
    reduce_only: bool
    time_in_force: TimeInForce
    time_us: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One trade; `fee` is positive where paid. `trade_id` is unique within the symbol."""

    symbol: str
    client_id: str
    trade_id: str
    side: OrderSide
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool
    time_us: int


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """What a position in a perpetual has cost (`amount` positive) or earned at a funding time.

    `funding_id` is unique within the symbol; `quantity` is the account's signed position that it was reckoned on, None
    where the exchange does not say.
    """

    symbol: str
    funding_id: str
    amount: Decimal
    currency: str
    quantity: Decimal | None
    time_us: int


OrderUpdate = VenueOrder | VenueFill | FundingPayment
"""What the stream of orders brings: all that changes orders, position and wallet of a symbol."""


@dataclass(frozen=True, slots=True)
class Account:
    currency: str
    equity: Decimal
    available: Decimal
    wallet_balance: Decimal
    time_us: int


@dataclass(frozen=True, slots=True)
class Position:
    """Signed quantity in base currency."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    unrealised_pnl: Decimal
    leverage: int
    time_us: int


@dataclass(frozen=True, slots=True)
class Price:
    symbol: str
    last: Decimal
    bid: Decimal
    ask: Decimal
    time_us: int


@dataclass(frozen=True, slots=True)
class Kline:
    symbol: str
    open_time_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A stream was interrupted: what came between is lost, the state must be fetched again."""

    reason: str


@dataclass(frozen=True, slots=True)
class MarketProgress:
    symbol: str
    played: int
    total: int
    market_time_us: int
    ended: bool


@dataclass(frozen=True, slots=True)
class VenueHealth:
    """`reason` is CamelCase for conditions; `clock_skew_us` is ours minus the exchange's."""

    ready: bool
    reason: str
    message: str
    clock_skew_us: int = 0
    markets: tuple[MarketProgress, ...] = field(default=())


class Venue(Protocol):
    """One account at one exchange. Every call raises `VenueError`; batches answer item by item, in order.

    A stream ends only when its iterator is closed; an interruption shows as a `Gap`, after which it goes on.
    """

    name: str

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; what it says of its weaknesses may change while it is open."""

    async def open(self) -> None:
        """Connects, loads the symbols and checks the credentials.

        Returns also where that fails: `health` says so, and it goes on trying.
        """

    async def close(self) -> None: ...

    def health(self) -> VenueHealth: ...

    async def health_changed(self) -> None:
        """Returns when `health` is another than it was at the call."""

    async def symbols(self, symbols: Sequence[str]) -> list[SymbolRules]:
        """Rules of the symbols named, or of all that the venue serves. An unknown one fails with FIX_REQUEST."""

    async def account(self) -> Account: ...

    async def positions(self, symbols: Sequence[str]) -> list[Position]: ...

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        """The order and all its fills; fails with UNKNOWN_ORDER where the exchange has none."""

    async def open_orders(self, symbol: str) -> list[VenueOrder]: ...

    async def fills(self, symbol: str, since_us: int) -> list[VenueFill]:
        """Oldest first."""

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        """Oldest first; empty for spot."""

    async def prepare(self, symbol: str, leverage: int) -> None:
        """Sets leverage; refuses (FIX_REQUEST) a position mode other than one-way."""

    async def place(self, orders: Sequence[NewOrder]) -> list[VenueOrder | Failure]:
        """At most `capabilities.place_batch_limit` orders."""

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[VenueOrder | Failure]:
        """At most `capabilities.cancel_batch_limit` orders."""

    def watch_prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]: ...

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        """The newest `limit` candles, oldest first; the last may be under way. Fewer where there are no more."""

    def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]: ...

    def watch_orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]: ...

    def watch_account(self) -> AsyncIterator[Account | Gap]: ...

    def watch_positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]: ...
