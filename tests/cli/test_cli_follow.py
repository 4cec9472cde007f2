"""Asking processes that are only just there, or not there any more."""

import asyncio

import grpc
import pytest

from opensqt.cli.run.follow import patiently
from opensqt.connector.client import ExchangeClient
from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb
from tests.runtime.processes import free_ports


async def _no_symbols(
    request: pb.GetSymbolsRequest, context: "grpc.aio.ServicerContext[pb.GetSymbolsRequest, pb.GetSymbolsResponse]"
) -> pb.GetSymbolsResponse:
    return pb.GetSymbolsResponse()


async def test_a_process_that_is_not_there_yet_is_asked_again() -> None:
    address = f"127.0.0.1:{free_ports()[0]}"
    handler = grpc.unary_unary_rpc_method_handler(
        _no_symbols, pb.GetSymbolsRequest.FromString, pb.GetSymbolsResponse.SerializeToString
    )
    client, server = ExchangeClient(address), grpc.aio.server()
    service = pb.DESCRIPTOR.services_by_name["ExchangeService"].full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"GetSymbols": handler}),))
    try:
        with pytest.raises(VenueError, match="UNAVAILABLE"):
            await client.symbols()
        answer = asyncio.create_task(patiently(client.symbols, 120.0))
        server.add_insecure_port(address)
        await server.start()
        assert await answer == []
    finally:
        await client.close()
        await server.stop(None)


@pytest.mark.parametrize(("remedy", "times"), [(Remedy.FIX_CREDENTIALS, 1), (Remedy.RETRY, 2)])
async def test_what_stays_away_is_given_up_and_what_is_refused_is_not_asked_again(remedy: Remedy, times: int) -> None:
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        raise VenueError(Failure(remedy, "no"))

    with pytest.raises(VenueError, match="no"):
        await patiently(ask, 1.0)
    assert asked == 1 if times == 1 else asked >= times
