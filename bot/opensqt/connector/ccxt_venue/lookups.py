"""Orders by client id, also where the exchange soon forgets the id: then the newest orders are searched for it."""

from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.ccxt_venue.shared_reads import SharedReads
from opensqt.engine.events import Remedy


class LookUps:
    """Of one session. After an outage many bots look up many orders, and a list costs as much of the rate budget as
    five of them: it is shared."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.dialect
        self._newest = SharedReads(self._list)

    async def find(self, symbol: str, client_id: str) -> Json:
        """ccxt's order. Raises `CallError`, with UNKNOWN_ORDER where there is none."""
        try:
            return await self._session.read(lambda exchange: self._dialect.find_order(exchange, symbol, client_id))
        except CallError as error:
            if error.failure.remedy is not Remedy.UNKNOWN_ORDER or not self._dialect.profile.forgets_client_ids:
                raise
            failure, body = error.failure, error.body
        if (order := (await self._newest.get(symbol)).get(client_id)) is None:
            raise CallError(failure, body)
        return order

    async def _list(self, symbol: str) -> dict[str, Json]:
        """By client id."""
        orders = await self._session.read(lambda exchange: self._dialect.newest_orders(exchange, symbol))
        # Of two with one id the newer one counts.
        return {self._dialect.client_id(order["clientOrderId"]): order for order in reversed(orders)}
