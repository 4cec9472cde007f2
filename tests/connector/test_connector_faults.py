"""Faults that are injected: each does what its name says, the same each time, around any venue."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from opensqt.api.paper import CALL_FAULTS, Call, Fault, PaperFaults
from opensqt.connector import faults
from opensqt.connector.faults import FaultyVenue, Rule, ScriptedFaults
from opensqt.connector.venue import Failure, Gap, NewOrder, VenueError, VenueOrder
from opensqt.engine.events import OrderState, Remedy
from tests.connector.scripted_venue import SYMBOL, ScriptedVenue, fill, order
from tests.connector.test_connector_crash import replacement


def faulty(*rules: Rule) -> tuple[ScriptedVenue, FaultyVenue]:
    inner = ScriptedVenue()
    inner.answers["order"] = (order("oa1"), [fill("oa1")])
    return inner, FaultyVenue(inner, ScriptedFaults(rules))


def batch(number: int) -> list[NewOrder]:
    return [replacement(f"oa{each}") for each in range(number)]


def sent(inner: ScriptedVenue, call: str = "place") -> list[int]:
    """How many items each call that reached the venue had."""
    return [len(arguments[-1]) for arguments in inner.called(call)]


@pytest.mark.parametrize(
    ("fault", "remedy", "reached"),
    [
        (Fault.TIME_OUT_AFTER_ACCEPTANCE, Remedy.LOOK_UP, [3]),
        (Fault.RATE_LIMITED, Remedy.BACK_OFF, []),
        (Fault.SERVER_ERROR, Remedy.LOOK_UP, []),
        (Fault.DISCONNECT_MID_BATCH, Remedy.LOOK_UP, [2]),
    ],
)
async def test_a_placement_that_fails_as_a_whole(fault: Fault, remedy: Remedy, reached: Sequence[int]) -> None:
    inner, venue = faulty(Rule(fault, nth=2))
    assert len(await venue.place(batch(1))) == 1
    with pytest.raises(VenueError) as failed:
        await venue.place(batch(3))
    assert failed.value.failure.remedy is remedy
    assert sent(inner) == [1, *reached]
    assert [type(outcome) for outcome in await venue.place(batch(2))] == [VenueOrder] * 2


async def test_a_rejection_of_what_was_accepted_and_a_batch_that_fails_in_part() -> None:
    inner, venue = faulty(Rule(Fault.REJECTION_AFTER_ACCEPTANCE, nth=1), Rule(Fault.PARTIAL_BATCH_FAILURE, nth=2))
    assert [type(outcome) for outcome in await venue.place(batch(2))] == [Failure] * 2
    assert [type(outcome) for outcome in await venue.place(batch(5))] == [VenueOrder] * 2 + [Failure] * 3
    assert sent(inner) == [2, 2]


async def test_cancels_and_look_ups_have_faults_of_their_own() -> None:
    inner, venue = faulty(
        Rule(Fault.TIME_OUT_AFTER_ACCEPTANCE, Call.CANCEL, nth=1), Rule(Fault.SERVER_ERROR, Call.LOOK_UP, nth=1)
    )
    assert len(await venue.place(batch(1))) == 1
    with pytest.raises(VenueError, match="no answer"):
        await venue.cancel(SYMBOL, ["oa1"])
    assert sent(inner, "cancel") == [1]
    with pytest.raises(VenueError) as failed:
        await venue.order(SYMBOL, "oa1")
    assert failed.value.failure.remedy is Remedy.RETRY, "a question may be asked again"
    assert (await venue.order(SYMBOL, "oa1"))[0].client_id == "oa1"


async def test_a_slow_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "SLOW_SECONDS", 0.05)
    inner, venue = faulty(Rule(Fault.SLOW_CALL, nth=1))
    placing = asyncio.create_task(venue.place(batch(1)))
    await asyncio.sleep(0)
    assert not sent(inner)
    assert len(await placing) == 1


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (Fault.DUPLICATE_MESSAGE, ["1", "2", "2", "3"]),
        (Fault.DROPPED_MESSAGE, ["1", "3"]),
        (Fault.REORDERED_MESSAGE, ["1", "3", "2"]),
        (Fault.DELAYED_MESSAGE, ["1", "3", "2"]),
    ],
)
async def test_messages(monkeypatch: pytest.MonkeyPatch, fault: Fault, heard: list[str]) -> None:
    monkeypatch.setattr(faults, "DELAY_SECONDS", 0.05)
    inner, venue = faulty(Rule(fault, nth=2))
    stream: Any = venue.watch_orders([SYMBOL])
    for trade in "123":
        inner.bring("orders", SYMBOL, fill("oa1", trade))
    assert [(await anext(stream)).trade_id for _ in heard] == heard
    await stream.aclose()


async def test_a_reordered_message_that_nothing_overtakes_comes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "DELAY_SECONDS", 0.01)
    inner, venue = faulty(Rule(Fault.REORDERED_MESSAGE, nth=1))
    stream: Any = venue.watch_orders([SYMBOL])
    inner.bring("orders", SYMBOL, order("oa1", OrderState.CANCELLED))
    assert (await anext(stream)).client_id == "oa1"
    await stream.aclose()
    assert inner.watched("orders") == 0


async def test_a_disconnect_is_a_gap_in_the_stream_of_orders() -> None:
    _, venue = faulty(Rule(Fault.DISCONNECT_MID_BATCH, nth=1))
    stream: Any = venue.watch_orders([SYMBOL])
    with pytest.raises(VenueError):
        await venue.place(batch(1))
    assert isinstance(await anext(stream), Gap)
    await stream.aclose()


def strikes(seed: int) -> list[Fault | None]:
    spec = {
        "seed": seed,
        "inject": [
            {"fault": "ServerError", "probability": "0.2"},
            {"fault": "RateLimited", "call": "Cancel", "probability": "0.5"},
            {"fault": "DroppedMessage", "nth": 3},
        ],
    }
    plan = ScriptedFaults.of(PaperFaults.model_validate(spec))
    struck = []
    for _ in range(50):
        struck += [plan.on_call(Call.PLACE), plan.on_call(Call.CANCEL), plan.on_message(), plan.on_call(Call.LOOK_UP)]
    return struck


def test_chances_are_drawn_by_the_seed() -> None:
    struck = strikes(1)
    assert strikes(1) == struck
    assert strikes(2) != struck
    assert struck[2::4] == [None, None, Fault.DROPPED_MESSAGE] + [None] * 47
    assert set(struck[::4]) == {None, Fault.SERVER_ERROR}
    assert set(struck[1::4]) == {None, Fault.RATE_LIMITED}
    assert set(struck[3::4]) == {None}


@pytest.mark.parametrize(
    "when", [{}, {"nth": 1, "probability": "0.5"}, {"probability": "1.5"}], ids=["neither", "both", "more than 1"]
)
def test_a_spec_says_when(when: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="probability"):
        PaperFaults.model_validate({"inject": [{"fault": "ServerError", **when}]})


def test_every_fault_befalls_calls_or_messages() -> None:
    assert {fault for fault in Fault if fault.value.endswith("Message")} == frozenset(Fault) - CALL_FAULTS
