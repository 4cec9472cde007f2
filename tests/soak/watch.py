"""What is looked at while a soak lasts, the table of it, and what must not be."""

import asyncio
import os
import time
from decimal import Decimal

import grpc

from opensqt.exchange.v1 import exchange_pb2 as pb
from opensqt.exchange.v1 import exchange_pb2_grpc as stubs
from tests.soak import books
from tests.soak.fleet import Fleet, KeptBot
from tests.soak.judges import percentile
from tests.soak.market import SoakMarket
from tests.soak.storm import Storm

LOOK_SECONDS = 2.0
ROW_SECONDS = 15.0
HEAL_SECONDS = 90.0
"""Within so long each stream brings news again, after whatever: 30 s of silence, or two pings without an answer, until
it is noticed, then a new connection with a growing pause between tries."""
STREAMS_A_BOT = 4


class Watch:
    """`breaches` are what must never be, each said once."""

    def __init__(self, market: SoakMarket, fleet: Fleet, storm: Storm, dsn: str) -> None:
        self._market, self._fleet, self._storm, self._dsn = market, fleet, storm, dsn
        self.breaches: dict[str, None] = {}
        self.lags: list[float] = []
        """Seconds from a price to a bot that has it, at each look."""
        self.longest_silence = 0.0
        self.fills = 0
        self._started = time.monotonic()
        self._row_at = self._started
        self._moves = 0
        self._lags_of_row: list[float] = []
        self._silence_of_row = 0.0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._report())

    def breach(self, *messages: str) -> None:
        for message in messages:
            if message not in self.breaches:
                self.breaches[message] = None
                print(f"BREACH at {time.monotonic() - self._started:.0f} s: {message}", flush=True)  # noqa: T201

    async def compare(self) -> books.Differences:
        """Exchange and journals, now."""
        journal = await books.read(self._dsn)
        differences = books.compare_fills(self._market.face, self._fleet.bots, journal)
        self.breach(*differences.breaches, *books.order_breaches(self._market.face, self._fleet.bots))
        self.fills = differences.fills
        return differences

    async def _look(self) -> None:
        while True:
            await asyncio.gather(*(self._look_at(bot) for bot in self._fleet.bots))
            for kept in self._fleet.all:
                kept.measure()
                self.breach(*kept.deaths)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_at(self, bot: KeptBot) -> None:
        status = await bot.status()
        if status is None or not status.last_price:
            return
        age = bot.walk.age(Decimal(status.last_price))
        up = time.monotonic() - max(bot.since, self._fleet.connector.since)
        silent = min(up, age if age is not None else up)
        self._silence_of_row = max(self._silence_of_row, silent)
        self.longest_silence = max(self.longest_silence, silent)
        if age is not None and status.probes and all(probe.healthy for probe in status.probes):
            self.lags.append(age)
            self._lags_of_row.append(age)
        if silent > HEAL_SECONDS:
            self.breach(f"{bot.name} has had no price for {HEAL_SECONDS:.0f} s")

    async def _report(self) -> None:
        print(_HEAD, flush=True)  # noqa: T201
        while True:
            await asyncio.sleep(ROW_SECONDS)
            differences = await self.compare()
            print(self._row(differences), flush=True)  # noqa: T201

    def _row(self, differences: books.Differences) -> str:
        now, face = time.monotonic(), self._market.face
        moves = sum(walk.moves for walk in self._market.walks.values())
        rate = (moves - self._moves) / len(self._market.walks) / (now - self._row_at)
        self._moves, self._row_at = moves, now
        bots = [bot.samples[-1].mebibytes for bot in self._fleet.bots if bot.samples]
        connector = self._fleet.connector
        lags, self._lags_of_row = self._lags_of_row, []
        silence, self._silence_of_row = self._silence_of_row, 0.0
        return (
            f"{now - self._started:6.0f}{rate:10.1f}{len(face.core.orders):8}{len(face.core.open_orders()):6}"
            f"{differences.fills:7}{differences.waiting:6}"
            f"{sum(self._storm.struck.values()):8}{connector.kills:4}{sum(bot.kills for bot in self._fleet.bots):4}"
            f"{1000 * percentile(lags, 0.5):8.0f}{1000 * percentile(lags, 0.99):8.0f}{silence:9.1f}"
            f"{connector.samples[-1].mebibytes if connector.samples else 0:7.0f}{max(bots, default=0):6.0f}"
            f"{os.getloadavg()[0]:6.1f}{len(self.breaches):5}"
        )


_HEAD = (
    f"{'':6}{'prices/s':>10}{'':8}{'':6}{'':7}{'':6}{'':8}{'killed':>8}{'price to bot, ms':>16}{'silence':>9}"
    f"{'resident MiB':>13}\n"
    f"{'s':>6}{'a symbol':>10}{'orders':>8}{'open':>6}{'fills':>7}{'late':>6}{'faults':>8}{'xc':>4}{'bot':>4}"
    f"{'p50':>8}{'p99':>8}{'s':>9}{'xc':>7}{'bot':>6}{'load':>6}{'bad':>5}"
)


def topics(market: SoakMarket) -> list[str]:
    """What is subscribed to on connections that are alive."""
    alive = [one for one in market.face.connections if not one.frozen and not one.silent]
    return sorted(str(topic) for connection in alive for topic in connection.topics)


async def streams_of(fleet: Fleet) -> int:
    """Open streams at the connector; 0 where it does not answer."""
    async with grpc.aio.insecure_channel(fleet.address) as channel:
        try:
            stub = stubs.ExchangeServiceStub(channel)
            return (await stub.GetConnectorStatus(pb.GetConnectorStatusRequest(), timeout=10)).subscribers
        except grpc.aio.AioRpcError:
            return 0


async def healthy(fleet: Fleet) -> list[str]:
    """What is not well yet."""
    found = []
    for bot in fleet.bots:
        status = await bot.status()
        if status is None:
            found.append(f"{bot.name} does not answer")
        else:
            found += [f"{bot.name}: {probe.name} {probe.reason}" for probe in status.probes if not probe.healthy]
            if status.breaker.open:
                found.append(f"{bot.name}: breaker {status.breaker.reason}")
    return found
