# ruff: noqa: N802 - the names of the calls are the protos'
"""`ExchangeService` over a `Venue`: one account's calls, checked, fenced and answered item by item."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from prometheus_client import Counter

from opensqt.api.exchange import MarketKind
from opensqt.connector import wire
from opensqt.connector.calls import unary
from opensqt.connector.metrics import CANCELS, ORDERS
from opensqt.connector.requests import check_client_id, parse_new_order, require, require_client_id
from opensqt.connector.streams import Streams
from opensqt.connector.venue import Failure, NewOrder, Venue, VenueError, VenueOrder
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs

NOT_READY_RETRY_MS = 1000
MOST_KLINES = 500
"""Candles that one call gives at most."""
STOPS_A_BATCH = frozenset({Remedy.BACK_OFF, Remedy.FIX_CREDENTIALS, Remedy.HALT})
"""Failures of a whole call after which the rest of a batch is not sent: it would fail alike, or make it worse."""
NOT_SENT = Failure(Remedy.RETRY, "not sent: the exchange has just refused another order for lack of margin")

Item = TypeVar("Item")
Outcome = VenueOrder | Failure


class ExchangeService(Streams, stubs.ExchangeServiceServicer):
    """The calls; the subscriptions are in `Streams`."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue)
        self._revision = 0
        self._last_said: object = None

    @unary
    async def GetConnectorStatus(self, _request: pb.GetConnectorStatusRequest) -> pb.GetConnectorStatusResponse:
        venue = self._venue
        health, subscribers = venue.health(), self.subscribers
        said = (health.ready, health.reason, health.message, health.clock_skew_us, venue.capabilities, subscribers)
        if said != self._last_said:
            self._last_said = said
            self._revision += 1
        return pb.GetConnectorStatusResponse(
            exchange=venue.name,
            ready=health.ready,
            reason=health.reason,
            message=health.message,
            capabilities=wire.capabilities_to_proto(venue.capabilities),
            clock_skew_us=health.clock_skew_us,
            subscribers=subscribers,
            markets=[wire.progress_to_proto(progress) for progress in health.markets],
            revision=self._revision,
        )

    @unary
    async def GetSymbols(self, request: pb.GetSymbolsRequest) -> pb.GetSymbolsResponse:
        rules = await self._venue.symbols(request.symbols)
        return pb.GetSymbolsResponse(symbols=[wire.symbol_rules_to_proto(each) for each in rules])

    @unary
    async def GetAccount(self, _request: pb.GetAccountRequest) -> pb.GetAccountResponse:
        return pb.GetAccountResponse(account=wire.account_to_proto(await self._venue.account()))

    @unary
    async def GetPositions(self, request: pb.GetPositionsRequest) -> pb.GetPositionsResponse:
        positions = await self._venue.positions(request.symbols)
        return pb.GetPositionsResponse(positions=[wire.position_to_proto(position) for position in positions])

    @unary
    async def GetOrder(self, request: pb.GetOrderRequest) -> pb.GetOrderResponse:
        require("symbol", request.symbol)
        require_client_id(request.client_id)
        order, fills = await self._venue.order(request.symbol, request.client_id)
        return pb.GetOrderResponse(order=wire.order_to_proto(order), fills=[wire.fill_to_proto(fill) for fill in fills])

    @unary
    async def GetOpenOrders(self, request: pb.GetOpenOrdersRequest) -> pb.GetOpenOrdersResponse:
        require("symbol", request.symbol)
        orders = await self._open_orders(request.symbol, request.client_id_prefix)
        return pb.GetOpenOrdersResponse(orders=[wire.order_to_proto(order) for order in orders])

    @unary
    async def GetFills(self, request: pb.GetFillsRequest) -> pb.GetFillsResponse:
        require("symbol", request.symbol)
        fills = await self._venue.fills(request.symbol, request.since_us)
        prefix = request.client_id_prefix
        return pb.GetFillsResponse(
            fills=[wire.fill_to_proto(fill) for fill in fills if fill.client_id.startswith(prefix)]
        )

    @unary
    async def GetKlines(self, request: pb.GetKlinesRequest) -> pb.GetKlinesResponse:
        require("symbol", request.symbol)
        require("interval", request.interval)
        require("limit", request.limit)
        klines = await self._venue.klines(request.symbol, request.interval, min(request.limit, MOST_KLINES))
        return pb.GetKlinesResponse(klines=[wire.kline_to_proto(kline) for kline in klines])

    @unary
    async def GetFunding(self, request: pb.GetFundingRequest) -> pb.GetFundingResponse:
        require("symbol", request.symbol)
        payments = await self._venue.funding(request.symbol, request.since_us)
        return pb.GetFundingResponse(payments=[wire.funding_to_proto(payment) for payment in payments])

    @unary
    async def PrepareSymbol(self, request: pb.PrepareSymbolRequest) -> pb.PrepareSymbolResponse:
        self._admit(request.caller)
        require("symbol", request.symbol)
        require("leverage", request.leverage)
        await self._venue.prepare(request.symbol, request.leverage)
        return pb.PrepareSymbolResponse()

    @unary
    async def PlaceOrder(self, request: pb.PlaceOrderRequest) -> pb.PlaceOrderResponse:
        self._admit(request.caller)
        outcomes = await self._place([request.order])
        return pb.PlaceOrderResponse(result=pb.PlaceResult(**wire.result_fields(request.order.client_id, outcomes[0])))

    @unary
    async def BatchPlaceOrders(self, request: pb.BatchPlaceOrdersRequest) -> pb.BatchPlaceOrdersResponse:
        self._admit(request.caller)
        orders = request.orders
        outcomes = await self._place(orders)
        response = pb.BatchPlaceOrdersResponse()
        add, fields = response.results.add, wire.result_fields
        for order, outcome in zip(orders, outcomes, strict=True):
            add(**fields(order.client_id, outcome))
        return response

    @unary
    async def CancelOrder(self, request: pb.CancelOrderRequest) -> pb.CancelOrderResponse:
        self._admit(request.caller)
        require("symbol", request.symbol)
        results = await self._cancel(request.symbol, [request.client_id])
        return pb.CancelOrderResponse(result=results[0])

    @unary
    async def BatchCancelOrders(self, request: pb.BatchCancelOrdersRequest) -> pb.BatchCancelOrdersResponse:
        self._admit(request.caller)
        require("symbol", request.symbol)
        return pb.BatchCancelOrdersResponse(results=await self._cancel(request.symbol, request.client_ids))

    @unary
    async def CancelAllOrders(self, request: pb.CancelAllOrdersRequest) -> pb.CancelAllOrdersResponse:
        self._admit(request.caller)
        require("symbol", request.symbol)
        # Without a prefix it would cancel the orders of every other bot of the account.
        require("client_id_prefix", request.client_id_prefix)
        orders = await self._open_orders(request.symbol, request.client_id_prefix)
        results = await self._cancel(request.symbol, [order.client_id for order in orders])
        return pb.CancelAllOrdersResponse(results=results)

    def _admit(self, caller: pb.Caller) -> None:
        """Raises `VenueError`: a caller of an older epoch is fenced, and nobody trades while the venue is not ready."""
        self._epochs.admit(caller)
        health = self._venue.health()
        if not health.ready:
            raise VenueError(
                Failure(Remedy.RETRY, f"{health.reason}: {health.message}", retry_after_ms=NOT_READY_RETRY_MS)
            )

    async def _open_orders(self, symbol: str, prefix: str) -> list[VenueOrder]:
        return [order for order in await self._venue.open_orders(symbol) if order.client_id.startswith(prefix)]

    async def _place(self, orders: Sequence[pb.NewOrder]) -> list[Outcome]:
        parsed = [parse_new_order(order) for order in orders]
        sound = [order for order in parsed if isinstance(order, NewOrder)]
        send = _EntriesStop(self._venue.place)
        placed = iter(await _in_batches(sound, self._venue.capabilities.place_batch_limit, send))
        outcomes = [next(placed) if isinstance(order, NewOrder) else order for order in parsed]
        _count(ORDERS, outcomes)
        return outcomes

    async def _cancel(self, symbol: str, client_ids: Sequence[str]) -> list[pb.CancelResult]:
        wrong = {client_id: failure for client_id in client_ids if (failure := check_client_id(client_id))}
        sound = [client_id for client_id in client_ids if client_id not in wrong]

        async def cancel(batch: Sequence[str]) -> Sequence[Outcome]:
            return await self._venue.cancel(symbol, batch)

        cancelled = iter(await _in_batches(sound, self._venue.capabilities.cancel_batch_limit, cancel))
        outcomes = [wrong[client_id] if client_id in wrong else next(cancelled) for client_id in client_ids]
        _count(CANCELS, outcomes)
        pairs = zip(client_ids, outcomes, strict=True)
        return [pb.CancelResult(**wire.result_fields(client_id, outcome)) for client_id, outcome in pairs]


class _EntriesStop:
    """Places batch after batch; once an order has found too little margin, entries are not sent any more."""

    def __init__(self, place: Callable[[Sequence[NewOrder]], Awaitable[Sequence[Outcome]]]) -> None:
        self._place = place
        self._lacking = False

    async def __call__(self, batch: Sequence[NewOrder]) -> Sequence[Outcome]:
        if not self._lacking:
            outcomes = await self._place(batch)
            self._lacking = any(_lacks_margin(outcome) for outcome in outcomes)
            return outcomes
        exits = [order for order in batch if _is_exit(order)]
        answers = iter(await self._place(exits) if exits else ())
        return [next(answers) if _is_exit(order) else NOT_SENT for order in batch]


def _is_exit(order: NewOrder) -> bool:
    spot = MarketKind.of(order.symbol) is MarketKind.SPOT
    return order.side is OrderSide.SELL if spot else order.reduce_only


def _lacks_margin(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.remedy is Remedy.INSUFFICIENT_MARGIN


async def _in_batches(
    items: Sequence[Item], limit: int, send: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]]
) -> list[Outcome]:
    """An outcome for each item. A batch that fails as a whole answers for its own items, and no other's."""
    outcomes: list[Outcome] = []
    for start in range(0, len(items), limit):
        batch = items[start : start + limit]
        try:
            outcomes.extend(await send(batch))
        except VenueError as error:
            outcomes.extend([error.failure] * len(batch))
            if error.failure.remedy in STOPS_A_BATCH:
                outcomes.extend([error.failure] * (len(items) - len(outcomes)))
                break
    return outcomes


def _count(counter: Counter, outcomes: Sequence[Outcome]) -> None:
    refused = 0
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            refused += 1
            counter.labels(outcome.remedy.value).inc()
    if len(outcomes) > refused:
        counter.labels("Accepted").inc(len(outcomes) - refused)
