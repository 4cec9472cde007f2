"""kill -9 of the database and of the writer at any moment: what was committed is there, once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import opensqt
from opensqt.engine.events import Event
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.errors import JournalUnreachable
from opensqt.journal.journal import Journal
from tests.journal.conftest import OpenJournal, until
from tests.journal.sample import IDENTITY, decided, fill, place, price

ROOT = Path(__file__).parents[2]
WRITER = """
import asyncio, sys
import structlog
from opensqt.journal.journal import Journal
from tests.journal.sample import IDENTITY, decided, fill, place, price

async def main():
    journal = await Journal.open(sys.argv[1], **IDENTITY)
    for number in range(10_000):
        time = journal.epoch * 10_000 + number
        await journal.append(decided([price(time), fill(f"o{time}", f"t{time}")], [place(f"o{time}")]))
        print(journal.seq, flush=True)
        if number % 3 == 0:
            await journal.save_snapshot(journal.seq, {"seq": journal.seq})

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main())
"""


async def test_a_writer_that_is_killed_between_any_two_statements(open_journal: OpenJournal, postgres_dsn: str) -> None:
    """Each after one acknowledgement more: the log has all that was acknowledged, and at most one append more."""
    environment = {**os.environ, "PYTHONPATH": f"{Path(opensqt.__path__[0]).parent}{os.pathsep}{ROOT}"}
    before = 0
    for acknowledgements in range(1, 6):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, postgres_dsn,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        assert writer.stdout is not None
        acknowledged = before
        for _ in range(acknowledgements):
            acknowledged = int(await writer.stdout.readline())
        writer.kill()
        rest = (await writer.stdout.read()).split()
        await writer.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
        journal = await open_journal()
        recovered = await journal.load(snapshot=False)
        assert len(recovered.events) == journal.seq
        assert journal.seq in {acknowledged, acknowledged + 2}
        assert (await journal.load()).snapshot_seq <= journal.seq
        before = journal.seq


class Writer:
    """Does as the bot does: the same append until it succeeds, then the next."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.appended = 0
        self.refused = 0
        self.stopping = False

    async def run(self) -> None:
        succeeded = False
        while not (self.stopping and succeeded):
            try:
                await self.journal.append(decided(self.events(self.appended), [place(f"o{self.appended}")]))
            except JournalUnreachable:
                self.refused += 1
                succeeded = False
                await asyncio.sleep(0.05)  # the pause before another try, as the bot makes it
            else:
                self.appended += 1
                succeeded = True

    async def appends(self, more: int) -> None:
        """Until it has made so many more."""
        goal = self.appended + more

        async def reached() -> bool:
            return self.appended >= goal

        await until(reached)

    @staticmethod
    def events(number: int) -> list[Event]:
        return [price(number), fill("o", f"t{number}")]


async def replaced(server: EmbeddedPostgres, killed: int) -> bool:
    return server.pid not in {None, killed}


async def test_a_database_that_is_killed_while_bots_write() -> None:
    """Five times, at random moments, with fsync on."""
    moments = random.Random(7)  # noqa: S311 - no secret
    with TemporaryDirectory(prefix="opensqt-") as path:
        async with EmbeddedPostgres(Path(path) / "postgres") as server:
            journals = [await Journal.open(server.dsn, **{**IDENTITY, "bot_uid": f"uid-{n}"}) for n in range(3)]
            writers = [Writer(journal) for journal in journals]
            async with asyncio.TaskGroup() as running:
                for writer in writers:
                    running.create_task(writer.run())
                for _ in range(5):
                    await writers[0].appends(moments.randint(1, 30))
                    killed = server.pid
                    assert killed is not None
                    os.kill(killed, signal.SIGKILL)
                    await until(partial(replaced, server, killed))
                    await writers[0].appends(2)
                for writer in writers:
                    writer.stopping = True
            for writer in writers:
                expected = [event for number in range(writer.appended) for event in writer.events(number)]
                assert (await writer.journal.load()).events == expected
                assert writer.refused >= 5
                await writer.journal.close()
