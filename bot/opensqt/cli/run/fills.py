"""The journal's fills in decimals, each once."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.engine.market import Market, from_money
from opensqt.journal.reader import JournalledFill, JournalReader

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Fill:
    """Price in quote currency, quantity in base currency, fee paid in quote currency, market time in microseconds."""

    time_us: int
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    maker: bool
    client_id: str
    trade_id: str


@dataclass(slots=True)
class FillLog:
    """One bot's fills: `newer` returns what has come since it was last asked."""

    reader: JournalReader
    bot_uid: str
    market: Market
    _last: JournalledFill | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def recent(self, limit: int) -> list[Fill]:
        """The last ones, oldest first; `newer` goes on after them. Raises JournalError."""
        async with self._lock:
            fills = await self.reader.recent_fills(self.bot_uid, limit)
            self._last = fills[-1] if fills else None
            return [self._in_decimals(fill) for fill in fills]

    async def newer(self) -> list[Fill]:
        """Raises JournalError."""
        async with self._lock:
            fills: list[JournalledFill] = []
            while page := await self.reader.fills(self.bot_uid, after=self._last, limit=_PAGE):
                fills += page
                self._last = page[-1]
            return [self._in_decimals(fill) for fill in fills]

    def _in_decimals(self, fill: JournalledFill) -> Fill:
        return Fill(
            time_us=fill.time,
            side=fill.side or "",
            price=self.market.from_ticks(fill.price),
            quantity=self.market.from_lots(fill.lots),
            fee=from_money(fill.fee),
            maker=fill.maker,
            client_id=fill.client_id,
            trade_id=fill.trade_id,
        )
