"""The open paper exchange: matching engine, markets, books and feeds as one."""

import asyncio
from collections.abc import Awaitable, Container, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from opensqt.connector.paper.books import Books
from opensqt.connector.paper.commits import GroupCommit, Update
from opensqt.connector.paper.feeds import Feed
from opensqt.connector.paper.funding import PaperFunding
from opensqt.connector.paper.klines import INTERVALS, klines_of
from opensqt.connector.paper.markets import Markets
from opensqt.connector.paper.matching import Matching
from opensqt.connector.paper.orders import PaperFill, PaperOrder
from opensqt.connector.paper.seen import SeenIds
from opensqt.connector.paper.tape import STEPS
from opensqt.connector.venue import (
    Account,
    Failure,
    Kline,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    VenueError,
    VenueFill,
    VenueOrder,
)
from opensqt.engine.events import Remedy
from opensqt.engine.market import DUST, from_money
from opensqt.journal.errors import JournalError

T = TypeVar("T")
ACCOUNT = "account"
Outcome = VenueOrder | Failure


class Feeds:
    """By symbol; klines by symbol and interval; the account by `ACCOUNT`."""

    def __init__(self) -> None:
        self.prices: Feed[Price] = Feed()
        self.orders: Feed[OrderUpdate] = Feed()
        self.positions: Feed[Position] = Feed()
        self.accounts: Feed[Account] = Feed()
        self.klines: Feed[Kline] = Feed()


class PaperExchange:
    """Answers are given when what they say is durable. `commits` and `markets` are set by `attach`."""

    commits: GroupCommit
    markets: Markets

    def __init__(self, matching: Matching, books: Books, seen: SeenIds, feeds: Feeds, currency: str) -> None:
        self.matching = matching
        self.feeds = feeds
        self.currency = currency
        self._doubting = asyncio.Lock()
        self._books = books
        self._seen = seen
        self._holdings = matching.account.holdings

    def price(self, symbol: str) -> Price | None:
        """The last price; None before the first."""
        holding = self._holdings[symbol]
        if not holding.last:
            return None
        last = holding.last * holding.instrument.tick_size
        return Price(symbol, last, last, last, self.markets.place_of(symbol))

    def account(self) -> Account:
        account = self.matching.account
        equity = account.equity
        return Account(
            currency=self.currency,
            equity=from_money(equity),
            available=from_money(max(0, account.available)),
            wallet_balance=from_money(account.balance),
            time_us=self.matching.time_us,
        )

    def position(self, symbol: str) -> Position:
        holding = self._holdings[symbol]
        instrument = holding.instrument
        lots = holding.lots + Decimal(holding.dust) / DUST
        entry = holding.cost * instrument.tick_size / lots if lots else 0 * instrument.tick_size
        return Position(
            symbol=symbol,
            quantity=lots * instrument.lot_size,
            entry_price=entry,
            unrealised_pnl=from_money(holding.unrealised),
            leverage=holding.leverage,
            time_us=self.matching.time_us,
        )

    def open_orders(self, symbol: str) -> list[VenueOrder]:
        orders = [order for order in self.matching.open.values() if order.instrument.symbol == symbol]
        return [order.to_venue() for order in orders]

    def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        """The newest candles of what has been played, oldest first."""
        tape = self.markets.tapes[symbol]
        if not tape.played:
            return []
        start = max(0, tape.played - limit * INTERVALS[interval] * STEPS)
        return klines_of(tape, self._holdings[symbol].instrument, interval, start, tape.played)[-limit:]

    async def order(self, symbol: str, client_id: str) -> tuple[PaperOrder, list[PaperFill]] | None:
        """Whatever became of the order; None where there never was one."""
        return await _read(self._books.order(symbol, client_id, self._holdings[symbol].instrument))

    async def fills(self, symbol: str, since_us: int) -> list[PaperFill]:
        return await _read(self._books.fills(self._holdings[symbol].instrument, since_us))

    async def funding(self, symbol: str, since_us: int) -> list[PaperFunding]:
        return await _read(self._books.funding(self._holdings[symbol].instrument, since_us))

    async def updates_after(self, symbol: str, prefix: str, step: int) -> list[OrderUpdate]:
        """The funding and fills after a step, and their orders, of the client ids that start with `prefix`."""
        instrument = self._holdings[symbol].instrument
        orders, fills = await _read(self._books.filled_after(instrument, prefix, step))
        paid = [payment for payment in await self.funding(symbol, 0) if payment.step > step]
        funding = [payment.to_venue() for payment in paid]
        return [*funding, *(fill.to_venue() for fill in fills), *(order.to_venue() for order in orders)]

    async def place(self, orders: Sequence[NewOrder]) -> list[Outcome]:
        if doubtful := [order.client_id for order in orders if self._seen.add(order.client_id)]:
            # One after the other: while the books are asked, no other call may use the same id.
            async with self._doubting:
                used = await self._used_before(doubtful)
                outcomes = [self._place(order, used) for order in orders]
        else:
            outcomes = [self._place(order, ()) for order in orders]
        await self.commits.commit()
        return outcomes

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[Outcome]:
        outcomes = [self.matching.cancel(symbol, client_id) for client_id in client_ids]
        await self.commits.commit()
        return outcomes

    async def set_leverage(self, symbol: str, leverage: int) -> Failure | None:
        failure = self.matching.set_leverage(symbol, leverage)
        await self.commits.commit()
        return failure

    def tell(self, updates: Iterable[Update]) -> None:
        """Tells what is durable, and what follows from it for account and positions."""
        feeds = self.feeds
        traded: dict[str, None] = {}
        changed = False
        for update in updates:
            if isinstance(update, Price):
                feeds.prices.tell(update.symbol, update)
                continue
            changed = True
            feeds.orders.tell(update.symbol, update)
            if isinstance(update, VenueFill):
                traded[update.symbol] = None
        for symbol in traded:
            feeds.positions.tell(symbol, self.position(symbol))
        if changed:
            self.tell_account()

    def tell_account(self) -> None:
        if self.feeds.accounts.heard(ACCOUNT):
            self.feeds.accounts.tell(ACCOUNT, self.account())

    def tell_values(self) -> None:
        """Tells account and positions, whose worth follows the prices."""
        self.tell_account()
        for symbol in self.feeds.positions.subjects():
            # Nothing held is news too: a bot may think that there is something.
            self.feeds.positions.tell(symbol, self.position(symbol))

    def played(self, symbol: str, start: int, end: int) -> None:
        """Takes note of a market's new place, and tells its klines."""
        self.commits.moved(symbol)
        if self.feeds.prices.heard(symbol) and (price := self.price(symbol)):
            self.matching.changes.updates.append(price)
        for subject in self.feeds.klines.subjects():
            if subject[0] == symbol and not self.markets.tapes[symbol].live:
                tape, instrument = self.markets.tapes[symbol], self._holdings[symbol].instrument
                for kline in klines_of(tape, instrument, subject[1], start, end):
                    self.feeds.klines.tell(subject, kline)

    async def _used_before(self, client_ids: list[str]) -> set[str]:
        await self.commits.settled()
        return await _read(self._books.known(client_ids))

    def _place(self, order: NewOrder, used: Container[str]) -> Outcome:
        client_id, matching = order.client_id, self.matching
        if client_id in used or client_id in matching.open or client_id in matching.changes.placed:
            return Failure(Remedy.DUPLICATE, f"client id {client_id} was used before: look it up")
        return matching.place(order)


async def _read(answer: Awaitable[T]) -> T:
    """What the books answer; raises `VenueError` (RETRY) where they do not."""
    try:
        return await answer
    except JournalError as error:
        raise VenueError(Failure(Remedy.RETRY, f"the paper exchange's books: {error}", retry_after_ms=1000)) from None
