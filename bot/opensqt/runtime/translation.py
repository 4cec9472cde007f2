"""Between the exchange's decimals and the engine's integers, for one symbol."""

from decimal import ROUND_CEILING, Decimal

import structlog

from opensqt.connector.venue import (
    Account,
    FundingPayment,
    Kline,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    SymbolRules,
    VenueFill,
    VenueOrder,
)
from opensqt.engine.actions import OrderSide, Place
from opensqt.engine.config import PPM
from opensqt.engine.events import (
    AccountReported,
    CandleChanged,
    FundingPaid,
    OrderFilled,
    OrderReported,
    PositionFound,
    PositionReported,
    PriceChanged,
    Remedy,
)
from opensqt.engine.market import Market, to_money

log = structlog.get_logger(__name__)


def market_of(rules: SymbolRules) -> Market:
    """The rules in integers; what the exchange demands or takes is rounded up, what it allows is rounded down."""
    return Market(
        symbol=rules.symbol,
        tick_size=rules.tick_size,
        lot_size=rules.lot_size,
        min_quantity=_ceiling(rules.min_quantity / rules.lot_size),
        min_notional=to_money(rules.min_notional),
        maker_fee_ppm=_ceiling(rules.maker_fee * PPM),
        taker_fee_ppm=_ceiling(rules.taker_fee * PPM),
        max_quantity=int(rules.max_quantity / rules.lot_size),
        max_market_quantity=int(rules.max_market_quantity / rules.lot_size),
        max_leverage=rules.max_leverage,
    )


def _ceiling(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_CEILING))


class Translation:
    """One symbol's messages as events, its actions as requests."""

    def __init__(self, rules: SymbolRules) -> None:
        self._rules = rules
        self.market = market_of(rules)

    def new_order(self, place: Place) -> NewOrder:
        return NewOrder(
            symbol=self.market.symbol,
            client_id=place.client_id,
            side=place.side,
            price=None if place.price is None else self.market.from_ticks(place.price),
            quantity=self.market.from_lots(place.lots),
            reduce_only=place.reduce_only,
            time_in_force=place.time_in_force,
        )

    def order(self, order: VenueOrder) -> OrderReported:
        return OrderReported(
            time=order.time_us,
            client_id=order.client_id,
            state=order.state,
            filled=self.market.to_lots(order.filled),
            would_cross=order.failure is not None and order.failure.remedy is Remedy.WOULD_CROSS,
        )

    def update(self, update: OrderUpdate) -> OrderReported | OrderFilled | FundingPaid:
        match update:
            case VenueFill():
                return self.fill(update)
            case FundingPayment():
                return self.funding(update)
            case VenueOrder():
                return self.order(update)

    def funding(self, payment: FundingPayment) -> FundingPaid:
        return FundingPaid(
            time=payment.time_us,
            funding_id=payment.funding_id,
            amount=to_money(payment.amount),
            lots=self._signed_lots(payment.quantity or Decimal(0)),
        )

    def fill(self, fill: VenueFill, *, told_by: int | None = None) -> OrderFilled:
        """`told_by`: the market time up to which streams have told of all; None where a stream told of this one."""
        return OrderFilled(
            time=fill.time_us,
            client_id=fill.client_id,
            trade_id=fill.trade_id,
            price=self.market.to_ticks(fill.price),
            lots=self.market.to_lots(fill.quantity),
            fee=to_money(self._fee_in_quote(fill)),
            maker=fill.maker,
            taken=self._taken(fill),
            found=told_by is not None and fill.time_us <= told_by,
            side=fill.side,
        )

    def _taken(self, fill: VenueFill) -> int:
        """What the fee of a spot buy has taken of what was bought."""
        in_base = self.market.spot and fill.side is OrderSide.BUY and fill.fee_currency == self._rules.base
        return self.market.to_dust(fill.fee) if in_base else 0

    def price(self, price: Price) -> PriceChanged:
        return PriceChanged(time=price.time_us, price=self.market.to_ticks(price.last))

    @staticmethod
    def candle(kline: Kline, interval: str, now: int) -> CandleChanged:
        """The candle, which carries no time of its own, as heard of at `now`."""
        return CandleChanged(
            time=now,
            symbol=kline.symbol,
            interval=interval,
            open_time=kline.open_time_us,
            open=to_money(kline.open),
            high=to_money(kline.high),
            low=to_money(kline.low),
            close=to_money(kline.close),
            volume=to_money(kline.volume),
            closed=kline.closed,
        )

    def account(self, account: Account) -> AccountReported:
        return AccountReported(
            time=account.time_us, equity=to_money(account.equity), available=to_money(account.available)
        )

    def found(self, position: Position) -> PositionFound:
        """What the account holds before the bot has traded."""
        lots = self.position(position).lots
        return PositionFound(position.time_us, lots, to_money(position.entry_price * self.market.from_lots(abs(lots))))

    def position(self, position: Position) -> PositionReported:
        return PositionReported(time=position.time_us, lots=self._signed_lots(position.quantity))

    def _signed_lots(self, quantity: Decimal) -> int:
        lots = self.market.to_lots(abs(quantity))
        return lots if quantity >= 0 else -lots

    def _fee_in_quote(self, fill: VenueFill) -> Decimal:
        if fill.fee == 0 or fill.fee_currency in {"", self._rules.quote}:
            return fill.fee
        if fill.fee_currency == self._rules.base:
            return fill.fee * fill.price
        # A third currency (an exchange's own token) has no price here: the fee schedule is the best estimate.
        rate = self._rules.maker_fee if fill.maker else self._rules.taker_fee
        log.warning("fee_estimated", trade_id=fill.trade_id, fee=str(fill.fee), currency=fill.fee_currency)
        return fill.price * fill.quantity * rate
