"""Orders that the exchange has shown and denies for ever: they do not block their slot and the bot's end for ever."""

from dataclasses import replace

import pytest

from opensqt.engine.actions import Action, LookUp, OrderSide
from opensqt.engine.engine import Engine
from opensqt.engine.events import Configured, Goal, OrderNotFound, OrderReported, OrderState, PlaceFailed, Remedy
from opensqt.engine.view import Phase
from tests.engine.rig import (
    BOT_UID,
    CONFIG,
    SECOND,
    Rig,
    cancelled,
    looked_up,
    money,
    of_kind,
    placed,
    submitted,
    told,
    trading,
)


def deny(rig: Rig, client_id: str, seconds: int, *, confirmed: bool = False) -> list[str]:
    """The exchange denies the order as often as it is asked; returns what people are told."""
    reasons = []
    for _ in range(seconds):
        for action in of_kind(LookUp, rig.wait(SECOND)):
            if action.client_id == client_id:
                event = OrderNotFound(rig.now, client_id, confirmed=confirmed and bool(action.since))
                reasons += told(rig.feed(event))
            else:
                rig.opened(action.client_id)
    return reasons


def denied() -> tuple[Rig, str]:
    rig = trading()
    entry = rig.entry(1000)
    rig.restart()
    rig.price(1004)
    rig.feed(OrderNotFound(rig.now, entry))
    return rig, entry


def test_it_is_asked_for_less_and_less_often() -> None:
    rig, entry = denied()
    for pause in (4, 8, 16):
        rig.feed(OrderNotFound(rig.now, entry))
        assert entry not in looked_up(rig.wait(pause * SECOND - 1))
        assert entry in looked_up(rig.wait(1))


def test_before_a_minute_has_passed_it_is_only_asked_by_its_id() -> None:
    rig, entry = denied()
    assert deny(rig, entry, 59, confirmed=True) == []
    assert all(not action.since for action in of_kind(LookUp, [a for line in rig.actions for a in line]))
    assert entry in rig.engine.live_orders()


def test_after_a_minute_it_is_looked_for_everywhere_and_taken_for_ended() -> None:
    rig, entry = denied()
    assert deny(rig, entry, 180, confirmed=True) == ["OrderDenied", "LostOrder"]
    assert entry not in rig.engine.live_orders()
    assert rig.entry(1000) != entry
    assert rig.slot(1000).order == "OPEN"
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_where_there_is_a_trace_of_it_it_is_never_forgotten() -> None:
    rig, entry = denied()
    assert deny(rig, entry, 600) == ["OrderDenied"]
    assert entry in rig.engine.live_orders()


def test_fills_that_are_found_count_and_what_was_lost_is_sold() -> None:
    rig, entry = denied()
    rig.fill(entry, 4)
    rig.feed(OrderNotFound(rig.now, entry))
    assert "LostOrder" in deny(rig, entry, 300, confirmed=True)
    assert (rig.engine.view().position, rig.live(OrderSide.SELL)) == (4, [1010])


def test_a_lost_order_does_not_keep_a_bot_from_stopping() -> None:
    rig, entry = denied()
    rig.configure(goal=Goal.STOP)
    for client_id in rig.engine.live_orders():
        if client_id != entry:
            rig.report(client_id, OrderState.CANCELLED)
    assert rig.engine.view().phase is Phase.WINDING_DOWN
    deny(rig, entry, 180, confirmed=True)
    assert rig.engine.view().phase is Phase.STOPPED


def test_a_lost_order_that_comes_back_is_counted_and_cancelled() -> None:
    rig, entry = denied()
    deny(rig, entry, 180, confirmed=True)
    assert cancelled(rig.report(entry, OrderState.OPEN)) == [entry]
    rig.fill(entry, 3)
    rig.report(entry, OrderState.CANCELLED, 3)
    assert rig.engine.view().position == 3


def test_a_fill_of_a_lost_order_brings_it_back() -> None:
    rig, entry = denied()
    deny(rig, entry, 180, confirmed=True)
    assert "ReturnedOrder" in told(rig.fill(entry, 3))
    assert entry in rig.engine.live_orders()
    assert rig.engine.view().position == 3
    assert cancelled(rig.report(entry, OrderState.OPEN, 3)) == [entry]


def test_its_slot_goes_on_at_once() -> None:
    rig, entry = denied()
    while entry in rig.engine.live_orders():
        since = [action.since for action in of_kind(LookUp, rig.wait(SECOND)) if action.client_id == entry]
        answer = [rig.feed(OrderNotFound(rig.now, entry, confirmed=bool(each))) for each in since]
    assert placed([action for actions in answer for action in actions]) == [(OrderSide.BUY, 1000, 10)]


def lost_exit() -> tuple[Rig, str]:
    """Four of ten lots were sold at a loss by an exit that is lost since; another sells the rest."""
    rig = trading()
    rig.fill(rig.entry(1000), fee=money(2))
    rig.settle()
    lost = rig.exit(1010)
    rig.fill(lost, 4, fee=money(1))
    rig.restart()
    rig.price(1004)
    rig.feed(OrderNotFound(rig.now, lost))
    assert "LostOrder" in deny(rig, lost, 300, confirmed=True)
    assert rig.engine.view().consecutive_losses == 1
    return rig, lost


def test_an_exit_that_comes_back_is_no_second_loss() -> None:
    rig, lost = lost_exit()
    rig.report(lost, OrderState.CANCELLED, 4)
    assert lost not in rig.engine.live_orders()
    assert rig.engine.view().consecutive_losses == 1
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_nor_is_what_it_sells_then_but_its_level_is_done() -> None:
    rig, lost = lost_exit()
    rig.report(rig.exit(1010), OrderState.CANCELLED)
    rig.fill(lost, 6, fee=money(1))
    assert rig.engine.view().position == 0
    assert (rig.engine.view().consecutive_losses, rig.engine.view().cycles) == (1, 1)


def test_a_level_that_another_exit_has_finished_is_not_done_twice() -> None:
    rig, lost = lost_exit()
    rig.settle()
    rig.fill(rig.exit(1010), 6)
    rig.settle()
    rig.report(lost, OrderState.CANCELLED, 4)
    assert rig.engine.view().cycles == 1


# --- what is over and is there all the same ---


def listed(rig: Rig, client_id: str, *, twice: bool) -> list[Action]:
    """It is among the open orders, where no live order is counted."""
    return rig.feed(OrderReported(rig.now, client_id, OrderState.OPEN, 3, listed_twice=twice))


@pytest.mark.parametrize("goal", [Goal.RUN, Goal.STOP])
@pytest.mark.parametrize("end", [OrderState.CANCELLED, OrderState.FILLED])
def test_an_order_that_was_over_and_stays_among_the_open_ones_is_cancelled(end: OrderState, goal: Goal) -> None:
    rig = trading()
    entry = rig.entry(1000)
    if end is OrderState.FILLED:
        rig.fill(entry)
    rig.report(entry, end)
    rig.configure(goal=goal)
    assert listed(rig, entry, twice=False) == [], "news may come late"
    actions = listed(rig, entry, twice=True)
    assert (cancelled(actions), told(actions)) == ([entry], ["ReturnedOrder"])
    assert rig.engine.view().discrepancies[-1].resolution == "Cancelled"
    rig.report(entry, OrderState.CANCELLED)
    assert entry not in rig.engine.live_orders()
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_an_order_that_was_given_up_and_is_listed_twice_is_followed_and_cancelled_once() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    rig.configure(goal=Goal.PAUSE)
    rig.feed(PlaceFailed(rig.now, entry, Remedy.LOOK_UP, "no answer"))
    rig.never_arrived(entry)
    assert entry not in rig.engine.live_orders()
    actions = listed(rig, entry, twice=True)
    assert (cancelled(actions), told(actions)) == ([entry], ["ReturnedOrder"])
    assert entry in rig.engine.live_orders()


# --- all of a wide window at once ---


def wide() -> Rig:
    return trading(replace(CONFIG, buy_window=80), price=1004)


def test_the_late_fills_of_a_whole_window_that_was_cancelled_count() -> None:
    rig = wide()
    entries = [client_id for client_id in rig.engine.live_orders() if rig.places[client_id].side is OrderSide.BUY]
    rig.configure(buy_window=80, goal=Goal.PAUSE)
    for client_id in entries:
        rig.report(client_id, OrderState.CANCELLED)
    assert rig.engine.live_orders() == []
    for client_id in entries:
        rig.fill(client_id)
    assert len(entries) == 80
    assert rig.engine.view().position == sum(rig.places[client_id].lots for client_id in entries)


def test_a_whole_window_that_was_given_up_twice_may_come_back() -> None:
    """A connection that takes orders and answers nothing."""
    rig = Rig(replace(CONFIG, buy_window=80))
    rig.price(1004)
    entries: list[str] = []
    for _ in range(2):
        unanswered = rig.engine.live_orders()
        entries += unanswered
        for client_id in unanswered:
            rig.feed(PlaceFailed(rig.now, client_id, Remedy.LOOK_UP, "no answer"))
        rig.configure(buy_window=80, goal=Goal.PAUSE)
        for client_id in unanswered * 2:
            rig.now += SECOND
            rig.feed(OrderNotFound(rig.now, client_id))
        assert rig.engine.live_orders() == []
        rig.configure(buy_window=80)
    assert len(entries) > 150
    for client_id in entries:
        rig.fill(client_id)
    assert rig.engine.view().position == sum(rig.places[client_id].lots for client_id in entries)


def test_a_snapshot_of_a_release_that_remembered_fewer_orders_hides_no_late_fills() -> None:
    rig = trading(replace(CONFIG, buy_window=140, max_open_orders=300), price=2004)
    snapshot = rig.engine.snapshot()
    del snapshot["state"]["orders"]["most"]
    rig.engine = Engine.restore(rig.market, BOT_UID, snapshot)
    rig.restart()
    rig.feed(Configured(rig.now, rig.generation, Goal.PAUSE, rig.config))
    entries = rig.engine.live_orders()
    assert len(entries) == 140
    for client_id in entries:
        rig.report(client_id, OrderState.CANCELLED)
    for client_id in entries:
        rig.fill(client_id)
    assert rig.engine.view().position == sum(rig.places[client_id].lots for client_id in entries)
