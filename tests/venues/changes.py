"""What a simulated exchange has to tell: what has changed, and an account's coins and positions."""

from dataclasses import dataclass
from decimal import Decimal

from tests.venues.listing import Candle, Listing, Order, Trade


@dataclass(frozen=True)
class OrderChanged:
    order: Order
    trade: Trade | None = None


@dataclass(frozen=True)
class AccountChanged:
    """The balance, and the position in `listing` where that has changed too."""

    listing: Listing | None = None


@dataclass(frozen=True)
class PriceChanged:
    listing: Listing


@dataclass(frozen=True)
class CandleChanged:
    listing: Listing
    candle: Candle


Change = OrderChanged | AccountChanged | PriceChanged | CandleChanged


@dataclass(frozen=True)
class Coin:
    """`locked` is in open orders."""

    total: Decimal
    locked: Decimal

    @property
    def free(self) -> Decimal:
        return self.total - self.locked


@dataclass(frozen=True)
class PositionView:
    """Signed quantity in base currency."""

    listing: Listing
    quantity: Decimal
    entry: Decimal
    mark: Decimal
    unrealised: Decimal
    leverage: int
    margin: Decimal
