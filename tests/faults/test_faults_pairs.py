"""Every pair of faults of an exchange, in both orders: no order twice, no fill lost or counted twice, the same slots.

Complaints 2 (duplicate orders), 4 (missed updates), 5 (a partial fill, then a cancel) and 8 (rate bans) of users.
"""

from itertools import product

import pytest

from opensqt.api.paper import CALL_FAULTS, Call, Fault
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector import faults
from opensqt.connector.faults import FaultyVenue
from opensqt.connector.retry import Backoff
from opensqt.runtime import execution, feeds, reconciliation
from tests.faults.short_market import MOVES, SPEC, Stage, check_books, forget_all, record, settle
from tests.faults.watched_venue import WatchedVenue
from tests.runtime.harness import Bot, bot, connector, environment

PAIRS = list(product(Fault, repeat=2))
QUICK = Backoff(first=0.02, cap=0.05, floor=0.01)


class Pair:
    """A plan: after `arm` the first fault strikes at the first chance, then the second at the next one that it has.

    Armed for the second time, call faults befall look-ups too: what one fault makes doubtful, the other one disturbs.
    """

    def __init__(self, first: Fault, second: Fault) -> None:
        self._pair = (first, second)
        self._due: list[Fault] = []
        self._arms = 0
        self.struck: list[Fault] = []

    def arm(self) -> None:
        self._due = list(self._pair)
        self._arms += 1

    def on_call(self, call: Call) -> Fault | None:
        return self._strike(calls=True) if call is not Call.LOOK_UP or self._arms % 2 == 0 else None

    def on_message(self) -> Fault | None:
        return self._strike(calls=False)

    def _strike(self, *, calls: bool) -> Fault | None:
        if not self._due or (self._due[0] in CALL_FAULTS) is not calls:
            return None
        self.struck.append(self._due[0])
        return self._due.pop(0)


async def snapshot_of(running: Bot) -> pb.GetSnapshotResponse:
    return await running.stub.GetSnapshot(pb.GetSnapshotRequest())


@pytest.fixture(scope="module")
def stages() -> dict[str, list[Stage]]:
    return {}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for in real time; the rest is market time, which the test makes pass."""
    monkeypatch.setattr(faults, "BACK_OFF_MS", 30)
    monkeypatch.setattr(faults, "DELAY_SECONDS", 0.05)
    monkeypatch.setattr(faults, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(feeds, "TO_CONNECTOR", QUICK)
    monkeypatch.setattr(execution, "RETRIES", QUICK)
    monkeypatch.setattr(reconciliation, "EVERY", 0.4)


async def undisturbed(dsn: str, stages: dict[str, list[Stage]]) -> list[Stage]:
    if not stages:
        venue = WatchedVenue()
        async with connector(venue) as address, bot(environment(dsn, changes=SPEC), address) as running:
            stages["undisturbed"] = await record(venue, lambda: snapshot_of(running))
        await check_books(venue, dsn)
        await forget_all(dsn)
    return stages["undisturbed"]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{first}-{second}" for first, second in PAIRS])
async def test_complaints_2_4_5_8_a_pair_of_faults(
    postgres_dsn: str, stages: dict[str, list[Stage]], first: Fault, second: Fault
) -> None:
    expected = await undisturbed(postgres_dsn, stages)
    venue, plan = WatchedVenue(), Pair(first, second)
    async with (
        connector(FaultyVenue(venue, plan)) as address,
        bot(environment(postgres_dsn, changes=SPEC), address) as running,
    ):
        for move, stage in zip(MOVES, expected, strict=True):
            plan.arm()
            move(venue)
            await settle(venue, lambda: snapshot_of(running), stage)
    await check_books(venue, postgres_dsn)
    assert plan.struck.count(first) >= 2
    assert plan.struck.count(second) >= 2
