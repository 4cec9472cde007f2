"""The paper exchange as a `Venue`: opened, kept open and watched like a real one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime

import structlog

from opensqt.api.connector import ExchangeConnector
from opensqt.api.paper import Paper
from opensqt.connector.metrics import MARKET_STEPS
from opensqt.connector.paper import clock
from opensqt.connector.paper.books import Books, SupersededError
from opensqt.connector.paper.candles import BadMarketDataError
from opensqt.connector.paper.commits import GroupCommit, Update
from opensqt.connector.paper.exchange import ACCOUNT, Feeds, PaperExchange
from opensqt.connector.paper.instrument import MAX_LEVERAGE, Instrument
from opensqt.connector.paper.klines import require_interval
from opensqt.connector.paper.live import LivePrices, LiveTape
from opensqt.connector.paper.lockstep import Lockstep
from opensqt.connector.paper.markets import Markets
from opensqt.connector.paper.matching import Matching
from opensqt.connector.paper.seen import SeenIds
from opensqt.connector.paper.sources import load_market
from opensqt.connector.paper.tape import Tape
from opensqt.connector.retry import Backoff
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
from opensqt.engine.market import to_money
from opensqt.journal.errors import JournalError, JournalUnreachable

log = structlog.get_logger(__name__)

BATCH_LIMIT = 100
REOPEN = Backoff(first=0.5, cap=15.0)
WHOLE, IN_PARTS = "orders fill whole, without a queue or slippage", "no queue, no slippage"
NO_LIQUIDATION = "no liquidation"


class PaperVenue:
    """One account over the markets of a connector's spec. Raises ValueError where the spec cannot be played."""

    name = "paper"

    def __init__(
        self, connector: ExchangeConnector, dsn: str, *, lockstep: Lockstep | None = None, fatal: Callable[[str], None]
    ) -> None:
        """`fatal` is told when the process must end, because what it knows is not what the books hold."""
        paper = connector.spec.paper
        if paper is None:
            raise ValueError("spec.paper: must be set")
        self._paper = paper
        self._instruments = _instruments(paper)
        self._currency = next(iter(self._instruments.values())).quote
        self._uid = connector.metadata.uid
        self._dsn = dsn
        self._lockstep = lockstep
        self._fatal = fatal
        self._latency = 0.0 if lockstep else paper.latency_milliseconds / 1000
        self._feeds = Feeds()
        self._books: Books | None = None
        self._exchange: PaperExchange | None = None
        self._problem: tuple[str, str] | None = ("Connecting", "the market data is being loaded")
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        live = {market.symbol: market.live_prices.exchange for market in paper.markets if market.live_prices}
        if live and lockstep is not None:
            raise ValueError("spec.paper.markets: livePrices cannot be played in lockstep (--until-end)")
        self._live = LivePrices(live, self._tell_health) if live else None
        self.capabilities = Capabilities(
            look_up_by_client_id=True,
            cancel_all=True,
            batch_cancel=True,
            place_batch_limit=BATCH_LIMIT,
            cancel_batch_limit=BATCH_LIMIT,
            lockstep=lockstep is not None,
            weaknesses=(IN_PARTS if all(market.fill_share for market in paper.markets) else WHOLE, NO_LIQUIDATION),
        )

    async def open(self) -> None:
        if not await self._try_to_open():
            self._tasks.append(asyncio.create_task(self._go_on_trying()))

    async def close(self) -> None:
        if self._lockstep is not None:
            self._lockstep.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._live is not None:
            await self._live.close()
        if self._books is not None:
            await self._books.close()

    def health(self) -> VenueHealth:
        markets = self._exchange.markets.progress() if self._exchange else ()
        failing = self._exchange.commits.failing if self._exchange else None
        if self._problem is not None:
            return VenueHealth(False, *self._problem, markets=markets)
        if failing is not None:
            return VenueHealth(False, failing.venue_code, failing.message, markets=markets)
        if self._live is not None and (trouble := self._live.trouble):
            return VenueHealth(False, *trouble, markets=markets)
        return VenueHealth(True, "Ready", "", markets=markets)

    async def health_changed(self) -> None:
        await self._changed.wait()

    async def symbols(self, symbols: Sequence[str]) -> list[SymbolRules]:
        return [self._instrument(symbol).rules() for symbol in symbols or self._instruments]

    async def account(self) -> Account:
        exchange = await self._open_exchange()
        answer = exchange.account()
        await exchange.commits.settled()
        return answer

    async def positions(self, symbols: Sequence[str]) -> list[Position]:
        exchange = await self._open_exchange()
        answer = [exchange.position(self._instrument(symbol).symbol) for symbol in symbols or self._instruments]
        await exchange.commits.settled()
        return answer

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        exchange = await self._open_exchange(symbol)
        await exchange.commits.settled()
        found = await exchange.order(symbol, client_id)
        if found is None:
            raise VenueError(Failure(Remedy.UNKNOWN_ORDER, f"no order {client_id} in {symbol}"))
        order, fills = found
        return order.to_venue(), [fill.to_venue() for fill in fills]

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        exchange = await self._open_exchange(symbol)
        answer = exchange.open_orders(symbol)
        await exchange.commits.settled()
        return answer

    async def fills(self, symbol: str, since_us: int) -> list[VenueFill]:
        exchange = await self._open_exchange(symbol)
        await exchange.commits.settled()
        return [fill.to_venue() for fill in await exchange.fills(symbol, since_us)]

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        exchange = await self._open_exchange(symbol)
        await exchange.commits.settled()
        return [payment.to_venue() for payment in await exchange.funding(symbol, since_us)]

    async def prepare(self, symbol: str, leverage: int) -> None:
        exchange = await self._open_exchange(symbol)
        if leverage > MAX_LEVERAGE:
            raise VenueError(Failure(Remedy.FIX_REQUEST, f"leverage: must be at most {MAX_LEVERAGE}"))
        if failure := await exchange.set_leverage(symbol, leverage):
            raise VenueError(failure)

    async def place(self, orders: Sequence[NewOrder]) -> list[VenueOrder | Failure]:
        return await (await self._open_exchange()).place(orders)

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[VenueOrder | Failure]:
        return await (await self._open_exchange(symbol)).cancel(symbol, client_ids)

    def watch_prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        async def last() -> list[Price]:
            """A market that stands still has a price too."""
            exchange = self._exchange
            if exchange is None:
                return []
            prices = [price for symbol in symbols if (price := exchange.price(symbol))]
            await exchange.commits.settled()
            return prices

        return self._feeds.prices.listen(symbols, last)

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        require_interval(interval)
        exchange = await self._open_exchange(symbol)
        if self._live is not None and (source := self._live.of(symbol)):
            return await source.newest_klines(symbol, interval, limit)
        return exchange.klines(symbol, interval, limit)

    def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        require_interval(interval)
        sources = {self._live.of(symbol) for symbol in symbols} if self._live is not None else {None}
        if sources == {None}:
            return self._feeds.klines.listen([(symbol, interval) for symbol in symbols])
        if len(sources) > 1 or not (source := sources.pop()):
            raise VenueError(Failure(Remedy.FIX_REQUEST, "symbols: candles of one source at a time"))
        return source.klines(symbols, interval)

    def watch_orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]:
        return self._feeds.orders.listen(symbols)

    def watch_account(self) -> AsyncIterator[Account | Gap]:
        return self._feeds.accounts.listen([ACCOUNT])

    def watch_positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]:
        return self._feeds.positions.listen(symbols)

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            served = ", ".join(self._instruments)
            raise VenueError(
                Failure(Remedy.FIX_REQUEST, f"symbol: {symbol[:40]!r} is unknown; there is {served}"[:512])
            )
        return instrument

    async def _open_exchange(self, symbol: str | None = None) -> PaperExchange:
        """Raises `VenueError`: FIX_REQUEST for an unknown symbol, RETRY while the exchange cannot answer."""
        if symbol is not None:
            self._instrument(symbol)
        if self._latency:
            await asyncio.sleep(self._latency)
        health = self.health()
        if not health.ready or self._exchange is None:
            raise VenueError(Failure(Remedy.RETRY, f"{health.reason}: {health.message}", retry_after_ms=1000))
        return self._exchange

    async def _go_on_trying(self) -> None:
        for delay in REOPEN.delays():
            await asyncio.sleep(delay)
            if await self._try_to_open():
                return

    async def _try_to_open(self) -> bool:
        try:
            tapes = await asyncio.to_thread(self._load)
            await self._take_books(tapes)
        except BadMarketDataError as error:
            self._say(("BadMarketData", str(error)))
        except JournalUnreachable as error:
            self._say(("JournalUnreachable", str(error)))
        except JournalError as error:
            self._say(("JournalMisconfigured", str(error)))
        else:
            self._say(None)
            return True
        return False

    def _load(self) -> dict[str, Tape]:
        return {
            market.symbol: LiveTape() if market.live_prices else Tape(load_market(market, index))
            for index, market in enumerate(self._paper.markets)
        }

    async def _take_books(self, tapes: dict[str, Tape]) -> None:
        if self._books is None:
            self._books = Books(self._dsn, self._uid)
        matching = Matching(self._instruments.values(), to_money(self._paper.balance))
        seen = SeenIds()
        places = await self._books.take(matching, seen)
        for symbol, place in places.items():
            _resume(tapes[symbol], symbol, place)
        exchange = PaperExchange(matching, self._books, seen, self._feeds, self._currency)
        exchange.markets = Markets(tapes, matching, exchange.played)
        exchange.commits = GroupCommit(
            self._books, matching, exchange.markets.place_of, self._tell(exchange), self._tell_health
        )
        self._exchange = exchange
        for symbol, tape in tapes.items():
            MARKET_STEPS.labels(symbol, "all").set(tape.total)
            MARKET_STEPS.labels(symbol, "played").set_function(lambda tape=tape: tape.played)  # type: ignore[misc]
        if self._lockstep is not None:
            self._lockstep.attach(exchange)
            market = self._lockstep.run(exchange)
        elif self._live is not None:
            market = self._live.play(exchange, self._instruments)
        else:
            if not any(tape.played for tape in tapes.values()) and (first := exchange.markets.next()):
                exchange.markets.play(first[1])  # so that there is a price as soon as anyone may trade
            market = clock.play(exchange, self._paper.speed)
        for work in (exchange.commits.run(), market):
            task = asyncio.create_task(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _tell(self, exchange: PaperExchange) -> Callable[[Iterable[Update]], None]:
        lockstep = self._lockstep
        if lockstep is None:
            return exchange.tell

        def tell(updates: Iterable[Update]) -> None:
            for update in updates:
                if not isinstance(update, Price):
                    lockstep.hear(update)
            exchange.tell(updates)

        return tell

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._lockstep is not None:
            self._lockstep.close()
        if isinstance(error, SupersededError):
            self._say(("Superseded", str(error)))
        elif not isinstance(error, VenueError):  # the market's, when the commits have ended: theirs is the cause
            log.error("paper_exchange_failed", exc_info=error)
            self._fatal(str(error))

    def _say(self, problem: tuple[str, str] | None) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell_health()

    def _tell_health(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _instruments(paper: Paper) -> dict[str, Instrument]:
    instruments = {market.symbol: Instrument.from_spec(market, paper.fees) for market in paper.markets}
    if len({instrument.quote for instrument in instruments.values()}) > 1:
        raise ValueError("spec.paper.markets: all must have the same quote currency: it is one account")
    return instruments


def _resume(tape: Tape, symbol: str, place: int) -> None:
    """Goes on where the books are. Raises BadMarketDataError where the data ends before that."""
    if not place:
        return
    if isinstance(tape, LiveTape):
        tape.resume(place)
        return
    tape.played = tape.steps_until(place)
    end = tape.time_us(tape.total - 1)
    if place > end:
        raise BadMarketDataError(
            f"{symbol}: the data ends at {_utc(end)}, and the books have reached {_utc(place)}: "
            "give data that goes on from there, or start over with another ExchangeConnector"
        )


def _utc(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
