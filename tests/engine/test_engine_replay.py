"""A log taken to an engine once more: the same decisions, and no order lost where they are others."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.engine.actions import Action, Cancel, LookUp, Notify, OrderSide, Place, Severity, TimeInForce
from opensqt.engine.client_id import Leg, OrderKey, client_id, parse
from opensqt.engine.engine import Engine
from opensqt.engine.events import ClockTicked, Event, OrderFilled, OrderNotFound, OrderState, PriceChanged, Started
from opensqt.engine.json_form import UnreadableError
from opensqt.engine.replay import Decision, repeat
from tests.engine.rig import BOT_UID, MARKET, SECOND, Rig, cancelled, looked_up, of_kind, placed, trading


def buy(price: int, lots: int, *, slot: int, cycle: int = 0, attempt: int = 0) -> Place:
    name = client_id(BOT_UID, Leg.ENTRY, slot, cycle, attempt)
    return Place(name, OrderSide.BUY, price, lots, reduce_only=False, time_in_force=TimeInForce.POST_ONLY)


def sell(price: int, lots: int, *, slot: int, cycle: int = 0, attempt: int = 0) -> Place:
    name = client_id(BOT_UID, Leg.EXIT, slot, cycle, attempt)
    return Place(name, OrderSide.SELL, price, lots, reduce_only=True, time_in_force=TimeInForce.POST_ONLY)


def tick(rig: Rig, *logged: Action) -> list[Place]:
    """The log says that at this tick other orders were sent than this engine would send; returns these."""
    decision = Decision(ClockTicked(rig.now), logged)
    difference = repeat(rig.engine, decision)
    rig.places |= {place.client_id: place for place in of_kind(Place, list(logged))}
    return difference.orders if difference else []


def parsed(place: Place) -> OrderKey:
    key = parse(BOT_UID, place.client_id)
    assert key is not None
    return key


def number_of(rig: Rig, price: int) -> int:
    return parsed(rig.places[rig.entry(price)]).slot


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


# --- orders that were sent and that this engine would not have sent ---


@pytest.mark.parametrize("where", ["on a level that has a slot", "on a level that has none"])
def test_a_sent_entry_is_looked_up_and_cancelled(where: str) -> None:
    rig = trading()
    strange = buy(850, 12, slot=90) if where.endswith("none") else buy(1000, 3, slot=number_of(rig, 1000), attempt=5)
    tick(rig, strange)
    assert strange.client_id in rig.engine.live_orders()
    assert strange.client_id in looked_up(rig.restart())
    assert cancelled(rig.opened(strange.client_id)) == [strange.client_id]
    rig.report(strange.client_id, OrderState.CANCELLED)
    assert strange.client_id not in rig.engine.live_orders()


def test_its_fills_in_the_log_are_counted() -> None:
    rig = trading()
    strange = buy(850, 12, slot=90)
    tick(rig, strange)
    rig.fill(strange.client_id, 12, price=850, fee=7)
    view = rig.engine.view()
    assert view.position == 12
    assert strange.client_id not in rig.engine.live_orders()
    (slot,) = [slot for slot in view.slots if slot.price == 850]
    assert slot.held == 12


def test_what_it_bought_is_sold_at_the_next_level() -> None:
    rig = trading()
    strange = buy(980, 4, slot=91)
    tick(rig, strange)
    rig.restart()
    rig.price(1004)
    rig.fill(strange.client_id)
    rig.settle()
    assert (OrderSide.SELL, 990, 4) in [
        (place.side, place.price, place.lots) for place in rig.places.values() if place.side is OrderSide.SELL
    ]


def test_a_sent_exit_is_counted_against_the_holding_of_its_slot() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.report(rig.exit(1010), OrderState.CANCELLED)
    strange = sell(1010, 6, slot=number_of(rig, 1000), attempt=7)
    tick(rig, strange)
    rig.fill(strange.client_id, 6)
    assert rig.engine.view().position == 4
    assert rig.slot(1000).held == 4


def test_an_exit_of_a_slot_that_is_not_known_is_counted_too() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    strange = sell(1010, 6, slot=77)
    tick(rig, strange)
    rig.fill(strange.client_id, 6)
    assert rig.engine.view().position == 4


def test_under_an_id_of_both_the_content_that_was_sent_counts() -> None:
    rig, entry = trading(), trading().entry(1000)
    other = replace(rig.places[entry], price=960, lots=3)
    tick(rig, other)
    (order,) = [order for order in rig.engine.orders() if order.place.client_id == entry]
    assert order.place == other
    assert cancelled(rig.opened(entry)) == [entry]


def test_no_later_order_gets_an_id_that_was_sent() -> None:
    rig = trading()
    number = number_of(rig, 1000)
    sent = [
        buy(1000, 3, slot=number, attempt=4),
        buy(1000, 3, slot=number, cycle=2, attempt=1),
        buy(700, 3, slot=40),
    ]
    tick(rig, *sent)
    for price in (1004, 1014, 704, 694):  # `feed` asserts that an id stands for one order only
        for order in rig.engine.live_orders():
            rig.report(order, OrderState.CANCELLED)
        rig.price(price)
        rig.wait(120 * SECOND)
        rig.settle()
    for each in sent:
        assert rig.places[each.client_id] == each
    assert min(parsed(place).slot for place in rig.places.values() if place.price == 690) > 40


def test_an_order_of_another_bot_is_not_adopted() -> None:
    rig = trading()
    stranger = replace(buy(850, 12, slot=90), client_id=client_id("another", Leg.ENTRY, 90, 0, 0))
    tick(rig, stranger)
    assert stranger.client_id not in rig.engine.live_orders()


def test_without_a_spec_an_order_is_adopted_all_the_same() -> None:
    engine = Engine(MARKET, BOT_UID)
    strange = buy(850, 12, slot=3)
    repeat(engine, Decision(Started(1, 1), [strange]))
    assert engine.live_orders() == [strange.client_id]
    engine.on(OrderFilled(2, strange.client_id, "t", 850, 12, 0, maker=True))
    assert engine.view().position == 12


def test_an_order_that_was_never_sent_after_all_is_settled_by_a_look_up() -> None:
    """What this engine would send, and the log does not have, is looked up like everything else, and not lost."""
    rig = Rig()
    repeat(rig.engine, Decision(PriceChanged(rig.now, 1000), []))
    made = rig.engine.live_orders()
    assert made
    assert set(looked_up(rig.restart())) == set(made)


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


def test_an_adopted_order_that_never_arrived_is_given_up() -> None:
    rig, strange = trading(), client_id(BOT_UID, Leg.ENTRY, 90, 0, 0)
    tick(rig, buy(850, 12, slot=90))
    rig.restart()
    for _ in range(3):
        rig.feed(OrderNotFound(rig.now, strange))
        rig.wait(3 * SECOND)
    assert strange not in rig.engine.live_orders()


def test_what_an_order_has_got_already_is_kept_when_other_content_counts() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.fill(entry, 4)
    tick(rig, replace(rig.places[entry], lots=6))
    rig.fill(entry, 2)
    assert rig.engine.view().position == 6
    assert entry not in rig.engine.live_orders()


def test_the_slot_of_an_adopted_order_is_free_when_that_is_over() -> None:
    rig = trading()
    entry = rig.entry(1000)
    tick(rig, replace(rig.places[entry], price=960))
    assert rig.slot(1000).client_id != entry
    rig.opened(entry)
    rig.report(entry, OrderState.CANCELLED)
    assert entry not in {slot.client_id for slot in rig.engine.view().slots}
