"""Placements that fail: what may have arrived all the same is not given up, and nothing is sent in a rush."""

from dataclasses import replace
from typing import Any

import pytest

from opensqt.engine.actions import Action, LookUp, OrderSide, Place
from opensqt.engine.events import CancelFailed, FeedChanged, Goal, OrderNotFound, OrderState, PlaceFailed, Remedy
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, SECOND, Rig, fail, looked_up, money, of_kind, placed, submitted, told, trading

SELL = OrderSide.SELL


def test_an_order_that_was_not_carried_out_and_is_not_wanted_is_given_up_at_once() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    rig.configure(goal=Goal.PAUSE)
    fail(rig, entry, Remedy.RETRY, 3 * SECOND)
    assert entry not in rig.engine.live_orders()
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_that_it_waits_is_kept() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.RETRY, 3 * SECOND)
    assert rig.engine.dirty
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_after_a_restart_what_waits_is_looked_up_before_it_is_sent_again() -> None:
    """Another instance may have sent it, and not lived to hear of it."""
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.RETRY, 3 * SECOND)
    assert entry in looked_up(rig.restart())
    assert (OrderSide.BUY, 1000, 10) not in placed(rig.price(1004) + rig.wait(60 * SECOND))
    assert rig.places[entry] in of_kind(Place, rig.never_arrived(entry))


def regain_order_feed(rig: Rig) -> list[Action]:
    rig.feed(FeedChanged(rig.now, "orders", healthy=False, message="gone"))
    return rig.feed(FeedChanged(rig.now, "orders", healthy=True))


def test_what_was_not_sent_is_in_no_doubt_after_a_gap() -> None:
    """While gaps come one after the other, and each look-up waits for the rate budget, it would never be sent."""
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.BACK_OFF, SECOND)
    assert entry not in looked_up(regain_order_feed(rig))
    assert rig.places[entry] in of_kind(Place, rig.wait(SECOND))


def test_a_gap_does_not_make_a_denial_undone() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    rig.feed(OrderNotFound(rig.now, entry))
    for _ in range(2):
        rig.now += SECOND
        assert entry in looked_up(regain_order_feed(rig))
    assert rig.places[entry] in of_kind(Place, rig.feed(OrderNotFound(rig.now, entry)))


def test_a_cancel_that_only_a_person_can_mend_halts_the_bot() -> None:
    rig = trading()
    rig.price(1014)
    assert "Halted" in told(rig.feed(CancelFailed(rig.now, rig.entry(980), Remedy.HALT, "the account is frozen")))
    assert (rig.engine.view().phase, rig.engine.view().message) == (Phase.HALTED, "the account is frozen")


def test_a_refused_order_whose_first_sending_may_be_on_its_way_is_asked_after() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    assert of_kind(Place, rig.never_arrived(entry)) == [rig.places[entry]]
    assert fail(rig, entry, Remedy.WOULD_CROSS) == []
    assert entry in rig.engine.live_orders()
    assert looked_up(rig.wait(2 * SECOND - 1)) == []
    assert looked_up(rig.wait(1)) == [entry]


def test_what_never_arrives_is_sent_again_less_and_less_often() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    pauses = []
    for _ in range(4):
        fail(rig, entry, Remedy.LOOK_UP)
        since = rig.now
        assert of_kind(Place, rig.never_arrived(entry)) == [rig.places[entry]]
        pauses.append((rig.now - since) / SECOND)
    assert pauses == [2, 4, 16, 60]


def test_what_the_exchange_has_shown_is_not_sent_again_whatever_fails_later() -> None:
    rig = trading()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    assert placed(rig.feed(OrderNotFound(rig.now, entry)) + rig.wait(20 * SECOND)) == []
    assert entry in rig.engine.live_orders()


def test_that_margin_lacks_is_told_with_the_time_for_which_entries_wait() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    (notice,) = [
        action
        for action in rig.feed(PlaceFailed(rig.now, entry, Remedy.INSUFFICIENT_MARGIN, "too little"))
        if told([action])
    ]
    assert told([notice]) == ["MarginLocked"]
    assert "wait for 10 s: too little" in str(notice)


def test_after_a_minute_of_denials_it_is_looked_for_everywhere() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.restart()
    rig.feed(OrderNotFound(rig.now, entry))
    rig.wait(60 * SECOND)
    assert told(rig.feed(OrderNotFound(rig.now, entry))) == ["OrderDenied"]

    def asked(actions: list[LookUp]) -> list[bool]:
        return [action.since > 0 for action in actions if action.client_id == entry]

    for pause in (SECOND // 2, 4 * SECOND):
        assert asked(of_kind(LookUp, rig.wait(pause - 1))) == []
        assert asked(of_kind(LookUp, rig.wait(1))) == [True]
        rig.feed(OrderNotFound(rig.now, entry))


# --- what is over before its fills have come ---


def test_an_order_that_is_filled_by_word_alone_waits_for_its_fills() -> None:
    rig = trading()
    entry = rig.entry(1000)
    assert looked_up(rig.report(entry, OrderState.FILLED)) == []
    assert rig.slot(1000).order == "SETTLING"
    rig.fill(entry, 9)
    assert rig.slot(1000).order == "SETTLING"
    rig.fill(entry, 1)
    assert rig.live(SELL) == [1010]


def test_each_word_that_it_is_over_lets_its_fills_come_first() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.report(entry, OrderState.CANCELLED, 4)
    assert looked_up(rig.wait(SECOND)) == [entry]
    assert looked_up(rig.report(entry, OrderState.CANCELLED, 4)) == []
    assert looked_up(rig.wait(2 * SECOND)) == [entry]


def test_only_refusals_in_a_row_halt_the_bot() -> None:
    rig = trading()
    for price in (1014, 1024):
        rig.price(price)
        fail(rig, rig.entry(price - 4), Remedy.FIX_REQUEST)
        rig.settle()
    rig.price(1034)
    rig.settle()  # this entry the exchange takes
    for price, phase in ((1044, Phase.RUNNING), (1054, Phase.RUNNING), (1064, Phase.HALTED)):
        rig.price(price)
        fail(rig, rig.entry(price - 4), Remedy.FIX_REQUEST)
        rig.settle()
        assert rig.engine.view().phase is phase


@pytest.mark.parametrize(
    ("name", "enough"),
    [("max_position", 30), ("max_notional", money(297)), ("max_open_orders", 3), ("max_leverage", 3)],
)
def test_an_order_that_is_sent_again_is_not_counted_beside_itself(name: str, enough: int) -> None:
    """Each limit is just enough for the three entries that there are, of 100, 99 and 98."""
    exactly: dict[str, Any] = {name: enough}
    less: dict[str, Any] = {name: enough - 1}
    rig = Rig(replace(CONFIG, **exactly))
    rig.equity(100)
    rig.price(1000)
    rig.settle()
    assert placed(rig.price(1004)) == [(OrderSide.BUY, 1000, 10)]
    fail(rig, rig.entry(1000), Remedy.RETRY, 3 * SECOND)
    assert placed(rig.wait(3 * SECOND)) == [(OrderSide.BUY, 1000, 10)]
    rig.settle()
    rig.configure(**less)
    rig.settle()
    assert rig.live(OrderSide.BUY) == [1000, 990]
