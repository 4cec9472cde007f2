# ruff: noqa: N802 - the names of the calls are the protos'
"""The subscriptions of `ExchangeService`: each message numbered from 1, the first one at once."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Sequence
from functools import partial
from typing import Any, TypeVar

from opensqt.connector import wire
from opensqt.connector.calls import stream
from opensqt.connector.epochs import Epochs
from opensqt.connector.fanout import FanOut
from opensqt.connector.metrics import SUBSCRIBERS
from opensqt.connector.venue import Account, FundingPayment, Kline, OrderUpdate, Position, Price, Venue, VenueError
from opensqt.exchange.v1 import exchange_pb2 as pb

MORE = 63
"""News of orders that go in one message, beside the first."""
TURNS = 4
"""Turns of the event loop, some 0.02 ms each, that news of an order waits for more: the order and the trade that the
exchange tells of at once come apart by three. A message would wait for the one before it, half a millisecond."""
T = TypeVar("T")


class Streams:
    """One `FanOut` of each kind over a venue. A subject is a symbol; with klines a symbol and an interval."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._epochs = Epochs()
        self._prices: FanOut[str, Price] = FanOut(
            lambda symbol: venue.watch_prices([symbol]), newest_by=lambda price: price.symbol
        )
        self._klines: FanOut[tuple[str, str], Kline] = FanOut(
            lambda subject: venue.watch_klines([subject[0]], subject[1])
        )
        self._orders: FanOut[str, OrderUpdate] = FanOut(lambda symbol: venue.watch_orders([symbol]))
        self._accounts: FanOut[str, Account] = FanOut(lambda _: venue.watch_account(), newest_by=_same)
        self._positions: FanOut[str, Position] = FanOut(
            lambda symbol: venue.watch_positions([symbol]), newest_by=lambda position: position.symbol
        )
        self._fanouts: dict[str, FanOut[Any, Any]] = {
            "price": self._prices,
            "klines": self._klines,
            "orders": self._orders,
            "account": self._accounts,
            "positions": self._positions,
        }
        for kind, fanout in self._fanouts.items():
            SUBSCRIBERS.labels(kind).set_function(partial(getattr, fanout, "subscribers"))

    @property
    def subscribers(self) -> int:
        """Open streams of all kinds."""
        return sum(fanout.subscribers for fanout in self._fanouts.values())

    async def close_streams(self) -> None:
        for fanout in self._fanouts.values():
            await fanout.close()

    @stream
    async def SubscribePrice(self, request: pb.SubscribePriceRequest) -> AsyncIterator[pb.SubscribePriceResponse]:
        with self._prices.subscribe(await self._known(request.symbols)) as prices:
            yield pb.SubscribePriceResponse(sequence=prices.number())
            async for sequence, price in prices.messages():
                yield wire.price_to_proto(sequence, price) if price else pb.SubscribePriceResponse(sequence=sequence)

    @stream
    async def SubscribeKlines(self, request: pb.SubscribeKlinesRequest) -> AsyncIterator[pb.SubscribeKlinesResponse]:
        symbols = await self._known(request.symbols)
        with self._klines.subscribe([(symbol, request.interval) for symbol in symbols]) as klines:
            yield pb.SubscribeKlinesResponse(sequence=klines.number())
            async for sequence, kline in klines.messages():
                if kline is None:
                    yield pb.SubscribeKlinesResponse(sequence=sequence)
                else:
                    body = wire.kline_to_proto(kline)
                    yield pb.SubscribeKlinesResponse(sequence=sequence, symbol=kline.symbol, kline=body)

    @stream
    async def SubscribeOrders(self, request: pb.SubscribeOrdersRequest) -> AsyncIterator[pb.SubscribeOrdersResponse]:
        if request.HasField("caller"):
            self._epochs.admit(request.caller)
        prefix = request.client_id_prefix
        symbols = await self._known(request.symbols)
        with self._orders.subscribe(symbols, partial(_concerns, prefix)) as updates:
            yield pb.SubscribeOrdersResponse(sequence=updates.number())
            async for sequence, update in updates.messages():
                message = wire.order_update_to_proto(sequence, update)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                for waiting in itertools.islice(updates.waiting(), MORE):
                    message.more.append(wire.order_update_to_proto(*waiting))
                yield message

    @stream
    async def SubscribeAccount(
        self, _request: pb.SubscribeAccountRequest
    ) -> AsyncIterator[pb.SubscribeAccountResponse]:
        with self._accounts.subscribe([""]) as accounts:
            account = await _or_none(self._venue.account())
            yield _account_message(accounts.number(), account)
            async for sequence, account in accounts.messages():
                yield _account_message(sequence, account)

    @stream
    async def SubscribePositions(
        self, request: pb.SubscribePositionsRequest
    ) -> AsyncIterator[pb.SubscribePositionsResponse]:
        symbols = await self._known(request.symbols)
        with self._positions.subscribe(symbols) as positions:
            snapshot: Sequence[Position | None] = await _or_none(self._venue.positions(symbols)) or [None]
            for known in snapshot:
                yield _position_message(positions.number(), known)
            async for sequence, position in positions.messages():
                yield _position_message(sequence, position)

    async def _known(self, symbols: Sequence[str]) -> list[str]:
        """The symbols asked for, or all where none is named; raises `VenueError` for an unknown one."""
        if not symbols:
            return [rules.symbol for rules in await self._venue.symbols([])]
        await self._venue.symbols(symbols)
        return list(dict.fromkeys(symbols))


def _concerns(prefix: str, update: OrderUpdate) -> bool:
    return isinstance(update, FundingPayment) or update.client_id.startswith(prefix)


def _same(_account: Account) -> str:
    return "account"


async def _or_none(answer: Awaitable[T]) -> T | None:
    """A stream's snapshot; a venue that cannot give one now sends it later."""
    try:
        return await answer
    except VenueError:
        return None


def _account_message(sequence: int, account: Account | None) -> pb.SubscribeAccountResponse:
    return pb.SubscribeAccountResponse(
        sequence=sequence, account=None if account is None else wire.account_to_proto(account)
    )


def _position_message(sequence: int, position: Position | None) -> pb.SubscribePositionsResponse:
    return pb.SubscribePositionsResponse(
        sequence=sequence, position=None if position is None else wire.position_to_proto(position)
    )
