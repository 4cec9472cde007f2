"""Connections to PostgreSQL with typed errors. Nothing here knows what is stored."""

import re
import ssl
from collections.abc import Iterator, Mapping
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


_UNREADABLE = "<unreadable DSN>"
_HOSTS = re.compile(r"(?:(?:\[[0-9a-fA-F:.]+\]|[^:,\[\]]*)(?::\d+)?(?:,|$))*")


def redacted(dsn: str) -> str:
    """What may be shown of a DSN: user, hosts with ports, and database."""
    try:
        url = urlsplit(dsn)
        query = parse_qs(url.query)
    except ValueError:
        return _UNREADABLE
    credentials, _, hosts = url.netloc.rpartition("@")
    # A password with an unescaped "/", "?" or "#" spills over into the parts that follow the host.
    spilled = url.fragment or "@" in url.path + url.query or not _HOSTS.fullmatch(hosts)
    if url.scheme not in {"postgresql", "postgres"} or spilled:
        return _UNREADABLE
    user = credentials.partition(":")[0] or "".join(query.get("user", [])[:1])
    where = f"{hosts or ''.join(query.get('host', [])[:1])}{url.path}"
    return f"postgresql://{user}@{where}" if user else f"postgresql://{where}"


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


POINT_LOOKUPS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}
"""For a connection whose statements find a few rows by key: one plan, made once, that stays right as tables grow.

Left to itself the planner reads a young table whole, until that is analysed for the first time.
"""


async def connect(
    dsn: str, *, application: str, timeout: float = 10.0, settings: Mapping[str, str] | None = None
) -> Connection:
    """A connection whose commits are durable when they return; `timeout` (seconds) is for connecting and each command.

    Raises JournalUnreachable and JournalMisconfigured.
    """
    with _valid_dsn(dsn), typed_errors(dsn):
        return await asyncpg.connect(
            dsn,
            timeout=timeout,
            command_timeout=timeout,
            max_cached_statement_lifetime=0,  # prepared once, each statement is one round trip
            server_settings={**_settings(application), **(settings or {})},
        )


async def create_pool(dsn: str, *, application: str, size: int, timeout: float = 10.0) -> Pool:
    """As `connect`, for a process with many tasks: at most `size` connections."""
    with _valid_dsn(dsn), typed_errors(dsn):
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
def _valid_dsn(dsn: str) -> Iterator[None]:
    """Keeps back the messages of errors about a DSN: they quote pieces of it, which may be the password."""
    refusal = JournalMisconfigured(f"{redacted(dsn)} is no PostgreSQL URL: escape special characters in it")
    if redacted(dsn) == _UNREADABLE:
        raise refusal
    try:
        yield
    except ValueError:
        raise refusal from None
