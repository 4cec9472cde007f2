from dataclasses import replace

import pytest

from opensqt.engine.actions import Notify, OrderSide, Place, TimeInForce
from opensqt.engine.events import (
    CancelFailed,
    Configured,
    FeedChanged,
    Goal,
    OrderState,
    PlaceFailed,
    Remedy,
)
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, MARKET, SECOND, Rig, cancelled, fail, of_kind, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def holding() -> Rig:
    """1000 is held and offered at 1010, 990 and 980 are bid for."""
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    return rig


def phase(rig: Rig) -> Phase:
    return rig.engine.view().phase


def test_paused_it_bids_no_more_and_goes_on_selling() -> None:
    rig = holding()
    actions = rig.configure(goal=Goal.PAUSE)
    assert cancelled(actions) == [rig.entry(990), rig.entry(980)]
    assert (phase(rig), rig.live(SELL)) == (Phase.PAUSED, [1010])
    assert [one.message for one in rig.engine.view().gate] == ["spec.state is Paused"]
    rig.fill(rig.entry(990), 3)
    assert placed(rig.report(rig.entry(990), OrderState.CANCELLED, 3)) == [(SELL, 1000, 3)]
    assert placed(rig.price(1060)) == []


def test_complaint_12_stopped_it_has_no_orders_and_keeps_the_position() -> None:
    rig = holding()
    orders = rig.engine.live_orders()
    assert sorted(cancelled(rig.configure(goal=Goal.STOP))) == sorted(orders)
    assert phase(rig) is Phase.WINDING_DOWN
    for client_id in orders[:-1]:
        rig.report(client_id, OrderState.CANCELLED)
    assert not rig.engine.wound_down
    (notice,) = of_kind(Notify, rig.report(orders[-1], OrderState.CANCELLED))
    assert notice.reason == "WoundDown"
    assert notice.message.endswith(f"; a position of {MARKET.from_lots(10):f} is kept")
    assert rig.engine.wound_down
    assert (phase(rig), rig.engine.view().position) == (Phase.STOPPED, 10)
    assert placed(rig.price(1060)) == []


@pytest.mark.parametrize("goal", [Goal.STOP, Goal.CLOSE])
def test_maintenance_that_refuses_cancels_does_not_keep_it_from_ending(goal: Goal) -> None:
    rig = holding()
    orders = rig.engine.live_orders()
    rig.configure(goal=goal)
    for client_id in orders:
        rig.feed(CancelFailed(rig.now, client_id, Remedy.HALT, "maintenance"))
    assert phase(rig) is Phase.WINDING_DOWN
    for client_id in orders:
        rig.report(client_id, OrderState.CANCELLED)
    if goal is Goal.CLOSE:
        (closing,) = rig.engine.live_orders()
        rig.fill(closing, price=995)
    assert phase(rig) is Phase.STOPPED


def closing_order(rig: Rig) -> str:
    """All orders are cancelled; the order that closes the position."""
    for client_id in rig.engine.live_orders():
        rig.report(client_id, OrderState.CANCELLED)
    (client_id,) = rig.engine.live_orders()
    return client_id


def test_maintenance_that_refuses_the_closing_order_is_waited_out() -> None:
    rig = holding()
    rig.configure(goal=Goal.CLOSE)
    order, warnings, pauses = closing_order(rig), 0, []
    for _ in range(12):
        actions = rig.feed(PlaceFailed(rig.now, order, Remedy.HALT, "maintenance"))
        warnings += len(of_kind(Notify, actions))
        view = rig.engine.view()
        assert (view.phase, view.reason, view.message) == (Phase.HALTED, "Exchange", "maintenance")
        wake = rig.engine.wake_at
        assert wake is not None
        pauses.append((wake - rig.now) / SECOND)
        (again,) = of_kind(Place, rig.wait(wake - rig.now))
        order = again.client_id
    assert warnings == 1
    assert (pauses[0], pauses[-1], sorted(pauses)) == (0.5, 60, pauses)
    rig.fill(order, 4, price=995)
    rig.report(order, OrderState.CANCELLED, 4)
    assert phase(rig) is Phase.WINDING_DOWN, "it is over"
    (rest,) = rig.engine.live_orders()
    rig.fill(rest, price=995)
    assert phase(rig) is Phase.STOPPED
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_stop_loss_closes_although_the_exchange_had_halted_the_bot() -> None:
    rig = trading(replace(CONFIG, stop_loss=10**12))
    entry = rig.entry(1000)
    rig.fill(entry)
    fail(rig, rig.exit(1010), Remedy.HALT)
    rig.settle()
    assert phase(rig) is Phase.HALTED
    rig.price(985)
    rig.fill(closing_order(rig), price=985)
    assert (phase(rig), rig.engine.view().reason) == (Phase.STOPPED, "StopLoss")


def test_credentials_that_are_refused_are_not_tried_again() -> None:
    rig = holding()
    rig.configure(goal=Goal.CLOSE)
    rig.feed(PlaceFailed(rig.now, closing_order(rig), Remedy.FIX_CREDENTIALS, "the key is gone"))
    assert placed(rig.wait(3600 * SECOND)) == []
    assert phase(rig) is Phase.HALTED


def test_what_had_halted_it_does_not_hide_that_it_has_stopped() -> None:
    rig = holding()
    orders = rig.engine.live_orders()
    rig.configure(goal=Goal.STOP)
    rig.feed(CancelFailed(rig.now, orders[0], Remedy.FIX_CREDENTIALS, "the key is gone"))
    assert phase(rig) is Phase.HALTED
    for client_id in orders:
        rig.report(client_id, OrderState.CANCELLED)
    assert phase(rig) is Phase.STOPPED


def test_an_order_in_doubt_is_not_stopped() -> None:
    rig = holding()
    rig.restart()
    rig.configure(goal=Goal.STOP)
    assert phase(rig) is Phase.WINDING_DOWN
    for client_id in rig.engine.live_orders():
        assert cancelled(rig.report(client_id, OrderState.OPEN)) == [client_id]
        rig.report(client_id, OrderState.CANCELLED)
    assert phase(rig) is Phase.STOPPED


def test_running_again_it_goes_on_with_its_slots() -> None:
    rig = holding()
    rig.configure(goal=Goal.STOP)
    rig.settle()
    assert phase(rig) is Phase.STOPPED
    assert placed(rig.configure(goal=Goal.RUN)) == [(SELL, 1010, 10), (BUY, 990, 10), (BUY, 980, 10)]
    assert phase(rig) is Phase.RUNNING


def test_a_bot_that_never_saw_a_price_can_be_stopped() -> None:
    assert phase(Rig(goal=Goal.STOP)) is Phase.STOPPED


def closing() -> tuple[Rig, Place]:
    rig = holding()
    rig.configure(goal=Goal.CLOSE)
    rig.settle()
    return rig, list(rig.places.values())[-1]


def test_closing_it_sells_the_position_at_market_when_all_orders_are_gone() -> None:
    rig = holding()
    assert placed(rig.configure(goal=Goal.CLOSE)) == []
    rig.settle()
    place = list(rig.places.values())[-1]
    assert (place.side, place.price, place.lots) == (SELL, None, 10)
    assert (place.reduce_only, place.time_in_force) == (True, TimeInForce.IOC)
    rig.fill(place.client_id, price=995)
    assert (phase(rig), rig.engine.view().position) == (Phase.STOPPED, 0)
    assert [slot.held for slot in rig.engine.view().slots] == [0, 0, 0]


def test_complaint_12_closing_is_repeated_until_nothing_is_left() -> None:
    rig, place = closing()
    rig.fill(place.client_id, 6, price=995)
    assert placed(rig.report(place.client_id, OrderState.CANCELLED, 6)) == [(SELL, None, 4)]
    assert len({p.client_id for p in rig.places.values() if p.price is None}) == 2


def test_closing_that_gets_nothing_is_repeated_with_pauses() -> None:
    rig, place = closing()
    assert placed(rig.report(place.client_id, OrderState.CANCELLED)) == []
    assert placed(rig.wait(SECOND)) == [(SELL, None, 10)]


@pytest.mark.parametrize("remedy", [Remedy.FIX_REQUEST, Remedy.INSUFFICIENT_MARGIN, Remedy.RETRY])
def test_closing_goes_on_after_a_failure(remedy: Remedy) -> None:
    rig, place = closing()
    rig.feed(PlaceFailed(rig.now, place.client_id, remedy, ""))
    assert placed(rig.wait(20 * SECOND)) == [(SELL, None, 10)]


def test_while_nothing_may_be_sent_closing_waits() -> None:
    rig = holding()
    rig.feed(FeedChanged(rig.now, "orders", healthy=False, message="gone"))
    rig.configure(goal=Goal.CLOSE)
    for client_id in rig.engine.live_orders():
        rig.report(client_id, OrderState.CANCELLED)
    assert placed(rig.wait(60 * SECOND)) == []
    rig.feed(FeedChanged(rig.now, "orders", healthy=True))
    assert [order.place.price for order in rig.engine.orders()] == [None]


def test_while_nothing_may_be_sent_a_closing_order_is_not_sent_again() -> None:
    rig, place = closing()
    rig.feed(PlaceFailed(rig.now, place.client_id, Remedy.BACK_OFF, "", rig.now + SECOND))
    rig.feed(FeedChanged(rig.now, "price", healthy=False, message="gone"))
    assert placed(rig.wait(60 * SECOND)) == []
    assert of_kind(Place, rig.feed(FeedChanged(rig.now, "price", healthy=True))) == [place]


def test_a_closing_order_that_never_arrived_goes_under_its_own_id() -> None:
    rig, place = closing()
    rig.restart()
    assert of_kind(Place, rig.never_arrived(place.client_id)) == [place]


def test_a_close_that_is_called_off_in_flight_is_waited_for() -> None:
    rig, place = closing()
    assert placed(rig.configure(goal=Goal.RUN)) == []
    assert placed(rig.report(place.client_id, OrderState.CANCELLED)) == [
        (SELL, 1010, 10),
        (BUY, 990, 10),
        (BUY, 980, 10),
    ]


def test_a_close_that_is_called_off_before_it_was_sent_is_not_sent() -> None:
    rig, place = closing()
    rig.feed(PlaceFailed(rig.now, place.client_id, Remedy.RETRY, "", rig.now + SECOND))
    rig.configure(goal=Goal.RUN)
    rig.wait(60 * SECOND)
    assert place.client_id not in rig.engine.live_orders()
    assert [p.price for p in rig.places.values()].count(None) == 1
    assert rig.live(SELL) == [1010]


def test_the_smallest_quantity_is_still_closed() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(1000), 3)
    rig.configure(goal=Goal.CLOSE)
    rig.report(rig.entry(1000), OrderState.CANCELLED, 3)
    rig.settle()
    assert [place.lots for place in rig.places.values() if place.price is None] == [3]


def test_dust_is_left_and_said() -> None:
    rig = trading(market=replace(MARKET, min_quantity=3))
    rig.fill(rig.entry(1000), 2)
    rig.configure(goal=Goal.CLOSE)
    rig.report(rig.entry(1000), OrderState.CANCELLED, 2)
    rig.settle()
    assert (phase(rig), rig.engine.view().position) == (Phase.STOPPED, 2)


def test_deletion_comes_with_the_same_generation() -> None:
    rig = holding()
    rig.feed(Configured(rig.now, rig.generation, Goal.STOP, rig.config))
    assert phase(rig) is Phase.WINDING_DOWN


def test_the_same_spec_again_changes_nothing_and_an_older_one_neither() -> None:
    rig = holding()
    rig.configure(goal=Goal.PAUSE)
    rig.settle()
    before = rig.engine.snapshot()
    assert rig.feed(Configured(rig.now, rig.generation, Goal.PAUSE, rig.config)) == []
    assert rig.feed(Configured(rig.now, rig.generation - 1, Goal.RUN, replace(CONFIG, step=3))) == []
    assert not rig.engine.dirty
    assert rig.engine.snapshot() == before


def test_a_halted_bot_can_still_be_stopped() -> None:
    rig = holding()
    rig.feed(PlaceFailed(rig.now, rig.entry(990), Remedy.LOOK_UP, ""))
    rig.price(1014)
    rig.feed(PlaceFailed(rig.now, rig.entry(1010), Remedy.HALT, "closed"))
    assert phase(rig) is Phase.HALTED
    rig.configure(goal=Goal.STOP)
    rig.settle()
    assert phase(rig) is Phase.STOPPED
