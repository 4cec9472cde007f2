"""Funding payments of a symbol: no exchange has a stream of them that ccxt knows, so that they are asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.limits import Priority
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.venue import FundingPayment

log = structlog.get_logger(__name__)

POLL_SECONDS = 300.0
"""How late a payment may be told."""
_PAGE = 100
_KEPT_MS = 2 * 365 * 24 * 3600 * 1000
"""Older payments nobody keeps."""


class FundingHistory:
    def __init__(self, session: Session, market: Callable[[str], Json]) -> None:
        self._session = session
        self._market = market

    async def since(self, symbol: str, since_us: int) -> list[FundingPayment]:
        """Oldest first; page by page until there is nothing new."""
        if not self._market(symbol).get("swap"):
            return []
        payments: dict[str, FundingPayment] = {}
        start, now_ms = since_us // 1000, self._session.now_us() // 1000
        span = self._session.dialect.profile.funding_window_ms
        if span:
            start = max(start, now_ms - _KEPT_MS)
        while span and start < now_ms:
            payments |= await self._from(symbol, start, {"until": start + span, "limit": _PAGE})
            start += span
        if not span:
            payments = await self._from(symbol, start, {})
        return sorted((p for p in payments.values() if p.time_us >= since_us), key=lambda payment: payment.time_us)

    async def _from(self, symbol: str, start: int, params: Json) -> dict[str, FundingPayment]:
        """By id, from page to page."""
        payments: dict[str, FundingPayment] = {}
        while True:
            page: list[Json] = await self._session.read(
                lambda exchange, start=start: exchange.fetch_funding_history(symbol, start, _PAGE, params),  # type: ignore[misc]
                Priority.LATER,
            )
            fresh = [each for each in map(self._payment, page) if each.funding_id not in payments]
            payments |= {each.funding_id: each for each in fresh}
            if len(page) < _PAGE or not fresh:
                return payments
            start = max(each.time_us for each in fresh) // 1000

    async def follow(self, symbol: str) -> AsyncIterator[FundingPayment]:
        """Payments from now on, within `POLL_SECONDS`; one of the same time may come twice."""
        since_us = self._session.now_us()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                payments = await self.since(symbol, since_us)
            except CallError as error:
                log.info("funding_unknown", symbol=symbol, message=error.failure.message)
                continue
            for payment in payments:
                since_us = max(since_us, payment.time_us)
                yield payment

    def _payment(self, answer: Json) -> FundingPayment:
        timestamp = int(answer["timestamp"] or 0)
        return FundingPayment(
            symbol=answer["symbol"],
            funding_id=str(answer.get("id") or timestamp),
            amount=self._session.dialect.funding_paid(answer),
            currency=str(answer.get("code") or ""),
            quantity=None,
            time_us=timestamp * 1000,
        )
