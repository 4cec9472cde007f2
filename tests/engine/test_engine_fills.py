"""Partial fills, fills and reports that do not fit together, and fills that come late."""

from dataclasses import replace

import pytest

from opensqt.engine.actions import OrderSide
from opensqt.engine.client_id import Leg, client_id, parse
from opensqt.engine.events import (
    CancelFailed,
    Goal,
    LookUpFailed,
    OrderFilled,
    OrderNotFound,
    OrderReported,
    OrderState,
    PlaceFailed,
    PositionReported,
    Remedy,
)
from opensqt.engine.view import Phase
from tests.engine.rig import (
    BOT_UID,
    CONFIG,
    MARKET,
    SECOND,
    Rig,
    cancelled,
    looked_up,
    placed,
    submitted,
    told,
    trading,
)

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def order_of(rig: Rig, price: int) -> str:
    return rig.slot(price).order


# --- partial fills ---


def test_a_cancelled_entry_keeps_what_it_got_and_sells_that() -> None:
    rig = trading()
    rig.fill(rig.entry(1000), 4)
    assert order_of(rig, 1000) == "PARTIALLY_FILLED"
    assert placed(rig.report(rig.entry(1000), OrderState.CANCELLED, 4)) == [(SELL, 1010, 4)]
    assert (rig.slot(1000).position, rig.slot(1000).held) == ("FILLED", 4)


def test_a_cancelled_exit_keeps_the_rest_and_sells_it_again_under_another_id() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    first = rig.exit(1010)
    rig.opened(first)
    rig.fill(first, 3)
    assert placed(rig.report(first, OrderState.CANCELLED, 3)) == [(SELL, 1010, 7)]
    assert rig.exit(1010) != first
    rig.fill(rig.exit(1010))
    assert rig.engine.view().cycles == 1


def test_dust_is_kept_in_its_slot_and_sold_with_what_is_bought_to_it() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(1000), 2)
    actions = rig.report(rig.entry(1000), OrderState.CANCELLED, 2)
    assert placed(actions) == [(BUY, 1000, 8)]
    assert (rig.slot(1000).position, rig.slot(1000).held) == ("EMPTY", 2)
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]


def test_what_an_exit_leaves_as_dust_goes_with_the_next_cycle() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.fill(rig.exit(1010), 8)
    rig.report(rig.exit(1010), OrderState.CANCELLED, 8)
    assert rig.slot(1000).held == 2
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]


def test_dust_of_a_level_of_the_grid_stays_there() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(990), 2)
    rig.configure(goal=Goal.PAUSE)
    rig.report(rig.entry(990), OrderState.CANCELLED, 2)
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]


def test_dust_whose_order_may_still_be_filled_stays_with_it() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(990), 2)
    rig.configure(step=20)
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]
    assert rig.slot(990).held == 2


def test_dust_goes_with_an_exit_at_its_own_price() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(990), 2)
    rig.configure(step=20)
    rig.settle()
    rig.fill(rig.entry(980))
    assert rig.places[rig.exit(1000)].lots == 10 + 2


# --- fills and reports that do not fit together ---


def test_an_order_is_over_only_when_its_fills_have_come() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.report(entry, OrderState.FILLED, 10)
    assert order_of(rig, 1000) == "SETTLING"
    assert rig.engine.view().position == 0
    rig.fill(entry, 6)
    assert rig.live(SELL) == []
    rig.fill(entry, 4)
    assert rig.live(SELL) == [1010]


def test_fills_that_do_not_come_are_asked_for_less_and_less_often() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.report(entry, OrderState.CANCELLED, 4)
    assert looked_up(rig.wait(SECOND)) == [entry]
    rig.report(entry, OrderState.CANCELLED, 4)
    assert looked_up(rig.wait(SECOND)) == []
    assert looked_up(rig.wait(SECOND)) == [entry]
    assert len(looked_up(rig.wait(600 * SECOND))) < 20
    rig.fill(entry, 4)
    assert rig.live(SELL) == [1010]


def test_a_complete_fill_needs_no_report() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    assert rig.live(SELL) == [1010]


def test_old_news_of_a_finished_order_is_ignored() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.fill(entry)
    before = rig.engine.snapshot()
    assert rig.report(entry, OrderState.OPEN, 4) == []
    assert rig.report(entry, OrderState.FILLED, 10) == []
    assert rig.feed(PlaceFailed(rig.now, entry, Remedy.LOOK_UP, "late")) == []
    assert rig.feed(CancelFailed(rig.now, entry, Remedy.UNKNOWN_ORDER, "late")) == []
    assert rig.feed(OrderNotFound(rig.now, entry)) == []
    assert rig.feed(LookUpFailed(rig.now, entry, "late")) == []
    assert rig.engine.snapshot() == before


def test_fills_before_the_first_report_count() -> None:
    rig = submitted()
    rig.fill(rig.entry(1000), 4)
    assert (rig.engine.view().position, order_of(rig, 1000)) == (4, "SUBMITTING")
    rig.report(rig.entry(1000), OrderState.OPEN, 4)
    assert order_of(rig, 1000) == "PARTIALLY_FILLED"


def test_a_stranger_is_told_of_once_and_changes_nothing() -> None:
    rig = trading()
    view = rig.engine.view()
    assert told(rig.report("web_1", OrderState.OPEN)) == ["UnknownOrder"]
    assert rig.feed(OrderFilled(rig.now, "web_1", "x", 1000, 5, 0, maker=True)) == []
    after = replace(rig.engine.view(), discrepancies=(), discrepancy_counts=())
    assert replace(after, time=0) == replace(view, time=0)


def test_an_order_that_this_bot_has_not_placed_yet_is_a_strangers() -> None:
    rig = trading()
    key = parse(BOT_UID, rig.entry(1000))
    assert key is not None
    for leg, slot, cycle, attempt in (
        (Leg.ENTRY, key.slot, 0, 1),
        (Leg.ENTRY, key.slot, 1, 0),
        (Leg.EXIT, key.slot, 0, 0),
        (Leg.ENTRY, key.slot + 50, 0, 0),
    ):
        assert told(rig.report(client_id(BOT_UID, leg, slot, cycle, attempt), OrderState.OPEN)) == ["UnknownOrder"]


def test_an_open_order_that_this_bot_has_not_placed_is_not_cancelled() -> None:
    rig = trading()
    unknown = client_id(BOT_UID, Leg.ENTRY, 90, 0, 0)
    actions = rig.feed(OrderReported(rig.now, unknown, OrderState.OPEN, 0, listed_twice=True))
    assert (cancelled(actions), told(actions)) == ([], ["UnknownOrder"])


def test_news_of_each_order_that_this_bot_has_placed_are_old() -> None:
    rig = trading(replace(CONFIG, buy_window=1, max_open_orders=20))
    rig.report(rig.entry(1000), OrderState.CANCELLED)
    rig.wait(SECOND)
    rig.fill(rig.entry(1000))
    for _ in range(2):
        rig.report(rig.exit(1010), OrderState.CANCELLED)
        rig.wait(10 * SECOND)
    rig.settle()

    def tell_old_news() -> None:
        for ended in rig.places.keys() - set(rig.engine.live_orders()):
            assert told(rig.report(ended, OrderState.OPEN)) == []

    tell_old_news()
    rig.fill(rig.exit(1010))
    for price in range(1004, 1804, 10):
        rig.price(price)
        rig.settle()
    assert len(rig.engine.view().slots) < 40  # many have been forgotten
    tell_old_news()


# --- fills that never come ---


def incomplete() -> tuple[Rig, str]:
    """The exit was filled, says the exchange, and shows a fill of 8 lots of its 10, however often it is asked."""
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    sold = rig.exit(1010)
    rig.fill(sold, 8)
    rig.report(sold, OrderState.FILLED, 10)
    return rig, sold


def ask_on(rig: Rig, sold: str, seconds: int) -> list[str]:
    """What people are told meanwhile."""
    reasons = []
    for _ in range(seconds):
        actions = rig.wait(SECOND)
        for asked in looked_up(actions):
            actions += rig.report(asked, OrderState.FILLED, 10) if asked == sold else rig.opened(asked)
        reasons += told([*actions, *rig.feed(PositionReported(rig.now, 0))])
    return reasons


@pytest.mark.parametrize(
    ("goal", "phase"), [(Goal.RUN, Phase.RUNNING), (Goal.STOP, Phase.WINDING_DOWN)], ids=["run", "stop"]
)
def test_fills_that_never_come_are_told_and_hide_no_divergence(goal: Goal, phase: Phase) -> None:
    rig, sold = incomplete()
    rig.configure(goal=goal)
    for other in rig.engine.live_orders():
        if goal is Goal.STOP and other != sold:
            rig.report(other, OrderState.CANCELLED)
    assert ask_on(rig, sold, 50) == []
    assert sorted(ask_on(rig, sold, 60)) == ["BreakerOpened", "FillsMissing"]
    view = rig.engine.view()
    assert view.breaker.reason == "PositionDivergence"
    if goal is Goal.STOP:
        assert (view.phase, view.reason) == (phase, "FillsMissing")
        assert view.message.endswith("is filled and shows fills of 0.08")
    rig.fill(sold, 2)
    assert sold not in rig.engine.live_orders()
    assert rig.engine.view().reason != "FillsMissing"
    assert rig.replayed().snapshot() == rig.engine.snapshot()


# --- fills that come after the end ---


def test_a_fill_that_comes_after_the_order_was_reported_over_counts_once() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.report(entry, OrderState.CANCELLED)
    assert "LateFill" in told(rig.fill(entry, 4))
    assert rig.engine.view().position == 4
    late = OrderFilled(rig.now, entry, f"t{rig._trades}", 1000, 4, 0, maker=True)
    rig.feed(late)
    assert rig.engine.view().position == 4


def test_a_late_fill_is_counted_in_its_slot_and_sold() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.report(entry, OrderState.CANCELLED)
    rig.fill(entry, 4)
    rig.report(rig.entry(1000), OrderState.CANCELLED)
    assert sum(slot.held for slot in rig.engine.view().slots) == 4
    rig.price(1004)
    rig.settle()
    assert (rig.slot(1000).position, rig.slot(1000).held) == ("FILLED", 4)
