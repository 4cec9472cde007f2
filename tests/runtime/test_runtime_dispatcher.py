"""The dispatcher: of one order one call at a time, every action answered, the urgent first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.engine import client_id as ids_of
from opensqt.engine.actions import Cancel, LookUp, OrderSide, Place, TimeInForce
from opensqt.engine.events import CancelFailed, Event, OrderNotFound, OrderReported, OrderState, PlaceFailed, Remedy
from opensqt.runtime.dispatcher import CALLS_AT_ONCE, Dispatcher, Order
from opensqt.runtime.execution import LISTED_FROM


def place(client_id: str, *, reduce_only: bool = False) -> Place:
    return Place(client_id, OrderSide.BUY, 1, 1, reduce_only, TimeInForce.GTC)


@dataclass
class Calls:
    """In the place of `Execution`: each call takes its time, and what overlaps is noticed."""

    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - a schedule
    place_limit: int = 3
    cancel_limit: int = 2
    held_until: float = 0.0
    open: frozenset[str] = frozenset()
    """What a list of the open orders has."""
    under_way: set[str] = field(default_factory=set)
    calls: list[tuple[str, ...]] = field(default_factory=list)

    async def place(self, places: Sequence[Place]) -> list[Event]:
        ids = [each.client_id for each in places]
        await self._call("place", ids)
        return [OrderReported(0, client_id, OrderState.OPEN, 0) for client_id in ids]

    def not_sent(self, action: Place) -> Event:
        return PlaceFailed(0, action.client_id, Remedy.RETRY, "not sent")

    async def cancel(self, client_ids: Sequence[str]) -> list[Event]:
        await self._call("cancel", client_ids)
        return [CancelFailed(0, client_id, Remedy.RETRY, "") for client_id in client_ids]

    async def look_up(self, action: LookUp) -> list[Event]:
        await self._call("look_up", [action.client_id])
        return [OrderNotFound(0, action.client_id)]

    async def listed(self, look_ups: Sequence[LookUp]) -> list[OrderReported]:
        await self._call("list", [each.client_id for each in look_ups])
        return [
            OrderReported(0, each.client_id, OrderState.OPEN, 0) for each in look_ups if each.client_id in self.open
        ]

    async def _call(self, kind: str, client_ids: Sequence[str]) -> None:
        assert not self.under_way & set(client_ids), "two calls for one order at a time"
        assert len(set(client_ids)) == len(client_ids)
        limits = {"place": self.place_limit, "cancel": self.cancel_limit, "look_up": 1, "list": len(client_ids)}
        assert len(client_ids) <= limits[kind]
        self.calls.append((kind, *client_ids))
        self.under_way.update(client_ids)
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        self.under_way.difference_update(client_ids)


READS = {"look_up", "list"}
ids = st.sampled_from([f"o{number}" for number in range(6)])
one_action = st.one_of(st.builds(place, ids, reduce_only=st.booleans()), st.builds(Cancel, ids), st.builds(LookUp, ids))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(one_action, max_size=12), max_size=6), st.integers(0, 1000))
def test_every_action_is_answered_one_call_at_a_time(groups: list[list[Order]], seed: int) -> None:
    calls = Calls(Random(seed))  # noqa: S311 - a schedule
    answers: list[Event] = []

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            dispatcher = Dispatcher(calls, answers.append, tasks)  # type: ignore[arg-type]
            for group in groups:
                dispatcher.dispatch(group)
                await asyncio.sleep(0)
            await dispatcher.idle()

    asyncio.run(run())
    actions = [action for group in groups for action in group]
    for client_id in {action.client_id for action in actions}:
        sent = [call[0] for call in calls.calls if client_id in call[1:]]
        asked = [_kind(action) for action in actions if action.client_id == client_id]
        assert [kind for kind in sent if kind not in READS] == [kind for kind in asked if kind not in READS]
        assert ("look_up" in sent) == ("look_up" in asked), "what no list has is asked for by itself"
    assert len([answer for answer in answers if isinstance(answer, OrderReported)]) == _count(actions, Place)
    assert len([answer for answer in answers if isinstance(answer, CancelFailed)]) == _count(actions, Cancel)


def _kind(action: Order) -> str:
    return {Place: "place", Cancel: "cancel", LookUp: "look_up"}[type(action)]


def _count(actions: Sequence[Order], kind: type) -> int:
    return sum(isinstance(action, kind) for action in actions)


async def _dispatch(calls: Calls, *actions: Order) -> None:
    async with asyncio.TaskGroup() as tasks:
        dispatcher = Dispatcher(calls, lambda _event: None, tasks)  # type: ignore[arg-type]
        dispatcher.dispatch(actions)
        await dispatcher.idle()


async def test_cancels_go_before_exits_before_entries() -> None:
    calls = Calls()
    await _dispatch(calls, place("entry"), place("exit", reduce_only=True), LookUp("doubt"), Cancel("old"))
    assert calls.calls == [("cancel", "old"), ("place", "exit"), ("look_up", "doubt"), ("place", "entry")]


async def test_an_exit_is_urgent_also_where_it_is_not_reduce_only() -> None:
    """On spot no order is."""
    calls = Calls()
    entry, exit_order = (ids_of.client_id("uid", leg, 1, 0, 0) for leg in (ids_of.Leg.ENTRY, ids_of.Leg.EXIT))
    await _dispatch(calls, place(entry), place(exit_order))
    assert calls.calls == [("place", exit_order), ("place", entry)]


async def test_when_margin_lacks_no_entry_that_waits_is_sent_and_all_are_answered() -> None:
    calls = Calls(place_limit=1)
    refused = asyncio.Event()
    sent: list[str] = []

    async def refuse(places: Sequence[Place]) -> list[Event]:
        sent.extend(each.client_id for each in places)
        if len(sent) == CALLS_AT_ONCE:
            refused.set()
        await refused.wait()
        return [PlaceFailed(0, each.client_id, Remedy.INSUFFICIENT_MARGIN, "") for each in places]

    calls.place = refuse  # type: ignore[method-assign]
    answers: list[Event] = []
    ids = [f"o{number}" for number in range(20)]
    async with asyncio.TaskGroup() as tasks:
        dispatcher = Dispatcher(calls, answers.append, tasks)  # type: ignore[arg-type]
        dispatcher.dispatch([place(one) for one in ids])
        dispatcher.dispatch([LookUp(ids[-1])])
        await dispatcher.idle()
    assert sent == ids[:CALLS_AT_ONCE]
    failed = {one.client_id: one.remedy for one in answers if isinstance(one, PlaceFailed)}
    assert sorted(failed) == sorted(ids)
    assert {failed[one] for one in ids[CALLS_AT_ONCE:]} == {Remedy.RETRY}
    assert calls.calls == [("look_up", ids[-1])]


async def test_a_cancel_waits_for_the_answer_to_its_placement() -> None:
    calls = Calls()
    await _dispatch(calls, place("order"), Cancel("order"), LookUp("order"))
    assert calls.calls == [("place", "order"), ("cancel", "order"), ("look_up", "order")]


async def test_a_look_up_that_waits_is_not_asked_twice() -> None:
    calls = Calls()
    await _dispatch(calls, place("order"), LookUp("order"), LookUp("order"))
    assert calls.calls == [("place", "order"), ("look_up", "order")]


async def test_many_look_ups_are_sought_in_one_list_and_only_the_rest_asked_for_one_by_one() -> None:
    asked = [f"o{number}" for number in range(LISTED_FROM)]
    calls = Calls(open=frozenset(asked[2:]))
    await _dispatch(calls, *map(LookUp, asked))
    assert calls.calls == [("list", *asked), ("look_up", asked[0]), ("look_up", asked[1])]


async def test_a_cancel_waits_for_the_list_that_its_order_is_sought_in() -> None:
    asked = [f"o{number}" for number in range(LISTED_FROM)]
    calls = Calls(open=frozenset(asked[1:]))
    await _dispatch(calls, *map(LookUp, asked), Cancel(asked[0]), Cancel(asked[1]))
    assert calls.calls[0] == ("list", *asked)
    assert set(calls.calls[1:]) == {("cancel", asked[1]), ("look_up", asked[0]), ("cancel", asked[0])}
    assert calls.calls.index(("look_up", asked[0])) < calls.calls.index(("cancel", asked[0]))


async def test_no_more_calls_at_once_than_allowed() -> None:
    calls = Calls(place_limit=1)
    goes_on = asyncio.Event()
    started = 0

    async def wait(places: Sequence[Place]) -> list[Event]:
        nonlocal started
        started += 1
        await goes_on.wait()
        return []

    calls.place = wait  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        dispatcher = Dispatcher(calls, lambda _event: None, tasks)  # type: ignore[arg-type]
        dispatcher.dispatch([place(f"o{number}") for number in range(20)])
        await asyncio.sleep(0)
        assert started == CALLS_AT_ONCE
        goes_on.set()
        await dispatcher.idle()
        assert started == 20


async def test_nothing_is_sent_while_the_venue_wants_quiet() -> None:
    calls = Calls()
    loop = asyncio.get_running_loop()
    calls.held_until = loop.time() + 0.2
    await _dispatch(calls, Cancel("order"))
    assert calls.calls == [("cancel", "order")]
    assert loop.time() >= calls.held_until


async def test_what_waits_is_not_sent_after_the_end() -> None:
    calls = Calls()
    async with asyncio.TaskGroup() as tasks:
        dispatcher = Dispatcher(calls, lambda _event: None, tasks)  # type: ignore[arg-type]
        dispatcher.dispatch([place("order"), Cancel("order")])
        dispatcher.close()
        dispatcher.dispatch([place("late")])
        await dispatcher.idle()
    assert calls.calls == [("place", "order")]
