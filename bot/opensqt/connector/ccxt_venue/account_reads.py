"""What an account has, as ccxt shows it: read once for all bots that ask meanwhile."""

from collections.abc import Sequence

from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.session import Session
from opensqt.connector.ccxt_venue.shared_reads import SharedReads


class AccountReads:
    """Of one session. All raise `CallError`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.dialect
        self._balance = SharedReads(self._read_balance)
        self._positions = SharedReads(self._read_positions)
        self._open_orders = SharedReads(self._read_open_orders)

    async def balance(self) -> Json:
        return await self._balance.get("")

    async def positions(self, symbols: Sequence[str]) -> list[Json]:
        """At least those of these symbols; of all where none is named."""
        return await self._positions.get(() if self._dialect.profile.positions_at_once else tuple(symbols))

    async def open_orders(self, symbol: str) -> list[Json]:
        return await self._open_orders.get(symbol)

    async def _read_balance(self, _: str) -> Json:
        balance: Json = await self._session.read(lambda exchange: exchange.fetch_balance())
        return balance

    async def _read_positions(self, symbols: tuple[str, ...]) -> list[Json]:
        found: list[Json] = await self._session.read(lambda exchange: exchange.fetch_positions(list(symbols) or None))
        return found

    async def _read_open_orders(self, symbol: str) -> list[Json]:
        return await self._session.read(lambda exchange: self._dialect.open_orders(exchange, symbol))
