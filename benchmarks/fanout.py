"""Prices from one connector to 1, 10 and 100 bots: how late each is, and how many a second there may be at most.

`python benchmarks/fanout.py [--exchange okx] [--seconds N]`. The simulated exchange is in this process, the connector
is one, all subscribers (a gRPC channel each, as bots have) are another. First 50 prices a second, then as many as go: a
connector passes the newest one on and skips what a subscriber has not taken yet. Ends with 1 where a target is missed.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bot"), str(ROOT)]

from opensqt.api.exchange import Exchange  # noqa: E402
from opensqt.connector.client import ExchangeClient  # noqa: E402
from tests.runtime.processes import exchange_process  # noqa: E402
from tests.venues.faces import FACES  # noqa: E402
from tests.venues.server import Face  # noqa: E402

SYMBOL = "BTC/USDT:USDT"
BOTS = (1, 10, 100)
RATE = 50.0
"""Prices a second of the steady part."""
LEAST_SHARE = 0.99
"""Target: of these prices so many reach each of a hundred bots."""
PATIENCE = 120.0


@dataclass(frozen=True)
class Figures:
    """Of one part: prices told, prices that came at all subscribers, and how late those were (ms)."""

    told: int
    came: int
    seconds: float
    lags: list[float]


async def subscribe(address: str, count: int) -> None:
    """Says for each second (and at once where asked) what has come: price, when. One line of JSON at the end."""
    heard: list[tuple[str, int]] = []
    ready = asyncio.Event()
    waiting = count

    async def follow() -> None:
        nonlocal waiting
        client, first = ExchangeClient(address), True
        async for message in client.watch_price(SYMBOL):
            if message.update is None:
                continue
            if first:
                first = False
                waiting -= 1
                if not waiting:
                    ready.set()
            heard.append((f"{message.update.last:f}", time.monotonic_ns()))

    tasks = [asyncio.create_task(follow()) for _ in range(count)]
    await ready.wait()
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(json.dumps(heard), flush=True)
        heard.clear()
    for task in tasks:
        task.cancel()


class Subscribers:
    """The process of all subscribers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stdout.readline()).decode()

    async def heard(self) -> list[tuple[str, int]]:
        """Since it was asked last."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return [(price, at) for price, at in json.loads(await self.line())]


@asynccontextmanager
async def subscribers(face: Face, address: str, count: int) -> AsyncIterator[Subscribers]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--subscribe", address, "--count", str(count), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, limit=2**28, env={**os.environ, "PYTHONPATH": f"{ROOT / 'bot'}:{ROOT}"},
    )  # fmt: skip
    made = Subscribers(child)
    ready = asyncio.create_task(made.line())
    try:
        while not ready.done():
            await face.price(face.btc.price)
            await asyncio.sleep(0.2)
        assert ready.result().strip() == "ready"
        yield made
    finally:
        ready.cancel()
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def part(face: Face, who: Subscribers, seconds: float, rate: float) -> Figures:
    """Tells prices for so long; a rate of 0 is as many as go."""
    await asyncio.sleep(0.5)
    await who.heard()
    told: dict[str, int] = {}
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        price = face.btc.price + (len(told) + 1) * face.btc.tick
        told[f"{price.normalize():f}"] = time.monotonic_ns()
        await face.price(price)
        await asyncio.sleep(max(0.0, len(told) / rate - elapsed) if rate else 0.0)
    await asyncio.sleep(1.0)
    lags = []
    for name, at in await who.heard():
        if _plain(name) in told:
            lags.append((at - told[_plain(name)]) / 1e6)
    return Figures(len(told), len(lags), seconds, lags)


def _plain(price: str) -> str:
    return price.rstrip("0").rstrip(".") if "." in price else price


async def run(exchange: Exchange, seconds: float) -> dict[int, tuple[Figures, Figures]]:
    figures = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opensqt-benchmark-")))
        face = FACES[exchange]()
        await face.start()
        stack.push_async_callback(face.stop)
        connector = await stack.enter_async_context(exchange_process(exchange, face.url, folder))
        for count in BOTS:
            async with subscribers(face, connector.address, count) as who:
                figures[count] = await part(face, who, seconds, RATE), await part(face, who, seconds, 0)
    return figures


def report(figures: dict[int, tuple[Figures, Figures]]) -> bool:
    """Prints the table; says whether the target is met."""
    print(f"{'':6}{f'{RATE:g} prices a second':>40}{'as many as go':>36}{'':8}")
    print(f"{'bots':>6}{'arrive':>10}{'p50 ms':>10}{'p99 ms':>10}{'told /s':>10}{'told /s':>12}{'a bot /s':>12}"
          f"{'in all /s':>12}{'ratio':>8}")  # fmt: skip
    one = figures[BOTS[0]][1]
    for count, (steady, most) in figures.items():
        in_all = most.came / most.seconds
        print(
            f"{count:>6}{steady.came / steady.told / count:>10.1%}{statistics.median(steady.lags):>10.2f}"
            f"{statistics.quantiles(steady.lags, n=100)[98]:>10.2f}{steady.told / steady.seconds:>10.1f}"
            f"{most.told / most.seconds:>12,.0f}{in_all / count:>12,.0f}{in_all:>12,.0f}"
            f"{in_all / (one.came / one.seconds):>8.2f}"
        )
    steady, _ = figures[BOTS[-1]]
    met = steady.came >= LEAST_SHARE * steady.told * BOTS[-1]
    print(f"{'met' if met else 'MISSED'}: {LEAST_SHARE:.0%} of {RATE:g} prices a second reach each of {BOTS[-1]} bots")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--exchange", type=Exchange, default=Exchange.BINANCE)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--subscribe", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.subscribe:
        asyncio.run(subscribe(chosen.subscribe, chosen.count))
        return 0
    return 0 if report(asyncio.run(run(chosen.exchange, chosen.seconds))) else 1


if __name__ == "__main__":
    sys.exit(main())
