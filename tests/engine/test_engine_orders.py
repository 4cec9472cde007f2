"""What becomes of an order, whatever the exchange says about it, in any order and any number."""

from dataclasses import replace

import pytest

from opensqt.engine.actions import OrderSide, Place, TimeInForce
from opensqt.engine.events import (
    CancelFailed,
    FeedChanged,
    Goal,
    LookUpFailed,
    OrderNotFound,
    OrderReported,
    OrderState,
    PlaceFailed,
    Remedy,
)
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, SECOND, Rig, cancelled, fail, looked_up, of_kind, placed, submitted, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def order_of(rig: Rig, price: int) -> str:
    return rig.slot(price).order


# --- doubt ---


def test_a_time_out_leads_to_a_look_up_and_nothing_else() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    actions = rig.feed(PlaceFailed(rig.now, entry, Remedy.LOOK_UP, "timed out"))
    assert (looked_up(actions), placed(actions)) == ([entry], [])
    assert order_of(rig, 1000) == "IN_DOUBT"
    rig.report(entry, OrderState.OPEN)
    assert order_of(rig, 1000) == "OPEN"


def test_what_never_arrived_is_placed_again_under_the_same_id() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    assert of_kind(Place, rig.never_arrived(entry)) == [rig.places[entry]]


def test_what_was_denied_once_and_is_there_after_all_is_not_placed_again() -> None:
    """A look-up may know less than the matching engine, and a filled order's id may be taken a second time."""
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    assert placed(rig.feed(OrderNotFound(rig.now, entry)) + rig.wait(SECOND)) == []
    assert (BUY, 1000, 10) not in placed(rig.fill(entry) + rig.wait(60 * SECOND))
    assert rig.engine.view().position == 10


def test_a_duplicate_is_an_answer() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    assert looked_up(rig.feed(PlaceFailed(rig.now, entry, Remedy.DUPLICATE, "known"))) == [entry]
    # The exchange has said that it has it: its denial a moment later is not believed.
    assert placed(rig.feed(OrderNotFound(rig.now, entry))) == []
    assert order_of(rig, 1000) == "IN_DOUBT"


def test_what_never_arrived_and_is_not_wanted_is_given_up_only_after_asking_again() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    rig.price(974)
    assert cancelled(rig.feed(OrderNotFound(rig.now, entry))) == []
    assert rig.slot(1000).client_id == entry
    assert looked_up(rig.wait(2 * SECOND - 1)) == []
    assert looked_up(rig.wait(1)) == [entry]
    rig.feed(OrderNotFound(rig.now, entry))
    assert entry not in rig.engine.live_orders()


def test_what_may_be_on_its_way_is_asked_for_a_moment_after_it_is_given_up() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    rig.feed(OrderNotFound(rig.now, entry))
    fail(rig, entry, Remedy.RETRY, 10 * SECOND)
    rig.wait(5 * SECOND)
    rig.configure(goal=Goal.PAUSE)
    assert looked_up(rig.wait(SECOND // 2 - 1)) == []
    assert looked_up(rig.wait(1)) == [entry]


@pytest.mark.parametrize("after", [0, 5 * SECOND])
def test_a_look_up_that_failed_is_repeated_when_it_may(after: int) -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    rig.feed(LookUpFailed(rig.now, entry, "no answer", rig.now + after))
    assert looked_up(rig.wait(max(after, SECOND // 2) - 1)) == []
    assert looked_up(rig.wait(1)) == [entry]
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_what_was_given_up_and_turns_up_is_counted_and_cancelled() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.LOOK_UP)
    rig.price(974)
    rig.feed(OrderNotFound(rig.now, entry))
    rig.wait(2 * SECOND)
    rig.feed(OrderNotFound(rig.now, entry))
    actions = rig.report(entry, OrderState.OPEN, 0)
    assert cancelled(actions) == [entry]
    assert told(actions) == ["ReturnedOrder"]
    rig.fill(entry, 4)
    assert rig.engine.view().position == 4
    assert placed(rig.report(entry, OrderState.CANCELLED, 4)) == [(SELL, 1010, 4)]


def test_a_slot_stays_as_long_as_an_order_of_it_is_live() -> None:
    """Else the next plan would not find it, nor any after a restart."""
    rig = submitted()
    lost = rig.entry(1000)
    fail(rig, lost, Remedy.LOOK_UP)
    rig.price(974)
    rig.feed(OrderNotFound(rig.now, lost))
    rig.wait(2 * SECOND)
    rig.feed(OrderNotFound(rig.now, lost))
    rig.price(1004)
    again = rig.entry(1000)
    rig.report(again, OrderState.OPEN)
    rig.report(lost, OrderState.CANCELLED, 4)
    assert lost in rig.engine.live_orders()
    assert again != lost
    rig.fill(again, 10)
    rig.settle()
    rig.fill(rig.exit(1010), 10)
    rig.settle()
    for price in range(1000, 3000, 10):
        rig.price(price)
        rig.settle()
    assert lost in rig.engine.live_orders()
    rig.fill(lost, 4)
    assert rig.engine.view().position == 4


def test_an_order_that_the_exchange_had_is_never_given_up() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.restart()
    for _ in range(20):
        assert placed(rig.feed(OrderNotFound(rig.now, entry))) == []
        rig.wait(60 * SECOND)
        assert entry in rig.engine.live_orders()
    assert "OrderDenied" in told([action for line in rig.actions for action in line])


def test_a_denied_order_is_shown_however_long_nobody_answered_before() -> None:
    rig = trading()
    entry = rig.entry(1000)
    rig.restart()
    rig.opened(rig.entry(990), rig.entry(980))
    rig.price(1004)
    for _ in range(12):
        rig.feed(LookUpFailed(rig.now, entry, "no answer"))
        rig.wait(60 * SECOND)
    warnings = rig.feed(OrderNotFound(rig.now, entry))
    rig.wait(120 * SECOND)
    for _ in range(3):
        warnings += rig.feed(OrderNotFound(rig.now, entry))
    assert told(warnings) == ["OrderDenied"]
    assert (rig.engine.view().reason, entry in rig.engine.view().message) == ("OrderDenied", True)
    rig.opened(entry)
    assert rig.engine.view().reason == ""


def test_an_order_beyond_which_the_price_has_gone_is_asked_after() -> None:
    rig = trading()
    rig.price(1000)
    rig.price(1011)
    rig.settle()
    assert looked_up(rig.wait(60 * SECOND)) == []  # touched, not passed
    rig.price(997)
    assert looked_up(rig.wait(5 * SECOND)) == [rig.entry(1000)]


def test_an_unanswered_request_is_asked_after() -> None:
    rig = submitted()
    assert looked_up(rig.wait(30 * SECOND)) == [rig.entry(1000)]


@pytest.mark.parametrize("event", ["restart", "stream"])
def test_after_a_restart_or_a_gap_every_order_is_looked_up(event: str) -> None:
    rig = trading()
    if event == "restart":
        actions = rig.restart()
    else:
        rig.feed(FeedChanged(rig.now, "orders", healthy=False, message="gone"))
        actions = rig.feed(FeedChanged(rig.now, "orders", healthy=True))
    assert sorted(looked_up(actions)) == sorted(rig.engine.live_orders())


# --- failures and their remedies ---


@pytest.mark.parametrize("remedy", [Remedy.RETRY, Remedy.BACK_OFF])
def test_what_was_not_carried_out_is_sent_again_when_it_may(remedy: Remedy) -> None:
    rig = submitted()
    entry = rig.entry(1000)
    assert fail(rig, entry, remedy, 3 * SECOND) == []
    assert placed(rig.wait(3 * SECOND - 1)) == []
    assert of_kind(Place, rig.wait(1)) == [rig.places[entry]]


def test_while_the_exchange_wants_us_to_back_off_nothing_is_placed() -> None:
    rig = submitted()
    fail(rig, rig.entry(1000), Remedy.BACK_OFF, 3 * SECOND)
    assert placed(rig.fill(rig.entry(990))) == []
    assert (SELL, 1000, 10) in placed(rig.wait(3 * SECOND))


def test_what_was_not_carried_out_is_dropped_when_it_is_not_wanted_any_more() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    fail(rig, entry, Remedy.RETRY, 3 * SECOND)
    rig.price(955)
    rig.wait(3 * SECOND)
    assert entry not in rig.engine.live_orders()


def test_post_only_rejects_end_in_a_plain_order_after_three_tries() -> None:
    rig = submitted()
    for _ in range(3):
        entry = rig.entry(1000)
        assert rig.places[entry].time_in_force is TimeInForce.POST_ONLY
        assert fail(rig, entry, Remedy.WOULD_CROSS) == []
        assert placed(rig.wait(499_999)) == []
        rig.wait(1)
        assert rig.entry(1000) != entry
    assert rig.places[rig.entry(1000)].time_in_force is TimeInForce.GTC


def test_an_entry_that_would_cross_waits_for_the_price_to_move_away() -> None:
    rig = submitted()
    fail(rig, rig.entry(1000), Remedy.WOULD_CROSS)
    rig.price(1001)
    assert placed(rig.wait(60 * SECOND)) == []
    assert placed(rig.price(1003)) == [(BUY, 1000, 10)]


def test_a_post_only_reject_that_comes_later_counts_too() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    for _ in range(3):
        exit_ = rig.exit(1010)
        rig.opened(exit_)
        rig.report(exit_, OrderState.CANCELLED, would_cross=True)
        rig.wait(500_000)
    assert rig.places[rig.exit(1010)].time_in_force is TimeInForce.GTC
    rig.fill(rig.exit(1010))
    assert rig.places[rig.entry(1000)].time_in_force is TimeInForce.POST_ONLY


def test_without_margin_entries_are_withdrawn_for_a_while_and_exits_go_on() -> None:
    rig = submitted()
    rig.fill(rig.entry(990))
    actions = rig.feed(PlaceFailed(rig.now, rig.entry(1000), Remedy.INSUFFICIENT_MARGIN, "margin"))
    assert cancelled(actions) == [rig.entry(980)]
    assert rig.live(SELL) == [1000]
    rig.settle()
    assert placed(rig.wait(10 * SECOND - 1)) == []
    assert placed(rig.wait(1)) == [(BUY, 1000, 10), (BUY, 980, 10)]


def test_an_order_called_wrong_stops_its_slot_and_three_of_them_the_bot() -> None:
    rig = Rig(replace(CONFIG, buy_window=5))
    rig.price(1004)
    for price in (994, 984):
        assert told(rig.feed(PlaceFailed(rig.now, rig.entry(price), Remedy.FIX_REQUEST, "tick"))) == ["OrderRefused"]
    assert placed(rig.wait(3600 * SECOND)) == []
    assert rig.engine.view().phase is Phase.RUNNING
    rig.feed(PlaceFailed(rig.now, rig.entry(974), Remedy.FIX_REQUEST, "tick"))
    view = rig.engine.view()
    assert (view.phase, view.reason, view.message) == (Phase.HALTED, "OrdersRefused", "tick")
    assert placed(rig.configure(buy_window=4)) != []
    assert rig.engine.view().phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("remedy", "reason"),
    [(Remedy.FIX_CREDENTIALS, "Credentials"), (Remedy.HALT, "Exchange"), (Remedy.FENCED, "Fenced")],
)
def test_what_only_a_person_can_mend_halts_the_bot(remedy: Remedy, reason: str) -> None:
    rig = submitted()
    actions = rig.feed(PlaceFailed(rig.now, rig.entry(1000), remedy, "because"))
    assert told(actions) == ["Halted"]
    assert (rig.engine.view().phase, rig.engine.view().reason) == (Phase.HALTED, reason)
    assert placed(rig.fill(rig.entry(990)) + rig.wait(3600 * SECOND) + rig.price(1003)) == []
    assert placed(rig.restart() + rig.price(1004)) != []


def test_credentials_that_work_again_end_the_halt() -> None:
    rig = submitted()
    rig.feed(PlaceFailed(rig.now, rig.entry(1000), Remedy.FIX_CREDENTIALS, "key"))
    rig.feed(FeedChanged(rig.now, "orders", healthy=False, message="key"))
    rig.feed(FeedChanged(rig.now, "orders", healthy=True))
    rig.wait(SECOND)
    assert rig.live(BUY) == [1000, 990, 980]


# --- cancels ---


def test_a_cancel_of_an_unknown_order_is_no_cancel() -> None:
    rig = trading()
    entry = rig.entry(980)
    assert cancelled(rig.price(1014)) == [entry]
    assert looked_up(rig.feed(CancelFailed(rig.now, entry, Remedy.UNKNOWN_ORDER, "unknown"))) == [entry]
    assert entry in rig.engine.live_orders()
    assert cancelled(rig.report(entry, OrderState.OPEN)) == [entry]
    rig.fill(entry)
    assert rig.engine.view().position == 10
    assert rig.live(SELL) == [990]


@pytest.mark.parametrize("remedy", [Remedy.RETRY, Remedy.BACK_OFF])
def test_a_failed_cancel_is_repeated_after_a_look(remedy: Remedy) -> None:
    rig = trading()
    entry = rig.entry(980)
    rig.price(1014)
    rig.feed(CancelFailed(rig.now, entry, remedy, "busy", rig.now + 2 * SECOND))
    assert looked_up(rig.wait(2 * SECOND - 1)) == []
    assert looked_up(rig.wait(1)) == [entry]
    assert cancelled(rig.report(entry, OrderState.OPEN)) == [entry]
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_cancel_that_goes_on_failing_is_repeated_less_and_less_often() -> None:
    rig = trading()
    entry = rig.entry(980)
    rig.price(1014)
    for pause in (SECOND // 2, 2 * SECOND, 8 * SECOND, 32 * SECOND, 60 * SECOND, 60 * SECOND):
        rig.feed(CancelFailed(rig.now, entry, Remedy.RETRY, "busy"))
        assert entry not in looked_up(rig.wait(pause - 1))
        assert entry in looked_up(rig.wait(1))
        assert cancelled(rig.report(entry, OrderState.OPEN)) == [entry]


def test_an_order_on_its_way_is_cancelled_when_it_has_arrived() -> None:
    rig = submitted()
    entry = rig.entry(1000)
    assert cancelled(rig.price(1044)) == [rig.entry(980), rig.entry(990)]
    assert cancelled(rig.report(entry, OrderState.OPEN)) == [entry]
    assert rig.report(entry, OrderState.OPEN, 3) == []  # asked for already


def test_the_venue_ending_an_order_by_itself_is_not_answered_in_a_rush() -> None:
    rig = trading()
    times = 0
    for _ in range(600):
        if rig.slot(1000).client_id:
            rig.settle()
            rig.report(rig.entry(1000), OrderState.CANCELLED)
            times += 1
        rig.wait(SECOND // 2)
    assert 5 < times < 20


def test_its_pauses_grow_to_a_minute_and_begin_anew_when_something_worked() -> None:
    rig = trading()
    for pause in (500_000, *(2**number * SECOND for number in range(6)), 60 * SECOND, 60 * SECOND):
        rig.report(rig.entry(1000), OrderState.CANCELLED)
        assert (BUY, 1000, 10) not in placed(rig.wait(pause - 1))
        assert (BUY, 1000, 10) in placed(rig.wait(1))
        rig.settle()
    rig.fill(rig.entry(1000), 4)
    rig.report(rig.entry(1000), OrderState.CANCELLED, 4)
    rig.settle()
    rig.report(rig.exit(1010), OrderState.CANCELLED)
    assert placed(rig.wait(500_000 - 1)) == []
    assert placed(rig.wait(1)) == [(SELL, 1010, 4)]


def test_any_answer_in_any_state_is_survived() -> None:
    """Every kind of news, twice, to every order of a busy grid."""
    rig = trading()
    rig.fill(rig.entry(1000), 4)
    rig.price(1024)
    for client_id in [*rig.places, "nobody"]:
        for _ in range(2):
            for state in OrderState:
                rig.feed(OrderReported(rig.now, client_id, state, 0))
            for remedy in Remedy:
                rig.feed(PlaceFailed(rig.now, client_id, remedy, ""))
                rig.feed(CancelFailed(rig.now, client_id, remedy, ""))
            rig.feed(OrderNotFound(rig.now, client_id))
            rig.feed(LookUpFailed(rig.now, client_id, ""))
    assert rig.engine.view().position == 4
