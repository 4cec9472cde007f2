"""A market as an exchange lists it, in base currency; what an order and a trade of it are."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto

from opensqt.connector.paper.instrument import FEE_SCALE, Instrument
from opensqt.connector.paper.orders import PaperOrder
from opensqt.engine.events import OrderState
from opensqt.engine.market import MONEY_SCALE


@dataclass(frozen=True)
class Listing:
    """`id` is the exchange's name of it; `contract` is the base currency in one contract, 1 where it counts coins."""

    id: str
    base: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal = Decimal(0)
    min_quantity: Decimal = Decimal(0)
    max_quantity: Decimal = Decimal(1000)
    contract: Decimal = Decimal(1)
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    max_leverage: int = 100
    price: Decimal = Decimal(50_000)
    quote: str = "USDT"
    spot: bool = False

    @property
    def symbol(self) -> str:
        return f"{self.base}/{self.quote}" + ("" if self.spot else f":{self.quote}")

    def instrument(self) -> Instrument:
        return Instrument(
            symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            tick_size=self.tick,
            lot_size=self.lot,
            tick_value=int(self.tick * self.lot * MONEY_SCALE),
            min_notional=int(self.min_notional * MONEY_SCALE),
            maker_fee=int(self.maker_fee * FEE_SCALE),
            taker_fee=int(self.taker_fee * FEE_SCALE),
        )


class Force(Enum):
    GTC = auto()
    IOC = auto()
    FOK = auto()
    POST_ONLY = auto()


class Ended(Enum):
    """Why an order is over without having been filled."""

    BY_USER = auto()
    POST_ONLY = auto()
    NOTHING_TO_TAKE = auto()
    NOTHING_TO_REDUCE = auto()
    DEAD_MAN = auto()


@dataclass(frozen=True)
class Intent:
    """What somebody wants to trade; `price` is None for a market order, `client_id` empty where none was given."""

    listing: Listing
    client_id: str
    buy: bool
    price: Decimal | None
    quantity: Decimal
    force: Force = Force.GTC
    reduce_only: bool = False


@dataclass
class Order:
    """`number` grows with time; `paper` is the matching's part of it."""

    number: int
    intent: Intent
    paper: PaperOrder
    created_ms: int
    updated_ms: int
    ended: Ended | None = None
    cost: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def listing(self) -> Listing:
        return self.intent.listing

    @property
    def client_id(self) -> str:
        return self.intent.client_id

    @property
    def buy(self) -> bool:
        return self.intent.buy

    @property
    def quantity(self) -> Decimal:
        return self.intent.quantity

    @property
    def filled(self) -> Decimal:
        return self.paper.filled * self.listing.lot

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        """0 before any fill."""
        return self.cost / self.filled if self.filled else Decimal(0)

    @property
    def fee_currency(self) -> str:
        """On spot what is bought pays, or what it is sold for."""
        return self.listing.base if self.listing.spot and self.buy else self.listing.quote

    @property
    def open(self) -> bool:
        return self.paper.state is OrderState.OPEN

    @property
    def whole(self) -> bool:
        return self.paper.state is OrderState.FILLED

    @property
    def market(self) -> bool:
        return self.intent.price is None


@dataclass(frozen=True)
class Trade:
    """`filled` is what the order had been filled in all after it; `fee` is positive where paid, in `currency`."""

    number: int
    order: Order
    price: Decimal
    quantity: Decimal
    filled: Decimal
    fee: Decimal
    currency: str
    maker: bool
    time_ms: int


@dataclass(frozen=True)
class Funding:
    """`amount` is positive where paid; `quantity` is the signed position that it was reckoned on."""

    number: int
    listing: Listing
    amount: Decimal
    quantity: Decimal
    time_ms: int


@dataclass(frozen=True)
class Candle:
    """One minute."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool = False
