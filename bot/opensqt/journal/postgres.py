"""Connections to PostgreSQL with typed errors. Nothing here knows what is stored."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import asyncpg

from opensqt.journal.errors import JournalMisconfigured, JournalUnreachable
from opensqt.journal.migrate import migrate

__all__ = ["Connection", "Pool", "connect", "create_pool", "migrate", "redacted", "typed_errors"]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_WRONG_SETUP = (
    asyncpg.InvalidAuthorizationSpecificationError,  # and InvalidPasswordError
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    ssl.SSLCertVerificationError,
)
_TRY_AGAIN = (
    OSError,  # and TimeoutError, ConnectionError, name resolution
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.InternalClientError,  # "connection was closed in the middle of operation" and its kin
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, crash recovery, cancelled
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until the failover is through
    asyncpg.exceptions.PostgresIOError,
)


def redacted(dsn: str) -> str:
    """What may be shown of a DSN: user, host, port and database."""
    unreadable = "<unreadable DSN>"
    try:
        url = urlsplit(dsn)
        query = parse_qs(url.query)
        port = f":{url.port}" if url.port else ""
    except ValueError:
        return unreadable
    # A password with an unescaped "/", "?" or "#" spills over into the parts that follow the host.
    if url.scheme not in {"postgresql", "postgres"} or "@" in url.path + url.query + url.fragment or url.fragment:
        return unreadable
    user = url.username or "".join(query.get("user", [])[:1])
    host = url.hostname or "".join(query.get("host", [])[:1])
    return f"postgresql://{user}@{host}{port}{url.path}" if user else f"postgresql://{host}{port}{url.path}"


@contextmanager
def typed_errors(dsn: str) -> Iterator[None]:
    """Turns what asyncpg and the network raise into JournalUnreachable and JournalMisconfigured."""
    try:
        yield
    except ValueError:
        raise  # asyncpg's DataError is an InterfaceError too, but no repetition will make the value fit
    except _WRONG_SETUP as error:
        raise JournalMisconfigured(f"{redacted(dsn)} refuses: {_cause(error)}") from error
    except _TRY_AGAIN as error:
        raise JournalUnreachable(f"{redacted(dsn)} cannot be used now: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def connect(dsn: str, *, application: str, timeout: float = 10.0) -> Connection:
    """A connection whose commits are durable when they return; `timeout` (seconds) is for connecting and each command.

    Raises JournalUnreachable and JournalMisconfigured.
    """
    with typed_errors(dsn), _valid_url(dsn):
        return await asyncpg.connect(
            dsn, timeout=timeout, command_timeout=timeout, server_settings=_settings(application)
        )


async def create_pool(dsn: str, *, application: str, size: int, timeout: float = 10.0) -> Pool:
    """As `connect`, for a process with many tasks: at most `size` connections."""
    with typed_errors(dsn), _valid_url(dsn):
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=timeout,
            command_timeout=timeout,
            server_settings=_settings(application),
        )


def _settings(application: str) -> dict[str, str]:
    return {"application_name": application[:63], "synchronous_commit": "on"}


@contextmanager
def _valid_url(dsn: str) -> Iterator[None]:
    """The message of an error about a DSN quotes pieces of it, which may be the password."""
    try:
        yield
    except ValueError:
        raise JournalMisconfigured(f"{redacted(dsn)} is no PostgreSQL URL: escape special characters") from None
