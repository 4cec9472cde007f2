"""What spot is on every exchange; the exchanges' own parts are beside their perpetuals."""

from opensqt.connector.ccxt_venue.dialect import Dialect, Json, decimal
from opensqt.connector.venue import Account


class Spot(Dialect):
    """Put before an exchange's dialect of perpetuals."""

    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        """Equity is quote currency alone: what is held of others has no price here."""
        entry: Json = balance.get(currency) or {}
        total = decimal(entry.get("total"))
        return Account(
            currency, equity=total, available=decimal(entry.get("free")), wallet_balance=total, time_us=now_us
        )
