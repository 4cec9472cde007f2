"""A small grid bot to play the paper exchange in tests: of the same fills it makes the same orders."""

from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.connector.venue import NewOrder, VenueFill
from opensqt.engine.actions import OrderSide, TimeInForce


@dataclass
class GridPlayer:
    """Buys on levels below the first price, and sells each level's fill one level higher."""

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
            return [self._order(OrderSide.SELL, price + self.spacing)]
        return [self._order(OrderSide.BUY, price - self.spacing)]

    def _order(self, side: OrderSide, price: Decimal) -> NewOrder:
        client_id = f"{self.prefix}{len(self.placed)}"
        order = NewOrder(self.symbol, client_id, side, price, self.quantity, side is OrderSide.SELL, TimeInForce.GTC)
        self.placed[client_id] = order
        return order
