"""What the connector costs: exchange to bot and bot to exchange, beside bare ccxt at the same simulator, in one run.

`python benchmarks/exchanges.py [--exchange okx] [--rounds N]`. For each exchange two simulators are in this process:
one has the connector (a process) with a bot's client (another), the other a process with ccxt's own class alone. They
take turns. Prices and fills are timed from before the simulator tells them until the client has them; a request from
before the call until it has arrived at the simulator. Ends with 1 where the overhead's target is missed.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bot"), str(ROOT)]

from opensqt.api.exchange import Exchange, MarketKind  # noqa: E402
from opensqt.connector.ccxt_venue import convert, loader  # noqa: E402
from opensqt.connector.ccxt_venue.credentials import Credentials  # noqa: E402
from opensqt.connector.ccxt_venue.exchanges import dialect_of  # noqa: E402
from opensqt.connector.client import Caller, ExchangeClient  # noqa: E402
from opensqt.connector.venue import NewOrder, VenueFill, VenueOrder  # noqa: E402
from opensqt.engine.actions import OrderSide, TimeInForce  # noqa: E402
from tests.runtime.processes import exchange_process  # noqa: E402
from tests.venues.faces import FACES  # noqa: E402
from tests.venues.keys import TRADER  # noqa: E402
from tests.venues.routes import Call  # noqa: E402
from tests.venues.server import Face  # noqa: E402

SYMBOL = "BTC/USDT:USDT"
TARGET_MS = 1.0
PRICES, ORDERS = 100, 40
PRICE_PAUSE, ORDER_PAUSE = 0.01, 0.08
"""Seconds; the second keeps within every exchange's limits."""
PATIENCE = 120.0
KINDS = {"price": "price to bot", "fill": "fill to bot", "request": "request to exchange", "answer": "and its answer"}
JUDGED = ("price", "fill", "request")


def order(client_id: str, price: str, quantity: str) -> NewOrder:
    return NewOrder(
        SYMBOL, client_id, OrderSide.BUY, Decimal(price), Decimal(quantity), False, TimeInForce.POST_ONLY
    )  # fmt: skip


def say(*words: object) -> None:
    print(*words, flush=True)


async def commands() -> AsyncIterator[list[str]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()


async def be_bot(address: str) -> None:
    """Says what it hears and when; places what it is told to."""
    client = ExchangeClient(address)

    async def prices() -> None:
        async for message in client.watch_price(SYMBOL):
            if message.update is not None:
                say("price", message.update.last, time.monotonic_ns())

    async def fills() -> None:
        async for message in client.watch_orders(SYMBOL, ""):
            if isinstance(message.update, VenueFill):
                say("fill", message.update.client_id, time.monotonic_ns())

    async def place() -> None:
        async for client_id, price, quantity in commands():
            wanted, begun = order(client_id, price, quantity), time.monotonic_ns()
            (answer,) = await client.place(Caller("benchmark", 1), [wanted])
            say("answer", client_id, begun, time.monotonic_ns())
            assert isinstance(answer, VenueOrder), answer

    await asyncio.gather(prices(), fills(), place())


async def be_bare(exchange: Exchange, url: str) -> None:
    """As `be_bot`, with ccxt alone."""
    dialect = dialect_of(exchange, MarketKind.PERPETUAL)
    credentials = Credentials(TRADER.api_key, TRADER.secret, TRADER.passphrase)
    with patch.object(loader, "observed", lambda cls: cls):  # nothing of ours around ccxt's class
        bare = loader.connection(dialect.profile, credentials, live=False, endpoint=url)
    bare.enableRateLimit = False
    dialect.adapt(bare)
    await bare.load_markets()
    await dialect.signed_in(bare, await bare.fetch_balance())
    ids: dict[str, str] = {}

    async def prices() -> None:
        while True:
            ticker = (await bare.watch_tickers([SYMBOL]))[SYMBOL]
            say("price", ticker["last"], time.monotonic_ns())

    async def fills() -> None:
        while True:
            for trade in await bare.watch_my_trades(SYMBOL):
                say("fill", ids.get(str(trade["order"]), ""), time.monotonic_ns())

    async def place() -> None:
        async for client_id, price, quantity in commands():
            request = convert.request(order(client_id, price, quantity), bare.markets[SYMBOL], dialect)
            begun = time.monotonic_ns()
            answer = await bare.create_order(**request)
            say("answer", client_id, begun, time.monotonic_ns())
            ids[str(answer["id"])] = client_id

    async def orders() -> None:
        while True:  # what a bot needs beside fills, and the connector watches too
            await dialect.watch_orders(bare, SYMBOL)

    await asyncio.gather(prices(), orders(), fills(), place())


class Arrivals(list[Call]):
    """A face's calls, with the time of each."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[tuple[int, Call]] = []

    def append(self, call: Call) -> None:
        self.at.append((time.monotonic_ns(), call))


@dataclass
class Side:
    """A simulator and a client of it; `heard` has the times of what the client said, `figures` milliseconds."""

    face: Face
    process: asyncio.subprocess.Process
    heard: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    _round: int = 0
    _ticks: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            kind, key, *times = line.decode().split()
            if kind == "price":
                key = str(Decimal(key).normalize())
            self.heard.setdefault((kind, key), [int(each) for each in times])
            self._news.set()
            self._news = asyncio.Event()
        raise AssertionError("a client has ended")

    async def once_heard(self, kind: str, key: str) -> list[int]:
        async with asyncio.timeout(PATIENCE):
            while (kind, key) not in self.heard:
                await self._news.wait()
        return self.heard[kind, key]

    async def price(self) -> tuple[str, int]:
        self._ticks += 1
        price = self.face.btc.price + self._ticks * self.face.btc.tick
        begun = time.monotonic_ns()
        await self.face.price(price)
        return str(price.normalize()), begun

    async def warm_up(self) -> None:
        """Until prices are heard, and an order and its fill have come through."""
        async with asyncio.timeout(PATIENCE):
            while not any(kind == "price" for kind, _ in self.heard):
                await self.price()
                await asyncio.sleep(0.2)
        await self.orders(3)

    async def prices(self) -> list[float]:
        told = []
        for _ in range(PRICES):
            told.append(await self.price())
            await asyncio.sleep(PRICE_PAUSE)
        await self.once_heard("price", told[-1][0])
        return [
            (self.heard["price", price][0] - begun) / 1e6 for price, begun in told if ("price", price) in self.heard
        ]

    async def orders(self, count: int) -> tuple[list[float], list[float], list[float]]:
        """Requests, answers, fills."""
        self._round += 1
        arrivals = Arrivals()
        self.face.calls = arrivals
        listing = self.face.btc
        quantity = max(listing.min_quantity, listing.lot) * 2
        price = (listing.price * Decimal("0.9")).quantize(listing.tick)
        requests, answers, fills = [], [], []
        for number in range(count):
            client_id = f"ob{self._round:03}{number:05}"
            assert self.process.stdin is not None
            self.process.stdin.write(f"{client_id} {price:f} {quantity:f}\n".encode())
            begun, ended = await self.once_heard("answer", client_id)
            arrived = next(at for at, call in arrivals.at if client_id in call.text + call.query)
            requests.append((arrived - begun) / 1e6)
            answers.append((ended - begun) / 1e6)
            await asyncio.sleep(ORDER_PAUSE)
            told = time.monotonic_ns()
            await self.face.fill(client_id, quantity)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    fills.append(((await self.once_heard("fill", client_id))[0] - told) / 1e6)
        return requests, answers, fills

    async def measure(self) -> None:
        self.figures["price"] += await self.prices()
        for kind, figures in zip(("request", "answer", "fill"), await self.orders(ORDERS), strict=True):
            self.figures[kind] += figures


@asynccontextmanager
async def side(face: Face, *words: str) -> AsyncIterator[Side]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'bot'}:{ROOT}"},
    )  # fmt: skip
    made = Side(face, child)
    listening = asyncio.create_task(made.listen())
    try:
        await made.warm_up()
        yield made
    finally:
        listening.cancel()
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def run(exchange: Exchange, rounds: int) -> tuple[Side, Side]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opensqt-benchmark-")))
        faces = [FACES[exchange]() for _ in range(2)]
        for face in faces:
            face.core.set_balance(Decimal(1_000_000))
            await face.start()
            stack.push_async_callback(face.stop)
        connector = await stack.enter_async_context(exchange_process(exchange, faces[0].url, folder))
        await _ready(connector.address)
        ours = await stack.enter_async_context(side(faces[0], "--bot", connector.address))
        bare = await stack.enter_async_context(side(faces[1], "--bare", faces[1].url, "--exchange", exchange.value))
        for number in range(rounds):
            for each in (ours, bare) if number % 2 else (bare, ours):
                await each.measure()
    return ours, bare


async def _ready(address: str) -> None:
    client = ExchangeClient(address)
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(Exception):  # it is starting
                if (await client.status()).health.ready:
                    break
            await asyncio.sleep(0.2)
    await client.close()


def report(exchange: Exchange, ours: Side, bare: Side) -> list[str]:
    """Prints the figures; returns what misses its target."""
    missed = []
    for kind, name in KINDS.items():
        mine, theirs = ours.figures[kind], bare.figures[kind]
        overhead = statistics.median(mine) - statistics.median(theirs)
        print(
            f"{exchange.value:9}{name:22}{statistics.median(mine):9.2f}{_p99(mine):9.2f}"
            f"{statistics.median(theirs):9.2f}{_p99(theirs):9.2f}{overhead:10.2f}"
            f"{statistics.median(mine) / statistics.median(theirs):7.2f}", flush=True)  # fmt: skip
        if kind in JUDGED and overhead > TARGET_MS:
            missed.append(f"{exchange.value}: {name} {overhead:.2f} ms")
    return missed


def _p99(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=100)[98]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--exchange", type=Exchange)
    parser.add_argument("--bot", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--bare", metavar="URL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bot:
        asyncio.run(be_bot(chosen.bot))
    elif chosen.bare:
        asyncio.run(be_bare(chosen.exchange, chosen.bare))
    else:
        print(f"{'milliseconds':31}{'connector':>18}{'bare ccxt':>18}{'overhead':>10}{'ratio':>7}")
        print(f"{'':31}{'p50':>9}{'p99':>9}{'p50':>9}{'p99':>9}{'p50':>10}")
        missed = []
        for exchange in [chosen.exchange] if chosen.exchange else FACES:
            missed += report(exchange, *asyncio.run(run(exchange, chosen.rounds)))
        print(
            f"{'MISSED' if missed else 'met'}: at most {TARGET_MS:g} ms more than bare ccxt, at the median",
            *missed,
            sep="\n  ",
        )
        return 1 if missed else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
