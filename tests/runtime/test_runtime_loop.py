"""The event loop over the real engine: what is logged, when, and that nothing is carried out before."""

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.gridbot import GridBotSpec
from opensqt.engine.actions import Action, Cancel, OrderSide, Place
from opensqt.engine.config import EngineConfig
from opensqt.engine.engine import Engine
from opensqt.engine.events import (
    AccountReported,
    Configured,
    Event,
    FeedChanged,
    Goal,
    OrderFilled,
    OrderReported,
    OrderState,
    PriceChanged,
    Started,
)
from opensqt.engine.replay import Decision
from opensqt.journal.errors import Fenced, JournalUnreachable
from opensqt.runtime import loop as loop_module
from opensqt.runtime.clock import frozen_clock
from opensqt.runtime.loop import EventLoop
from opensqt.runtime.metrics import Metrics
from opensqt.runtime.probes import JOURNAL, Probes
from opensqt.runtime.translation import market_of
from tests.runtime.harness import spec
from tests.runtime.simulated_venue import RULES

MARKET = market_of(RULES)
CONFIG = EngineConfig.from_spec(GridBotSpec.model_validate(spec()), MARKET)
BEGINNING: tuple[Event, ...] = (
    Started(1, 1),
    Configured(1, 1, Goal.RUN, CONFIG),
    AccountReported(1, 10**16, 10**16),
    PriceChanged(2, 400_000),
)


class MemoryJournal:
    """Keeps what is appended, and fails as often as it is told."""

    def __init__(self) -> None:
        self.appends: list[list[Event]] = []
        self.failures: list[Exception] = []
        self.snapshots: list[tuple[int, dict[str, Any]]] = []
        self.seq = 0

    @property
    def events(self) -> list[Event]:
        return [event for append in self.appends for event in append]

    async def append(self, decisions: Sequence[Decision]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.appends.append([decision.event for decision in decisions])
        self.seq += len(decisions)

    async def save_snapshot(self, seq: int, snapshot: dict[str, Any]) -> None:
        self.snapshots.append((seq, snapshot))


class Silent:
    def committed(self, events: Sequence[Event], actions: Sequence[Action]) -> None: ...

    def advanced(self) -> None: ...


class Rig:
    def __init__(self) -> None:
        self.engine = Engine(MARKET, "uid")
        self.journal = MemoryJournal()
        self.probes = Probes()
        self.loop = EventLoop(
            self.engine,
            self.journal,  # type: ignore[arg-type]
            clock=frozen_clock(),
            probes=self.probes,
            random=Random(1),  # noqa: S311 - jitter
            observer=Silent(),
            commit_seconds=Metrics({"gridbot": "bot"}).commit_seconds,
        )

    async def handle(self, *events: Event) -> list[Action]:
        return await self.loop.handle(events)

    def replayed(self) -> Engine:
        engine = Engine(MARKET, "uid")
        for event in self.journal.events:
            engine.on(event)
        return engine


async def test_all_that_waits_is_committed_at_once() -> None:
    rig = Rig()
    for event in BEGINNING:
        rig.loop.put(event)
    actions = await rig.handle(*rig.loop.take())
    assert rig.journal.appends == [list(BEGINNING)]
    assert [type(action) for action in actions if isinstance(action, Place)] == [Place, Place]


async def test_the_newest_unlogged_price_precedes_the_next_logged_event() -> None:
    rig = Rig()
    await rig.handle(*BEGINNING)
    await rig.handle(PriceChanged(3, 400_010))
    await rig.handle(PriceChanged(4, 400_020))
    assert len(rig.journal.appends) == 1, "a quiet price is not logged"
    lost = FeedChanged(5, "orders", False, "lost")
    await rig.handle(lost)
    assert rig.journal.appends[1:] == [[PriceChanged(4, 400_020), lost]]


async def test_only_the_newest_price_waits() -> None:
    rig = Rig()
    lost = FeedChanged(5, "orders", False, "lost")
    for event in (PriceChanged(3, 1), lost, PriceChanged(4, 2), AccountReported(4, 1, 1)):
        rig.loop.put(event)
    assert rig.loop.take() == [lost, PriceChanged(4, 2), AccountReported(4, 1, 1)]
    assert rig.loop.take() == []


async def test_nothing_is_carried_out_before_it_is_committed() -> None:
    rig = Rig()
    rig.journal.failures = [JournalUnreachable("away")] * 3
    carried_out: list[tuple[int, Sequence[Action]]] = []

    def carry_out(actions: Sequence[Action]) -> None:
        carried_out.append((len(rig.journal.failures), actions))
        rig.loop.stop()

    for event in BEGINNING:
        rig.loop.put(event)
    await rig.loop.run(carry_out)
    assert [failures for failures, _ in carried_out] == [0]
    assert rig.probes[JOURNAL].healthy


async def test_prices_do_not_pile_up_while_the_journal_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.journal.failures = [JournalUnreachable("away")]
    tried = asyncio.Event()
    goes_on = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        tried.set()
        await goes_on.wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    handling = asyncio.create_task(rig.handle(*BEGINNING))
    await tried.wait()
    assert rig.probes[JOURNAL].reason == "Unreachable"
    for number in range(1000):
        rig.loop.put(PriceChanged(number, 400_000 + number))
    goes_on.set()
    await handling
    assert rig.loop.take() == [PriceChanged(999, 400_999)]


async def test_nobody_is_told_what_is_not_committed_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    await rig.handle(*BEGINNING)
    entry = rig.engine.live_orders()[0]
    assert (rig.loop.view().fills, rig.loop.view().last_price) == (0, 400_000)
    committing, goes_on = asyncio.Event(), asyncio.Event()
    append = rig.journal.append

    async def slow(decisions: Sequence[Decision]) -> None:
        committing.set()
        await goes_on.wait()
        await append(decisions)

    monkeypatch.setattr(rig.journal, "append", slow)
    handling = asyncio.create_task(rig.handle(OrderFilled(3, entry, "t1", 399_000, 5, 1, True)))
    await committing.wait()
    assert rig.engine.view().fills == 1
    assert rig.loop.view().fills == 0
    goes_on.set()
    await handling
    assert rig.loop.view().fills == 1


async def test_a_newer_instance_ends_the_loop() -> None:
    rig = Rig()
    rig.journal.failures = [Fenced("newer")]
    for event in BEGINNING:
        rig.loop.put(event)
    with pytest.raises(Fenced):
        await rig.loop.run(lambda _actions: pytest.fail("carried out"))


async def test_apply_returns_when_it_is_committed() -> None:
    rig = Rig()
    applied = asyncio.create_task(rig.loop.apply(BEGINNING[0]))
    running = asyncio.create_task(rig.loop.run(lambda _actions: None))
    await applied
    assert rig.journal.events == [BEGINNING[0]]
    rig.loop.stop()
    await running


async def test_a_snapshot_is_saved_every_so_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "SNAPSHOT_EVERY", 4)
    rig = Rig()
    await rig.handle(*BEGINNING)
    assert rig.journal.snapshots == [(4, rig.engine.snapshot())]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-2500, 2500), st.booleans()), max_size=40))
def test_the_log_replays_to_the_same_state(moves: list[tuple[int, bool]]) -> None:
    """Whatever was left out of the log: the state after it is the same, also from a snapshot on."""
    asyncio.run(_play(moves))


async def _play(moves: list[tuple[int, bool]]) -> None:
    rig = Rig()
    resting: dict[str, Place] = {}
    answers: list[Event] = list(BEGINNING)
    saved: list[tuple[int, dict[str, Any]]] = []
    price, now = 400_000, 10
    for step, with_answers in moves:
        while answers:
            answers = _answers(await rig.handle(*answers), resting, now)
        now += 1_000_000
        price += step
        for order in [order for order in resting.values() if _touched(order, price)]:
            del resting[order.client_id]
            answers += _filled(order, now)
        if with_answers:
            answers.append(PriceChanged(now, price))
        else:
            await rig.handle(PriceChanged(now, price))
        await rig.handle(FeedChanged(now, "orders", with_answers))
        assert rig.replayed().snapshot() == rig.engine.snapshot()
        saved.append((len(rig.journal.events), rig.engine.snapshot()))
    for logged, snapshot in saved[:: max(1, len(saved) // 3)]:
        engine = Engine.restore(MARKET, "uid", json.loads(json.dumps(snapshot)))
        for event in rig.journal.events[logged:]:
            engine.on(event)
        assert engine.snapshot() == rig.engine.snapshot()


def _answers(actions: Sequence[Action], resting: dict[str, Place], now: int) -> list[Event]:
    answers: list[Event] = []
    for action in actions:
        if isinstance(action, Place):
            resting[action.client_id] = action
            answers.append(OrderReported(now, action.client_id, OrderState.OPEN, 0))
        elif isinstance(action, Cancel) and action.client_id in resting:
            del resting[action.client_id]
            answers.append(OrderReported(now, action.client_id, OrderState.CANCELLED, 0))
    return answers


def _touched(order: Place, price: int) -> bool:
    assert order.price is not None
    return price <= order.price if order.side is OrderSide.BUY else price >= order.price


def _filled(order: Place, now: int) -> list[Event]:
    assert order.price is not None
    trade = OrderFilled(now, order.client_id, f"t{order.client_id}", order.price, order.lots, 1, True)
    return [trade, OrderReported(now, order.client_id, OrderState.FILLED, order.lots)]
