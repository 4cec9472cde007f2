"""`opensqt replay`: a bot rebuilt from its journal, and whether every decision comes out the same."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import structlog

from opensqt.api.process import DSN_ENV
from opensqt.engine.json_form import UnreadableError
from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.errors import JournalError, JournalUnreachable, PostgresUnavailable
from opensqt.journal.postgres import connect
from opensqt.journal.reader import JournalledBot, JournalReader
from opensqt.journal.replay import Replay
from opensqt.journal.replay import replay as replay_log
from opensqt.runtime.build import engine_build

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_IMPOSSIBLE = 2
DEFAULT_STATE = Path(".opensqt")
_SHOWN = 20


@click.command("replay")
@click.argument("name", metavar="BOT")
@click.option("--dsn", metavar="DSN", envvar=DSN_ENV, show_envvar=True, help="The database that the journal is in.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The state folder of `opensqt run`, where there is no DSN; .opensqt in the current directory by default.",
)
@click.option(
    "--from-snapshot",
    is_flag=True,
    help="Only what came after the newest snapshot: what the next start of the bot would replay.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def replay(*, name: str, dsn: str | None, state_dir: Path | None, from_snapshot: bool, output: str) -> None:
    """Take the whole log of BOT to an engine once more, and compare: decisions, snapshots, orders and fills.

    BOT is a GridBot's name, namespace/name or uid. The bot may be at work meanwhile: nothing is written. Ends with 0
    where everything comes out the same, with 1 at the first difference, with 2 where it cannot be done.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        bot, outcome, seconds = asyncio.run(_replayed(name, dsn, state_dir or DEFAULT_STATE, from_snapshot))
    except (JournalError, UnreadableError, click.ClickException) as error:
        click.echo(f"opensqt replay: {getattr(error, 'message', error)}", err=True)
        sys.exit(EXIT_IMPOSSIBLE)
    report = _json if output == "json" else _text
    click.echo(report(bot, outcome, seconds))
    sys.exit(EXIT_DIFFERENT if outcome.mismatch else EXIT_SAME)


async def _replayed(
    name: str, dsn: str | None, state: Path, from_snapshot: bool
) -> tuple[JournalledBot, Replay, float]:
    async with _reader(dsn, state / "postgres") as reader:
        bot = _chosen(await reader.bots(), name)
        started = time.perf_counter()
        outcome = await replay_log(reader, bot, from_snapshot=from_snapshot)
        return bot, outcome, time.perf_counter() - started


@asynccontextmanager
async def _reader(dsn: str | None, folder: Path) -> AsyncIterator[JournalReader]:
    """Of the embedded PostgreSQL as it runs, or else started for as long as it is needed."""
    async with AsyncExitStack() as stack:
        if dsn is None:
            if not (folder / "pgdata").is_dir():
                raise PostgresUnavailable(f"no journal in {folder}: give --dsn, or the --state-dir of `opensqt run`")
            server = EmbeddedPostgres(folder)
            dsn = server.dsn
            if not await _answers(dsn):
                await stack.enter_async_context(server)
        reader = await JournalReader.open(dsn)
        stack.push_async_callback(reader.close)
        yield reader


async def _answers(dsn: str) -> bool:
    try:
        await (await connect(dsn, application="opensqt replay")).close()
    except JournalUnreachable:
        return False
    return True


def _chosen(bots: list[JournalledBot], name: str) -> JournalledBot:
    found = [bot for bot in bots if name in {bot.bot_uid, bot.name, f"{bot.namespace}/{bot.name}"}]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{bot.namespace}/{bot.name} ({bot.bot_uid})" for bot in found or bots) or "none"
    raise click.ClickException(
        f"{len(found)} bots are called {name}, give the uid: {known}"
        if found
        else f"the journal has no bot {name}; it has {known}"
    )


def _json(bot: JournalledBot, outcome: Replay, seconds: float) -> str:
    mismatch = outcome.mismatch
    document: dict[str, Any] = {
        "bot": f"{bot.namespace}/{bot.name}",
        "uid": bot.bot_uid,
        "symbol": bot.symbol,
        "same": mismatch is None,
        "afterSeq": outcome.after_seq,
        "lastSeq": outcome.last_seq,
        "events": outcome.events,
        "orders": outcome.orders,
        "fills": outcome.fills,
        "engine": engine_build(),
        "engines": {str(seq): engine for seq, engine in outcome.engines.items()},
        "difference": None
        if mismatch is None
        else {
            "seq": mismatch.seq,
            "what": mismatch.what,
            "event": None if mismatch.event is None else {type(mismatch.event).__name__: asdict(mismatch.event)},
            "journal": mismatch.logged,
            "replay": mismatch.replayed,
        },
        "seconds": round(seconds, 3),
    }
    return json.dumps(document, indent=2, default=str)


def _text(bot: JournalledBot, outcome: Replay, seconds: float) -> str:
    start = f" after snapshot {outcome.after_seq}" if outcome.after_seq else ""
    whose = f"{bot.namespace}/{bot.name} ({bot.bot_uid}), {bot.symbol}"
    lines = [f"{whose}: {outcome.events:,} events{start} replayed in {seconds:.1f} s, {len(outcome.engines)} starts"]
    mismatch = outcome.mismatch
    if mismatch is None:
        lines.append(f"every decision is the same; {outcome.orders:,} orders, {outcome.fills:,} fills")
        return "\n".join(lines)
    lines.append(f"first difference, at event {mismatch.seq:,} of {outcome.last_seq:,}: {mismatch.what}")
    if mismatch.event is not None:
        when = datetime.fromtimestamp(mismatch.event.time / 1e6, UTC)
        lines.append(f"  {when:%Y-%m-%d %H:%M:%S.%f} {mismatch.event}")
    lines += _listed("journal", mismatch.logged) + _listed("replay", mismatch.replayed)
    wrote = next((engine for _, engine in sorted(outcome.engines.items(), reverse=True)), "")
    if wrote and wrote != engine_build():
        lines.append(f"engine {wrote} decided there, this one is {engine_build()}: the rules may have changed")
    return "\n".join(lines)


def _listed(whose: str, parts: list[str]) -> list[str]:
    shown = [f"    {part}" for part in parts[:_SHOWN]] or ["    nothing"]
    more = [f"    and {len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
    return [f"  {whose}:", *shown, *more]
