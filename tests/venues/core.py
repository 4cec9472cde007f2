"""One account of a simulated exchange: the paper exchange's matching, with the books that an exchange keeps."""

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum

from opensqt.connector.paper.account import Holding
from opensqt.connector.paper.orders import PaperOrder
from opensqt.connector.venue import Failure, NewOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.engine.market import DUST, from_money, to_money
from tests.venues.changes import AccountChanged, CandleChanged, Change, Coin, OrderChanged, PositionView, PriceChanged
from tests.venues.listing import Candle, Ended, Force, Funding, Intent, Listing, Order, Trade
from tests.venues.matching import PartialMatching
from tests.venues.refusals import Reason, RefusalError

FIRST_NUMBER = 1_000_000
CANDLES = 300


class Uniqueness(StrEnum):
    """Among which orders a client id must be new."""

    AMONG_OPEN = "open"
    AMONG_ALL = "all"
    NOWHERE = "nowhere"


class Core:
    """`late_post_only`: a crossing post-only order is taken, and ended at once; otherwise it is refused.

    What has happened waits in `changes` until the face tells it.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        *,
        uniqueness: Uniqueness = Uniqueness.AMONG_ALL,
        late_post_only: bool = False,
        balance: Decimal = Decimal(10_000),
    ) -> None:
        self.listings = {listing.id: listing for listing in listings}
        self.matching = PartialMatching([listing.instrument() for listing in listings], to_money(balance))
        self.matching.orders = self.matching.trades = FIRST_NUMBER
        self.uniqueness = uniqueness
        self.late_post_only = late_post_only
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.fundings: list[Funding] = []
        self.changes: list[Change] = []
        self.skew_ms = 0
        self.hedged = False
        self.isolated = False
        self.candles: dict[str, list[Candle]] = {}
        for listing in listings:
            self.holding(listing).leverage = 1 if listing.spot else 10
            self._seed_candles(listing)
            self.matching.play(listing.symbol, self._ticks(listing, listing.price), self._now_us())

    # --- what a test does ---

    def move(self, listing: Listing, price: Decimal) -> None:
        """The next price of a market; whatever rests and is touched is filled."""
        self.matching.play(listing.symbol, self._ticks(listing, price), self._now_us())
        self._collect()
        self.changes.append(PriceChanged(listing))
        last = self.candles[listing.id][-1]
        self.set_candle(
            listing, replace(last, close=price, high=max(last.high, price), low=min(last.low, price), closed=False)
        )

    def fill(self, order: Order, quantity: Decimal) -> Trade:
        """Fills some of a resting order at its own price."""
        self.matching.time_us = self._now_us()
        self.matching.fill_part(str(order.number), int(quantity / order.listing.lot))
        self._collect()
        return self.trades[-1]

    def set_candle(self, listing: Listing, candle: Candle) -> None:
        rows = self.candles[listing.id]
        if rows[-1].open_ms == candle.open_ms:
            rows[-1] = candle
        else:
            rows.append(candle)
        self.changes.append(CandleChanged(listing, candle))

    def fund(self, listing: Listing, amount: Decimal, ago_ms: int = 0) -> Funding:
        """The position pays, or earns, at a funding time."""
        quantity = self.holding(listing).lots * listing.lot
        self.matching.trades += 1
        funding = Funding(self.matching.trades, listing, amount, quantity, self.now_ms() - ago_ms)
        self.fundings.append(funding)
        self.set_balance(self.wallet - amount)
        return funding

    def spread_trades(self, span_ms: int) -> None:
        """The trades of now were made over the last `span_ms`, evenly."""
        count, now_ms = len(self.trades), self.now_ms()
        self.trades = [
            replace(trade, time_ms=now_ms - span_ms + span_ms * at // count) for at, trade in enumerate(self.trades)
        ]

    def set_balance(self, balance: Decimal) -> None:
        self.matching.account.balance = to_money(balance)
        self.matching.account.changed()
        self.changes.append(AccountChanged())

    # --- what an exchange does ---

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.skew_ms

    def listing(self, exchange_id: str) -> Listing:
        if exchange_id not in self.listings:
            raise RefusalError(Reason.UNKNOWN_SYMBOL, exchange_id)
        return self.listings[exchange_id]

    def last(self, listing: Listing) -> Decimal:
        return self.holding(listing).last * listing.tick

    def holding(self, listing: Listing) -> Holding:
        return self.matching.account.holdings[listing.symbol]

    def place(self, intent: Intent) -> Order:
        """Raises RefusalError."""
        self._check(intent)
        number = self.matching.orders + 1
        self.matching.time_us = self._now_us()
        placed = self.matching.place(_new_order(intent, str(number)))
        if isinstance(placed, Failure):
            if placed.remedy is not Remedy.WOULD_CROSS or not self.late_post_only:
                raise RefusalError(_REASONS.get(placed.remedy, Reason.BAD_PARAMETER), placed.message)
            self.matching.orders = number
            return self._end_at_once(intent, number)
        paper = self.matching.changes.placed[str(number)]
        order = Order(number, intent, paper, self.now_ms(), self.now_ms())
        self.orders[number] = order
        if paper.state is OrderState.EXPIRED:
            order.ended = Ended.NOTHING_TO_TAKE
        self._collect()
        return order

    def cancel(self, order: Order, ended: Ended = Ended.BY_USER) -> Order:
        """Raises RefusalError where it is over already."""
        if not order.open:
            raise RefusalError(Reason.NOT_CANCELLABLE, f"order {order.number} is {order.paper.state.value}")
        self.matching.time_us = self._now_us()
        order.ended = ended
        self.matching.cancel(order.listing.symbol, str(order.number))
        self._collect()
        return order

    def cancel_all(self, listing: Listing | None = None, ended: Ended = Ended.BY_USER) -> list[Order]:
        return [self.cancel(order, ended) for order in self.open_orders(listing)]

    def open_orders(self, listing: Listing | None = None) -> list[Order]:
        """Oldest first."""
        return [order for order in self.orders.values() if order.open and listing in {None, order.listing}]

    def by_client_id(self, client_id: str) -> Order | None:
        """The newest of that client id."""
        return next((order for order in reversed(self.orders.values()) if order.client_id == client_id), None)

    def find(self, number: str | None, client_id: str | None, reason: Reason = Reason.UNKNOWN_ORDER) -> Order:
        """By number where there is one, otherwise by client id. Raises RefusalError."""
        order = None
        if number:
            order = self.orders.get(int(number)) if number.isdigit() else None
        elif client_id:
            order = self.by_client_id(client_id)
        if order is None:
            raise RefusalError(reason, f"no order {number or client_id}")
        return order

    def set_leverage(self, listing: Listing, leverage: int) -> None:
        if not 1 <= leverage <= listing.max_leverage:
            raise RefusalError(Reason.LEVERAGE, f"leverage {leverage}")
        if self.matching.set_leverage(listing.symbol, leverage) is not None:
            raise RefusalError(Reason.INSUFFICIENT_MARGIN, "leverage too low for the margin")

    def position(self, listing: Listing) -> PositionView:
        holding = self.holding(listing)
        entry = holding.cost * listing.tick / holding.lots if holding.lots else Decimal(0)
        return PositionView(
            listing=listing,
            quantity=holding.lots * listing.lot,
            entry=entry,
            mark=self.last(listing),
            unrealised=from_money(holding.unrealised),
            leverage=holding.leverage,
            margin=from_money(holding.taken),
        )

    @property
    def wallet(self) -> Decimal:
        return from_money(self.matching.account.balance)

    @property
    def equity(self) -> Decimal:
        return from_money(self.matching.account.equity)

    @property
    def available(self) -> Decimal:
        return max(Decimal(0), from_money(self.matching.account.available))

    def coins(self) -> dict[str, "Coin"]:
        """What a spot wallet has of each coin."""
        holdings = [holding for holding in self.matching.account.holdings.values() if holding.instrument.spot]
        locked = from_money(sum(holding.taken for holding in holdings))
        coins = {"USDT": Coin(self.wallet, locked)}
        for holding in holdings:
            instrument = holding.instrument
            total = (holding.lots + Decimal(holding.dust) / DUST) * instrument.lot_size
            if total:
                coins[instrument.base] = Coin(total, holding.lots_on_sale * instrument.lot_size)
        return coins

    def take_changes(self) -> list[Change]:
        changes, self.changes = self.changes, []
        return changes

    # --- within ---

    def _check(self, intent: Intent) -> None:
        listing = intent.listing
        if listing.spot and intent.reduce_only:
            raise RefusalError(Reason.BAD_PARAMETER, "there is no reduce-only on spot")
        if self.hedged:
            raise RefusalError(Reason.POSITION_MODE, "the account holds long and short positions apart")
        if intent.client_id and self._used(intent.client_id):
            raise RefusalError(Reason.DUPLICATE, intent.client_id)
        if intent.price is not None and (intent.price <= 0 or intent.price % listing.tick):
            raise RefusalError(Reason.PRICE_PRECISION, f"price {intent.price}")
        if intent.quantity <= 0 or intent.quantity % listing.lot:
            raise RefusalError(Reason.QUANTITY_PRECISION, f"quantity {intent.quantity}")
        if intent.quantity < listing.min_quantity or intent.quantity > listing.max_quantity:
            raise RefusalError(Reason.MIN_QUANTITY, f"quantity {intent.quantity}")
        price = self.last(listing) if intent.price is None else intent.price
        if not intent.reduce_only and price * intent.quantity < listing.min_notional:
            raise RefusalError(Reason.MIN_NOTIONAL, f"worth {price * intent.quantity}")
        if intent.reduce_only and not self.holding(listing).reducible(_side(intent)):
            raise RefusalError(Reason.REDUCE_ONLY, "there is no position that this order reduces")

    def _used(self, client_id: str) -> bool:
        if self.uniqueness is Uniqueness.NOWHERE:
            return False
        known = self.orders.values() if self.uniqueness is Uniqueness.AMONG_ALL else self.open_orders()
        return any(order.client_id == client_id for order in known)

    def _end_at_once(self, intent: Intent, number: int) -> Order:
        """A post-only order that would have taken: it had been accepted, and is over."""
        listing = intent.listing
        assert intent.price is not None
        paper = PaperOrder(
            instrument=listing.instrument(),
            client_id=str(number),
            number=number,
            side=_side(intent),
            price=int(intent.price / listing.tick),
            lots=int(intent.quantity / listing.lot),
            filled=0,
            state=OrderState.CANCELLED,
            reduce_only=intent.reduce_only,
            time_in_force=TimeInForce.POST_ONLY,
            time_us=self._now_us(),
            step=self.matching.step,
        )
        order = Order(number, intent, paper, self.now_ms(), self.now_ms(), Ended.POST_ONLY)
        self.orders[number] = order
        self.changes.append(OrderChanged(order))
        return order

    def _collect(self) -> None:
        """Turns what the matching did into trades and changes: each trade with its order, then plain changes."""
        done = self.matching.take_changes()
        traded = set()
        for fill in done.fills:
            order = self.orders[int(fill.client_id)]
            quantity, price = fill.lots * order.listing.lot, fill.price * order.listing.tick
            order.cost += quantity * price
            fee = fill.to_venue().fee
            order.fee += fee
            order.updated_ms = self.now_ms()
            before = sum((trade.quantity for trade in self.trades if trade.order is order), Decimal(0))
            trade = Trade(
                fill.trade,
                order,
                price,
                quantity,
                before + quantity,
                fee,
                order.fee_currency,
                fill.maker,
                self.now_ms(),
            )
            self.trades.append(trade)
            self.changes.append(OrderChanged(order, trade))
            traded.add(fill.client_id)
        for key in {**done.placed, **done.changed}:
            order = self.orders[int(key)]
            if order.paper.reason:
                order.ended = Ended.NOTHING_TO_REDUCE
            if key not in traded or order.ended is not None:
                order.updated_ms = self.now_ms()
                self.changes.append(OrderChanged(order))
        changed = set(done.traded)
        if done.placed or done.changed:  # an open order locks coins
            changed |= {listing.symbol for listing in self.listings.values() if listing.spot}
        self.changes += [AccountChanged(self._by_symbol(symbol)) for symbol in sorted(changed)]

    def _by_symbol(self, symbol: str) -> Listing:
        return next(listing for listing in self.listings.values() if listing.symbol == symbol)

    def _seed_candles(self, listing: Listing) -> None:
        minute = self.now_ms() // 60_000 * 60_000
        self.candles[listing.id] = [
            _flat(listing, minute - 60_000 * back, closed=back > 0) for back in range(CANDLES - 1, -1, -1)
        ]

    def _ticks(self, listing: Listing, price: Decimal) -> int:
        ticks, rest = divmod(price, listing.tick)
        assert not rest, f"{price} is off the tick {listing.tick}"
        return int(ticks)

    def _now_us(self) -> int:
        return self.now_ms() * 1000


_REASONS = {Remedy.WOULD_CROSS: Reason.WOULD_CROSS, Remedy.INSUFFICIENT_MARGIN: Reason.INSUFFICIENT_MARGIN}
_FORCES = {
    Force.GTC: TimeInForce.GTC,
    Force.IOC: TimeInForce.IOC,
    Force.FOK: TimeInForce.IOC,  # a price has no depth here: what can be filled at all is filled whole
    Force.POST_ONLY: TimeInForce.POST_ONLY,
}


def _side(intent: Intent) -> OrderSide:
    return OrderSide.BUY if intent.buy else OrderSide.SELL


def _new_order(intent: Intent, key: str) -> NewOrder:
    force = TimeInForce.GTC if intent.price is None else _FORCES[intent.force]
    return NewOrder(intent.listing.symbol, key, _side(intent), intent.price, intent.quantity, intent.reduce_only, force)


def _flat(listing: Listing, open_ms: int, *, closed: bool) -> Candle:
    price = listing.price
    return Candle(open_ms, price, price + 10 * listing.tick, price - 10 * listing.tick, price, Decimal("1.5"), closed)
