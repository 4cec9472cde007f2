"""Every stream of ExchangeService over real gRPC, before a venue whose answers the test scripts."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import grpc
import pytest

from opensqt.connector import fanout, streams, wire
from opensqt.connector.venue import Failure, Gap, Kline, Price, VenueError
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb
from tests.connector.eventually import eventually
from tests.connector.scripted_venue import ACCOUNT, POSITION, SYMBOL, ScriptedVenue, fill, order
from tests.connector.served import ports, refusal, stub, venue

__all__ = ["ports", "stub", "venue"]


async def news(stream: Any, least: int) -> list[pb.SubscribeOrdersResponse]:
    """In order, however many come in one message."""
    found: list[pb.SubscribeOrdersResponse] = []
    while len(found) < least:
        message = await stream.read()
        found += [message, *message.more]
    return found


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
    one, other = await news(stream, 2)
    assert (one.sequence, wire.fill_from_proto(one.fill)) == (2, fill("oa1"))
    assert (other.sequence, wire.order_from_proto(other.order)) == (3, order("oa1"))


async def test_news_of_orders_that_wait_come_in_one_message(stub: Any, venue: ScriptedVenue) -> None:
    stream = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL]))
    await stream.read()
    names = [f"o{number}" for number in range(3 * streams.MORE)]
    for name in names:
        venue.bring("orders", SYMBOL, order(name))
    message = await stream.read()
    found = [message, *message.more]
    assert len(found) == 1 + streams.MORE
    while len(found) < len(names):
        found += await news(stream, 1)
    assert [each.order.client_id for each in found] == names
    assert [each.sequence for each in found] == list(range(2, 2 + len(names)))


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
    followers = [stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL])) for _ in range(5)]
    for stream in followers:
        await stream.read()
    assert venue.watched("orders") == 1
    assert (await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())).subscribers == 5
    venue.bring("orders", SYMBOL, order("a"))
    for stream in followers:
        assert (await stream.read()).order.client_id == "a"


async def test_a_gap_is_a_skipped_number(stub: Any, venue: ScriptedVenue) -> None:
    stream = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL]))
    await stream.read()
    venue.bring("orders", SYMBOL, Gap("the exchange hung up"))
    venue.bring("orders", SYMBOL, order("a"))
    assert [each.sequence for each in await news(stream, 2)] == [3, 4]


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
