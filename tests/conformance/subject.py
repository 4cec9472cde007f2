"""What the suite is run against: a face on loopback, the paper exchange, or a real exchange's demo account."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any, TypeVar

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.venue import Failure, NewOrder, SymbolRules, Venue, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState
from tests.venues.server import Face

SYMBOLS = {MarketKind.PERPETUAL: "BTC/USDT:USDT", MarketKind.SPOT: "BTC/USDT"}
SYMBOL = SYMBOLS[MarketKind.PERPETUAL]
MOST_NOTIONAL = Decimal(250)
"""No order of the suite is worth more, whatever the account has."""
Item = TypeVar("Item")


@dataclass
class Subject:
    """`rules` and `last` are of the symbol that is traded; a stream is subscribed `moment` seconds after it was asked
    for, where no simulator tells; `held` is what a spot account had of the base currency before.
    """

    name: str
    venue: Venue
    simulator: Face | None
    rules: SymbolRules
    last: Decimal
    moment: float = 5.0
    held: Decimal = Decimal(0)
    placed: list[str] = field(default_factory=list)
    _run: str = field(default_factory=lambda: secrets.token_hex(4))
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def symbol(self) -> str:
        return self.rules.symbol

    @property
    def spot(self) -> bool:
        return MarketKind.of(self.symbol) is MarketKind.SPOT

    @property
    def face(self) -> Face:
        """The simulator, where there is one."""
        assert self.simulator is not None
        return self.simulator

    @property
    def quantity(self) -> Decimal:
        """The least that may be traded, at any price of the suite."""
        lot, least = self.rules.lot_size, max(self.rules.min_quantity, self.rules.lot_size)
        worth = self.rules.min_notional * 2 / self.last
        lots = max(-(-least // lot), -(-worth // lot))
        quantity = lots * lot
        assert quantity * self.last <= MOST_NOTIONAL, f"{quantity} {self.rules.base} is worth more than {MOST_NOTIONAL}"
        return quantity

    def new_id(self) -> str:
        return f"oc{self._run}{next(self._numbers):04d}"

    def near(self, factor: str) -> Decimal:
        """A price of so many times the last one, on the tick."""
        tick = self.rules.tick_size
        return (self.last * Decimal(factor) / tick).to_integral_value(ROUND_FLOOR) * tick

    def order(
        self,
        factor: str | None = "0.97",
        *,
        side: OrderSide = OrderSide.BUY,
        quantity: Decimal | None = None,
        reduce_only: bool = False,
        force: TimeInForce = TimeInForce.POST_ONLY,
        client_id: str | None = None,
    ) -> NewOrder:
        """A new order at `factor` times the last price, None for a market order; by default a buy that rests."""
        client_id = client_id or self.new_id()
        self.placed.append(client_id)
        price = None if factor is None else self.near(factor)
        if price is None and force is TimeInForce.POST_ONLY:
            force = TimeInForce.GTC
        return NewOrder(
            self.symbol, client_id, side, price, self.quantity if quantity is None else quantity, reduce_only, force
        )

    def taking(self, *, quantity: Decimal | None = None) -> NewOrder:
        """A buy that is filled at once. On spot some exchanges take market buys by value alone."""
        if self.spot:
            return self.order("1.01", quantity=quantity, force=TimeInForce.IOC)
        return self.order(None, quantity=quantity)

    def fee_currency(self, side: OrderSide) -> str:
        return self.rules.base if self.spot and side is OrderSide.BUY else self.rules.quote

    @staticmethod
    def with_changes(order: NewOrder, **changes: Any) -> NewOrder:
        return replace(order, **changes)

    async def settled(self, client_id: str, seconds: float = 60.0) -> tuple[VenueOrder, list[VenueFill]]:
        """The order once it is open no more, with as many fills as it says."""
        async with asyncio.timeout(seconds):
            while True:
                order, fills = await self.venue.order(self.symbol, client_id)
                if order.state is not OrderState.OPEN and sum(fill.quantity for fill in fills) == order.filled:
                    return order, fills
                await asyncio.sleep(0.05)

    async def following_orders(self) -> None:
        """Returns when the orders' stream that somebody follows is subscribed; a real exchange gets a moment."""
        await self._subscribed("order", "execution", "fill", "usertrades", count=2)

    async def following_account(self) -> None:
        await self._subscribed("wallet", "account", "balances")

    async def following_positions(self) -> None:
        await self._subscribed("position")

    async def _subscribed(self, *words: str, count: int = 1) -> None:
        """Binance tells everything to whoever has a listen key."""
        if self.simulator is None:
            await asyncio.sleep(self.moment)
            return
        face = self.simulator
        if face.exchange is Exchange.BINANCE:
            words, count = ("listenKey", "userDataStream"), 1
        await face.until(lambda: sum(any(word in topic for word in words) for topic in face.told()) >= count)

    async def clean_up(self) -> None:
        """No order of the suite stays open, and no position that it has made."""
        for order in await self.venue.open_orders(self.symbol):
            if order.client_id in self.placed:
                await self.venue.cancel(self.symbol, [order.client_id])
        (position,) = await self.venue.positions([self.symbol])
        lot = self.rules.lot_size
        quantity = (position.quantity - self.held) // lot * lot
        if abs(quantity) >= self.rules.min_quantity and (
            not self.spot or quantity * self.last > self.rules.min_notional
        ):
            side = OrderSide.SELL if quantity > 0 else OrderSide.BUY
            closing = self.order(None, side=side, quantity=abs(quantity), reduce_only=not self.spot)
            placed(await self.venue.place([closing]))


def placed(results: list[VenueOrder | Failure]) -> VenueOrder:
    (result,) = results
    assert isinstance(result, VenueOrder), result
    return result


def refused(results: list[VenueOrder | Failure]) -> Failure:
    (result,) = results
    assert isinstance(result, Failure), result
    return result


class Following:
    """A stream that is read in the background, with all it has brought in `items`."""

    def __init__(self, stream: AsyncIterator[object]) -> None:
        self.items: list[object] = []
        self._stream = stream
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for item in self._stream:
            self.items.append(item)

    async def until(self, holds: Callable[[list[object]], bool], seconds: float = 60.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not holds(self.items):
                    if self._task.done():
                        self._task.result()
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"waited {seconds} s; the stream brought {self.items}") from None

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stream.aclose()  # type: ignore[attr-defined]

    def of(self, kind: type[Item]) -> list[Item]:
        return [item for item in self.items if isinstance(item, kind)]


Follow = Callable[[AsyncIterator[object]], Following]
