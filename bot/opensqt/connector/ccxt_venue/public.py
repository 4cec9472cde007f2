"""An exchange without an account: its public market data, for which no key is needed."""

from pathlib import Path

from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.dialect import Dialect
from opensqt.connector.ccxt_venue.session import Session


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
