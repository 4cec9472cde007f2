"""Every call of ExchangeService over real gRPC, before a venue whose answers the test scripts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client import REGISTRY

from opensqt.connector import fanout, process, wire
from opensqt.connector.process import EXCHANGE_SERVICE, LIVENESS, ConnectorServer
from opensqt.connector.refusals import FAILURE_KEY
from opensqt.connector.venue import Failure, Gap, Kline, Price, VenueError, VenueHealth
from opensqt.engine.events import OrderState, Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs
from tests.connector.eventually import eventually
from tests.connector.scripted_venue import ACCOUNT, POSITION, READY, RULES, SYMBOL, ScriptedVenue, fill, order

CALLER = pb.Caller(bot_uid="bot", epoch=7)
NOT_READY = VenueHealth(False, "VenueUnreachable", "the exchange does not answer")


@pytest.fixture
def venue() -> ScriptedVenue:
    return ScriptedVenue()


@pytest_asyncio.fixture
async def ports(venue: ScriptedVenue) -> AsyncIterator[tuple[int, int]]:
    server = ConnectorServer(venue)
    try:
        yield await server.start("127.0.0.1:0", "127.0.0.1:0")
    finally:
        await server.stop()


@pytest_asyncio.fixture
async def stub(ports: tuple[int, int]) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
        yield stubs.ExchangeServiceStub(channel)


def new_order(client_id: str, **fields: Any) -> pb.NewOrder:
    sound: dict[str, Any] = {
        "symbol": SYMBOL, "client_id": client_id, "side": pb.SIDE_BUY, "type": pb.ORDER_TYPE_LIMIT, "price": "99.5",
        "quantity": "1", "time_in_force": pb.TIME_IN_FORCE_GTC,
    }  # fmt: skip
    return pb.NewOrder(**(sound | fields))


async def refusal(call: Any) -> tuple[grpc.StatusCode, Failure]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    metadata = dict(refused.value.trailing_metadata() or ())
    failure = pb.Failure.FromString(metadata[FAILURE_KEY])
    assert refused.value.details() == failure.message
    return refused.value.code(), wire.failure_from_proto(failure)


# --- questions ---


async def test_status_says_what_the_venue_is_and_counts_changes(stub: Any, venue: ScriptedVenue) -> None:
    first = await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())
    assert (first.exchange, first.ready, first.reason) == ("scripted", True, "Ready")
    assert wire.capabilities_from_proto(first.capabilities) == venue.capabilities
    assert [(market.symbol, market.played, market.total) for market in first.markets] == [(SYMBOL, 3, 8)]
    venue.become(replace(venue.health(), markets=()))
    assert (await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())).revision == first.revision
    venue.become(NOT_READY)
    second = await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())
    assert (second.ready, second.reason, second.message) == (False, NOT_READY.reason, NOT_READY.message)
    assert second.revision == first.revision + 1


async def test_symbols(stub: Any) -> None:
    for asked in ([], [SYMBOL]):
        answer = await stub.GetSymbols(pb.GetSymbolsRequest(symbols=asked))
        assert [wire.symbol_rules_from_proto(rules) for rules in answer.symbols] == [RULES]
    code, failure = await refusal(stub.GetSymbols(pb.GetSymbolsRequest(symbols=["NO/PE"])))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "NO/PE" in failure.message


async def test_account_and_positions(stub: Any) -> None:
    assert wire.account_from_proto((await stub.GetAccount(pb.GetAccountRequest())).account) == ACCOUNT
    positions = await stub.GetPositions(pb.GetPositionsRequest(symbols=[SYMBOL]))
    assert [wire.position_from_proto(position) for position in positions.positions] == [POSITION]


async def test_an_order_comes_with_its_fills(stub: Any, venue: ScriptedVenue) -> None:
    venue.answers["order"] = (order("a"), [fill("a")])
    answer = await stub.GetOrder(pb.GetOrderRequest(symbol=SYMBOL, client_id="a"))
    assert wire.order_from_proto(answer.order) == order("a")
    assert [wire.fill_from_proto(each) for each in answer.fills] == [fill("a")]


async def test_open_orders_and_fills_are_those_of_the_prefix(stub: Any, venue: ScriptedVenue) -> None:
    venue.answers["open_orders"] = [order("oa1"), order("ob1")]
    venue.answers["fills"] = [fill("oa1"), fill("ob1")]
    orders = await stub.GetOpenOrders(pb.GetOpenOrdersRequest(symbol=SYMBOL, client_id_prefix="oa"))
    assert [each.client_id for each in orders.orders] == ["oa1"]
    fills = await stub.GetFills(pb.GetFillsRequest(symbol=SYMBOL, client_id_prefix="ob", since_us=9))
    assert [each.client_id for each in fills.fills] == ["ob1"]
    assert venue.called("fills") == [(SYMBOL, 9)]


# --- trading ---


async def test_one_order(stub: Any, venue: ScriptedVenue) -> None:
    answer = await stub.PlaceOrder(pb.PlaceOrderRequest(caller=CALLER, order=new_order("a")))
    assert wire.order_from_proto(answer.result.order) == order("a")
    assert venue.called("place")[0][0][0].price == Decimal("99.5")


async def test_a_batch_is_cut_to_the_venues_limit_and_answered_in_order(stub: Any, venue: ScriptedVenue) -> None:
    venue.answers["place"] = lambda orders: [
        Failure(Remedy.WOULD_CROSS, "no") if new.client_id == "a4" else order(new.client_id) for new in orders
    ]
    request = pb.BatchPlaceOrdersRequest(caller=CALLER, orders=[new_order(f"a{number}") for number in range(8)])
    answer = await stub.BatchPlaceOrders(request)
    assert [len(orders) for (orders,) in venue.called("place")] == [3, 3, 2]
    assert [result.client_id for result in answer.results] == [f"a{number}" for number in range(8)]
    refused = [result.client_id for result in answer.results if result.WhichOneof("outcome") == "failure"]
    assert refused == ["a4"]


async def test_a_wrong_item_fails_no_other(stub: Any, venue: ScriptedVenue) -> None:
    orders = [new_order("a1"), new_order("a2", quantity="-1"), new_order("a3", price="NaN"), new_order("a4")]
    answer = await stub.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(caller=CALLER, orders=orders))
    assert [result.WhichOneof("outcome") for result in answer.results] == ["order", "failure", "failure", "order"]
    assert answer.results[1].failure.remedy == pb.REMEDY_FIX_REQUEST
    assert answer.results[1].failure.message.startswith("quantity:")
    assert answer.results[2].failure.message.startswith("price:")
    assert [new.client_id for new in venue.called("place")[0][0]] == ["a1", "a4"]


@pytest.mark.parametrize(
    ("remedy", "sent"), [(Remedy.RETRY, 3), (Remedy.LOOK_UP, 3), (Remedy.BACK_OFF, 1), (Remedy.HALT, 1)]
)
async def test_a_call_that_fails_as_a_whole_answers_for_its_items(
    stub: Any, venue: ScriptedVenue, remedy: Remedy, sent: int
) -> None:
    def place(orders: list[Any]) -> Any:
        if orders[0].client_id == "a0":
            return VenueError(Failure(remedy, "the first call fails", retry_after_ms=250))
        return [order(new.client_id) for new in orders]

    venue.answers["place"] = place
    request = pb.BatchPlaceOrdersRequest(caller=CALLER, orders=[new_order(f"a{number}") for number in range(8)])
    answer = await stub.BatchPlaceOrders(request)
    assert len(venue.called("place")) == sent
    failures = [wire.failure_from_proto(result.failure) for result in answer.results if result.HasField("failure")]
    assert failures == [Failure(remedy, "the first call fails", retry_after_ms=250)] * (3 if sent == 3 else 8)


async def test_cancels(stub: Any, venue: ScriptedVenue) -> None:
    one = await stub.CancelOrder(pb.CancelOrderRequest(caller=CALLER, symbol=SYMBOL, client_id="a"))
    assert wire.order_from_proto(one.result.order) == order("a", OrderState.CANCELLED)
    request = pb.BatchCancelOrdersRequest(caller=CALLER, symbol=SYMBOL, client_ids=["a", "b-d", "c", "d"])
    many = await stub.BatchCancelOrders(request)
    assert [result.WhichOneof("outcome") for result in many.results] == ["order", "failure", "order", "order"]
    assert many.results[1].failure.message.startswith("client_id:")
    assert venue.called("cancel")[1:] == [(SYMBOL, ["a", "c"]), (SYMBOL, ["d"])]


async def test_cancel_all_takes_only_the_callers_orders(stub: Any, venue: ScriptedVenue) -> None:
    venue.answers["open_orders"] = [order("oa1"), order("ob1"), order("oa2"), order("oa3")]
    request = pb.CancelAllOrdersRequest(caller=CALLER, symbol=SYMBOL, client_id_prefix="oa")
    answer = await stub.CancelAllOrders(request)
    assert [result.client_id for result in answer.results] == ["oa1", "oa2", "oa3"]
    assert venue.called("cancel") == [(SYMBOL, ["oa1", "oa2"]), (SYMBOL, ["oa3"])]
    code, failure = await refusal(stub.CancelAllOrders(pb.CancelAllOrdersRequest(caller=CALLER, symbol=SYMBOL)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.message.startswith("client_id_prefix:")


async def test_prepare(stub: Any, venue: ScriptedVenue) -> None:
    await stub.PrepareSymbol(pb.PrepareSymbolRequest(caller=CALLER, symbol=SYMBOL, leverage=5))
    assert venue.called("prepare") == [(SYMBOL, 5)]
    code, failure = await refusal(stub.PrepareSymbol(pb.PrepareSymbolRequest(caller=CALLER, symbol=SYMBOL)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.message.startswith("leverage:")


def trading_calls(stub: Any, caller: pb.Caller) -> list[Any]:
    return [
        stub.PrepareSymbol(pb.PrepareSymbolRequest(caller=caller, symbol=SYMBOL, leverage=1)),
        stub.PlaceOrder(pb.PlaceOrderRequest(caller=caller, order=new_order("a"))),
        stub.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(caller=caller, orders=[new_order("a")])),
        stub.CancelOrder(pb.CancelOrderRequest(caller=caller, symbol=SYMBOL, client_id="a")),
        stub.BatchCancelOrders(pb.BatchCancelOrdersRequest(caller=caller, symbol=SYMBOL, client_ids=["a"])),
        stub.CancelAllOrders(pb.CancelAllOrdersRequest(caller=caller, symbol=SYMBOL, client_id_prefix="o")),
    ]


async def test_an_older_instance_can_trade_no_more(stub: Any, venue: ScriptedVenue) -> None:
    await stub.PlaceOrder(pb.PlaceOrderRequest(caller=CALLER, order=new_order("a")))
    venue.calls.clear()
    for call in trading_calls(stub, pb.Caller(bot_uid="bot", epoch=6)):
        code, failure = await refusal(call)
        assert (code, failure.remedy) == (grpc.StatusCode.FAILED_PRECONDITION, Remedy.FENCED)
    assert venue.calls == []


async def test_nobody_trades_while_the_venue_is_not_ready(stub: Any, venue: ScriptedVenue) -> None:
    venue.become(NOT_READY)
    for call in trading_calls(stub, CALLER):
        code, failure = await refusal(call)
        assert (code, failure.remedy) == (grpc.StatusCode.UNAVAILABLE, Remedy.RETRY)
        assert failure.message == "VenueUnreachable: the exchange does not answer"
        assert failure.retry_after_ms > 0
    assert venue.calls == []


@pytest.mark.parametrize(
    ("remedy", "code"),
    [
        (Remedy.RETRY, grpc.StatusCode.UNAVAILABLE),
        (Remedy.BACK_OFF, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Remedy.LOOK_UP, grpc.StatusCode.UNKNOWN),
        (Remedy.UNKNOWN_ORDER, grpc.StatusCode.NOT_FOUND),
        (Remedy.FIX_REQUEST, grpc.StatusCode.INVALID_ARGUMENT),
        (Remedy.FIX_CREDENTIALS, grpc.StatusCode.UNAUTHENTICATED),
        (Remedy.DUPLICATE, grpc.StatusCode.ALREADY_EXISTS),
        (Remedy.INSUFFICIENT_MARGIN, grpc.StatusCode.FAILED_PRECONDITION),
        (Remedy.HALT, grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
async def test_a_venue_error_becomes_a_status_with_its_failure(
    stub: Any, venue: ScriptedVenue, remedy: Remedy, code: grpc.StatusCode
) -> None:
    told = Failure(remedy, "said by the venue", "-42", 1500)
    venue.answers["order"] = VenueError(told)
    assert await refusal(stub.GetOrder(pb.GetOrderRequest(symbol=SYMBOL, client_id="a"))) == (code, told)


# --- streams ---


async def test_prices(stub: Any, venue: ScriptedVenue) -> None:
    stream = stub.SubscribePrice(pb.SubscribePriceRequest(symbols=[SYMBOL]))
    assert (await stream.read()).sequence == 1
    price = Price(SYMBOL, Decimal(3), Decimal(2), Decimal(4), 9)
    venue.bring("prices", SYMBOL, price)
    message = await stream.read()
    assert message.sequence == 2
    assert wire.price_from_proto(message) == price
    stream.cancel()
    await eventually(lambda: venue.watched("prices") == 0)


async def test_klines(stub: Any, venue: ScriptedVenue) -> None:
    stream = stub.SubscribeKlines(pb.SubscribeKlinesRequest(symbols=[SYMBOL], interval="5m"))
    assert (await stream.read()).sequence == 1
    one = Decimal(1)
    kline = Kline(SYMBOL, 60, one, one, one, one, one, closed=True)
    venue.bring("klines", f"{SYMBOL} 5m", kline)
    message = await stream.read()
    assert (message.sequence, message.symbol) == (2, SYMBOL)
    assert wire.kline_from_proto(SYMBOL, message.kline) == kline


async def test_orders_and_fills_of_one_bot(stub: Any, venue: ScriptedVenue) -> None:
    stream = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL], client_id_prefix="oa"))
    first = await stream.read()
    assert (first.sequence, first.WhichOneof("update")) == (1, None)
    for update in (order("ob1"), fill("oa1"), order("oa1")):
        venue.bring("orders", SYMBOL, update)
    assert wire.fill_from_proto((await stream.read()).fill) == fill("oa1")
    last = await stream.read()
    assert last.sequence == 3
    assert wire.order_from_proto(last.order) == order("oa1")


async def test_account_and_positions_begin_with_what_they_are(stub: Any, venue: ScriptedVenue) -> None:
    accounts = stub.SubscribeAccount(pb.SubscribeAccountRequest())
    assert wire.account_from_proto((await accounts.read()).account) == ACCOUNT
    positions = stub.SubscribePositions(pb.SubscribePositionsRequest(symbols=[SYMBOL]))
    assert wire.position_from_proto((await positions.read()).position) == POSITION
    changed = replace(ACCOUNT, equity=Decimal(1))
    venue.bring("account", "", changed)
    message = await accounts.read()
    assert (message.sequence, wire.account_from_proto(message.account)) == (2, changed)


async def test_a_stream_of_a_venue_that_cannot_answer_begins_with_a_heartbeat(stub: Any, venue: ScriptedVenue) -> None:
    venue.answers["account"] = VenueError(Failure(Remedy.RETRY, "not now"))
    message = await stub.SubscribeAccount(pb.SubscribeAccountRequest()).read()
    assert message.sequence == 1
    assert not message.HasField("account")


async def test_many_streams_share_one_upstream(stub: Any, venue: ScriptedVenue) -> None:
    streams = [stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL])) for _ in range(5)]
    for stream in streams:
        await stream.read()
    assert venue.watched("orders") == 1
    assert (await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())).subscribers == 5
    venue.bring("orders", SYMBOL, order("a"))
    for stream in streams:
        assert (await stream.read()).order.client_id == "a"


async def test_a_gap_is_a_skipped_number(stub: Any, venue: ScriptedVenue) -> None:
    stream = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL]))
    await stream.read()
    venue.bring("orders", SYMBOL, Gap("the exchange hung up"))
    venue.bring("orders", SYMBOL, order("a"))
    assert [(await stream.read()).sequence for _ in range(2)] == [3, 4]


async def test_a_slow_consumer_is_told_so_and_the_others_go_on(
    stub: Any, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "QUEUE_LIMIT", 50)
    slow = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL]))
    quick = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL]))
    await slow.read()
    await quick.read()
    # 20 MB: far more than the buffers on the way and the queue hold together.
    for number in range(2000):
        venue.bring("orders", SYMBOL, replace(order(f"o{number}"), failure=Failure(Remedy.HALT, "x" * 10_000)))
        message = await quick.read()
        assert (message.sequence, message.order.client_id) == (number + 2, f"o{number}")

    async def read_all() -> None:
        while await slow.read() is not grpc.aio.EOF:
            pass

    code, failure = await refusal(read_all())
    assert (code, failure.remedy) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Remedy.RETRY)
    assert "slow consumer" in failure.message


async def test_an_unknown_symbol_cannot_be_followed(stub: Any) -> None:
    for stream in (
        stub.SubscribePrice(pb.SubscribePriceRequest(symbols=["NO/PE"])),
        stub.SubscribeKlines(pb.SubscribeKlinesRequest(symbols=["NO/PE"], interval="1m")),
        stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=["NO/PE"])),
        stub.SubscribePositions(pb.SubscribePositionsRequest(symbols=["NO/PE"])),
    ):
        code, _ = await refusal(stream.read())
        assert code is grpc.StatusCode.INVALID_ARGUMENT


# --- health and reflection ---


async def test_health_follows_the_venue_and_liveness_does_not(ports: tuple[int, int], venue: ScriptedVenue) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)

        async def said(service: str) -> int:
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            return int(answer.status)

        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        assert [await said(service) for service in ("", EXCHANGE_SERVICE, LIVENESS)] == [serving] * 3
        stream = health.Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await stream.read()).status == serving
        venue.become(NOT_READY)
        assert (await stream.read()).status == not_serving
        assert [await said(service) for service in ("", EXCHANGE_SERVICE, LIVENESS)] == [
            not_serving,
            not_serving,
            serving,
        ]
        venue.become(VenueHealth(True, "Ready", ""))
        assert (await stream.read()).status == serving


@pytest.fixture
def never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health is not asked for by the clock: what is told is told because it changed."""
    monkeypatch.setattr(process, "HEALTH_SECONDS", 3600.0)


@pytest.mark.usefixtures("never_asked")
async def test_a_change_of_health_while_the_last_one_is_being_told_is_told_as_well(
    ports: tuple[int, int], venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, told = health_aio.HealthServicer.set, asyncio.Event()
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

    async def tell_meanwhile(servicer: health_aio.HealthServicer, service: str, status: int) -> None:
        if status == not_serving:
            venue.become(READY)
        await tell(servicer, service, status)
        if (service, status) == (EXCHANGE_SERVICE, serving):
            told.set()

    monkeypatch.setattr(health_aio.HealthServicer, "set", tell_meanwhile)
    venue.become(NOT_READY)
    async with asyncio.timeout(120), grpc.aio.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        await told.wait()
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest(service=""))).status == serving


async def test_the_clock_skew_is_followed_while_nothing_else_changes(
    ports: tuple[int, int], venue: ScriptedVenue
) -> None:
    venue.become(replace(READY, clock_skew_us=1_500_000))
    await eventually(lambda: REGISTRY.get_sample_value("opensqt_connector_clock_skew_seconds") == 1.5)


async def test_reflection_lists_the_services(ports: tuple[int, int]) -> None:
    def services() -> list[str]:
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert {EXCHANGE_SERVICE, "grpc.health.v1.Health"} <= set(await asyncio.to_thread(services))
