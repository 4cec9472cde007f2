"""What a spot account holds: read again whenever the exchange says that it has changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal

import structlog

from opensqt.connector.ccxt_venue.dialect import Json, decimal
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.ccxt_venue.watching import follow
from opensqt.connector.venue import Gap, Position

log = structlog.get_logger(__name__)

PAUSE = 1.0
"""Between two reads, however often the exchange says that something has changed: every order that rests changes it."""
IDLE_SECONDS = 15.0
"""It is read so often at least."""


def positions_of(balance: Json, markets: Iterable[Json], now_us: int) -> list[Position]:
    """On spot the position is what there is of the base currency, in open orders or not; nobody knows its price."""
    return [
        Position(
            symbol=market["symbol"],
            quantity=decimal((balance.get(market["base"]) or {}).get("total")),
            entry_price=Decimal(0),
            unrealised_pnl=Decimal(0),
            leverage=1,
            time_us=now_us,
        )
        for market in markets
    ]


class Wallet:
    """ccxt's balance, read once for all who follow it. ccxt wakes those alone who wait when its message comes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._followers: set[asyncio.Queue[Json | Gap]] = set()
        self._newest: Json | None = None
        self._reader: asyncio.Task[None] | None = None

    async def follow(self) -> AsyncIterator[Json | Gap]:
        """The balance now, and after each change."""
        queue: asyncio.Queue[Json | Gap] = asyncio.Queue()
        self._followers.add(queue)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        elif self._newest is not None:
            queue.put_nowait(self._newest)
        try:
            while True:
                yield await queue.get()
        finally:
            self._followers.discard(queue)
            if not self._followers and self._reader is not None:
                reader, self._reader, self._newest = self._reader, None, None
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self) -> None:
        changed = asyncio.Event()
        listener = asyncio.create_task(self._listen(changed))
        try:
            while True:
                changed.clear()
                self._newest = await self._balance()
                self._tell(self._newest)
                await asyncio.sleep(PAUSE)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await changed.wait()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self, changed: asyncio.Event) -> None:
        async for news in follow(self._session, "balance", lambda exchange: exchange.watch_balance()):
            if isinstance(news, Gap):
                self._tell(news)
            changed.set()

    async def _balance(self) -> Json:
        while True:
            try:
                balance: Json = await self._session.read(lambda exchange: exchange.fetch_balance())
            except CallError as error:
                log.info("balance_unknown", message=error.failure.message)
                await asyncio.sleep(max(1.0, error.failure.retry_after_ms / 1000))
            else:
                return balance

    def _tell(self, item: Json | Gap) -> None:
        for queue in self._followers:
            queue.put_nowait(item)
