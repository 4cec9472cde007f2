"""A connector is light: one process for each exchange, connected, with all its streams, measured from outside."""

import asyncio
import compileall
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from opensqt.api.exchange import Exchange
from opensqt.api.process import CREDENTIALS_DIR_ENV, RESOURCE_ENV
from opensqt.connector.ccxt_venue import ENDPOINT_ENV
from opensqt.exchange.v1 import exchange_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs
from tests.venues.faces import FACES
from tests.venues.keys import TRADER

SYMBOL = "BTC/USDT:USDT"
TARGET_MB = 110
CALLS, GROWN_MB = 6_000, 2
"""So many calls leave 4 MB where what they leave behind is hardly ever collected."""
MARKETS = 600
"""About as many perpetuals as the largest of the five lists."""
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("exchange", FACES, ids=lambda exchange: exchange.value)
async def test_a_connected_connector_stays_small(exchange: Exchange, write_credentials: Callable[..., Path]) -> None:
    # As in the image: the first process in a fresh clone would compile all modules, and that is what its peak would be.
    compileall.compile_dir(ROOT / "bot" / "opensqt", quiet=1)
    face = FACES[exchange]()
    for number in range(MARKETS):
        base = f"COIN{number}"
        listing = replace(face.btc, base=base, id=face.btc.id.replace("BTC", base))
        face.core.listings[listing.id] = listing
    await face.start()
    spec = {"exchange": exchange.value, "credentialsSecretRef": {"name": "keys"}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opensqt", "connector"),
        *("--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", "--metrics", "127.0.0.1:0"),
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "bot"),
            "PYTHONUNBUFFERED": "1",
            RESOURCE_ENV: json.dumps({"metadata": {"name": "x", "uid": "u"}, "spec": spec}),
            ENDPOINT_ENV: face.url,
            CREDENTIALS_DIR_ENV: str(
                write_credentials(apiKey=TRADER.api_key, apiSecret=TRADER.secret, passphrase=TRADER.passphrase)
            ),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            port = await _listens(process)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = stubs.ExchangeServiceStub(channel)
                await _ready(stub)
                prices = stub.SubscribePrice(pb.SubscribePriceRequest(symbols=[SYMBOL]))
                orders = stub.SubscribeOrders(pb.SubscribeOrdersRequest(symbols=[SYMBOL]))
                account = stub.SubscribeAccount(pb.SubscribeAccountRequest())
                await asyncio.gather(orders.read(), account.read())
                told = asyncio.ensure_future(_price(prices))
                while not told.done():
                    await face.price("50001")
                    await asyncio.sleep(0.05)
                await told
                before = _resident(process.pid)
                for _ in range(CALLS):
                    await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())
                grown = _resident(process.pid) - before
        megabytes = _peak(process.pid)
        print(f"{exchange.value}: {megabytes:.0f} MB at most")  # noqa: T201 - the figure
        assert megabytes <= TARGET_MB
        assert grown <= GROWN_MB, "what calls leave behind is not collected"
    finally:
        process.terminate()
        await process.communicate()
        await face.stop()


async def _listens(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        # Read on, so that the pipe never fills up.
        if b"listening" in line and (found := re.search(rb"\bport=(\d+)", line)):
            return int(found[1])
    raise AssertionError("it has ended")


async def _ready(stub: "stubs.ExchangeServiceAsyncStub") -> None:
    while not (await stub.GetConnectorStatus(pb.GetConnectorStatusRequest())).ready:  # noqa: ASYNC110 - there is no stream of it
        await asyncio.sleep(0.05)


def _peak(pid: int) -> float:
    """The most that was ever resident, in MB."""
    return _status(pid, "VmHWM")


def _resident(pid: int) -> float:
    return _status(pid, "VmRSS")


def _status(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


async def _price(prices: "grpc.aio.UnaryStreamCall[pb.SubscribePriceRequest, pb.SubscribePriceResponse]") -> None:
    async for message in prices:
        if message.symbol:
            return
