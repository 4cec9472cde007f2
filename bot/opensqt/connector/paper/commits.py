"""Group commit: what happens while one commit is under way goes out in the next one, in one statement."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from opensqt.connector.paper.books import Books, SupersededError, commit_of
from opensqt.connector.paper.matching import Matching
from opensqt.connector.retry import Backoff
from opensqt.connector.venue import Failure, OrderUpdate, Price, VenueError
from opensqt.engine.events import Remedy
from opensqt.journal.errors import JournalMisconfigured, JournalUnreachable

log = structlog.get_logger(__name__)

RETRIES = Backoff(first=0.1, cap=5.0)
Update = OrderUpdate | Price


class GroupCommit:
    """Commits a matching engine's changes to the books, and tells the updates only then.

    `failing` says why nothing can be committed now; what was asked for before is tried until it succeeds.
    """

    def __init__(
        self,
        books: Books,
        matching: Matching,
        place_of: Callable[[str], int],
        tell: Callable[[Iterable[Update]], None],
        health_changed: Callable[[], None],
    ) -> None:
        """`place_of` is the time (µs) of a market's last price."""
        self.failing: Failure | None = None
        self._books = books
        self._matching = matching
        self._place_of = place_of
        self._tell = tell
        self._health_changed = health_changed
        self._moved: set[str] = set()
        self._asked: asyncio.Future[None] | None = None
        self._flying: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()

    def moved(self, symbol: str) -> None:
        """A market's place has changed: the next commit carries it."""
        self._moved.add(symbol)

    def ask(self) -> "asyncio.Future[None]":
        """Has all changes committed up to now; done when they are."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
            self._wake.set()
        return self._asked

    async def commit(self) -> None:
        """Returns when all changes up to now are durable."""
        await asyncio.shield(self.ask())

    async def settled(self) -> None:
        """Returns when all changes up to now are durable; at once where there are none.

        An answer that was read before and is given after says nothing that a crash could take back.
        """
        outstanding = self._asked or self._flying
        if outstanding is not None:
            await asyncio.shield(outstanding)

    async def run(self) -> None:
        """Raises SupersededError, JournalDiverged, and whatever says that the books will never take a commit."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._flying, self._asked = self._asked, None
            assert self._flying is not None  # noqa: S101 - woken by `ask` alone
            try:
                await self._commit_once(self._flying)
            except BaseException as error:
                self._give_up(error)
                raise

    async def _commit_once(self, done: "asyncio.Future[None]") -> None:
        changes = self._matching.take_changes()
        symbols = self._moved | changes.traded
        commit = commit_of(self._matching, changes, {symbol: self._place_of(symbol) for symbol in symbols})
        if commit.durable:
            self._moved = set()
        delays = RETRIES.delays()
        while True:
            try:
                await self._books.commit(commit)
                break
            except (JournalUnreachable, JournalMisconfigured) as error:
                self._say(Failure(Remedy.RETRY, str(error), venue_code=type(error).__name__, retry_after_ms=1000))
                await asyncio.sleep(next(delays))
        self._say(None)
        self._flying = None
        self._tell(changes.updates)
        done.set_result(None)

    def _say(self, failing: Failure | None) -> None:
        if failing != self.failing:
            self.failing = failing
            if failing is not None:
                log.warning("commit_failed", error=failing.message)
            self._health_changed()

    def _give_up(self, error: BaseException) -> None:
        """Nobody knows what became of the commit that failed; of the later ones nothing will."""
        if isinstance(error, SupersededError):
            failure = Failure(Remedy.RETRY, str(error))
        else:
            failure = Failure(Remedy.LOOK_UP, "the paper exchange is ending: its books did not take a commit")
        for waiting in (self._flying, self._asked):
            if waiting is not None and not waiting.done():
                waiting.set_exception(VenueError(failure))
                waiting.exception()  # it may be that nobody waits: then that is no news
