"""Orders that were sent and that this engine would not have sent: nothing of them is lost, and no id is given again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.api.gridbot import Side as GridSide
from opensqt.api.interval import Interval
from opensqt.engine.actions import Action, OrderSide, Place, TimeInForce
from opensqt.engine.client_id import Leg, OrderKey, client_id, parse
from opensqt.engine.config import PPM, AtrConfig
from opensqt.engine.engine import Engine
from opensqt.engine.events import ClockTicked, OrderFilled, OrderNotFound, OrderState, PriceChanged, Started
from opensqt.engine.replay import Decision, repeat
from opensqt.engine.view import SlotView
from tests.engine.rig import BOT_UID, CONFIG, MARKET, SECOND, Rig, cancelled, looked_up, of_kind, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


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


def order_of(rig: Rig, client_id: str) -> Place:
    (order,) = [order.place for order in rig.engine.orders() if order.place.client_id == client_id]
    return order


def next_key(rig: Rig, leg: Leg, price: int) -> OrderKey:
    """What the order says that is placed when all live ones have ended."""
    for live in rig.engine.live_orders():
        rig.report(live, OrderState.OPEN)
        rig.report(live, OrderState.CANCELLED)
    rig.wait(120 * SECOND)
    return parsed(rig.places[rig.entry(price) if leg is Leg.ENTRY else rig.exit(price)])


@given(
    leg=st.sampled_from(Leg),
    side=st.sampled_from(OrderSide),
    price=st.integers(900, 1100) | st.none(),
    lots=st.integers(1, 30),
    reduces=st.booleans(),
    time_in_force=st.sampled_from(TimeInForce),
    slot=st.integers(0, 6),
)
def test_it_is_the_very_order_that_was_sent(
    leg: Leg, side: OrderSide, price: int | None, lots: int, reduces: bool, time_in_force: TimeInForce, slot: int
) -> None:
    rig = trading()
    sent = Place(client_id(BOT_UID, leg, slot, 0, 0), side, price, lots, reduces and leg is Leg.EXIT, time_in_force)
    if rig.places.get(sent.client_id) != sent:
        tick(rig, sent)
    assert order_of(rig, sent.client_id) == sent
    assert rig.engine.dirty


def test_numbers_go_on_from_those_that_were_sent() -> None:
    rig = trading()
    number = number_of(rig, 1000)
    tick(rig, buy(1000, 3, slot=number, attempt=4))
    assert next_key(rig, Leg.ENTRY, 1000) == OrderKey(Leg.ENTRY, number, 0, 5)

    tick(rig, buy(1000, 3, slot=number, cycle=2, attempt=1))
    assert next_key(rig, Leg.ENTRY, 1000) == OrderKey(Leg.ENTRY, number, 2, 2)
    rig.fill(rig.entry(1000))
    assert parsed(rig.places[rig.exit(1010)]) == OrderKey(Leg.EXIT, number, 2, 0)

    tick(rig, sell(1010, 3, slot=number, cycle=2, attempt=6), buy(1000, 3, slot=number, cycle=1, attempt=9))
    assert next_key(rig, Leg.EXIT, 1010) == OrderKey(Leg.EXIT, number, 2, 7)
    rig.fill(rig.exit(1010))
    assert parsed(rig.places[rig.entry(1000)]) == OrderKey(Leg.ENTRY, number, 3, 0)


def test_an_exit_of_a_later_cycle_begins_that_cycle() -> None:
    rig = trading()
    number = number_of(rig, 1000)
    tick(rig, sell(1010, 3, slot=number, cycle=1, attempt=0))
    assert next_key(rig, Leg.ENTRY, 1000) == OrderKey(Leg.ENTRY, number, 1, 0)
    rig.fill(rig.entry(1000))
    assert parsed(rig.places[rig.exit(1010)]) == OrderKey(Leg.EXIT, number, 1, 1)


def test_what_one_leg_has_sent_does_not_make_the_other_begin_again() -> None:
    rig = trading()
    number = number_of(rig, 1000)
    tick(rig, sell(1010, 3, slot=number, attempt=2))
    assert next_key(rig, Leg.ENTRY, 1000) == OrderKey(Leg.ENTRY, number, 0, 1)


def test_that_the_exchange_denies_it_at_once_is_not_believed() -> None:
    rig, strange = trading(), buy(850, 12, slot=90)
    tick(rig, strange)
    rig.feed(OrderNotFound(rig.now, strange.client_id))
    assert strange.client_id in rig.engine.live_orders()


def test_its_level_has_no_other_order_until_it_is_over() -> None:
    rig, strange = trading(), buy(970, 4, slot=90)
    tick(rig, strange)
    rig.fill(rig.entry(1000))
    rig.price(994)
    assert rig.slot(970).client_id == strange.client_id
    rig.opened(strange.client_id)
    rig.report(strange.client_id, OrderState.CANCELLED)
    assert rig.slot(970).client_id == rig.entry(970) != strange.client_id


def test_the_order_that_its_level_has_stays_that_levels() -> None:
    rig = trading()
    live = rig.slot(1000).client_id
    tick(rig, buy(1000, 3, slot=number_of(rig, 1000), attempt=5))
    assert rig.slot(1000).client_id == live


def test_the_level_that_had_its_id_gets_an_order_of_its_own() -> None:
    rig = trading()
    tick(rig, replace(rig.places[rig.entry(1000)], price=960))
    rig.price(1004)
    rig.settle()
    assert rig.slot(1000).order == "OPEN"


def test_an_exit_of_a_slot_that_is_not_known_does_not_hold_the_grid_up() -> None:
    rig, strange = trading(), sell(1030, 6, slot=77)
    tick(rig, strange)
    assert rig.fill(rig.entry(1000))
    assert rig.live(SELL) == [1030, 1010]
    assert 1030 not in {slot.price for slot in rig.engine.view().slots}


def bought(rig: Rig, place: Place) -> SlotView:
    """The slot that the fill of an adopted entry goes to."""
    tick(rig, place)
    rig.fill(place.client_id)
    (slot,) = [slot for slot in rig.engine.view().slots if slot.held]
    assert place.price == slot.price
    return slot


@pytest.mark.parametrize(("price", "exit_price"), [(850, 860), (853, 860)])
def test_what_it_bought_where_there_was_no_slot_is_sold_at_the_level_above(price: int, exit_price: int) -> None:
    slot = bought(trading(), buy(price, 12, slot=90))
    assert (slot.side, slot.exit_price, slot.held) == ("Long", exit_price, 12)


def test_what_it_sold_short_is_bought_back_at_the_level_below() -> None:
    rig = trading(replace(CONFIG, side=GridSide.SHORT), price=996)
    slot = bought(rig, replace(buy(1150, 12, slot=90), side=SELL))
    assert (slot.side, slot.exit_price, slot.held) == ("Short", 1140, -12)


def test_while_no_level_is_known_it_is_left_a_tick_away() -> None:
    by_volatility = Rig(replace(CONFIG, step=0, atr=AtrConfig(Interval.M1, 2, PPM)))
    by_volatility.price(1000)
    assert bought(by_volatility, buy(850, 12, slot=90)).exit_price == 851
    assert bought(Rig(), replace(buy(850, 12, slot=90), side=SELL)).exit_price == 849


def test_of_two_grids_the_slot_that_the_id_names_takes_it() -> None:
    rig = trading()
    number = number_of(rig, 1000)
    rig.configure(step=20)
    rig.settle()
    assert number_of(rig, 1000) != number
    slot = bought(rig, buy(1000, 12, slot=number, attempt=1))
    assert (slot.number, slot.exit_price) == (number, 1010)
