"""The paper exchange's matching with fills in parts, so that a test can say how much of an order is filled."""

from opensqt.connector.paper.account import Holding
from opensqt.connector.paper.matching import NOTHING_LEFT, Matching
from opensqt.connector.paper.orders import PaperOrder
from opensqt.engine.events import OrderState


class PartialMatching(Matching):
    """As `Matching`; `fill_part` fills some of a resting order, and what is left goes on resting."""

    _most: int | None = None

    def fill_part(self, key: str, lots: int) -> None:
        order = self.open[key]
        assert order.price is not None
        holding = self.account.holdings[order.instrument.symbol]
        self._most = lots
        try:
            if lots >= order.lots - order.filled:
                self._fill_resting(order)
                return
            self._reserve(order, -1)
            self._trade(order, holding, order.price, order.instrument.maker_fee, maker=True)
            self._reserve(order, 1)
            order.time_us = self.time_us
        finally:
            self._most = None

    def _trade(self, order: PaperOrder, holding: Holding, price: int, rate: int, *, maker: bool) -> None:
        left = order.lots - order.filled
        lots = min(left, holding.reducible(order.side)) if order.reduce_only else left
        if self._most is not None:
            lots = min(lots, self._most)
        order.filled += lots
        if order.filled == order.lots:
            order.state = OrderState.FILLED
        elif self._most is None:
            order.state, order.reason = OrderState.EXPIRED, NOTHING_LEFT
        if lots:
            self._record(order, holding, price, lots, rate, maker=maker)
