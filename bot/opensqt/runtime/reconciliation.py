"""Now and then all that the exchange has is compared with what the bot knows: a stream can lose a message silently.

Open orders show what has been missed of live orders, recent trades what has been missed of orders that are over, and
the position what nobody tells.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import structlog

from opensqt.connector.client import ExchangeClient
from opensqt.connector.venue import VenueError
from opensqt.engine.actions import Action, LookUp, Severity
from opensqt.engine.engine import Engine
from opensqt.engine.events import Event
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.notices import Notices
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

EVERY = 3600.0
"""At most so many seconds between two comparisons, whatever the spec says."""
OVERLAP_US = 120_000_000
"""Market time for which trades are asked for again: exchanges list them late."""


TOLD_AFTER = 3
"""Comparisons that fail in a row before people are told."""


class Reconciliation:
    """What differs is looked up by client id. It only asks: the engine decides what the answers mean."""

    def __init__(
        self,
        client: ExchangeClient,
        engine: Engine,
        translation: Translation,
        client_id_prefix: str,
        *,
        put: Callable[[Event], None],
        dispatch: Callable[[Sequence[Action]], None],
        clock: MarketClock,
        random: Random,
        board: StatusBoard,
        notices: Notices,
    ) -> None:
        self._client = client
        self._engine = engine
        self._translation = translation
        self._prefix = client_id_prefix
        self._put = put
        self._dispatch = dispatch
        self._clock = clock
        self._random = random
        self._board = board
        self._notices = notices
        self._last_run = 0
        self._failures = 0
        self._failing_since = 0
        self._since = max(0, clock.now() - OVERLAP_US)
        self._told: set[str] = set()
        """Trades since then that the engine has been told of."""
        self._strays: set[str] = set()
        """What was open at the exchange when it was last asked, and not live here."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(
                min(EVERY, self._engine.reconcile_interval / 1_000_000) * self._random.uniform(0.8, 1.2)
            )
            try:
                await self._compare_orders()
                await self._compare_trades()
                await self._compare_position()
            except VenueError as error:
                self._failed(str(error))
            else:
                self._succeeded()

    def _failed(self, why: str) -> None:
        log.warning("not_compared", error=why)
        self._failures += 1
        if self._failures < TOLD_AFTER:
            self._failing_since = self._failing_since or self._clock.now()
            return
        if self._failures == TOLD_AFTER:
            message = (
                f"{TOLD_AFTER} comparisons with the exchange in a row have failed, what was missed is not seen: {why}"
            )
            self._notices.add(Severity.WARNING, "NotCompared", message)
        self._board.compared(last_run=self._last_run, failing_since=self._failing_since, message=why)

    def _succeeded(self) -> None:
        if self._failures >= TOLD_AFTER:
            log.info("compared_again", failures=self._failures)
            self._notices.add(Severity.NORMAL, "ComparedAgain", "what the exchange has is compared again")
        self._failures = self._failing_since = 0
        self._last_run = self._clock.now()
        self._board.compared(last_run=self._last_run)

    async def _compare_orders(self) -> None:
        """Orders that the exchange has not answered for yet are left to the engine, which asks by itself."""
        symbol = self._translation.market.symbol
        known = {order.place.client_id: order.filled for order in self._engine.orders() if order.known}
        at_exchange = {order.client_id: order for order in await self._client.open_orders(symbol, self._prefix)}
        different = [
            client_id
            for client_id, filled in known.items()
            if client_id not in at_exchange or self._translation.order(at_exchange[client_id]).filled != filled
        ]
        live = self._engine.live_orders()
        strays = [client_id for client_id in at_exchange if client_id not in live and client_id not in known]
        for client_id in self._strays.intersection(strays):
            self._put(replace(self._translation.order(at_exchange[client_id]), listed_twice=True))
        self._strays = set(strays)
        if different or strays:
            self._dispatch([LookUp(client_id) for client_id in (*different, *strays)])

    async def _compare_trades(self) -> None:
        until, told_by = self._clock.now(), self._clock.told_by()
        fills = await self._client.fills(self._translation.market.symbol, self._prefix, self._since)
        for fill in fills:
            if fill.trade_id not in self._told:
                self._put(self._translation.fill(fill, told_by=told_by))
        self._told = {fill.trade_id for fill in fills}
        self._since = max(self._since, until - OVERLAP_US)

    async def _compare_position(self) -> None:
        """The stream tells of changes; one that stays is believed only when it is told again."""
        symbol = self._translation.market.symbol
        for position in await self._client.positions([symbol]):
            if position.symbol == symbol:
                self._put(self._translation.position(position))
