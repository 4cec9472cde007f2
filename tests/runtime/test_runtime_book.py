"""What a snapshot of the bot shows of its trades."""

from dataclasses import replace

import pytest

from opensqt.api.gridbot import GridBotSpec
from opensqt.engine.actions import OrderSide, Place
from opensqt.engine.config import EngineConfig
from opensqt.engine.engine import Engine
from opensqt.engine.events import Configured, Event, Goal, OrderFilled, OrderReported, OrderState, PriceChanged, Started
from opensqt.engine.replay import Decision
from opensqt.exchange.v1 import exchange_pb2
from opensqt.journal.journal import Journal
from opensqt.journal.reader import JournalledFill, JournalReader
from opensqt.runtime.book import Book
from opensqt.runtime.translation import market_of
from tests.runtime.harness import UID, spec
from tests.runtime.simulated_venue import RULES, SYMBOL

MARKET = market_of(RULES)
NO_DSN = ""


class Short:
    """A short bot that has entered at its first level."""

    def __init__(self, dsn: str = NO_DSN) -> None:
        config = EngineConfig.from_spec(GridBotSpec.model_validate(spec(side="Short", leverage=5)), MARKET)
        self.engine = Engine(MARKET, UID)
        self.book = Book(self.engine, MARKET, UID, "USDT", dsn)
        self.decisions: list[Decision] = []
        self.take(Started(1, 1, MARKET), Configured(1, 1, Goal.RUN, config))
        self.entry = next(place for place in self.take(PriceChanged(2, 400_000)) if isinstance(place, Place))
        entry = self.entry
        self.fill = OrderFilled(3, entry.client_id, "t1", entry.price or 0, entry.lots, 0, True, side=entry.side)
        self.take(OrderReported(3, self.entry.client_id, OrderState.OPEN, 0), self.fill)

    def take(self, *events: Event) -> list[object]:
        done = [Decision(event, self.engine.on(event)) for event in events]
        self.decisions += done
        actions = [action for decision in done for action in decision.actions or ()]
        self.book.committed(events)
        return list(actions)


async def test_a_short_bot_enters_by_selling() -> None:
    bot = Short()
    assert bot.entry.side is OrderSide.SELL
    (shown,) = await bot.book.fills(10)
    assert (shown.side, shown.trade_id, shown.client_id) == (exchange_pb2.SIDE_SELL, "t1", bot.entry.client_id)


async def test_a_trade_is_shown_once_and_a_stranger_s_never() -> None:
    bot = Short()
    bot.book.committed([bot.fill, OrderFilled(4, "another", "t2", 1, 1, 0, True)])
    assert [fill.trade_id for fill in await bot.book.fills(10)] == ["t1"]
    assert await bot.book.fills(0) == []


@pytest.fixture
async def earlier(postgres_dsn: str) -> Short:
    """Its trade is in the journal."""
    bot = Short(postgres_dsn)
    journal = await Journal.open(postgres_dsn, bot_uid=UID, namespace="test", name="bot", symbol=SYMBOL)
    try:
        await journal.append(bot.decisions)
    finally:
        await journal.close()
    return bot


async def test_an_earlier_instance_s_trades_come_from_the_journal(earlier: Short, postgres_dsn: str) -> None:
    again = Book(earlier.engine, MARKET, UID, "USDT", postgres_dsn)
    (shown,) = await again.fills(10)
    assert (shown.side, shown.trade_id) == (exchange_pb2.SIDE_SELL, "t1")


async def test_a_trade_that_is_committed_while_the_journal_is_read_is_shown(
    earlier: Short, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Book(earlier.engine, MARKET, UID, "USDT", postgres_dsn)
    read = JournalReader.recent_fills

    async def meanwhile(reader: JournalReader, bot_uid: str, limit: int) -> list[JournalledFill]:
        found = await read(reader, bot_uid, limit)
        again.committed([earlier.fill, replace(earlier.fill, trade_id="t2")])
        return found

    monkeypatch.setattr(JournalReader, "recent_fills", meanwhile)
    assert [fill.trade_id for fill in await again.fills(10)] == ["t1", "t2"]
