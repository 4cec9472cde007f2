"""The bot's side of `ExchangeService`: typed calls with deadlines, and failures that say what to do.

A failed call raises `VenueError`. The server puts the `Failure` into the trailing metadata (`FAILURE_KEY`); where there
is none, the connector itself could not be reached, and what that means depends on the call: a question may be asked
again (RETRY), but nobody knows whether an order or a cancel has been carried out (LOOK_UP). Nothing is ever sent again
from here.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import DecodeError

from opensqt.connector import wire
from opensqt.connector.refusals import FAILURE_KEY
from opensqt.connector.venue import (
    Account,
    Capabilities,
    Failure,
    FundingPayment,
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
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs
from opensqt.paper.v1 import paper_pb2, paper_pb2_grpc

DEADLINE = 10.0
"""Seconds after which a call has failed."""
CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # gRPC's name for how long a connection may take to be made
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
Update = TypeVar("Update")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the connector refuses an epoch older than the newest that it has seen of this bot."""

    bot_uid: str
    epoch: int

    def to_proto(self) -> pb.Caller:
        return pb.Caller(bot_uid=self.bot_uid, epoch=self.epoch)


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    exchange: str
    health: VenueHealth
    capabilities: Capabilities
    revision: int


@dataclass(frozen=True, slots=True)
class Message(Generic[Update]):
    """One message of a stream; `update` is None in a heartbeat."""

    sequence: int
    update: Update | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the lockstep market: its updates came before its price."""

    number: int
    updates: tuple[OrderUpdate, ...]
    price: Decimal | None
    time_us: int
    ended: bool


class ExchangeClient:
    """One connector. Every call raises `VenueError`."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._exchange = stubs.ExchangeServiceStub(self._channel)
        self._lockstep = paper_pb2_grpc.LockstepServiceStub(self._channel)

    async def close(self) -> None:
        await self._channel.close()

    async def status(self) -> ConnectorStatus:
        answer = await self._ask(self._exchange.GetConnectorStatus, pb.GetConnectorStatusRequest())
        return ConnectorStatus(
            exchange=answer.exchange,
            health=wire.health_from_proto(answer),
            capabilities=wire.capabilities_from_proto(answer.capabilities),
            revision=answer.revision,
        )

    async def symbols(self, symbols: Sequence[str] = ()) -> list[SymbolRules]:
        answer = await self._ask(self._exchange.GetSymbols, pb.GetSymbolsRequest(symbols=symbols))
        return [wire.symbol_rules_from_proto(rules) for rules in answer.symbols]

    async def account(self) -> Account:
        answer = await self._ask(self._exchange.GetAccount, pb.GetAccountRequest())
        return wire.account_from_proto(answer.account)

    async def positions(self, symbols: Sequence[str]) -> list[Position]:
        answer = await self._ask(self._exchange.GetPositions, pb.GetPositionsRequest(symbols=symbols))
        return [wire.position_from_proto(position) for position in answer.positions]

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        """The order and all its fills; fails with UNKNOWN_ORDER where the exchange has none."""
        answer = await self._ask(self._exchange.GetOrder, pb.GetOrderRequest(symbol=symbol, client_id=client_id))
        return wire.order_from_proto(answer.order), [wire.fill_from_proto(fill) for fill in answer.fills]

    async def open_orders(self, symbol: str, client_id_prefix: str) -> list[VenueOrder]:
        request = pb.GetOpenOrdersRequest(symbol=symbol, client_id_prefix=client_id_prefix)
        answer = await self._ask(self._exchange.GetOpenOrders, request)
        return [wire.order_from_proto(order) for order in answer.orders]

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        """The newest candles, oldest first, the one under way included; at most 500."""
        request = pb.GetKlinesRequest(symbol=symbol, interval=interval, limit=limit)
        answer = await self._ask(self._exchange.GetKlines, request)
        return [wire.kline_from_proto(symbol, kline) for kline in answer.klines]

    async def fills(self, symbol: str, client_id_prefix: str, since_us: int) -> list[VenueFill]:
        """The fills of the symbol from `since_us` on whose client ids start so, oldest first."""
        request = pb.GetFillsRequest(symbol=symbol, since_us=since_us, client_id_prefix=client_id_prefix)
        answer = await self._ask(self._exchange.GetFills, request)
        return [wire.fill_from_proto(fill) for fill in answer.fills]

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        """The account's funding of the symbol from `since_us` on, oldest first."""
        answer = await self._ask(self._exchange.GetFunding, pb.GetFundingRequest(symbol=symbol, since_us=since_us))
        return [wire.funding_from_proto(payment) for payment in answer.payments]

    async def prepare(self, caller: Caller, symbol: str, leverage: int) -> None:
        request = pb.PrepareSymbolRequest(caller=caller.to_proto(), symbol=symbol, leverage=leverage)
        await self._ask(self._exchange.PrepareSymbol, request)

    async def place(self, caller: Caller, orders: Sequence[NewOrder]) -> list[VenueOrder | Failure]:
        """Answers in the order of `orders`; at most the venue's `place_batch_limit` of them."""
        request = pb.BatchPlaceOrdersRequest(
            caller=caller.to_proto(), orders=[wire.new_order_to_proto(order) for order in orders]
        )
        answer = await self._act(self._exchange.BatchPlaceOrders, request)
        return [_outcome(result) for result in answer.results]

    async def cancel(self, caller: Caller, symbol: str, client_ids: Sequence[str]) -> list[VenueOrder | Failure]:
        """Answers in the order of `client_ids`; at most the venue's `cancel_batch_limit` of them."""
        request = pb.BatchCancelOrdersRequest(caller=caller.to_proto(), symbol=symbol, client_ids=client_ids)
        answer = await self._act(self._exchange.BatchCancelOrders, request)
        return [_outcome(result) for result in answer.results]

    async def watch_price(self, symbol: str) -> AsyncGenerator[Message[Price], None]:
        request = pb.SubscribePriceRequest(symbols=[symbol])
        async for message in self._stream(self._exchange.SubscribePrice, request):
            yield Message(message.sequence, wire.price_from_proto(message) if message.symbol else None)

    async def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncGenerator[Message[Kline], None]:
        request = pb.SubscribeKlinesRequest(symbols=symbols, interval=interval)
        async for message in self._stream(self._exchange.SubscribeKlines, request):
            known = message.HasField("kline")
            yield Message(message.sequence, wire.kline_from_proto(message.symbol, message.kline) if known else None)

    async def watch_orders(
        self, symbol: str, client_id_prefix: str, caller: Caller | None = None
    ) -> AsyncGenerator[Message[OrderUpdate], None]:
        """With a `caller` the connector learns its epoch, and refuses one that is not the newest."""
        request = pb.SubscribeOrdersRequest(
            symbols=[symbol], client_id_prefix=client_id_prefix, caller=caller.to_proto() if caller else None
        )
        async for message in self._stream(self._exchange.SubscribeOrders, request):
            for each in (message, *message.more):
                yield Message(each.sequence, _order_update(each))

    async def watch_account(self) -> AsyncGenerator[Message[Account], None]:
        async for message in self._stream(self._exchange.SubscribeAccount, pb.SubscribeAccountRequest()):
            known = message.HasField("account")
            yield Message(message.sequence, wire.account_from_proto(message.account) if known else None)

    async def watch_position(self, symbol: str) -> AsyncGenerator[Message[Position], None]:
        request = pb.SubscribePositionsRequest(symbols=[symbol])
        async for message in self._stream(self._exchange.SubscribePositions, request):
            known = message.HasField("position")
            yield Message(message.sequence, wire.position_from_proto(message.position) if known else None)

    async def advance(
        self,
        bot_uid: str,
        symbol: str,
        client_id_prefix: str,
        step: int,
        quiet: tuple[Decimal, Decimal] | None,
        *,
        wake_us: int = 0,
    ) -> Step:
        """The step after `step`; prices strictly within `quiet` may be left out, `None` wants every one. The first
        price at `wake_us` or later comes in any case; 0 is never.

        The same step may be asked for again: the market moves on only when every bot has asked.
        """
        request = paper_pb2.AdvanceRequest(bot_uid=bot_uid, symbol=symbol, client_id_prefix=client_id_prefix, step=step)
        request.wake_us = wake_us
        if quiet is not None:
            request.quiet_above, request.quiet_below = (f"{price:f}" for price in quiet)
        answer = await self._ask(self._lockstep.Advance, request, deadline=60)
        updates = (_order_update(update) for update in answer.updates)
        return Step(
            number=answer.step,
            updates=tuple(update for update in updates if update is not None),
            price=Decimal(answer.price) if answer.price else None,
            time_us=answer.time_us,
            ended=answer.ended,
        )

    async def _ask(self, method: Any, request: Any, *, deadline: float | None = None) -> Any:
        try:
            return await method(request, timeout=deadline or DEADLINE)
        except grpc.aio.AioRpcError as error:
            raise VenueError(_failure(error, Remedy.RETRY)) from None

    async def _act(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            raise VenueError(_failure(error, Remedy.LOOK_UP)) from None

    async def _stream(self, method: Any, request: Any) -> AsyncIterator[Any]:
        call = method(request)
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise VenueError(_failure(error, Remedy.RETRY)) from None
        finally:
            call.cancel()
        raise VenueError(Failure(Remedy.RETRY, "the connector ended the stream"))


def _order_update(message: pb.SubscribeOrdersResponse) -> OrderUpdate | None:
    match message.WhichOneof("update"):
        case "order":
            return wire.order_from_proto(message.order)
        case "fill":
            return wire.fill_from_proto(message.fill)
        case "funding":
            return wire.funding_from_proto(message.funding)
        case _:
            return None


def _outcome(result: pb.PlaceResult | pb.CancelResult) -> VenueOrder | Failure:
    match result.WhichOneof("outcome"):
        case "order":
            return wire.order_from_proto(result.order)
        case "failure":
            return wire.failure_from_proto(result.failure)
        case _:
            return Failure(Remedy.LOOK_UP, "the connector answered nothing about this order")


def _failure(error: grpc.aio.AioRpcError, unreachable: Remedy) -> Failure:
    """What the server said, or `unreachable` where the connector itself did not answer."""
    for key, value in error.trailing_metadata() or ():
        if key == FAILURE_KEY and isinstance(value, bytes):
            try:
                return wire.failure_from_proto(pb.Failure.FromString(value))
            except DecodeError:
                break
    if error.code() is grpc.StatusCode.NOT_FOUND and unreachable is Remedy.RETRY:
        return Failure(Remedy.UNKNOWN_ORDER, error.details() or "the exchange knows no such order")
    return Failure(unreachable, f"connector: {error.code().name}: {error.details()}"[:512])
