"""A bot rebuilt from its journal: is every decision the same, and every snapshot that is kept?"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from opensqt.engine.actions import Action, Place
from opensqt.engine.engine import Engine
from opensqt.engine.events import Event, OrderFilled, Started
from opensqt.engine.json_form import UnreadableError, from_json
from opensqt.engine.market import Market
from opensqt.engine.replay import Decision, repeat
from opensqt.journal.errors import JournalDiverged
from opensqt.journal.reader import JournalledBot, JournalReader

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first thing that comes out otherwise: after the event `seq`, the journal has `logged`."""

    seq: int
    what: str
    event: Event | None
    logged: list[str]
    replayed: list[str]


@dataclass(slots=True)
class Replay:
    """How far the replay went, and where it ended if not at the end of the log."""

    after_seq: int
    """The snapshot that it started from; 0 for the whole log."""
    last_seq: int
    events: int = 0
    orders: int = 0
    fills: int = 0
    engines: dict[int, str] = field(default_factory=dict)
    """The engines that wrote the log, each by the number of the event with which it began."""
    mismatch: Mismatch | None = None


async def replay(reader: JournalReader, bot: JournalledBot, *, from_snapshot: bool) -> Replay:
    """Up to the last event that the journal has now, or to the first difference.

    Raises JournalUnreachable, JournalMisconfigured; JournalDiverged for a gap; UnreadableError for what this release
    does not know, and where the log is from before the exchange's rules were noted in it.
    """
    snapshots = await reader.snapshots(bot.bot_uid)
    after = max(snapshots, default=0) if from_snapshot else 0
    outcome = Replay(after, bot.last_seq)
    orders: set[str] = set()
    fills: set[str] = set()
    engine: Engine | None = _restored(bot.bot_uid, snapshots[after]) if after else None
    async for seq, decision in _log(reader, bot, after):
        engine = engine or _fresh(bot.bot_uid, decision.event)
        if isinstance(decision.event, Started):
            outcome.engines[seq] = decision.event.engine
        outcome.events += 1
        difference = repeat(engine, decision)
        if difference is not None:
            logged, replayed = shown(difference.logged), shown(difference.replayed)
            outcome.mismatch = Mismatch(seq, "decision", decision.event, logged, replayed)
            return outcome
        orders.update(action.client_id for action in decision.actions or () if isinstance(action, Place))
        if isinstance(decision.event, OrderFilled):
            fills.add(decision.event.trade_id)
        outcome.orders, outcome.fills = len(orders), len(fills)
        if seq in snapshots and engine.snapshot() != snapshots[seq]:
            outcome.mismatch = Mismatch(
                seq, "snapshot", decision.event, *_parting(snapshots[seq]["state"], engine.snapshot()["state"])
            )
            return outcome
    return outcome


def shown(actions: list[Action]) -> list[str]:
    return [str(action) for action in actions]


async def _log(reader: JournalReader, bot: JournalledBot, after: int) -> AsyncIterator[tuple[int, Decision]]:
    while after < bot.last_seq:
        page = await reader.decisions(bot.bot_uid, after_seq=after, limit=min(_PAGE, bot.last_seq - after))
        for seq, decision in page:
            after += 1
            if seq != after:
                break
            yield seq, decision
        if not page or page[-1][0] != after:
            raise JournalDiverged(f"the journal of bot {bot.bot_uid} lacks event {after + (not page)}")


def _fresh(bot_uid: str, first: Event) -> Engine:
    if not isinstance(first, Started) or first.market is None:
        raise UnreadableError(
            "the log begins before the exchange's rules were noted in it: only what came after the newest snapshot can "
            "be replayed (--from-snapshot)"
        )
    return Engine(first.market, bot_uid)


def _restored(bot_uid: str, snapshot: dict[str, Any]) -> Engine:
    if "market" not in snapshot:
        raise UnreadableError("the newest snapshot is from before the exchange's rules were noted in it")
    return Engine.restore(from_json(Market, snapshot["market"]), bot_uid, snapshot)


def _parting(logged: Any, replayed: Any, path: str = "") -> tuple[list[str], list[str]]:
    """The parts of two states that differ, by their names."""
    if not (isinstance(logged, dict) and isinstance(replayed, dict)):
        return [f"{path}: {logged}"], [f"{path}: {replayed}"]
    mine: list[str] = []
    theirs: list[str] = []
    for name in {**logged, **replayed}:
        if logged.get(name) != replayed.get(name):
            left, right = _parting(logged.get(name), replayed.get(name), f"{path}.{name}".lstrip("."))
            mine, theirs = mine + left, theirs + right
    return mine, theirs
