"""The journal's fills in decimals, each once."""

from dataclasses import dataclass
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
    """One bot's fills: `newer` returns what has come after `last`, and since it was last asked."""

    bot_uid: str
    market: Market
    last: JournalledFill | None = None

    async def newer(self, reader: JournalReader) -> list[Fill]:
        """Raises JournalError; then it was not asked."""
        fills: list[JournalledFill] = []
        last = self.last
        while page := await reader.fills(self.bot_uid, after=last, limit=_PAGE):
            fills += page
            last = page[-1]
        self.last = last
        return [in_decimals(fill, self.market) for fill in fills]


def in_decimals(fill: JournalledFill, market: Market) -> Fill:
    return Fill(
        time_us=fill.time,
        side=fill.side or "",
        price=market.from_ticks(fill.price),
        quantity=market.from_lots(fill.lots),
        fee=from_money(fill.fee),
        maker=fill.maker,
        client_id=fill.client_id,
        trade_id=fill.trade_id,
    )
