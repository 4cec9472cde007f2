"""The user that PostgreSQL runs as: it refuses to be root."""

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from opensqt.journal.errors import PostgresUnavailable
from opensqt.journal.launch import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

UNPRIVILEGED = "nobody"
"""What root becomes. initdb wants a user that has a name."""


@dataclass(frozen=True, slots=True)
class Account:
    """User and group to become (-1: stay as we are), and the capability that goes along (-1: none)."""

    uid: int
    gid: int
    capability: int = -1

    def give(self, path: Path) -> None:
        """Makes `path` this account's, for nobody else to read."""
        path.chmod(0o700)
        if self.uid >= 0:
            os.chown(path, self.uid, self.gid)


def account_for(paths: Iterable[Path]) -> Account:
    """Ourselves, or as root an unprivileged user who can reach `paths`. Raises PostgresUnavailable.

    Where root's own folders are in the way, their modes stay as they are: the server is given the right to pass.
    """
    if os.geteuid() != 0:
        return Account(-1, -1)
    try:
        user = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise PostgresUnavailable(f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED!r}") from None
    barred = [path for path in paths if not _reachable(path, user.pw_uid, user.pw_gid)]
    if not barred:
        return Account(user.pw_uid, user.pw_gid)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if _permitted() >> capability & 1:
            return Account(user.pw_uid, user.pw_gid, capability)
    raise PostgresUnavailable(
        f"PostgreSQL does not run as root, and {UNPRIVILEGED!r} cannot reach {barred[0]}: choose another folder or user"
    )


def check_has_name() -> None:
    """initdb fails for a user whom /etc/passwd does not know. Raises PostgresUnavailable."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise PostgresUnavailable(
            f"user id {os.geteuid()} has no entry in /etc/passwd, without which initdb makes no database"
        ) from None


def _reachable(path: Path, uid: int, gid: int) -> bool:
    for folder in path.parents:
        status = folder.stat()
        bit = 0o100 if status.st_uid == uid else 0o010 if status.st_gid == gid else 0o001
        if not status.st_mode & bit:
            return False
    return True


def _permitted() -> int:
    """Our permitted capabilities, as bits."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0
