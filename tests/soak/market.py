"""The simulated exchange of a soak: its symbols' prices walk at random, and are told at a steady rate."""

import asyncio
import random
import time
from collections import deque
from contextlib import suppress
from decimal import Decimal

from opensqt.api.exchange import Exchange
from tests.venues.faces import FACES
from tests.venues.limits import Meter
from tests.venues.listing import Listing
from tests.venues.server import Face

BALANCE = Decimal(1_000_000)
SPACING = Decimal("0.002")
"""The narrowest grid's step, as a share of the price."""
PACE = 0.07
"""Standard deviation of a move, in steps of that grid: at 50 moves a second a step is crossed in four seconds or so."""
PULL = 0.0006
"""What of the way back to the middle is gone at each move: the price stays within a few steps of it."""
FORGET_SECONDS = 10.0
REMEMBERED = 20_000
BYBIT_WINDOW = 5.0
"""Seconds in which an address has 600 requests there."""


class Walk:
    """One symbol's price."""

    def __init__(self, listing: Listing, seed: int) -> None:
        self.listing = listing
        self.told: deque[tuple[float, Decimal]] = deque(maxlen=REMEMBERED)
        """When (monotonic) which price was told."""
        self.moves = 0
        self.started = 0.0
        self.rate = 0.0
        """Prices a second, in the end."""
        self._random = random.Random(f"{seed} {listing.symbol}")  # noqa: S311 - a market, not a secret
        self._away = 0.0

    @property
    def step(self) -> Decimal:
        """The narrowest grid's step."""
        return (self.listing.price * SPACING).quantize(self.listing.tick)

    def next(self) -> Decimal:
        self._away += self._random.gauss(0.0, PACE) - self._away * PULL
        price = self.listing.price + self.step * Decimal(f"{self._away:.6f}")
        return (price / self.listing.tick).quantize(Decimal(1)) * self.listing.tick

    def age(self, price: Decimal) -> float | None:
        """Seconds since this price was last told; None where it never was, as far as is remembered."""
        now = time.monotonic()
        return next((now - at for at, told in reversed(self.told) if told == price), None)


class SoakMarket:
    """Moves every symbol `rate` times a second until it is stopped."""

    def __init__(self, exchange: Exchange, seed: int, rate: float) -> None:
        self.face: Face = FACES[exchange]()
        self.face.core.set_balance(BALANCE)
        if exchange is Exchange.BYBIT:
            self.face.meter = Meter(self.face.meter.limit, BYBIT_WINDOW)
        self.walks = {
            listing.symbol: Walk(listing, seed) for listing in self.face.core.listings.values() if not listing.spot
        }
        self._rate = rate
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`; a move that is being told is told to the end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forget())
            for number, walk in enumerate(self.walks.values()):
                tasks.create_task(self._move(walk, number / len(self.walks) / self._rate))

    async def _move(self, walk: Walk, offset: float) -> None:
        walk.started = due = time.monotonic() + offset
        while not self._stopping.is_set():
            # A machine that cannot keep up tells fewer prices, not all that were due at once.
            due = max(due + 1 / self._rate, time.monotonic() - 1 / self._rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            price = walk.next()
            walk.moves += 1
            walk.told.append((time.monotonic(), price))
            await self.face.price(price, walk.listing)

    def stop(self) -> None:
        """The prices stay where they are; the exchange goes on."""
        self._stopping.set()
        for walk in self.walks.values():
            walk.rate = walk.moves / (time.monotonic() - walk.started)

    async def _forget(self) -> None:
        """What the simulator keeps for tests would grow for ever; Binance's order counts are of ten seconds."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FORGET_SECONDS):
                    await self._stopping.wait()
            self.face.calls.clear()
            self.face.heard.clear()
