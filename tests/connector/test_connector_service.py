"""Every call of ExchangeService over real gRPC, before a venue whose answers the test scripts."""

import gc
import weakref
from dataclasses import replace
from decimal import Decimal
from typing import Any

import grpc
import pytest

from opensqt.connector import wire
from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.events import OrderState, Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb
from tests.connector.scripted_venue import ACCOUNT, POSITION, RULES, SYMBOL, ScriptedVenue, fill, order
from tests.connector.served import CALLER, NOT_READY, ports, refusal, stub, venue

__all__ = ["ports", "stub", "venue"]


def new_order(client_id: str, **fields: Any) -> pb.NewOrder:
    sound: dict[str, Any] = {
        "symbol": SYMBOL, "client_id": client_id, "side": pb.SIDE_BUY, "type": pb.ORDER_TYPE_LIMIT, "price": "99.5",
        "quantity": "1", "time_in_force": pb.TIME_IN_FORCE_GTC,
    }  # fmt: skip
    return pb.NewOrder(**(sound | fields))


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


class Answer:
    """What an exchange has said: large."""


async def test_a_refused_call_keeps_nothing_of_what_the_exchange_answered(stub: Any, venue: ScriptedVenue) -> None:
    """The storm that refuses a call refuses hundreds, and nobody looks for cycles of references meanwhile."""
    said: list[weakref.ref[Answer]] = []

    def refuse(*_: object) -> None:
        answer = Answer()
        said.append(weakref.ref(answer))
        raise VenueError(Failure(Remedy.UNKNOWN_ORDER, "no such order"))

    venue.answers["order"] = refuse
    gc.disable()
    try:
        _, failure = await refusal(stub.GetOrder(pb.GetOrderRequest(symbol=SYMBOL, client_id="a")))
        assert failure.remedy is Remedy.UNKNOWN_ORDER
        assert [answer() for answer in said] == [None]
    finally:
        gc.enable()


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


async def test_a_margin_reject_stops_the_entries_that_have_not_been_sent(stub: Any, venue: ScriptedVenue) -> None:
    venue.answers["place"] = lambda orders: [
        Failure(Remedy.INSUFFICIENT_MARGIN, "margin") if new.client_id == "a1" else order(new.client_id)
        for new in orders
    ]
    orders = [new_order(f"a{number}", reduce_only=number == 4) for number in range(8)]
    answer = await stub.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(caller=CALLER, orders=orders))
    assert [[new.client_id for new in orders] for (orders,) in venue.called("place")] == [["a0", "a1", "a2"], ["a4"]]
    assert [result.client_id for result in answer.results] == [f"a{number}" for number in range(8)]
    remedies = {one.client_id: one.failure.remedy for one in answer.results if one.HasField("failure")}
    unsent = dict.fromkeys(("a3", "a5", "a6", "a7"), pb.REMEDY_RETRY)
    assert remedies == {"a1": pb.REMEDY_INSUFFICIENT_MARGIN} | unsent


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


async def test_who_follows_its_orders_is_known_before_it_trades(stub: Any, venue: ScriptedVenue) -> None:
    """As every bot does when the connector has started anew, in which no epoch is known yet."""
    following = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL], caller=CALLER))
    assert (await following.read()).sequence == 1
    older = pb.Caller(bot_uid="bot", epoch=6)
    for call in trading_calls(stub, older):
        assert (await refusal(call))[1].remedy is Remedy.FENCED
    code, failure = await refusal(stub.SubscribeOrders(pb.SubscribeOrdersRequest(caller=older)).read())
    assert (code, failure.remedy) == (grpc.StatusCode.FAILED_PRECONDITION, Remedy.FENCED)
    assert venue.calls == []
    following.cancel()


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
