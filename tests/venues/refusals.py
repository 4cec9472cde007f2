"""Why an exchange refuses, in the words of none of them: each face says it in its own code, status and form."""

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    BAD_KEY = "bad key"
    BAD_SIGNATURE = "bad signature"
    BAD_PASSPHRASE = "bad passphrase"  # noqa: S105 - a reason
    MISSING_PERMISSION = "missing permission"
    ADDRESS_NOT_ALLOWED = "address not allowed"
    CLOCK_SKEW = "clock skew"
    EXPIRED = "deadline passed"
    WOULD_CROSS = "would cross"
    INSUFFICIENT_MARGIN = "insufficient margin"
    MIN_NOTIONAL = "below the minimum notional"
    MIN_QUANTITY = "below the minimum quantity"
    PRICE_PRECISION = "price off the tick"
    QUANTITY_PRECISION = "quantity off the lot"
    DUPLICATE = "duplicate client id"
    UNKNOWN_ORDER = "unknown order"
    NOT_CANCELLABLE = "unknown order to cancel"
    REDUCE_ONLY = "nothing to reduce"
    UNKNOWN_SYMBOL = "unknown symbol"
    BAD_PARAMETER = "bad parameter"
    BATCH_TOO_LONG = "batch too long"
    POSITION_MODE = "position mode does not match"
    LEVERAGE = "leverage not possible"
    LEVERAGE_UNCHANGED = "leverage not modified"
    RATE_LIMIT = "too many requests"
    BAN = "address banned"
    MAINTENANCE = "maintenance"
    BUSY = "unknown outcome"


class RefusalError(Exception):
    """Raised by the core and the faces; `detail` is for people, `values` for the exchange's own words."""

    def __init__(self, reason: Reason, detail: str = "", values: Mapping[str, int] | None = None) -> None:
        super().__init__(detail or reason.value)
        self.reason = reason
        self.detail = detail or reason.value
        self.values = dict(values or {})
