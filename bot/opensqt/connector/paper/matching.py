"""The matching engine: pure, in integers, one thread, one account.

A price that is played is the last price. A limit order that reaches it (buy: limit >= last; sell: limit <= last) takes:
it fills at the last price and pays the taker fee. Others rest, and fill at their own price as soon as a price touches
it, the best price first, then the oldest; they pay the maker fee. Orders fill whole, or where the market's depth is
bounded as far as that goes at each price. What an answer or a fill may say only after it is durable is collected in
`changes`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.connector.paper.account import Holding, PaperAccount
from opensqt.connector.paper.funding import PaperFunding, fundings, next_due
from opensqt.connector.paper.instrument import FEE_SCALE, Instrument, whole
from opensqt.connector.paper.orders import PaperFill, PaperOrder, RestingOrders
from opensqt.connector.venue import Failure, NewOrder, OrderUpdate, Price, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.engine.market import DUST

NOTHING_LEFT = "reduce-only: no position was left to reduce"


@dataclass(slots=True)
class Changes:
    """What has happened since the last commit, in order; `updates` is what the world is told after the next one."""

    placed: dict[str, PaperOrder] = field(default_factory=dict)
    changed: dict[str, PaperOrder] = field(default_factory=dict)
    fills: list[PaperFill] = field(default_factory=list)
    funding: list[PaperFunding] = field(default_factory=list)
    updates: list[OrderUpdate | Price] = field(default_factory=list)
    traded: set[str] = field(default_factory=set)
    """Symbols whose position or leverage changed."""


class _RefusedError(Exception):
    def __init__(self, remedy: Remedy, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(remedy, message)


class Matching:
    """`open` holds the open orders by client id; `step`, `time_us`, `orders` and `trades` count on for ever."""

    def __init__(self, instruments: Iterable[Instrument], balance: int) -> None:
        self.account = PaperAccount(balance)
        self.open: dict[str, PaperOrder] = {}
        self.changes = Changes()
        self.step = 0
        self.time_us = 0
        self.orders = 0
        self.trades = 0
        self._resting: dict[str, RestingOrders] = {}
        for instrument in instruments:
            self.account.holdings[instrument.symbol] = Holding(instrument)
            self._resting[instrument.symbol] = RestingOrders()

    def restore(self, order: PaperOrder) -> None:
        """Puts an open order back as the books have it."""
        self.open[order.client_id] = order
        self._resting[order.instrument.symbol].add(order)
        self._reserve(order, 1)

    def take_changes(self) -> Changes:
        changes, self.changes = self.changes, Changes()
        return changes

    def bounds(self, symbol: str) -> tuple[int, int]:
        """No price strictly between them touches an order."""
        return self._resting[symbol].best()

    def funding_due(self, symbol: str) -> int:
        """The market time (µs) whose first price brings funding; 0 where none is to be paid."""
        holding = self.account.holdings[symbol]
        pays = holding.lots and holding.instrument.funding_rate and holding.time_us
        return next_due(holding.time_us) if pays else 0

    def play(self, symbol: str, price: int, time_us: int, depth: int = 0) -> bool:
        """The next price of a market, and the lots that can trade at it; says whether an order was touched."""
        self.step += 1
        self.time_us = time_us
        holding = self.account.holdings[symbol]
        self._fund(holding, price)
        holding.last, holding.time_us, holding.depth = price, time_us, depth
        self.account.changed()
        resting = self._resting[symbol]
        touched = resting.touched(price)
        if touched is None:
            return False
        while touched is not None and holding.tradable(1):
            self._fill_resting(touched)
            touched = resting.touched(price)
        return True

    def skip(self, symbol: str, price: int, time_us: int, steps: int, depth: int = 0) -> None:
        """Moves a market on by `steps` of which none touches an order or is the first after a `funding_due`."""
        self.step += steps
        self.time_us = time_us
        holding = self.account.holdings[symbol]
        holding.last, holding.time_us, holding.depth = price, time_us, depth
        self.account.changed()

    def set_leverage(self, symbol: str, leverage: int) -> Failure | None:
        """Refuses what the account cannot carry."""
        holding = self.account.holdings[symbol]
        before, available = holding.leverage, self.account.available
        holding.leverage = leverage
        if holding.recount() > max(0, available):
            holding.leverage = before
            holding.recount()
            return Failure(Remedy.INSUFFICIENT_MARGIN, f"leverage {leverage} needs more margin than is available")
        if leverage != before:
            self.account.changed()
            self.changes.traded.add(symbol)
        return None

    def place(self, new: NewOrder) -> VenueOrder | Failure:
        """Takes an order whose client id was never used before (`duplicate` is the caller's to find), or refuses it."""
        try:
            order, takes = self._admit(new)
        except _RefusedError as refused:
            return refused.failure
        self.orders = order.number
        self.changes.placed[order.client_id] = order
        if takes:
            holding = self.account.holdings[new.symbol]
            self._trade(order, holding, holding.last, holding.instrument.taker_fee, maker=False)
        if order.state is OrderState.OPEN:
            if order.price is None or order.time_in_force is TimeInForce.IOC:
                order.state = OrderState.EXPIRED
            else:
                self.restore(order)
        return self._tell(order)

    def cancel(self, symbol: str, client_id: str) -> VenueOrder | Failure:
        order = self.open.get(client_id)
        if order is None or order.instrument.symbol != symbol:
            return Failure(Remedy.UNKNOWN_ORDER, f"no open order {client_id} in {symbol}: look it up")
        order.state = OrderState.CANCELLED
        self._reserve(order, -1)
        self._leave(order)
        self._note(order)
        return self._tell(order)

    def _admit(self, new: NewOrder) -> tuple[PaperOrder, bool]:
        """The order, and whether it takes. Raises _RefusedError."""
        holding = self.account.holdings.get(new.symbol)
        if holding is None:
            raise _RefusedError(Remedy.FIX_REQUEST, f"symbol: this exchange has no market {new.symbol}")
        last = holding.last
        if not last:
            raise _RefusedError(Remedy.RETRY, f"{new.symbol} has no price yet")
        instrument = holding.instrument
        lots = _units(new.quantity, instrument.lot_size, "quantity", "lot size")
        price = None if new.price is None else _units(new.price, instrument.tick_size, "price", "tick size")
        post_only = new.time_in_force is TimeInForce.POST_ONLY
        takes = price is None or (price >= last if new.side is OrderSide.BUY else price <= last)
        if price is None and post_only:
            raise _RefusedError(Remedy.FIX_REQUEST, "time_in_force: a market order cannot be post-only")
        if takes and post_only:
            message = f"post-only {new.side.value} at {new.price} would take at {last * instrument.tick_size}"
            raise _RefusedError(Remedy.WOULD_CROSS, message)
        paid = last if takes or price is None else price
        if instrument.spot:
            self._check_balance(holding, new, paid, lots)
        elif new.reduce_only:
            if not holding.reducible(new.side):
                raise _RefusedError(Remedy.FIX_REQUEST, "reduce_only: there is no position that this order reduces")
        else:
            self._check_funds(holding, new.side, paid, lots, takes=takes)
        order = PaperOrder(
            instrument=instrument,
            client_id=new.client_id,
            number=self.orders + 1,
            side=new.side,
            price=price,
            lots=lots,
            filled=0,
            state=OrderState.OPEN,
            reduce_only=new.reduce_only,
            time_in_force=new.time_in_force,
            time_us=self.time_us,
            step=self.step,
        )
        return order, takes

    def _check_balance(self, holding: Holding, new: NewOrder, price: int, lots: int) -> None:
        instrument = holding.instrument
        if new.reduce_only:
            raise _RefusedError(Remedy.FIX_REQUEST, "reduce_only: there is no such thing on spot")
        self._check_value(instrument, price * lots)
        if new.side is OrderSide.BUY:
            needed, available, currency = price * lots * instrument.tick_value, self.account.available, instrument.quote
            shown = [f"{Decimal(money).scaleb(-12):.8f}" for money in (needed, available)]
        else:
            needed, available, currency = lots, holding.lots - holding.lots_on_sale, instrument.base
            shown = [f"{count * instrument.lot_size:f}" for count in (needed, available)]
        if needed > available:
            message = f"insufficient balance: the order needs {shown[0]} {currency}, {shown[1]} is available"
            raise _RefusedError(Remedy.INSUFFICIENT_MARGIN, message)

    @staticmethod
    def _check_value(instrument: Instrument, value: int) -> None:
        if value * instrument.tick_value < instrument.min_notional:
            least = Decimal(instrument.min_notional).scaleb(-12).normalize()
            raise _RefusedError(
                Remedy.FIX_REQUEST, f"quantity: the order is worth less than {least:f} {instrument.quote}"
            )

    def _check_funds(self, holding: Holding, side: OrderSide, price: int, lots: int, *, takes: bool) -> None:
        instrument = holding.instrument
        value = price * lots
        self._check_value(instrument, value)
        needed = holding.margin(*((value, 0) if side is OrderSide.BUY else (0, value))) - holding.taken
        if takes:
            needed += instrument.fee(price, lots, instrument.taker_fee) if needed > 0 else 0
        if needed > 0 and needed > (available := self.account.available):
            shown = [f"{Decimal(money).scaleb(-12):.8f}" for money in (needed, available)]
            message = f"the order needs {shown[0]} {instrument.quote} of margin, {shown[1]} is available"
            raise _RefusedError(Remedy.INSUFFICIENT_MARGIN, message)

    def _fund(self, holding: Holding, price: int) -> None:
        """What is due for the position as it was before this price."""
        for payment in fundings(holding, price, self.time_us, self.step):
            self.account.balance -= payment.amount
            self.changes.funding.append(payment)
            self.changes.updates.append(payment.to_venue())

    def _fill_resting(self, order: PaperOrder) -> None:
        assert order.price is not None  # noqa: S101 - market orders never rest
        holding = self.account.holdings[order.instrument.symbol]
        self._reserve(order, -1)
        self._trade(order, holding, order.price, order.instrument.maker_fee, maker=True)
        if order.state is OrderState.OPEN:
            self._reserve(order, 1)
        else:
            self._leave(order)
        self._note(order)
        self._tell(order)

    def _trade(self, order: PaperOrder, holding: Holding, price: int, rate: int, *, maker: bool) -> None:
        """Fills what can be of the order; where nothing is left of a position, a reduce-only one expires."""
        wanted = order.lots - order.filled
        possible = min(wanted, holding.reducible(order.side)) if order.reduce_only else wanted
        lots = holding.tradable(possible)
        order.filled += lots
        if order.filled == order.lots:
            order.state = OrderState.FILLED
        elif lots == possible:
            order.state, order.reason = OrderState.EXPIRED, NOTHING_LEFT
        if lots:
            self._record(order, holding, price, lots, rate, maker=maker)

    def _record(self, order: PaperOrder, holding: Holding, price: int, lots: int, rate: int, *, maker: bool) -> None:
        """A trade of so many lots: its fill, and what it does to the account."""
        instrument = order.instrument
        fee = instrument.fee(price, lots, rate)
        taken = -(-lots * DUST * rate // FEE_SCALE) if instrument.spot and order.side is OrderSide.BUY else 0
        if instrument.fill_share:
            holding.depth -= lots
        self.trades += 1
        fill = PaperFill(
            instrument,
            order.client_id,
            self.trades,
            order.side,
            price,
            lots,
            fee,
            maker,
            self.time_us,
            self.step,
            taken,
        )
        if instrument.spot:
            self.account.balance += holding.exchange(order.side, price, lots, taken) - (0 if taken else fee)
        else:
            self.account.balance += holding.trade(order.side, price, lots) - fee
        self.account.changed()
        self.changes.fills.append(fill)
        self.changes.updates.append(fill.to_venue())
        self.changes.traded.add(instrument.symbol)

    def _leave(self, order: PaperOrder) -> None:
        """Takes an order that is open no more out of the market."""
        del self.open[order.client_id]
        self._resting[order.instrument.symbol].forget()

    def _note(self, order: PaperOrder) -> None:
        """The order has changed."""
        order.time_us, order.step = self.time_us, self.step
        if order.client_id not in self.changes.placed:
            self.changes.changed[order.client_id] = order

    def _reserve(self, order: PaperOrder, sign: int) -> None:
        if order.reduce_only or order.price is None:
            return
        holding = self.account.holdings[order.instrument.symbol]
        lots = order.lots - order.filled
        value = sign * order.price * lots
        if order.side is OrderSide.BUY:
            holding.buys += value
        else:
            holding.sells += value
            holding.lots_on_sale += sign * lots
        self.account.reserved(holding.recount())

    def _tell(self, order: PaperOrder) -> VenueOrder:
        update = order.to_venue()
        self.changes.updates.append(update)
        return update


def _units(value: Decimal, unit: Decimal, name: str, unit_name: str) -> int:
    count = whole(value, unit)
    if not count:
        raise _RefusedError(Remedy.FIX_REQUEST, f"{name}: {value} is no multiple of the {unit_name} {unit:f}")
    return count
