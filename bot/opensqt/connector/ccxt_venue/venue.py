"""One account at one of the five exchanges, as a `Venue`."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import structlog

from opensqt.api.exchange import MarketKind
from opensqt.connector.ccxt_venue import convert
from opensqt.connector.ccxt_venue.account_reads import AccountReads
from opensqt.connector.ccxt_venue.budget import Priority
from opensqt.connector.ccxt_venue.dead_man_switch import DeadManSwitch
from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.fills import Fills
from opensqt.connector.ccxt_venue.funding import FundingHistory
from opensqt.connector.ccxt_venue.lookups import LookUps
from opensqt.connector.ccxt_venue.market_rules import MarketRules
from opensqt.connector.ccxt_venue.rights import weaknesses
from opensqt.connector.ccxt_venue.session import CURRENCY, CallError, Session
from opensqt.connector.ccxt_venue.streams import Streams
from opensqt.connector.ccxt_venue.trading import Trading
from opensqt.connector.ccxt_venue.wallet import Wallet, positions_of
from opensqt.connector.ccxt_venue.watching import merge
from opensqt.connector.venue import (
    Account,
    Capabilities,
    Failure,
    FundingPayment,
    Gap,
    Kline,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    SymbolRules,
    VenueError,
    VenueFill,
    VenueHealth,
    VenueOrder,
)
from opensqt.engine.events import Remedy

log = structlog.get_logger(__name__)

ACCOUNT_SECONDS = 15.0
"""The account is read so often at least; unrealised profit moves without a message."""
MODE_SECONDS = 60.0
"""For so long it is believed that the account is in one-way mode."""


class CcxtVenue:
    """Linear perpetuals in USDT, one-way position mode, cross margin; or spot against USDT: base currency is held."""

    def __init__(self, session: Session, dead_man_switch: DeadManSwitch) -> None:
        self.name = session.dialect.profile.name
        self._session = session
        self._dead_man_switch = dead_man_switch
        self._noted: tuple[object, ...] = ()
        self._capabilities = session.dialect.profile.capabilities
        self._look_ups = LookUps(session)
        self._trading = Trading(session, self._look_ups)
        self._fills = Fills(session)
        self._funding = FundingHistory(session, self._market)
        self._spot = session.dialect.profile.spot
        self._wallet = Wallet(session)
        self._streams = Streams(session, self._fills, self._funding, self._market)
        self._leverage: dict[str, int] = {}
        self._one_way_until: dict[str, float] = {}
        self._asking_mode = asyncio.Lock()
        self._rules = MarketRules(session)
        self._reads = AccountReads(session)

    @property
    def capabilities(self) -> Capabilities:
        switch, rights = self._dead_man_switch, self._session.rights
        noted = switch.active, switch.weaknesses, rights
        if noted != self._noted:
            self._noted = noted
            known = self._session.dialect.profile.capabilities
            found = switch.weaknesses + weaknesses(rights) + known.weaknesses
            self._capabilities = replace(known, dead_man_switch=switch.active, weaknesses=found)
        return self._capabilities

    async def open(self) -> None:
        await self._session.open()
        self._dead_man_switch.start()

    async def close(self) -> None:
        await self._dead_man_switch.stop()
        await self._session.close()

    def health(self) -> VenueHealth:
        return self._session.health

    async def health_changed(self) -> None:
        await self._session.health_changed()

    async def symbols(self, symbols: Sequence[str]) -> list[SymbolRules]:
        await self._session.read(_nothing)
        names = symbols or [name for name, market in self._session.exchange.markets.items() if self._served(market)]
        rules = [convert.rules(self._market(name)) for name in names]
        return [await self._rules.complete(rule) for rule in rules] if symbols else rules

    async def account(self) -> Account:
        balance = await self._reads.balance()
        return self._session.dialect.account(balance, CURRENCY, self._session.now_us())

    async def positions(self, symbols: Sequence[str]) -> list[Position]:
        if self._spot:
            return await self._holdings(symbols)
        markets = [await self._checked(symbol) for symbol in symbols]
        found = await self._reads.positions(symbols)
        now_us = self._session.now_us()
        known = {
            position["symbol"]: convert.position_of(position, self._market(position["symbol"]), now_us)
            for position in found
            if self._served(self._session.exchange.markets.get(position["symbol"]) or {})
        }
        for market in markets:
            symbol = market["symbol"]
            flat = Position(symbol, Decimal(0), Decimal(0), Decimal(0), 0, now_us)
            found_leverage = known.setdefault(symbol, flat).leverage
            if not found_leverage:  # Gate says 0 in cross margin
                known[symbol] = replace(known[symbol], leverage=self._leverage.get(symbol, 0))
        return [known[symbol] for symbol in symbols] if symbols else list(known.values())

    async def _holdings(self, symbols: Sequence[str]) -> list[Position]:
        """On spot; without symbols what is held of those that are served.

        What it has cost nobody knows: as the entry price of the symbols named stands what it is worth now.
        """
        named = [await self._checked(symbol) for symbol in symbols]
        balance = await self._reads.balance()
        markets = named or [market for market in self._session.exchange.markets.values() if self._served(market)]
        found = positions_of(balance, markets, self._session.now_us())
        held = [position for position in found if position.quantity]
        return [await self._priced(position) for position in found] if named else held

    async def _priced(self, position: Position) -> Position:
        if not position.quantity:
            return position
        ticker = await self._session.read(lambda exchange: exchange.fetch_ticker(position.symbol))
        price = convert.price_of(ticker, position.time_us)
        return position if price is None else replace(position, entry_price=price.last)

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        market = await self._checked(symbol)
        found = await self._look_ups.find(symbol, client_id)
        order = convert.order_of(found, market, self._session.dialect, self._session.now_us())
        self._fills.learn([order])
        created_us = int(found.get("timestamp") or 0) * 1000
        return order, await self._fills.of_order(symbol, market, order, created_us)

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        market = await self._checked(symbol)
        found = await self._reads.open_orders(symbol)
        orders = [convert.order_of(answer, market, self._session.dialect, self._session.now_us()) for answer in found]
        self._fills.learn(orders)
        return orders

    async def fills(self, symbol: str, since_us: int) -> list[VenueFill]:
        return await self._fills.since(symbol, await self._checked(symbol), since_us)

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        await self._checked(symbol)
        return await self._funding.since(symbol, since_us)

    async def prepare(self, symbol: str, leverage: int) -> None:
        await self._checked(symbol)
        if self._spot:
            if leverage != 1:
                raise VenueError(Failure(Remedy.FIX_REQUEST, f"spot has no leverage: it must be 1, not {leverage}"))
            return
        if await self._hedged(symbol):
            message = f"the {self.name} account is in hedge mode: switch its position mode to one-way"
            raise VenueError(Failure(Remedy.FIX_REQUEST, message))
        await self._session.read(lambda exchange: self._session.dialect.set_leverage(exchange, symbol, leverage))
        self._leverage[symbol] = leverage

    async def _hedged(self, symbol: str) -> bool:
        """Whether the account is in hedge mode. That it is not is believed for a while: bots start all at once, and on
        Binance the question costs as much as thirty look-ups.
        """
        dialect = self._session.dialect
        key = symbol if dialect.profile.mode_of_symbol else ""
        async with self._asking_mode:
            if time.monotonic() < self._one_way_until.get(key, 0.0):
                return False
            hedged = await self._session.read(lambda exchange: dialect.hedged(exchange, symbol))
            if not hedged:
                self._one_way_until[key] = time.monotonic() + MODE_SECONDS
        return hedged

    async def place(self, orders: Sequence[NewOrder]) -> list[VenueOrder | Failure]:
        self._check_count(orders, self.capabilities.place_batch_limit)
        markets: list[Json] = [await self._checked(order.symbol, Priority.ENTRY) for order in orders]
        self._dead_man_switch.watch_over({order.symbol for order in orders})
        placed = await self._trading.place(orders, markets)
        self._fills.learn(placed)
        return placed

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[VenueOrder | Failure]:
        self._check_count(client_ids, self.capabilities.cancel_batch_limit)
        return await self._trading.cancel(symbol, await self._checked(symbol, Priority.CANCEL), client_ids)

    async def watch_prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        await self._known(symbols)
        async for item in self._streams.prices(symbols):
            yield item

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        market = await self._checked(symbol)
        rows = await self._session.read(lambda exchange: exchange.fetch_ohlcv(symbol, interval, None, limit))
        length_us = self._session.exchange.parse_timeframe(interval) * 1_000_000
        now_us = self._session.now_us()
        return [
            convert.kline_of(row, market, self._session.dialect, closed=int(row[0]) * 1000 + length_us <= now_us)
            for row in sorted(rows, key=lambda row: int(row[0]))[-limit:]
        ]

    async def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        await self._known(symbols)
        async for item in self._streams.klines(symbols, interval):
            yield item

    async def watch_orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]:
        await self._known(symbols)
        self._dead_man_switch.watch_over(symbols)
        async for item in self._streams.orders(symbols):
            yield item

    async def watch_positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]:
        await self._known(symbols)
        if not self._spot:
            async for item in self._streams.positions(symbols):
                yield item
            return
        markets = [self._market(symbol) for symbol in symbols]
        async for balance in self._wallet.follow():
            if isinstance(balance, Gap):
                yield balance
                continue
            for position in positions_of(balance, markets, self._session.now_us()):
                yield position

    async def watch_account(self) -> AsyncIterator[Account | Gap]:
        await self._session.ready_for_streams()
        if self._spot:
            dialect = self._session.dialect
            async for balance in self._wallet.follow():
                now_us = self._session.now_us()
                yield balance if isinstance(balance, Gap) else dialect.account(balance, CURRENCY, now_us)
            return
        yield await self._account_at_last()
        async for change in merge([self._streams.account_changes()], idle=ACCOUNT_SECONDS):
            if isinstance(change, Gap):
                yield change
            yield await self._account_at_last()

    async def _account_at_last(self) -> Account:
        while True:
            try:
                return await self.account()
            except CallError as error:
                await asyncio.sleep(max(1.0, error.failure.retry_after_ms / 1000))

    async def _known(self, symbols: Sequence[str]) -> None:
        """Streams wait for the exchange as long as it takes; an unknown symbol is told at once then."""
        await self._session.ready_for_streams()
        for symbol in symbols:
            self._market(symbol)

    async def _checked(self, symbol: str, priority: Priority = Priority.READ) -> Json:
        """The symbol's market; raises what `Session.call` raises where there is no connection yet."""
        await self._session.call(_nothing, priority)
        return self._market(symbol)

    def _market(self, symbol: str) -> Json:
        market: Json | None = self._session.exchange.markets.get(symbol)
        if market is None or not self._served(market):
            example, field = ("BTC/USDT", MarketKind.SPOT) if self._spot else ("BTC/USDT:USDT", MarketKind.PERPETUAL)
            message = (
                f"{self.name} has no {self._session.dialect.profile.markets} {symbol!r}; they are named like {example} "
                f"(this connector has market: {field.value})"
            )
            raise VenueError(Failure(Remedy.FIX_REQUEST, message))
        return market

    def _served(self, market: Json) -> bool:
        perpetual = market.get("swap") and market.get("linear") and market.get("settle") == CURRENCY
        spot = market.get("spot") and market.get("quote") == CURRENCY
        return bool(spot if self._spot else perpetual) and market.get("active") is not False

    @staticmethod
    def _check_count(items: Sequence[object], most: int) -> None:
        if len(items) > most:
            raise VenueError(
                Failure(Remedy.FIX_REQUEST, f"{len(items)} orders in one call; at most {most} are possible")
            )


async def _nothing(_: Any) -> None:
    return None
