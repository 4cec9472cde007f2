"""Which levels have orders: docs/engine.md, "The window"."""

from dataclasses import replace

import pytest

from opensqt.engine.actions import Cancel, OrderSide, TimeInForce
from opensqt.engine.client_id import parse
from opensqt.engine.events import OrderState, PriceChanged
from tests.engine.rig import BOT_UID, CONFIG, Rig, cancelled, money, placed, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def test_the_first_price_is_the_anchor_and_stays_it() -> None:
    rig = Rig()
    rig.price(1003)
    rig.price(1500)
    assert rig.engine.view().anchor == 1003
    assert rig.replayed().view().anchor == 1003
    assert all((price - 1003) % 10 == 0 for price in rig.live(BUY))


def test_entries_lie_on_the_levels_of_the_window_but_not_at_the_price() -> None:
    rig = Rig()
    assert placed(rig.price(1000)) == [(BUY, 990, 10), (BUY, 980, 10)]
    assert placed(rig.price(1001)) == []
    assert placed(rig.price(1002)) == [(BUY, 1000, 10)]
    assert rig.live(BUY) == [1000, 990, 980]


def test_entries_are_post_only_and_not_reduce_only_exits_are_both() -> None:
    rig = trading()
    entry = rig.places[rig.entry(1000)]
    assert (entry.time_in_force, entry.reduce_only) == (TimeInForce.POST_ONLY, False)
    rig.fill(rig.entry(1000))
    exit_ = rig.places[rig.exit(1010)]
    assert (exit_.time_in_force, exit_.reduce_only) == (TimeInForce.POST_ONLY, True)


def test_without_post_only_orders_may_take() -> None:
    rig = trading(replace(CONFIG, post_only=False))
    assert {place.time_in_force for place in rig.places.values()} == {TimeInForce.GTC}


def test_a_filled_entry_is_sold_at_the_next_level_and_bought_again_after() -> None:
    rig = trading()
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]
    assert placed(rig.price(1011)) == []
    assert placed(rig.fill(rig.exit(1010))) == [(BUY, 1000, 10)]
    first, second = (parse(BOT_UID, i) for i, p in rig.places.items() if p.price == 1000 and p.side is BUY)
    assert first is not None
    assert second is not None
    assert (first.slot, first.cycle + 1) == (second.slot, second.cycle)


def test_when_the_price_rises_the_farthest_entry_makes_room_for_the_nearest() -> None:
    rig = trading()
    actions = rig.price(1014)
    assert cancelled(actions) == [rig.entry(980)]
    assert placed(actions) == [(BUY, 1010, 9)]
    assert isinstance(actions[0], Cancel)
    rig.report(rig.entry(980), OrderState.CANCELLED)
    assert rig.live(BUY) == [1010, 1000, 990]


def test_a_jump_moves_the_whole_window() -> None:
    rig = trading()
    actions = rig.price(2004)
    assert sorted(cancelled(actions)) == sorted(rig.entry(price) for price in (1000, 990, 980))
    assert [price for _, price, _ in placed(actions)] == [2000, 1990, 1980]


def test_entries_below_the_window_stay_while_there_is_room() -> None:
    """With 1000 held and 990 ... 970 bought there are no more entries than the window has levels: nothing to cancel."""
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.price(995)
    rig.opened(*rig.engine.live_orders())
    assert rig.live(BUY) == [990, 980]
    rig.price(994)
    assert rig.live(BUY) == [990, 980, 970]
    assert cancelled(rig.price(1004)) == []


def test_a_wandering_price_never_has_more_entries_than_the_window() -> None:
    rig = trading()
    for price in [1014, 1008, 1026, 994, 1044, 1003, 1060, 1031]:
        actions = rig.price(price)
        for client_id in cancelled(actions):
            rig.report(client_id, OrderState.CANCELLED)
        rig.opened(*rig.engine.live_orders())
        assert len(rig.live(BUY)) <= CONFIG.buy_window


def test_exits_reach_up_to_the_sell_window_nearest_first() -> None:
    rig = trading(replace(CONFIG, buy_window=8, sell_window=2))
    rig.price(925)
    for price in (1000, 990, 980, 970, 960, 950, 940, 930):
        rig.fill(rig.entry(price))
    assert rig.live(SELL) == [950, 940]
    # 2 levels above 925 is 940: what was bought there is sold at 950.
    rig.opened(*rig.engine.live_orders())
    rig.fill(rig.exit(940))
    assert [p for s, p, _ in placed(rig.price(940)) if s is SELL] == [960, 970]


def test_exits_stay_when_the_price_falls_away() -> None:
    rig = trading(replace(CONFIG, sell_window=1))
    rig.fill(rig.entry(1000))
    rig.opened(*rig.engine.live_orders())
    assert rig.exit(1010) not in cancelled(rig.price(900))


@pytest.mark.parametrize(("lower", "upper", "levels"), [(990, 0, [1000, 990]), (0, 990, [990, 980])])
def test_no_entry_lies_outside_the_bounds(lower: int, upper: int, levels: list[int]) -> None:
    rig = Rig(replace(CONFIG, lower=lower, upper=upper))
    rig.price(1000)
    rig.price(1004)
    assert rig.live(BUY) == levels


def test_the_quantity_is_never_worth_more_than_the_order_size() -> None:
    rig = trading(replace(CONFIG, order_money=money("99.99")))
    assert {place.lots for place in rig.places.values() if place.price == 1000} == {9}


def test_geometric_levels_are_traded_likewise() -> None:
    rig = trading(replace(CONFIG, step=0, ratio_ppm=10_000))
    assert rig.live(BUY) == [1000, 990, 980]
    rig.price(971)
    rig.fill(rig.entry(980))
    assert rig.live(SELL) == [990]


def test_another_spacing_brings_new_slots_and_keeps_what_is_held() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.opened(*rig.engine.live_orders())
    held = rig.slot(1000)
    actions = rig.configure(step=7)
    assert sorted(cancelled(actions)) == sorted([rig.entry(990), rig.entry(980)])
    assert rig.slot(1000) == held  # still to be sold at 1010
    old = {slot.number for slot in rig.engine.view().slots}
    rig.price(995)
    rig.settle()
    assert rig.live(BUY) == [993, 986, 979]
    assert rig.slot(979).number not in old


def test_another_order_size_replaces_the_entries() -> None:
    rig = trading()
    actions = rig.configure(order_money=money(200))
    assert len(cancelled(actions)) == 3
    rig.settle()
    assert {(p.price, p.lots) for i, p in rig.places.items() if i in rig.engine.live_orders()} == {
        (1000, 20),
        (990, 20),
        (980, 20),
    }


def test_slots_are_forgotten_behind_a_price_that_runs_away() -> None:
    rig = trading()
    for price in range(1004, 9000, 10):
        for client_id in cancelled(rig.price(price)):
            rig.report(client_id, OrderState.CANCELLED)
        rig.opened(*rig.engine.live_orders())
    # Beside the window's, those of the newest orders that ended: a late fill of theirs finds its slot.
    assert len(rig.engine.view().slots) <= 20 + 100


def test_quiet_prices_change_nothing_and_need_not_be_kept() -> None:
    rig = trading()
    low, high = rig.engine.quiet_band()
    assert low is not None
    assert high is not None
    assert (low, high) == (999, 1005)
    before = rig.engine.snapshot()
    for price in range(low + 1, high):
        assert rig.engine.on(PriceChanged(rig.now, price)) == []
        assert not rig.engine.dirty
    assert rig.engine.snapshot() == before
    assert rig.engine.view().last_price == high - 1


def test_while_anything_is_due_every_price_counts() -> None:
    rig = Rig()
    rig.price(1004)
    assert rig.engine.wake_at is not None
    low, high = rig.engine.quiet_band()
    assert low == high
