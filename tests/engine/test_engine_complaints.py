"""What users of other grid bots complain about most, where it is the engine's to do better."""

from dataclasses import replace

import pytest

from opensqt.api.gridbot import Side
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import Goal, OrderState, PlaceFailed, Remedy
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, MARKET, SECOND, Rig, money, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
SMALL = replace(MARKET, min_notional=money(50))
"""An order must be worth 50: 5 lots at 1000, or 6 below it."""


@pytest.mark.parametrize(("side", "price", "exit_price"), [(Side.LONG, 1004, 1010), (Side.SHORT, 996, 990)])
def test_complaint_05_what_a_cancelled_order_got_is_never_lost(side: Side, price: int, exit_price: int) -> None:
    """Partial fill, then cancel: of the entry, of the exit, and with the fill told after the cancel."""
    rig = trading(replace(CONFIG, side=side), price=price)
    entry = rig.entry(1000)
    rig.fill(entry, 4)
    assert [(at, lots) for _, at, lots in placed(rig.report(entry, OrderState.CANCELLED, 4))] == [(exit_price, 4)]
    first = rig.exit(exit_price)
    rig.opened(first)
    rig.report(first, OrderState.CANCELLED, 3)
    assert rig.slot(1000).order == "SETTLING"
    assert placed(rig.fill(first, 3)) != []
    assert rig.places[rig.exit(exit_price)].lots == 1
    rig.opened(rig.exit(exit_price))
    rig.fill(rig.exit(exit_price))
    view = rig.engine.view()
    assert (view.position, view.cycles, view.realised) == (0, 1, money("0.4"))


def test_complaint_06_dust_below_the_smallest_value_is_merged_not_lost() -> None:
    """3 lots at 1000 are worth 30: too little for an order. They are sold with what the level buys next."""
    rig = trading(market=SMALL)
    entry = rig.entry(1000)
    rig.fill(entry, 3, fee=money("0.006"))
    assert placed(rig.report(entry, OrderState.CANCELLED, 3)) == [(BUY, 1000, 7)]
    assert (rig.slot(1000).position, rig.slot(1000).held) == ("EMPTY", 3)
    assert placed(rig.fill(rig.entry(1000), fee=money("0.014"))) == [(SELL, 1010, 10)]
    rig.opened(rig.exit(1010))
    rig.fill(rig.exit(1010))
    assert rig.engine.view().realised == money(1) - money("0.02")


def test_complaint_06_what_an_exit_leaves_below_the_smallest_value_goes_with_the_next_cycle() -> None:
    rig = trading(market=SMALL)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.fill(rig.exit(1010), 8)
    assert placed(rig.report(rig.exit(1010), OrderState.CANCELLED, 8)) == [(BUY, 1000, 8)]
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]


def test_complaint_06_dust_of_a_level_that_is_none_any_more_goes_with_another_exit() -> None:
    rig = trading(market=SMALL)
    rig.fill(rig.entry(990), 3)
    rig.configure(step=7)
    rig.report(rig.entry(990), OrderState.CANCELLED, 3)
    rig.settle()
    rig.price(1020)
    rig.settle()
    rig.fill(rig.entry(1014))
    rig.settle()
    assert rig.places[rig.exit(1021)].lots == 9 + 3
    rig.fill(rig.exit(1021))
    assert rig.engine.view().position == 0
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_complaint_06_dust_does_not_block_its_level_after_another_spacing() -> None:
    rig = trading(market=SMALL)
    rig.fill(rig.entry(1000), 3)
    rig.configure(step=20)
    rig.report(rig.entry(1000), OrderState.CANCELLED, 3)
    rig.settle()
    rig.fill(rig.entry(1000))
    assert rig.live(SELL) == [1020]
    assert rig.places[rig.exit(1020)].lots == 10


def test_complaint_06_a_position_too_small_to_be_closed_does_not_keep_the_bot_from_ending() -> None:
    rig = trading(market=SMALL)
    rig.fill(rig.entry(1000), 3)
    rig.configure(goal=Goal.CLOSE)
    rig.report(rig.entry(1000), OrderState.CANCELLED, 3)
    rig.settle()
    closing = next(client_id for client_id, place in rig.places.items() if place.price is None)
    rig.feed(PlaceFailed(rig.now, closing, Remedy.FIX_REQUEST, "order value below 50"))
    view = rig.engine.view()
    assert (view.phase, view.position) == (Phase.STOPPED, 3)


def test_complaint_13_a_level_whose_post_only_orders_are_rejected_is_never_given_up() -> None:
    """At once or later, entry or exit: the order is priced anew, and after three rejects it may take."""
    rig = trading()
    for _ in range(3):
        rig.report(rig.entry(1000), OrderState.CANCELLED, would_cross=True)
        rig.wait(SECOND)
        rig.settle()
    assert rig.live(BUY) == [1000, 990, 980]
    assert rig.places[rig.entry(1000)].time_in_force is TimeInForce.GTC
    rig.fill(rig.entry(1000))
    for _ in range(3):
        assert rig.places[rig.exit(1010)].time_in_force is TimeInForce.POST_ONLY
        rig.feed(PlaceFailed(rig.now, rig.exit(1010), Remedy.WOULD_CROSS, "would cross"))
        assert rig.live(SELL) == []
        rig.wait(SECOND)
    assert rig.live(SELL) == [1010]
    assert rig.places[rig.exit(1010)].time_in_force is TimeInForce.GTC


def test_complaint_13_levels_passed_while_their_orders_were_rejected_come_back_with_the_price() -> None:
    rig = Rig()
    rig.price(1000)
    rig.settle()
    rig.price(1004)
    for _ in range(10):
        if rig.slot(1000).client_id:
            rig.feed(PlaceFailed(rig.now, rig.entry(1000), Remedy.WOULD_CROSS, "would cross"))
        rig.price(1000)
        rig.wait(SECOND)
    assert rig.slot(1000).client_id == ""
    rig.price(1004)
    rig.settle()
    assert rig.live(BUY) == [1000, 990, 980]
