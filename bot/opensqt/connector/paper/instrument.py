"""One market of the paper exchange in integers: prices in ticks, quantities in lots, money in 10^-12 of the quote."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from opensqt.api.paper import PaperFees, PaperMarket
from opensqt.connector.venue import SymbolRules
from opensqt.engine.market import MONEY_SCALE, to_money

MAX_LEVERAGE = 125
FEE_SCALE = 10**12
_LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class Instrument:
    """`tick_value` is the money of one lot at one tick; fees and funding rate are parts of 10^12 of the notional.

    `fill_share` is what orders fill of a price's volume at most, in parts of 10^12; 0 where they fill whole.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    tick_value: int
    min_notional: int
    maker_fee: int
    taker_fee: int
    funding_rate: int = 0
    fill_share: int = 0

    @classmethod
    def from_spec(cls, market: PaperMarket, fees: PaperFees) -> "Instrument":
        """Raises ValueError where the market cannot be had in integers."""
        tick_value = market.tick_size * market.lot_size * MONEY_SCALE
        if tick_value != int(tick_value):
            raise ValueError(f"{market.symbol}: tickSize times lotSize must be a multiple of 0.000000000001")
        base, _, quote = market.symbol.partition(":")[0].partition("/")
        return cls(
            symbol=market.symbol,
            base=base,
            quote=quote,
            tick_size=market.tick_size,
            lot_size=market.lot_size,
            tick_value=int(tick_value),
            min_notional=to_money(market.min_notional),
            maker_fee=int(fees.maker * FEE_SCALE),
            taker_fee=int(fees.taker * FEE_SCALE),
            funding_rate=int(market.funding_rate * FEE_SCALE / 100),
            fill_share=int((market.fill_share or 0) * FEE_SCALE),
        )

    @property
    def spot(self) -> bool:
        """Whether base currency itself is traded, and fees of buys are taken in it."""
        return ":" not in self.symbol

    def rules(self) -> SymbolRules:
        return SymbolRules(
            symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            tick_size=self.tick_size,
            lot_size=self.lot_size,
            min_quantity=self.lot_size,
            min_notional=Decimal(self.min_notional) / MONEY_SCALE,
            maker_fee=Decimal(self.maker_fee) / FEE_SCALE,
            taker_fee=Decimal(self.taker_fee) / FEE_SCALE,
            max_leverage=1 if self.spot else MAX_LEVERAGE,
        )

    def fee(self, price: int, lots: int, rate: int) -> int:
        """Money, to the nearest unit."""
        return (price * lots * self.tick_value * rate + FEE_SCALE // 2) // FEE_SCALE


def whole(value: Decimal, unit: Decimal) -> int | None:
    """How many units `value` is; None where it is no whole number of them, or more than 2^62."""
    try:
        units, rest = divmod(value, unit)
    except InvalidOperation:
        return None
    count = int(units)
    return None if rest or count >= _LARGEST else count
