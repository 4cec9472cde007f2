"""A connector over a scripted venue, and a client of it over real gRPC."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from opensqt.connector import wire
from opensqt.connector.process import ConnectorServer
from opensqt.connector.refusals import FAILURE_KEY
from opensqt.connector.venue import Failure, VenueHealth
from opensqt.exchange.v1 import exchange_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs
from tests.connector.scripted_venue import ScriptedVenue

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


async def refusal(call: Any) -> tuple[grpc.StatusCode, Failure]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    metadata = dict(refused.value.trailing_metadata() or ())
    failure = pb.Failure.FromString(metadata[FAILURE_KEY])
    assert refused.value.details() == failure.message
    return refused.value.code(), wire.failure_from_proto(failure)
