"""From an exception of ccxt and the exchange's own code to what must be done about it."""

import asyncio
import re
import socket
from typing import Any

import aiohttp

from opensqt.connector.ccxt_venue.budget import BudgetExhausted
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.dialect import Dialect, Rejection, number
from opensqt.connector.ccxt_venue.transport import Call
from opensqt.connector.venue import Failure
from opensqt.engine.events import Remedy

# By name, so that ccxt is not imported here; the most special class that an exception has decides.
BY_CLASS = {
    "AuthenticationError": Remedy.FIX_CREDENTIALS,
    "AccountSuspended": Remedy.HALT,
    "RestrictedLocation": Remedy.HALT,
    "MarketClosed": Remedy.HALT,
    "ContractUnavailable": Remedy.HALT,
    "ManualInteractionNeeded": Remedy.HALT,
    "OnMaintenance": Remedy.HALT,
    "InsufficientFunds": Remedy.INSUFFICIENT_MARGIN,
    "DuplicateOrderId": Remedy.DUPLICATE,
    "OrderNotFound": Remedy.UNKNOWN_ORDER,
    "OrderNotCached": Remedy.UNKNOWN_ORDER,
    "OrderImmediatelyFillable": Remedy.WOULD_CROSS,
    "RateLimitExceeded": Remedy.BACK_OFF,
    "DDoSProtection": Remedy.BACK_OFF,
    "InvalidNonce": Remedy.RETRY,
    "CancelPending": Remedy.LOOK_UP,
    "BadRequest": Remedy.FIX_REQUEST,
    "ArgumentsRequired": Remedy.FIX_REQUEST,
    "InvalidOrder": Remedy.FIX_REQUEST,
    "NotSupported": Remedy.FIX_REQUEST,
    "OperationRejected": Remedy.FIX_REQUEST,
}

CLOCK_CLASS = "InvalidNonce"
BACK_OFF_MS = 1_000
"""Where the exchange asks for a pause without saying how long."""
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_MOST_TEXT = 300


def failure_of(
    error: BaseException, call: Call, dialect: Dialect, credentials: Credentials, *, doubt: bool, now_ms: int
) -> Failure:
    """`doubt` is true for what changes something: an unknown outcome then says LOOK_UP, where a read says RETRY."""
    if isinstance(error, BudgetExhausted):
        return Failure(Remedy.BACK_OFF, str(error), retry_after_ms=int(error.wait * 1000) + 1)
    code = dialect.code(call.body)
    text = describe(error, call, dialect, credentials)
    remedy = dialect.profile.codes.get(code) or _closed(error) or _by_status(call.status) or _by_class(error)
    remedy = remedy or _otherwise(error, call)
    if remedy is Remedy.LOOK_UP and not doubt:
        remedy = Remedy.RETRY
    return Failure(remedy, text, code, _pause_ms(remedy, call, dialect, text, now_ms))


def rejection_of(rejection: Rejection, dialect: Dialect, credentials: Credentials) -> Failure:
    """One refused item of a batch: it was answered, so that an unknown code says that the request is wrong."""
    remedy = dialect.profile.codes.get(rejection.code, Remedy.FIX_REQUEST)
    text = clean(f"{dialect.profile.name} {rejection.code} {rejection.message}".strip(), credentials)
    return Failure(remedy, text, rejection.code, BACK_OFF_MS if remedy is Remedy.BACK_OFF else 0)


def is_clock_error(error: BaseException) -> bool:
    return CLOCK_CLASS in _names(error)


def describe(error: BaseException, call: Call, dialect: Dialect, credentials: Credentials) -> str:
    """For people: the exchange's own words where it has answered, else what went wrong on the way."""
    code, message = dialect.code(call.body), dialect.message(call.body)
    if call.status and (code or message):
        text = f"{dialect.profile.name} {code} {message}"
    elif call.status:
        text = f"{dialect.profile.name} answered HTTP {call.status}"
    elif call.sent:
        text = f"{dialect.profile.name} did not answer: {type(error).__name__} {error.__cause__ or error}"
    else:
        text = f"{type(error).__name__}: {error}"
    return clean(text, credentials)


def clean(text: str, credentials: Credentials) -> str:
    """Without credentials, signatures, query strings and what is longer than a message should be."""
    text = credentials.scrub(text)
    text = re.sub(r"\?[^\s'\"]*", "", text)
    text = re.sub(r"(?i)(signature|sign|apikey|api_key|listenkey)(\"?\s*[=:]\s*\"?)[^\s&\"',}]+", r"\1\2***", text)
    return " ".join(text.split())[:_MOST_TEXT]


def _names(error: BaseException) -> list[str]:
    return [cls.__name__ for cls in type(error).__mro__]


def _closed(error: BaseException) -> Remedy | None:
    """Maintenance comes as a 5xx too, but it says that nothing was taken."""
    return Remedy.HALT if "OnMaintenance" in _names(error) else None


def _by_class(error: BaseException) -> Remedy | None:
    return next((BY_CLASS[name] for name in _names(error) if name in BY_CLASS), None)


def _by_status(status: int) -> Remedy | None:
    if status in {418, 429, 403}:
        # 403 without a code that we know is a firewall in front of the exchange, which counts requests as well.
        return Remedy.BACK_OFF
    return Remedy.LOOK_UP if status >= 500 else None


def _otherwise(error: BaseException, call: Call) -> Remedy:
    names = _names(error)
    if not call.sent:
        # Nothing left the machine. A network error is one of an earlier step; anything else is our own request.
        return Remedy.RETRY if "OperationFailed" in names or isinstance(error, OSError) else Remedy.FIX_REQUEST
    if call.status and "ExchangeError" in names:
        # Refused in so many words, with a code that is in no table: it would be refused again.
        return Remedy.FIX_REQUEST
    if 400 <= call.status < 500 and "BadResponse" not in names:
        return Remedy.FIX_REQUEST
    return Remedy.RETRY if _never_connected(error.__cause__) else Remedy.LOOK_UP


def _never_connected(cause: Any) -> bool:
    return isinstance(
        cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | socket.gaierror
    ) and not isinstance(cause, asyncio.CancelledError)


def _pause_ms(remedy: Remedy, call: Call, dialect: Dialect, text: str, now_ms: int) -> int:
    """How long the exchange wants to hear nothing: it says so in one of three ways, or not at all."""
    if remedy is not Remedy.BACK_OFF:
        return 0
    banned = _BANNED_UNTIL.search(text)
    if banned:
        return max(BACK_OFF_MS, int(banned.group(1)) - now_ms)
    used_up = [one.seconds for one in dialect.allowances(call.headers, now_ms) if one.left <= 0]
    asked = number(call.headers, "retry-after") or max(used_up, default=0.0)
    if asked > 0:
        return max(BACK_OFF_MS, int(asked * 1000))
    return dialect.profile.ban_seconds * 1000 if call.status in {418, 403} else BACK_OFF_MS
