"""A log taken to an engine once more: the same decisions, and no order lost where they are others."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.engine.actions import Action, Cancel, LookUp, Notify, Place, Severity, TimeInForce
from opensqt.engine.engine import Engine
from opensqt.engine.events import ClockTicked, Event, PriceChanged, Started
from opensqt.engine.json_form import UnreadableError
from opensqt.engine.replay import Decision, repeat
from tests.engine.rig import BOT_UID, MARKET, Rig, of_kind, placed, trading


def test_what_is_decided_the_same_is_no_difference() -> None:
    rig, again = trading(), Engine(MARKET, BOT_UID)
    event = PriceChanged(1, 1000)
    answer = rig.engine.on(Started(1, 2))
    assert repeat(rig.engine, Decision(event, rig.engine.on(event))) is None
    assert repeat(again, Decision(Started(1, 2), [])) is None
    assert answer


def test_other_words_for_people_are_no_difference() -> None:
    first, again = Rig(), Rig()
    event = PriceChanged(first.now, 1000)
    actions: list[Action] = [
        Notify(each.severity, each.reason, "in other words") if isinstance(each, Notify) else each
        for each in first.engine.on(event)
    ]
    assert of_kind(Notify, actions)
    assert repeat(again.engine, Decision(event, actions)) is None


@pytest.mark.parametrize("change", [{"lots": 11}, {"price": 999}, {"time_in_force": TimeInForce.GTC}])
def test_an_order_of_other_content_is_a_difference(change: dict[str, Any]) -> None:
    first, again = Rig(), Rig()
    event = PriceChanged(first.now, 1000)
    first.engine.on(event)
    up = PriceChanged(first.now, 1004)
    again.engine.on(event)
    actions = first.engine.on(up)
    logged = [replace(each, **change) if isinstance(each, Place) else each for each in actions]
    difference = repeat(again.engine, Decision(up, logged))
    assert difference is not None
    assert (difference.event, difference.logged, difference.replayed) == (up, logged, actions)
    assert difference.orders == of_kind(Place, logged)


def test_a_log_that_does_not_say_what_was_decided_is_taken_as_it_is() -> None:
    rig = Rig()
    assert repeat(rig.engine, Decision(PriceChanged(rig.now, 1000), None)) is None
    assert rig.engine.live_orders()


def test_a_notice_or_cancel_that_differs_is_told_and_changes_nothing() -> None:
    rig = trading()
    before = rig.engine.snapshot()
    difference = repeat(
        rig.engine, Decision(ClockTicked(rig.now), [Cancel(rig.entry(990)), Notify(Severity.NORMAL, "A", "b")])
    )
    assert difference is not None
    assert difference.orders == []
    assert rig.engine.snapshot() == before


# --- the exchange's rules are in the log ---


def test_rules_that_changed_count_from_the_start_that_noted_them() -> None:
    """A recovery under new rules replays the events of the old ones under the old ones."""
    rig = Rig()
    log: list[tuple[Event, list[Action]]] = []

    def feed(event: Event) -> None:
        log.append((event, rig.feed(event)))

    dear = replace(MARKET, min_notional=10 * MARKET.min_notional, maker_fee_ppm=900)
    feed(Started(rig.now, 2, MARKET, "a"))
    for price in (1000, 1004, 990):
        feed(PriceChanged(rig.now, price))
    snapshot = rig.engine.snapshot()
    feed(Started(rig.now, 3, dear, "b"))
    feed(PriceChanged(rig.now, 970))
    assert rig.engine.market == dear
    later = Engine.restore(dear, BOT_UID, snapshot)
    assert later.market == MARKET
    for event, actions in log[4:]:
        assert repeat(later, Decision(event, actions)) is None
    assert later.market == dear
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_snapshot_from_before_rules_were_noted_takes_those_of_today() -> None:
    snapshot = {name: value for name, value in trading().engine.snapshot().items() if name != "market"}
    assert Engine.restore(MARKET, BOT_UID, snapshot).market == MARKET
    with pytest.raises(UnreadableError, match="ticks and lots"):
        Engine.restore(replace(MARKET, lot_size=Decimal("0.1")), BOT_UID, snapshot)


def test_look_ups_are_decisions_too() -> None:
    rig = trading()
    difference = repeat(rig.engine, Decision(ClockTicked(rig.now), [LookUp(rig.entry(990))]))
    assert difference is not None
    assert not placed(difference.replayed)
