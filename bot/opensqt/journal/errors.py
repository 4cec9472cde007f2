"""What can go wrong with the journal, by what the caller must do.

JournalError
├── JournalUnreachable      call again, with the same arguments: whether the call took effect is unknown
├── JournalMisconfigured    tell a person: the DSN, the role's rights or the bot's identity is wrong
│   ├── DatabaseTooNew      run the newer release that migrated this database
│   └── PostgresUnavailable the embedded server cannot be had here; the message says what would help
├── JournalDiverged         end the process and start again from what the journal has
└── Fenced                  end the process: a newer instance of the bot is in charge
"""


# ruff: noqa: N818 - they name states, as Fenced does


class JournalError(Exception):
    """Base of all; messages never hold a password."""


class JournalUnreachable(JournalError):
    """The database does not answer, or not now. Every call of the journal may be repeated as it was."""


class JournalMisconfigured(JournalError):
    """The database answered, and will go on refusing until somebody changes something."""


class DatabaseTooNew(JournalMisconfigured):
    """A newer release has migrated this database; migrations go forward only."""


class PostgresUnavailable(JournalMisconfigured):
    """The embedded PostgreSQL cannot run: not installed, its folder is in use or out of reach, or it fails to start."""


class JournalDiverged(JournalError):
    """The journal does not hold what this instance has committed: an old backup, a failover that lost some, a bug."""


class Fenced(JournalError):
    """A newer epoch has been taken: this instance may commit nothing more, and so do nothing more."""
