# ruff: noqa: N802 - the name of the call is the proto's
"""The lockstep clock: the market moves to the next price that matters when every expected bot waits for it.

A price matters to a bot where it is not strictly within the band that the bot called quiet, or touches one of its
orders. Bots that have something to do get their turn one after the other, in the order in which they were expected:
what comes out does not depend on timing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from functools import partial

import structlog

from opensqt.connector import wire
from opensqt.connector.calls import unary
from opensqt.connector.paper.exchange import PaperExchange
from opensqt.connector.paper.tape import NEVER_ABOVE, NEVER_BELOW
from opensqt.connector.requests import require
from opensqt.connector.venue import Failure, FundingPayment, OrderUpdate, VenueError, VenueOrder
from opensqt.engine.events import Remedy
from opensqt.paper.v1 import paper_pb2 as pb
from opensqt.paper.v1 import paper_pb2_grpc as stubs

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Bot:
    """`last` is what it was told last, to be told again where that was lost; `low` and `high` bound what is quiet.

    `wake_us` is when it wants the next price, whatever it is. `due` is set while there is news that it was not told
    yet, because it has hung up.
    """

    uid: str
    symbol: str = ""
    prefix: str = ""
    low: int = NEVER_ABOVE
    high: int = NEVER_BELOW
    wake_us: int = 0
    waiting: "asyncio.Future[pb.AdvanceResponse] | None" = None
    last: pb.AdvanceResponse | None = None
    due: bool = False
    updates: list[OrderUpdate] = field(default_factory=list)


class Lockstep:
    """`advance` is what bots call; `run` moves the market."""

    def __init__(self, uids: Sequence[str]) -> None:
        self._bots = {uid: _Bot(uid) for uid in uids}
        self._exchange: PaperExchange | None = None
        self._asked = asyncio.Event()
        self._market_moves = False
        self._started = False
        self._over = False
        self._closed = False

    async def advance(self, request: pb.AdvanceRequest) -> pb.AdvanceResponse:
        """Raises `VenueError`: FIX_REQUEST for a bot that is not expected, RETRY while the exchange is not open."""
        bot, exchange = await self._admit(request)
        if bot.last is not None and 0 < request.step < bot.last.step:
            return bot.last  # it was lost on its way
        bot.low, bot.high = _band(request, exchange.matching.account.holdings[bot.symbol].instrument.tick_size)
        bot.wake_us = request.wake_us
        if self._started and (bot.updates or bot.due or self._over):
            return self._answer(bot, exchange)
        waiting: asyncio.Future[pb.AdvanceResponse] = asyncio.get_running_loop().create_future()
        bot.waiting = waiting
        self._asked.set()
        try:
            return await waiting
        finally:
            if bot.waiting is waiting:
                bot.waiting = None

    def hear(self, update: OrderUpdate) -> None:
        """An order, a fill or funding, when it is durable. What a bot's own call has answered is not told again."""
        if not self._market_moves and isinstance(update, VenueOrder) and not update.filled:
            return
        for bot in self._bots.values():
            if update.symbol == bot.symbol and (
                isinstance(update, FundingPayment) or update.client_id.startswith(bot.prefix)
            ):
                bot.updates.append(update)

    def attach(self, exchange: PaperExchange) -> None:
        """From here on bots are admitted."""
        self._exchange = exchange

    async def run(self, exchange: PaperExchange) -> None:
        """Plays to the end of all data."""
        markets, commits, holdings = exchange.markets, exchange.commits, exchange.matching.account.holdings
        await self._all_wait()
        self._started = True
        await self._turns(exchange, lambda _: False)
        while (stop := self._next_stop(exchange)) is not None:
            symbol, step = stop
            self._market_moves = True
            markets.play_until(symbol, step)
            # Also where nothing was touched: nobody is told of a place that a crash could take back.
            await commits.commit()
            self._market_moves = False
            await self._turns(exchange, partial(_wants, symbol, holdings[symbol].last, exchange.matching.time_us))
        markets.play_out()
        await commits.commit()
        # Only now: a bot that is told of the end may not come again, and until here each had to.
        self._over = True
        for bot in self._bots.values():
            self._tell(bot, exchange)
        log.info("market_ended")

    def close(self) -> None:
        """Ends the calls that wait, and refuses new ones."""
        self._closed = True
        for bot in self._bots.values():
            if bot.waiting is not None and not bot.waiting.done():
                bot.waiting.set_exception(VenueError(Failure(Remedy.RETRY, "the connector is ending")))

    async def _admit(self, request: pb.AdvanceRequest) -> tuple[_Bot, PaperExchange]:
        bot, exchange = self._bots.get(request.bot_uid), self._exchange
        if bot is None:
            message = f"bot_uid: {request.bot_uid[:64]!r} is not one of the bots that the connector was started with"
            raise VenueError(Failure(Remedy.FIX_REQUEST, message))
        if exchange is None or self._closed:
            raise VenueError(Failure(Remedy.RETRY, "the paper exchange is not open", retry_after_ms=200))
        require("client_id_prefix", request.client_id_prefix)
        holding = exchange.matching.account.holdings.get(request.symbol)
        if holding is None:
            raise VenueError(Failure(Remedy.FIX_REQUEST, f"symbol: this exchange has no market {request.symbol[:40]}"))
        if not bot.symbol:
            bot.symbol, bot.prefix = request.symbol, request.client_id_prefix
            # An earlier instance of this connector may have been further than it has told this bot.
            bot.due = request.step < exchange.matching.step
            if request.step:
                bot.updates += await exchange.updates_after(bot.symbol, bot.prefix, request.step)
        elif request.step == 0 and bot.last is not None:
            bot.due = True  # the bot has started anew: it must know where the market is
        if bot.waiting is not None and not bot.waiting.done():
            bot.waiting.set_exception(VenueError(Failure(Remedy.RETRY, "the bot has asked again since")))
        return bot, exchange

    def _answer(self, bot: _Bot, exchange: PaperExchange) -> pb.AdvanceResponse:
        price = exchange.price(bot.symbol)
        updates, bot.updates, bot.due = bot.updates, [], False
        bot.last = pb.AdvanceResponse(
            step=exchange.matching.step,
            updates=[wire.order_update_to_proto(0, update) for update in updates],
            price="" if price is None else f"{price.last:f}",
            time_us=exchange.matching.time_us,
            ended=self._over,
        )
        return bot.last

    async def _turns(self, exchange: PaperExchange, wants: Callable[[_Bot], bool]) -> None:
        """Lets the bots that have news act, one after the other; returns when all wait."""
        for bot in self._bots.values():
            if bot.updates or bot.due or wants(bot):
                self._tell(bot, exchange)
                await self._all_wait()
        await self._all_wait()

    def _tell(self, bot: _Bot, exchange: PaperExchange) -> None:
        """Answers a bot that waits; one that has hung up is answered when it asks again."""
        bot.due = True
        if bot.waiting is not None and not bot.waiting.done():
            bot.waiting.set_result(self._answer(bot, exchange))

    async def _all_wait(self) -> None:
        while any(bot.waiting is None or bot.waiting.done() for bot in self._bots.values()):
            await self._next_asked()

    async def _next_asked(self) -> None:
        self._asked.clear()
        await self._asked.wait()

    def _next_stop(self, exchange: PaperExchange) -> tuple[str, int] | None:
        """Symbol and step of the next price that matters to anyone; None where none does."""
        best: tuple[int, str, int] | None = None
        for symbol, tape in exchange.markets.tapes.items():
            low, high = exchange.matching.bounds(symbol)
            wakes = [exchange.matching.funding_due(symbol)]
            for bot in self._bots.values():
                if bot.symbol == symbol:
                    low, high = max(low, bot.low), min(high, bot.high)
                    wakes.append(bot.wake_us)
            step = tape.next_touch(low, high, tape.played)
            for time_us in wakes:
                if time_us:
                    step = min(step, max(tape.played, tape.steps_until(time_us - 1)))
            if step < tape.total and (best is None or tape.time_us(step) < best[0]):
                best = tape.time_us(step), symbol, step
        return None if best is None else best[1:]


def _wants(symbol: str, price: int, time_us: int, bot: _Bot) -> bool:
    """Whether this price of a market matters to the bot."""
    return bot.symbol == symbol and (not bot.low < price < bot.high or 0 < bot.wake_us <= time_us)


class LockstepService(stubs.LockstepServiceServicer):
    def __init__(self, lockstep: Lockstep) -> None:
        self._lockstep = lockstep

    @unary
    async def Advance(self, request: pb.AdvanceRequest) -> pb.AdvanceResponse:
        return await self._lockstep.advance(request)


def _band(request: pb.AdvanceRequest, tick_size: Decimal) -> tuple[int, int]:
    """The prices in ticks strictly between which nothing matters to the bot."""
    if not request.quiet_above or not request.quiet_below:
        return NEVER_ABOVE, NEVER_BELOW
    try:
        low = (Decimal(request.quiet_above) / tick_size).to_integral_value(ROUND_FLOOR)
        high = (Decimal(request.quiet_below) / tick_size).to_integral_value(ROUND_CEILING)
        return max(NEVER_BELOW, int(low)), min(NEVER_ABOVE, int(high))
    except (InvalidOperation, ValueError, OverflowError):
        message = f"quiet_above, quiet_below: {request.quiet_above[:40]!r}, {request.quiet_below[:40]!r}: not decimals"
        raise VenueError(Failure(Remedy.FIX_REQUEST, message)) from None
