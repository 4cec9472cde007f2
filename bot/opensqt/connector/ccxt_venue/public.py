"""An exchange without an account: its public market data, for which no key is needed."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from opensqt.api.connector import DeadManSwitch as Settings
from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.ccxt_venue import simulator
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.dead_man_switch import DeadManSwitch
from opensqt.connector.ccxt_venue.dialect import Dialect
from opensqt.connector.ccxt_venue.exchanges import dialect_of
from opensqt.connector.ccxt_venue.session import Session
from opensqt.connector.ccxt_venue.venue import CcxtVenue
from opensqt.connector.venue import Gap, Kline, Price, VenueHealth


class PublicSession(Session):
    """A session of nobody's; the exchange's live markets, for its test network has prices of its own."""

    def __init__(self, dialect: Dialect, *, endpoint: str | None = None) -> None:
        super().__init__(dialect, Path(), live=True, endpoint=endpoint)

    def _credentials_changed(self) -> bool:
        return False

    async def _read_credentials(self) -> None:
        if self.exchange is None:
            self.exchange = self._build(Credentials("", ""))

    async def _check_rights(self) -> None:
        """There is no key that could have any."""


class PublicMarkets:
    """Prices and candles of one kind of market of one exchange, as a venue has them."""

    def __init__(self, exchange: Exchange, market: MarketKind = MarketKind.PERPETUAL) -> None:
        """Raises `ValueError` where the environment names a simulator that is not on loopback."""
        self.name = exchange.value
        self._session = PublicSession(dialect_of(exchange, market), endpoint=simulator())
        # Never opened itself: it would ask for an account.
        self._venue = CcxtVenue(self._session, DeadManSwitch(self._session, Settings(enabled=False)))

    async def open(self) -> None:
        await self._session.open()

    async def close(self) -> None:
        await self._session.close()

    def health(self) -> VenueHealth:
        return self._session.health

    def prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        return self._venue.watch_prices(symbols)

    def klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        return self._venue.watch_klines(symbols, interval)

    async def newest_klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        return await self._venue.klines(symbol, interval, limit)
