"""The order path through the connector, beside a bare grpcio echo of the same messages, in the same run.

`python benchmarks/orders.py [--rounds N]` starts an embedded PostgreSQL (fsync on), a connector with the paper
exchange and its books, and an echo server that answers the same protos from a dict. Both are measured in turn, round
by round, and medians and their ratios printed. Ends with 1 where a target is missed.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import grpc

BOT = Path(__file__).parents[1] / "bot"
sys.path.insert(0, str(BOT))

from opensqt.exchange.v1 import exchange_pb2 as pb  # noqa: E402
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs  # noqa: E402
from opensqt.journal.embedded import EmbeddedPostgres  # noqa: E402

SYMBOL = "BTC/USDT:USDT"
BATCHED_TARGET = 31_000
ACCOUNT_P50_TARGET_MS = 2.0
ACCOUNT_RATIO_TARGET = 1.25
IN_FLIGHT = 16
"""Calls under way at once, as of so many bots of one account."""
ORDERS_A_ROUND = 20_000
PLACES_A_ROUND = 2_000
ACCOUNTS_A_ROUND = 1_000
CONNECTOR = {
    "apiVersion": "opensqt.io/v1alpha1",
    "kind": "ExchangeConnector",
    "metadata": {"name": "benchmark", "uid": "benchmark"},
    "spec": {
        "exchange": "paper",
        "paper": {"balance": "1000000000", "speed": 60, "markets": [{"symbol": SYMBOL, "model": {"seed": 1}}]},
    },
}
CALLER = pb.Caller(bot_uid="benchmark", epoch=1)
_numbers = count(1)


@dataclass(slots=True)
class Figures:
    """One figure a round, of one server."""

    batches_of_20: list[float] = field(default_factory=list)
    batches_of_100: list[float] = field(default_factory=list)
    single_orders: list[float] = field(default_factory=list)
    account_p50_ms: list[float] = field(default_factory=list)
    account_p99_ms: list[float] = field(default_factory=list)


def new_orders(amount: int) -> Iterator[pb.NewOrder]:
    """Buys far below the market, that rest."""
    for number in (next(_numbers) for _ in range(amount)):
        yield pb.NewOrder(
            symbol=SYMBOL,
            client_id=f"obenchmarke{number:012}",
            side=pb.SIDE_BUY,
            type=pb.ORDER_TYPE_LIMIT,
            price=f"{10_000 + number % 5_000}.5",
            quantity="0.001",
            time_in_force=pb.TIME_IN_FORCE_POST_ONLY,
        )


async def in_flight(requests: list[pb.BatchPlaceOrdersRequest] | list[pb.PlaceOrderRequest], call: Any) -> float:
    """Seconds for all requests, `IN_FLIGHT` of them at a time."""
    waiting = iter(requests)

    async def one() -> None:
        for request in waiting:
            answer = await call(request)
            results = answer.results if hasattr(answer, "results") else [answer.result]
            assert all(result.HasField("order") for result in results), results

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - started


async def measure(stub: "stubs.ExchangeServiceAsyncStub", figures: Figures) -> None:
    """One round."""
    for size, rates in ((20, figures.batches_of_20), (100, figures.batches_of_100)):
        batches = [
            pb.BatchPlaceOrdersRequest(caller=CALLER, orders=new_orders(size)) for _ in range(ORDERS_A_ROUND // size)
        ]
        rates.append(ORDERS_A_ROUND / await in_flight(batches, stub.BatchPlaceOrders))
    singles = [pb.PlaceOrderRequest(caller=CALLER, order=order) for order in new_orders(PLACES_A_ROUND)]
    figures.single_orders.append(PLACES_A_ROUND / await in_flight(singles, stub.PlaceOrder))
    request = pb.GetAccountRequest()
    latencies = []
    for _ in range(ACCOUNTS_A_ROUND):
        started = time.perf_counter()
        await stub.GetAccount(request)
        latencies.append((time.perf_counter() - started) * 1000)
    figures.account_p50_ms.append(statistics.median(latencies))
    figures.account_p99_ms.append(statistics.quantiles(latencies, n=100)[98])


class Echo:
    """The least that can answer the same messages: each order is kept in a dict."""

    def __init__(self) -> None:
        self._book: dict[str, pb.NewOrder] = {}
        self._account = pb.Account(
            currency="USDT", equity="1000000000", available="1000000000", wallet_balance="1000000000"
        )

    def _result(self, new: pb.NewOrder) -> pb.PlaceResult:
        self._book[new.client_id] = new
        order = pb.Order(
            symbol=new.symbol,
            client_id=new.client_id,
            venue_id=str(len(self._book)),
            side=new.side,
            type=new.type,
            price=new.price,
            quantity=new.quantity,
            filled="0",
            status=pb.ORDER_STATUS_OPEN,
            time_in_force=new.time_in_force,
            time_us=1_767_225_600_000_000,
        )
        return pb.PlaceResult(client_id=new.client_id, order=order)

    async def batch(self, request: pb.BatchPlaceOrdersRequest, _context: object) -> pb.BatchPlaceOrdersResponse:
        return pb.BatchPlaceOrdersResponse(results=[self._result(order) for order in request.orders])

    async def place(self, request: pb.PlaceOrderRequest, _context: object) -> pb.PlaceOrderResponse:
        return pb.PlaceOrderResponse(result=self._result(request.order))

    async def account(self, _request: pb.GetAccountRequest, _context: object) -> pb.GetAccountResponse:
        return pb.GetAccountResponse(account=self._account)

    async def serve(self, address: str) -> None:
        server = grpc.aio.server()
        methods: dict[str, tuple[Any, Any, Any]] = {
            "BatchPlaceOrders": (self.batch, pb.BatchPlaceOrdersRequest, pb.BatchPlaceOrdersResponse),
            "PlaceOrder": (self.place, pb.PlaceOrderRequest, pb.PlaceOrderResponse),
            "GetAccount": (self.account, pb.GetAccountRequest, pb.GetAccountResponse),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method, request.FromString, response.SerializeToString)
            for name, (method, request, response) in methods.items()
        }
        service = "opensqt.exchange.v1.ExchangeService"
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        server.add_insecure_port(address)
        await server.start()
        await server.wait_for_termination()


@asynccontextmanager
async def process(*arguments: str, env: dict[str, str]) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=os.environ | env)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


@asynccontextmanager
async def connected(address: str) -> AsyncIterator["stubs.ExchangeServiceAsyncStub"]:
    """A stub of a server that answers."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = stubs.ExchangeServiceStub(channel)
        deadline = time.monotonic() + 60
        while True:
            try:
                await stub.GetAccount(pb.GetAccountRequest(), wait_for_ready=True, timeout=60)
                break
            except grpc.aio.AioRpcError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
        yield stub


def free_addresses(amount: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(amount)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


async def run(rounds: int) -> tuple[Figures, Figures]:
    ours, echo = Figures(), Figures()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opensqt-benchmark-")))
        postgres = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        connector_env = {
            "OPENSQT_RESOURCE": json.dumps(CONNECTOR),
            "OPENSQT_JOURNAL_DSN": postgres.dsn,
            "PYTHONPATH": str(BOT),
        }
        listen, health, metrics, echo_address = free_addresses(4)
        connector = ("-m", "opensqt", "connector", "--listen", listen, "--health", health, "--metrics", metrics)
        await stack.enter_async_context(process(*connector, env=connector_env))
        await stack.enter_async_context(process(__file__, "--echo", echo_address, env={}))
        our_stub = await stack.enter_async_context(connected(listen))
        echo_stub = await stack.enter_async_context(connected(echo_address))
        await our_stub.PrepareSymbol(pb.PrepareSymbolRequest(caller=CALLER, symbol=SYMBOL, leverage=125))
        for _ in range(rounds):
            await measure(echo_stub, echo)
            await measure(our_stub, ours)
    return ours, echo


def report(ours: Figures, echo: Figures) -> bool:
    """Prints the medians; says whether all targets are reached."""
    print(f"{'':24}{'connector':>12}{'bare echo':>12}{'ratio':>8}")
    medians = {}
    for name in Figures.__dataclass_fields__:
        mine, theirs = statistics.median(getattr(ours, name)), statistics.median(getattr(echo, name))
        medians[name] = mine, theirs
        digits = 3 if name.endswith("_ms") else 0
        unit = "" if name.endswith("_ms") else " /s"
        print(f"{name + unit:24}{mine:>12,.{digits}f}{theirs:>12,.{digits}f}{mine / theirs:>8.2f}")
    batched = max(medians["batches_of_20"][0], medians["batches_of_100"][0])
    p50, echo_p50 = medians["account_p50_ms"]
    checks = {
        f"{BATCHED_TARGET:,} orders/s in batches": batched >= BATCHED_TARGET,
        f"GetAccount p50 under {ACCOUNT_P50_TARGET_MS} ms": p50 < ACCOUNT_P50_TARGET_MS,
        f"GetAccount p50 within {ACCOUNT_RATIO_TARGET} of the echo": p50 <= ACCOUNT_RATIO_TARGET * echo_p50,
    }
    for check, reached in checks.items():
        print(f"{'reached' if reached else 'MISSED ':8} {check}")
    return all(checks.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--echo", metavar="ADDRESS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.echo:
        asyncio.run(Echo().serve(arguments.echo))
        return
    sys.exit(0 if report(*asyncio.run(run(arguments.rounds))) else 1)


if __name__ == "__main__":
    main()
