"""Orders by client id, also where the exchange soon forgets the id: then the newest orders are searched for it."""

import asyncio

from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.engine.events import Remedy


class LookUps:
    """Of one session. The newest orders of a symbol are listed once for all who ask in the meantime: after an outage
    many bots look up many orders, and a list costs as much of the rate budget as five of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.dialect
        self._listing: dict[str, asyncio.Task[dict[str, Json]]] = {}
        self._next: dict[str, asyncio.Task[dict[str, Json]]] = {}

    async def find(self, symbol: str, client_id: str) -> Json:
        """ccxt's order. Raises `CallError`, with UNKNOWN_ORDER where there is none."""
        try:
            return await self._session.read(lambda exchange: self._dialect.find_order(exchange, symbol, client_id))
        except CallError as error:
            if error.failure.remedy is not Remedy.UNKNOWN_ORDER or not self._dialect.profile.forgets_client_ids:
                raise
            failure, body = error.failure, error.body
        if (order := (await self._newest(symbol)).get(client_id)) is None:
            raise CallError(failure, body)
        return order

    async def _newest(self, symbol: str) -> dict[str, Json]:
        """By client id. It is never a list that was begun before this call: what it lacks may have been on its way."""
        if symbol not in self._next:
            self._next[symbol] = asyncio.create_task(self._list(symbol, self._listing.get(symbol)))
        return await asyncio.shield(self._next[symbol])

    async def _list(self, symbol: str, before: asyncio.Task[dict[str, Json]] | None) -> dict[str, Json]:
        if before is not None:
            await asyncio.wait({before})
        self._listing[symbol] = this = self._next.pop(symbol)
        try:
            orders = await self._session.read(lambda exchange: self._dialect.newest_orders(exchange, symbol))
            # Of two with one id the newer one counts.
            return {self._dialect.client_id(order["clientOrderId"]): order for order in reversed(orders)}
        finally:
            if self._listing[symbol] is this:
                del self._listing[symbol]
