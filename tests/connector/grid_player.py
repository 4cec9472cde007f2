"""A small grid bot to play the paper exchange in tests: of the same fills it makes the same orders."""

from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.connector.venue import NewOrder, VenueFill
from opensqt.engine.actions import OrderSide, TimeInForce


@dataclass
class GridPlayer:
    """Buys on levels below the first price, and sells what each fill brings one level higher."""

    symbol: str
    prefix: str
    spacing: Decimal
    quantity: Decimal
    levels: int = 5
    placed: dict[str, NewOrder] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def start(self, price: Decimal) -> list[NewOrder]:
        """The first orders."""
        return [self._order(OrderSide.BUY, price - level * self.spacing) for level in range(1, self.levels + 1)]

    def fill(self, fill: VenueFill) -> list[NewOrder]:
        """What follows from a fill; nothing the second time."""
        if fill.trade_id in self.seen:
            return []
        self.seen.add(fill.trade_id)
        price = self.placed[fill.client_id].price
        assert price is not None
        if fill.side is OrderSide.BUY:
            return [self._order(OrderSide.SELL, price + self.spacing, fill.quantity)]
        return [self._order(OrderSide.BUY, price - self.spacing, fill.quantity)]

    def _order(self, side: OrderSide, price: Decimal, quantity: Decimal | None = None) -> NewOrder:
        client_id = f"{self.prefix}{len(self.placed)}"
        reduces, lots = side is OrderSide.SELL, quantity or self.quantity
        order = NewOrder(self.symbol, client_id, side, price, lots, reduces, TimeInForce.GTC)
        self.placed[client_id] = order
        return order
