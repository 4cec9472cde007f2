"""Funding that was paid while nobody listened: it is asked for until that is answered, and nothing waits for it."""

import asyncio
from collections.abc import Callable
from random import Random

import structlog

from opensqt.connector.client import ExchangeClient
from opensqt.connector.retry import RECONNECTS
from opensqt.connector.venue import FundingPayment, VenueError
from opensqt.engine.actions import Severity
from opensqt.runtime.notices import Notices

log = structlog.get_logger(__name__)

REST = 300.0
"""Seconds from an answer to the next question. Exchanges pay by the hour at most; gaps come many at a time, to all bots
of an account, and on Binance one question costs as much of their rate budget as thirty look-ups of orders."""


class MissedFunding:
    """One symbol's. Money shows it later, and no order depends on it."""

    def __init__(
        self,
        client: ExchangeClient,
        symbol: str,
        tell: Callable[[FundingPayment], None],
        *,
        since: Callable[[], int],
        random: Random,
        notices: Notices,
    ) -> None:
        """`since` says from when on (µs) funding may have been missed by now, 0 for never."""
        self._client = client
        self._symbol = symbol
        self._tell = tell
        self._since = since
        self._random = random
        self._notices = notices
        self._from = 0
        self._told = False
        self._wanted = asyncio.Event()

    def ask(self) -> None:
        """There was a gap. What a stream tells from here on must not move the time from which on is asked."""
        self._want(self._since())

    async def run(self) -> None:
        """Until it is cancelled."""
        delays = RECONNECTS.delays(self._random.uniform)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            since, self._from = self._from, 0
            try:
                payments = await self._client.funding(self._symbol, since)
            except VenueError as error:
                self._want(since)
                self._failed(str(error))
                await asyncio.sleep(max(next(delays), error.failure.retry_after_ms / 1000))
                continue
            for payment in payments:
                self._tell(payment)
            self._succeeded()
            delays = RECONNECTS.delays(self._random.uniform)
            await asyncio.sleep(REST)

    def _want(self, since: int) -> None:
        if since:
            self._from = min(self._from or since, since)
            self._wanted.set()

    def _failed(self, why: str) -> None:
        log.warning("funding_unknown", error=why)
        if not self._told:
            self._told = True
            message = f"funding that was paid meanwhile is not known, and is asked for until it is: {why}"
            self._notices.add(Severity.WARNING, "FundingUnknown", message)

    def _succeeded(self) -> None:
        if self._told:
            self._told = False
            self._notices.add(Severity.NORMAL, "FundingKnown", "funding that was paid meanwhile is counted")
