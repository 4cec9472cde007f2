"""`make soak`: many bots on one connector, for long, while exchange, network and processes misbehave.

This process is the simulated exchange; connector, bots and PostgreSQL are processes of their own. Ends with 1 where
anything is missed, doubled, grows, or does not heal.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import structlog

from opensqt.api.exchange import Exchange
from opensqt.journal.embedded import EmbeddedPostgres
from tests.soak import books
from tests.soak.fleet import Fleet
from tests.soak.judges import flat, growth, longest_life, percentile
from tests.soak.market import SoakMarket
from tests.soak.storm import Storm
from tests.soak.watch import HEAL_SECONDS, STREAMS_A_BOT, Watch, healthy, streams_of, topics

PATIENCE = 600.0
"""Seconds until start and end count as failed."""
RATE = 50.0
CONNECTOR_KILLS = (0.08, 0.16, 0.24, 0.95)
"""As shares of the storm; the long life in between is judged for its memory."""
CALM_SECONDS = 45.0
CALM_LAG_SECONDS = 10.0
"""A fill that took longer, when all is calm, was not told by a stream."""
BOT_KILLS = 60.0
"""Seconds between two, on average."""
LEAST_RATE = 0.9


async def until(condition: Callable[[], Awaitable[list[str]]], what: str, seconds: float) -> list[str]:
    """What is still wrong after so long; nothing where it came to be well."""
    end = time.monotonic() + seconds
    while wrong := await condition():
        if time.monotonic() > end:
            return [f"{what} after {seconds:.0f} s: {one}" for one in wrong]
        await asyncio.sleep(1)
    return []


class Soak:
    def __init__(self, market: SoakMarket, fleet: Fleet, storm: Storm, watch: Watch, dsn: str) -> None:
        self._market, self._fleet, self._storm, self._watch, self._dsn = market, fleet, storm, watch, dsn
        self._calm_ms = 0.0

    async def run(self, seconds: float, seed: int) -> None:
        watch, fleet = self._watch, self._fleet
        async with asyncio.TaskGroup() as tasks:
            moving, running = tasks.create_task(self._market.run()), tasks.create_task(fleet.run())
            watch.breach(*await until(lambda: self._up(set()), "not started", PATIENCE))
            subscribed = topics(self._market)
            watching = tasks.create_task(watch.run())
            striking = [
                tasks.create_task(self._storm.run()),
                tasks.create_task(fleet.kill_bots(BOT_KILLS, seed)),
                tasks.create_task(fleet.kill_connector([share * seconds for share in CONNECTOR_KILLS])),
            ]
            await asyncio.sleep(seconds)
            for task in striking:
                task.cancel()
            self._storm.end()
            await self._calm(subscribed)
            watching.cancel()
            self._market.stop()
            await moving
            await self._end()
            running.cancel()

    async def _calm(self, subscribed: list[str]) -> None:
        """All streams come back, and tell what happens."""
        watch = self._watch
        print(f"the storm is over: {dict(self._storm.struck)}", flush=True)  # noqa: T201
        watch.breach(*await until(lambda: self._up(set(subscribed)), "not healed", HEAL_SECONDS))
        self._calm_ms = time.time() * 1000
        await asyncio.sleep(CALM_SECONDS)
        watch.breach(*await until(lambda: self._as_before(subscribed), "subscriptions not as before", HEAL_SECONDS))

    async def _end(self) -> None:
        """No more prices: exchange and journals come to have the same."""
        watch = self._watch
        watch.breach(*await until(self._settled, "not settled", PATIENCE))
        await watch.compare()
        lags = [fill.lag for fill in await books.read(self._dsn) if fill.time_ms > self._calm_ms]
        if not lags or max(lags) > CALM_LAG_SECONDS:
            watch.breach(f"of {len(lags)} fills in the calm the slowest took {max(lags, default=0):.1f} s")
        await self._report()

    async def _as_before(self, subscribed: list[str]) -> list[str]:
        """Nothing is followed twice either."""
        now = topics(self._market)
        return [] if now == subscribed else [f"{now}, at the start {subscribed}"]

    async def _up(self, subscribed: set[str]) -> list[str]:
        wrong = await healthy(self._fleet)
        wanted, found = len(self._fleet.bots) * STREAMS_A_BOT, await streams_of(self._fleet)
        if found != wanted:
            wrong.append(f"the connector has {found} streams, not {wanted}")
        missing = subscribed - set(topics(self._market))
        return [*wrong, *(f"nobody is subscribed to {topic}" for topic in missing)]

    async def _settled(self) -> list[str]:
        """Positions and open orders of the bots are those of the exchange, and no fill waits."""
        face, wrong = self._market.face, []
        for symbol, walk in self._market.walks.items():
            bots = [bot for bot in self._fleet.bots if bot.walk is walk]
            statuses = [await bot.status() for bot in bots]
            held = sum((books.decimal(status.position) for status in statuses if status), books.decimal("0"))
            there = face.core.position(walk.listing).quantity
            if held != there:
                wrong.append(f"{symbol}: the bots hold {held}, the account {there}")
            for bot, status in zip(bots, statuses, strict=True):
                known = status.open_buys + status.open_sells if status else -1
                resting = [one for one in face.core.open_orders() if one.client_id.startswith(bot.prefix)]
                if known != len(resting):
                    wrong.append(f"{bot.name} knows of {known} orders, {len(resting)} rest")
        waiting = (await self._watch.compare()).waiting
        return [*wrong, *([f"{waiting} fills are not in the journals"] if waiting else [])]

    async def _report(self) -> None:
        watch, fleet = self._watch, self._fleet
        fills = sorted(await books.read(self._dsn), key=lambda fill: fill.lag)
        lags = [fill.lag for fill in fills]
        rate = min(walk.rate for walk in self._market.walks.values())
        print(f"\nprices a second and symbol: {rate:.1f} of {RATE:g}")  # noqa: T201
        print(f"fills: {watch.fills}, each in its bot's journal once; price to bot p50 "  # noqa: T201
              f"{1000 * percentile(watch.lags, 0.5):.0f} ms, p99 {1000 * percentile(watch.lags, 0.99):.0f} ms; "
              f"longest without a price {watch.longest_silence:.0f} s")  # fmt: skip
        print(f"fill to journal: p50 {percentile(lags, 0.5):.3f} s, p99 {percentile(lags, 0.99):.1f} s, "  # noqa: T201
              f"longest {max(lags, default=0):.1f} s")  # fmt: skip
        for fill in fills[-3:]:
            at = datetime.fromtimestamp(fill.time_ms / 1000, UTC)
            print(f"  {fill.lag:.1f} s: {fill.client_id} at {at:%H:%M:%S.%f}")  # noqa: T201
        if rate < RATE * LEAST_RATE:
            watch.breach(f"only {rate:.1f} prices a second and symbol were reached")
        for kept in fleet.all:
            grown = growth(longest_life(kept.samples))
            if grown is None:
                print(f"{kept.name}: lived too short to judge its memory")  # noqa: T201
                continue
            print(f"{kept.name}: {grown[0]:.1f} MiB, later {grown[1]:.1f} MiB")  # noqa: T201
            if not flat(*grown):
                watch.breach(f"{kept.name} has grown from {grown[0]:.1f} to {grown[1]:.1f} MiB")


async def soak(exchange: Exchange, minutes: float, bots: int, seed: int, logs: Path, folder: Path) -> bool:
    """Whether all was well."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        market = SoakMarket(exchange, seed, RATE)
        await market.face.start()
        stack.push_async_callback(market.face.stop)
        fleet = Fleet(market, exchange, postgres.dsn, logs, bots)
        watch = Watch(market, fleet, storm := Storm(market.face, seed), postgres.dsn)
        await Soak(market, fleet, storm, watch, postgres.dsn).run(minutes * 60, seed)
    print(json.dumps({"breaches": list(watch.breaches)}, indent=1))  # noqa: T201
    return not watch.breaches


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--exchange", type=Exchange, default=Exchange.BINANCE)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--bots", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, help="a folder that keeps the processes' logs")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(f"{chosen.exchange.value}, {chosen.bots} bots, {chosen.minutes:g} minutes, seed {chosen.seed}, "  # noqa: T201
          f"load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="opensqt-soak-") as temporary:
        logs = chosen.logs or Path(temporary)
        logs.mkdir(parents=True, exist_ok=True)
        good = asyncio.run(soak(chosen.exchange, chosen.minutes, chosen.bots, chosen.seed, logs, Path(temporary)))
    print("held" if good else "FAILED")  # noqa: T201
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
