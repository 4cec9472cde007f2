"""Where a limit is used up the farthest orders make room for nearer ones, and entries for exits; as many as needed."""

from dataclasses import replace
from typing import Any

import pytest

from opensqt.engine.actions import Action, OrderSide
from opensqt.engine.events import OrderState, PlaceFailed, Remedy
from tests.engine.rig import CONFIG, SECOND, Rig, cancelled, money, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def ended(rig: Rig, *client_ids: str) -> list[Action]:
    """The exchange ends orders by itself."""
    return [action for client_id in client_ids for action in rig.report(client_id, OrderState.CANCELLED)]


@pytest.mark.parametrize(
    "changes", [{"max_open_orders": 2}, {"max_position": 25}, {"max_notional": money(250)}, {"max_leverage": 2}]
)
def test_as_many_far_entries_make_room_as_near_ones_need(changes: dict[str, Any]) -> None:
    rig = trading(replace(CONFIG, **changes))
    rig.equity(125)
    rig.settle()
    assert rig.live(BUY) == [1000, 990]
    assert cancelled(rig.price(1014)) == [rig.entry(990)]
    rig.settle()
    assert rig.live(BUY) == [1010, 1000]
    far, near = rig.entry(1000), rig.entry(1010)
    assert cancelled(rig.price(1044)) == [far, near]
    rig.settle()
    assert rig.live(BUY) == [1040, 1030]


def test_no_more_far_entries_make_room_than_near_ones_need() -> None:
    rig = trading(replace(CONFIG, max_open_orders=3))
    assert cancelled(rig.price(1024)) == [rig.entry(980), rig.entry(990)]
    rig.settle()
    assert rig.live(BUY) == [1020, 1010, 1000]


def test_an_exit_that_comes_back_gets_the_place_of_the_farthest_entry() -> None:
    rig = trading(replace(CONFIG, max_open_orders=2))
    rig.fill(rig.entry(1000))
    rig.settle()
    exit_ = rig.exit(1010)
    assert placed(ended(rig, exit_)) == [(BUY, 980, 10)]
    rig.settle()
    far = rig.entry(980)
    assert cancelled(rig.wait(SECOND // 2)) == [far]
    assert cancelled(rig.price(1005)) == []  # one is on its way already
    assert placed(rig.report(far, OrderState.CANCELLED)) == [(SELL, 1010, 10)]
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([990], [1010])


def test_each_exit_that_comes_back_gets_a_place() -> None:
    rig = trading(replace(CONFIG, buy_window=6, max_open_orders=4))
    for price in (1000, 990):
        rig.fill(rig.entry(price))
        rig.settle()
    rig.price(994)
    ended(rig, rig.exit(1010), rig.exit(1000))
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([980, 970, 960, 950], [])
    assert cancelled(rig.wait(SECOND // 2)) == [rig.entry(950), rig.entry(960)]
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([980, 970], [1010, 1000])


def three_held() -> Rig:
    """Held at 1000, 990 and 980, with places for two orders alone: the exits of the two bought first."""
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.fill(rig.entry(990))
    rig.settle()
    rig.configure(max_open_orders=2)
    rig.price(984)
    rig.fill(rig.entry(980))
    return rig


def test_among_exits_the_farthest_makes_room() -> None:
    rig = three_held()
    far = rig.exit(1010)
    assert cancelled([action for actions in rig.actions for action in actions])[-1] == far
    assert placed(rig.report(far, OrderState.CANCELLED)) == [(SELL, 990, 10)]
    rig.settle()
    assert rig.live(SELL) == [1000, 990]


def test_no_exit_makes_room_for_a_farther_one() -> None:
    rig = three_held()
    rig.settle()
    sent = len(rig.actions)
    rig.wait(3600 * SECOND)
    rig.price(986)
    assert cancelled([action for actions in rig.actions[sent:] for action in actions]) == []
    rig.fill(rig.exit(990))
    assert rig.live(SELL) == [1010, 1000]


def test_a_single_exit_stays_where_there_is_room_for_one() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.fill(rig.entry(990))
    rig.configure(max_open_orders=1)
    rig.settle()
    ended(rig, rig.exit(1010))
    rig.wait(SECOND)
    assert rig.live(SELL) == [1000]


# --- what is sent again ---


@pytest.mark.parametrize("price", [1054, 1000])
def test_an_entry_that_waits_is_given_up_where_the_price_does_not_want_it_any_more(price: int) -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.fill(rig.exit(1010))
    entry = rig.entry(1000)
    rig.feed(PlaceFailed(rig.now, entry, Remedy.RETRY, "busy", rig.now + 3 * SECOND))
    rig.price(price)
    assert (BUY, 1000, 10) not in placed(rig.wait(3 * SECOND))
    assert entry not in rig.engine.live_orders()
