"""A neutral grid: long below its middle, short above it, one position at the exchange."""

from dataclasses import replace
from typing import Any

from opensqt.api.gridbot import Side
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import Goal, OrderState, PlaceFailed, Remedy
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, SECOND, Rig, money, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
NEUTRAL = replace(CONFIG, side=Side.NEUTRAL)


def neutral(price: int = 1000, **changes: Any) -> Rig:
    return trading(replace(NEUTRAL, **changes), price=price)


def test_it_buys_below_the_first_price_and_sells_above_it() -> None:
    rig = neutral()
    assert rig.live(BUY) == [990, 980]
    assert rig.live(SELL) == [1020, 1010]
    rig.price(1026)
    rig.settle()
    assert rig.live(BUY) == [990, 980]
    rig.fill(rig.entry(1010))
    rig.fill(rig.entry(1020))
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([1010, 1000, 990, 980], [1050, 1040, 1030])
    assert rig.engine.view().position == -18


def test_each_side_leaves_towards_the_middle() -> None:
    rig = neutral()
    assert placed(rig.fill(rig.entry(990))) == [(SELL, 1000, 10)]
    rig.settle()
    rig.fill(rig.exit(1000))
    rig.settle()
    assert placed(rig.fill(rig.entry(1010))) == [(BUY, 1000, 9)]
    assert rig.engine.view().position == -9


def test_an_exit_is_reduce_only_unless_the_other_side_holds_something() -> None:
    rig = neutral()
    rig.fill(rig.entry(990))
    assert rig.places[rig.exit(1000)].reduce_only
    rig.fill(rig.entry(1010))
    buy_back = [place for place in rig.places.values() if place.side is BUY and place.price == 1000][-1]
    assert not buy_back.reduce_only
    assert rig.engine.view().position == 10 - 9


def test_an_exit_with_nothing_to_reduce_is_tried_again_as_a_plain_order() -> None:
    """The exchange had filled the other side before we knew."""
    rig = neutral()
    rig.fill(rig.entry(990))
    first = rig.exit(1000)
    rig.feed(PlaceFailed(rig.now, first, Remedy.FIX_REQUEST, "nothing to reduce"))
    rig.fill(rig.entry(1010))
    rig.settle()
    rig.wait(SECOND)
    again = rig.exit(1000)
    sells = [i for i, place in rig.places.items() if place.side is SELL and place.price == 1000]
    assert len(sells) == 2
    assert again
    assert not rig.places[sells[-1]].reduce_only
    assert rig.engine.view().phase is Phase.RUNNING


def test_the_limit_holds_for_each_side_by_itself() -> None:
    rig = neutral(max_position=15)
    assert (rig.live(BUY), rig.live(SELL)) == ([990], [1010])
    rig.fill(rig.entry(990))
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([], [1010, 1000])


def test_the_nearest_levels_of_both_sides_share_the_room_for_orders() -> None:
    rig = neutral(max_open_orders=2)
    assert (rig.live(BUY), rig.live(SELL)) == ([990], [1010])


def test_closing_it_trades_the_difference_and_sets_the_sides_off() -> None:
    rig = neutral()
    rig.fill(rig.entry(990))
    rig.fill(rig.entry(1010), 4)
    rig.configure(goal=Goal.CLOSE)
    rig.settle()
    rig.report(rig.entry(1010), OrderState.CANCELLED, 4)
    place = list(rig.places.values())[-1]
    assert (place.side, place.price, place.lots, place.reduce_only) == (SELL, None, 6, True)
    rig.fill(place.client_id, price=1005)
    view = rig.engine.view()
    assert (view.phase, view.position, view.unrealised) == (Phase.STOPPED, 0, 0)
    assert [slot.held for slot in view.slots if slot.held] == []
    # 6 of the 10 lots bought at 990 are sold at 1005; 4 were bought at 990 and sold at 1010.
    assert view.realised == 6 * money("0.15") + 4 * money("0.2")
    assert view.volume == money("99") + money("40.4") + money("60.3")
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_bounded_one_has_its_middle_between_the_bounds() -> None:
    rig = Rig(replace(NEUTRAL, lower=960, upper=1040))
    rig.price(1024)
    assert rig.live(BUY) == []  # 1000 is the middle: 990 and below are out of the window
    assert rig.live(SELL) == [1040, 1030]
    rig.price(998)
    rig.settle()
    assert rig.live(BUY) == [990, 980]
    assert rig.live(SELL) == [1040, 1030, 1020, 1010][1:]


def test_a_trigger_price_is_its_middle() -> None:
    rig = Rig(replace(NEUTRAL, trigger_price=1030))
    rig.price(1000)
    rig.price(1030)
    assert (rig.live(BUY), rig.live(SELL)) == ([1020, 1010], [1050, 1040])
