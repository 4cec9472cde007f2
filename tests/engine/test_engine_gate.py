"""Limits hold for all that is held and in flight, and only they say no."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from opensqt.engine.actions import OrderSide
from opensqt.engine.events import FeedChanged, Goal, OrderState
from opensqt.engine.view import LimitView, Phase
from tests.engine.rig import CONFIG, MARKET, Rig, cancelled, money, placed, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def limit(rig: Rig, name: str) -> LimitView:
    return next(limit for limit in rig.engine.view().limits if limit.name == name)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"max_position": 25}, "maxPosition"),
        ({"max_notional": money(250)}, "maxNotional"),
        ({"max_open_orders": 2}, "maxOpenOrders"),
    ],
)
def test_no_more_entries_than_the_limit_lets_through(changes: dict[str, Any], name: str) -> None:
    rig = trading(replace(CONFIG, **changes))
    assert rig.live(BUY) == [1000, 990]
    assert limit(rig, name).reached
    assert not limit(trading(), "maxOpenOrders").reached


def test_leverage_counts_against_the_equity_as_soon_as_that_is_known() -> None:
    rig = trading(replace(CONFIG, max_leverage=2))
    rig.equity(110)
    rig.settle()
    assert rig.live(BUY) == [1000, 990]
    assert limit(rig, "maxLeverage").reached


@pytest.mark.parametrize("changes", [{"max_position": 15}, {"max_notional": money(150)}, {"max_open_orders": 1}])
def test_a_limit_that_is_lowered_withdraws_the_farthest_entries(changes: dict[str, Any]) -> None:
    rig = trading()
    actions = rig.configure(**changes)
    assert cancelled(actions) == [rig.entry(980), rig.entry(990)]
    assert cancelled(rig.fill(rig.entry(980), 1)) == []  # enough is on its way out already


def test_a_limit_that_is_raised_lets_the_missing_entries_in() -> None:
    rig = trading(replace(CONFIG, max_position=15))
    assert rig.live(BUY) == [1000]
    assert [price for _, price, _ in placed(rig.configure(max_position=100))] == [990, 980]


def test_what_is_being_cancelled_still_counts() -> None:
    """The nearer entry waits until the farther one is certainly gone."""
    rig = trading(replace(CONFIG, max_position=30))
    actions = rig.price(1014)
    assert cancelled(actions) == [rig.entry(980)]
    assert placed(actions) == []
    assert placed(rig.report(rig.entry(980), OrderState.CANCELLED)) == [(BUY, 1010, 9)]


def test_entries_follow_the_price_though_a_limit_keeps_the_window_from_filling() -> None:
    rig = trading(replace(CONFIG, buy_window=10, max_open_orders=2))
    assert rig.live(BUY) == [1000, 990]
    rig.price(1034)
    rig.settle()
    assert rig.live(BUY) == [1030, 1020]


def test_an_exit_gets_the_place_of_the_farthest_entry() -> None:
    rig = trading(replace(CONFIG, max_open_orders=2))
    assert rig.live(BUY) == [1000, 990]
    assert placed(rig.fill(rig.entry(1000))) == [(SELL, 1010, 10)]
    assert rig.live(BUY) == [990]
    rig.settle()
    rig.fill(rig.entry(990))
    assert (rig.live(BUY), rig.live(SELL)) == ([], [1010, 1000])


def test_the_nearest_exit_gets_the_place_of_the_farthest() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(994)
    rig.settle()
    rig.configure(max_open_orders=2)
    rig.settle()
    assert (rig.live(BUY), rig.live(SELL)) == ([990], [1010])
    rig.fill(rig.entry(990))
    rig.settle()
    assert rig.live(SELL) == [1010, 1000]
    rig.configure(max_open_orders=1)
    rig.settle()
    assert rig.live(SELL) == [1010, 1000]  # exits are not withdrawn for a lowered limit


@pytest.mark.parametrize("feed", ["price", "orders"])
def test_nothing_is_placed_while_a_feed_is_lost(feed: str) -> None:
    rig = Rig()
    rig.feed(FeedChanged(rig.now, feed, healthy=False, message="gone"))
    assert placed(rig.price(1004)) == []
    assert rig.engine.view().reason == "FeedLost"
    assert placed(rig.feed(FeedChanged(rig.now, feed, healthy=True)) + rig.price(1005)) != []


@pytest.mark.parametrize(
    "blinded",
    [
        lambda rig: rig.feed(FeedChanged(rig.now, "price", healthy=False, message="gone")),
        lambda rig: rig.restart() + rig.opened(*rig.engine.live_orders()),
    ],
)
def test_entries_are_withdrawn_also_while_nothing_may_be_placed(blinded: Callable[[Rig], Any]) -> None:
    rig = trading()
    blinded(rig)
    assert set(cancelled(rig.configure(goal=Goal.PAUSE))) == {rig.entry(1000), rig.entry(990), rig.entry(980)}


def test_a_lost_price_is_not_traded_on() -> None:
    rig = trading()
    rig.feed(FeedChanged(rig.now, "price", healthy=False, message="gone"))
    rig.feed(FeedChanged(rig.now, "price", healthy=True))
    assert placed(rig.fill(rig.entry(1000))) == []
    assert placed(rig.price(996)) == [(SELL, 1010, 10)]


def test_a_restarted_bot_waits_for_a_price_of_its_own() -> None:
    rig = trading()
    rig.restart()
    assert placed(rig.fill(rig.entry(1000))) == []
    assert placed(rig.price(1004)) == [(SELL, 1010, 10)]


def test_nothing_is_placed_before_it_is_started_and_configured() -> None:
    rig = Rig(goal=Goal.PAUSE)
    assert placed(rig.price(1004)) == []
    assert rig.engine.view().phase is Phase.PAUSED


@pytest.mark.parametrize(
    ("market", "needed"),
    [
        (replace(MARKET, min_notional=money(20)), "29.7"),
        (replace(MARKET, min_notional=money(15)), "20"),
        (replace(MARKET, min_notional=money("19.9")), "29.7"),
        (replace(MARKET, min_quantity=3), "30"),
    ],
)
def test_an_order_size_below_the_exchanges_smallest_is_refused_with_what_would_do(market: Any, needed: str) -> None:
    rig = Rig(replace(CONFIG, order_money=money(12)), market=market)
    actions = rig.price(1000)
    assert placed(actions) == []
    assert "SpecRefused" in told(actions)
    view = rig.engine.view()
    assert view.phase is Phase.HALTED
    assert "spec.order.quoteSize" in view.message
    assert view.message.endswith(f"at least {needed}")
    assert placed(rig.configure(order_money=money(needed))) != []
    assert rig.engine.view().phase is Phase.RUNNING


def test_a_spacing_below_the_tick_is_refused() -> None:
    rig = Rig(replace(CONFIG, step=0))
    rig.price(1000)
    assert rig.engine.view().phase is Phase.HALTED
    assert "spec.grid.spacing" in rig.engine.view().message


def test_entries_of_an_earlier_spec_do_not_outlive_it_where_the_new_one_has_no_grid() -> None:
    rig = trading()
    assert set(cancelled(rig.configure(step=0))) == {rig.entry(1000), rig.entry(990), rig.entry(980)}


def test_a_refused_spec_still_sells_what_is_held() -> None:
    rig = trading()
    rig.configure(order_money=money(1))
    rig.fill(rig.entry(1000))
    assert rig.live(SELL) == [1010]
