"""An exchange in the test's hands: the test moves the price, and says which calls go wrong how."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.connector.venue import (
    Account,
    Capabilities,
    Failure,
    FundingPayment,
    Gap,
    Kline,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    SymbolRules,
    VenueError,
    VenueFill,
    VenueHealth,
    VenueOrder,
)
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy

SYMBOL = "BTC/USDT:USDT"
RULES = SymbolRules(
    symbol=SYMBOL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    min_notional=Decimal(5),
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
    max_leverage=50,
)
START_US = 1_700_000_000_000_000


class SimulatedVenue:
    """One symbol. Orders fill whole: at the last price those that would take, at their own price those it touches."""

    name = "simulated"
    capabilities = Capabilities(
        look_up_by_client_id=True, cancel_all=False, batch_cancel=True, place_batch_limit=20, cancel_batch_limit=20
    )

    def __init__(self, price: str = "40000") -> None:
        self.last = Decimal(price)
        self.time_us = START_US
        self.orders: dict[str, VenueOrder] = {}
        self.trades: list[VenueFill] = []
        self.payments: list[FundingPayment] = []
        self.placements: list[str] = []
        """Client ids as they arrived, refused ones too."""
        self.accepted: list[str] = []
        self.before_place: Callable[[Sequence[NewOrder]], Any] = lambda _orders: None
        """May raise VenueError, or return an awaitable."""
        self.after_place: Callable[[Sequence[NewOrder]], Any] = lambda _orders: None
        """The same, when the orders have been accepted."""
        self.candles: list[Kline] = []
        """What is answered when the past is asked for."""
        self.hedged = False
        self.hide = False
        """Order updates are lost on their way to the streams."""
        self.ready = VenueHealth(True, "Ready", "")
        self.refuses_what_it_keeps = False
        """Placements are carried out, and answered with an error."""
        self._health_changed = asyncio.Event()
        self._streams: dict[str, list[asyncio.Queue[Any]]] = {}

    # --- the test's hands ---

    def move(self, price: str | Decimal) -> None:
        """The price goes there; what it touches is filled."""
        self.last = Decimal(price)
        self.time_us += 1_000_000
        for order in list(self.orders.values()):
            if order.state is OrderState.OPEN and self._touched(order):
                self._fill(order, order.price or self.last, maker=True)
        self._tell("price", self.price())

    def tick(self) -> None:
        """Half a second of market time in which the price stands still."""
        self.time_us += 500_000
        self._tell("price", self.price())

    def fill_part(self, price: str, quantity: str) -> None:
        """So much of the open order at this price is filled."""
        open_orders = (order for order in self.orders.values() if order.state is OrderState.OPEN)
        order = next(order for order in open_orders if order.price == Decimal(price))
        self._fill(order, Decimal(price), maker=True, quantity=Decimal(quantity))

    def end(self, client_id: str) -> None:
        """The exchange cancels an order by itself."""
        self._cancel(client_id)

    def rise(self, client_id: str) -> VenueOrder:
        """An order that has been reported cancelled is open."""
        self.orders[client_id] = order = replace(self.orders[client_id], state=OrderState.OPEN)
        return order

    def fill_late(self, client_id: str, quantity: str) -> None:
        """A trade of an order that has been reported cancelled shows up: among the trades only."""
        order = self.orders[client_id]
        assert order.price is not None
        self._fill(order, order.price, maker=True, quantity=Decimal(quantity))
        self.orders[client_id] = order

    def gap(self, stream: str, reason: str = "test") -> None:
        self._tell(stream, Gap(reason))

    def fund(self, amount: str) -> None:
        """Funding is paid; it is told unless updates are hidden."""
        number = len(self.payments) + 1
        payment = FundingPayment(SYMBOL, f"f{number}", Decimal(amount), "USDT", self.position, self.time_us)
        self.payments.append(payment)
        self._tell_order(payment)

    def say(self, health: VenueHealth) -> None:
        self.ready = health
        self._health_changed.set()
        self._health_changed = asyncio.Event()

    def live(self, side: OrderSide) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.state is OrderState.OPEN and order.side is side]

    @property
    def position(self) -> Decimal:
        return sum(
            (fill.quantity if fill.side is OrderSide.BUY else -fill.quantity for fill in self.trades), start=Decimal(0)
        )

    # --- Venue ---

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def health(self) -> VenueHealth:
        return self.ready

    async def health_changed(self) -> None:
        await self._health_changed.wait()

    async def symbols(self, symbols: Sequence[str]) -> list[SymbolRules]:
        if any(symbol != SYMBOL for symbol in symbols):
            raise VenueError(Failure(Remedy.FIX_REQUEST, f"symbols: unknown: {symbols}"))
        return [RULES]

    async def account(self) -> Account:
        return Account("USDT", Decimal(10000), Decimal(10000), Decimal(10000), self.time_us)

    async def positions(self, symbols: Sequence[str]) -> list[Position]:
        return [Position(SYMBOL, self.position, self.last, Decimal(0), 1, self.time_us)]

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        if client_id not in self.orders:
            raise VenueError(Failure(Remedy.UNKNOWN_ORDER, f"no order {client_id}"))
        return self.orders[client_id], [fill for fill in self.trades if fill.client_id == client_id]

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.state is OrderState.OPEN]

    async def fills(self, symbol: str, since_us: int) -> list[VenueFill]:
        return [fill for fill in self.trades if fill.time_us >= since_us]

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        return [payment for payment in self.payments if payment.time_us >= since_us]

    async def prepare(self, symbol: str, leverage: int) -> None:
        if self.hedged:
            message = "the account is in hedge mode: switch its position mode to one-way"
            raise VenueError(Failure(Remedy.FIX_REQUEST, message))
        if leverage > RULES.max_leverage:
            raise VenueError(Failure(Remedy.FIX_REQUEST, f"leverage {leverage} is above {RULES.max_leverage}"))

    async def place(self, orders: Sequence[NewOrder]) -> list[VenueOrder | Failure]:
        self.placements += [order.client_id for order in orders]
        await _maybe(self.before_place(orders))
        results = [self._place(order) for order in orders]
        await _maybe(self.after_place(orders))
        if self.refuses_what_it_keeps:
            return [Failure(Remedy.FIX_REQUEST, "wrong")] * len(results)
        return results

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[VenueOrder | Failure]:
        return [self._cancel(client_id) for client_id in client_ids]

    def watch_prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        return self._watch("price", self.price())

    def watch_orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]:
        return self._watch("orders")

    def watch_account(self) -> AsyncIterator[Account | Gap]:
        return self._watch("account")

    def watch_positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]:
        return self._watch("positions")

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        return self.candles[-limit:]

    def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        return self._watch("klines")

    def price(self) -> Price:
        return Price(SYMBOL, self.last, self.last, self.last, self.time_us)

    # --- inside ---

    def _place(self, new: NewOrder) -> VenueOrder | Failure:
        if new.client_id in self.orders:
            return Failure(Remedy.DUPLICATE, f"{new.client_id} exists")
        order = VenueOrder(
            symbol=SYMBOL,
            client_id=new.client_id,
            venue_id=str(len(self.orders) + 1),
            side=new.side,
            price=new.price,
            quantity=new.quantity,
            filled=Decimal(0),
            state=OrderState.OPEN,
            reduce_only=new.reduce_only,
            time_in_force=new.time_in_force,
            time_us=self.time_us,
        )
        takes = order.price is None or self._touched(order)
        if takes and new.time_in_force is TimeInForce.POST_ONLY:
            return Failure(Remedy.WOULD_CROSS, "post-only would take")
        self.orders[order.client_id] = order
        self.accepted.append(order.client_id)
        if takes:
            self._fill(order, self.last, maker=False)
        else:
            self._tell_order(order)
        return self.orders[order.client_id]

    def _cancel(self, client_id: str) -> VenueOrder | Failure:
        order = self.orders.get(client_id)
        if order is None or order.state is not OrderState.OPEN:
            return Failure(Remedy.UNKNOWN_ORDER, f"no open order {client_id}")
        self.orders[client_id] = order = replace(order, state=OrderState.CANCELLED, time_us=self.time_us)
        self._tell_order(order)
        return order

    def _touched(self, order: VenueOrder) -> bool:
        price = order.price or self.last
        return self.last <= price if order.side is OrderSide.BUY else self.last >= price

    def _fill(self, order: VenueOrder, price: Decimal, *, maker: bool, quantity: Decimal | None = None) -> None:
        """Fills what is left of the order, or `quantity` of it."""
        rate = RULES.maker_fee if maker else RULES.taker_fee
        quantity = quantity or order.quantity - order.filled
        fill = VenueFill(
            symbol=SYMBOL,
            client_id=order.client_id,
            trade_id=f"t{len(self.trades) + 1}",
            side=order.side,
            price=price,
            quantity=quantity,
            fee=price * quantity * rate,
            fee_currency="USDT",
            maker=maker,
            time_us=self.time_us,
        )
        self.trades.append(fill)
        filled = order.filled + quantity
        state = OrderState.FILLED if filled == order.quantity else OrderState.OPEN
        changed = replace(order, state=state, filled=filled, time_us=self.time_us)
        self.orders[order.client_id] = changed
        self._tell_order(fill)
        self._tell_order(changed)

    def _tell_order(self, update: OrderUpdate) -> None:
        if not self.hide:
            self._tell("orders", update)

    def _tell(self, stream: str, message: Any) -> None:
        for queue in self._streams.get(stream, []):
            queue.put_nowait(message)

    async def _watch(self, stream: str, *first: Any) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        for message in first:
            queue.put_nowait(message)
        self._streams.setdefault(stream, []).append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._streams[stream].remove(queue)


async def _maybe(result: Any) -> None:
    if result is not None:
        await result
