"""Take profit, stop loss and time limit: reached once, acted on to the end, shown, and kept until the spec changes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.barriers import BarrierAction
from opensqt.api.gridbot import Side as GridSide
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import Goal, OrderState, PriceChanged
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, SECOND, Rig, money, placed, told, trading


def holding(**barriers: Any) -> Rig:
    """10 lots (0.1) bought at 1000: a price 10 higher is worth 1."""
    rig = trading(replace(CONFIG, **barriers))
    rig.fill(rig.entry(1000))
    rig.settle()
    return rig


def cancel_all(rig: Rig) -> None:
    rig.settle()
    for client_id in rig.engine.live_orders():
        rig.report(client_id, OrderState.CANCELLED)


def closed(rig: Rig, price: int) -> None:
    """The exchange does what the bot asks for, until it has nothing left to ask."""
    cancel_all(rig)
    closing = [i for i in rig.engine.live_orders() if rig.places[i].price is None]
    for client_id in closing or [i for i, place in rig.places.items() if place.price is None][-1:]:
        rig.fill(client_id, price=price)


@pytest.mark.parametrize(
    ("barriers", "price", "reason"),
    [
        ({"stop_loss": money(3)}, 970, "StopLoss"),
        ({"take_profit": money(3)}, 1030, "TakeProfit"),
        ({"stop_loss_price": 970}, 970, "StopLossPrice"),
        ({"take_profit_price": 1035}, 1035, "TakeProfitPrice"),
    ],
)
def test_a_barrier_closes_the_position_and_stays(barriers: dict[str, int], price: int, reason: str) -> None:
    rig = holding(**barriers, sell_window=1, upper=1000)
    rig.report(rig.exit(1010), OrderState.CANCELLED)
    short_of_it = price + (1 if price < 1000 else -1)
    rig.price(short_of_it)
    rig.settle()
    assert rig.engine.view().phase is Phase.RUNNING
    assert "BarrierReached" in told(rig.price(price))
    assert rig.engine.view().phase is Phase.WINDING_DOWN
    assert rig.engine.view().reason == reason
    closed(rig, price)
    view = rig.engine.view()
    assert (view.phase, view.reason, view.position) == (Phase.STOPPED, reason, 0)
    assert "change spec.barriers" in view.message
    assert rig.price(1000) == []
    assert placed(rig.restart()) == []
    rig.price(1000)
    assert placed(rig.configure(goal=Goal.RUN)) == []
    assert rig.engine.view().reason == reason, "another spec with the same barriers"
    assert rig.replayed().view() == rig.engine.view()


def test_another_barrier_in_the_spec_lets_it_go_on() -> None:
    rig = holding(stop_loss_price=990)
    rig.price(989)
    closed(rig, 989)
    assert rig.engine.view().phase is Phase.STOPPED
    actions = rig.configure(stop_loss_price=950)
    assert OrderSide.BUY in [side for side, _, _ in placed(actions)]
    assert rig.engine.view().phase is Phase.RUNNING


def test_then_cancel_orders_keeps_the_position() -> None:
    rig = holding(stop_loss_price=990, barrier_action=BarrierAction.CANCEL_ORDERS)
    rig.price(990)
    cancel_all(rig)
    view = rig.engine.view()
    assert (view.phase, view.reason, view.position) == (Phase.STOPPED, "StopLossPrice", 10)


def test_then_pause_keeps_the_exits() -> None:
    rig = holding(take_profit_price=1009, barrier_action=BarrierAction.PAUSE)
    rig.price(1009)
    rig.settle()
    view = rig.engine.view()
    assert (view.phase, view.reason) == (Phase.PAUSED, "TakeProfitPrice")
    assert rig.live(OrderSide.BUY) == []
    assert rig.live(OrderSide.SELL) == [1010]


def test_a_spec_that_asks_for_more_than_the_barrier_gets_it() -> None:
    rig = holding(stop_loss_price=990, barrier_action=BarrierAction.CANCEL_ORDERS)
    rig.price(990)
    cancel_all(rig)
    rig.configure(goal=Goal.CLOSE)
    closed(rig, 990)
    view = rig.engine.view()
    assert (view.phase, view.reason, view.position) == (Phase.STOPPED, "WoundDown", 0)


def test_the_time_limit_counts_from_the_first_price() -> None:
    rig = Rig(replace(CONFIG, time_limit=60 * SECOND, barrier_action=BarrierAction.CANCEL_ORDERS))
    rig.wait(100 * SECOND)
    rig.price(1000)
    rig.settle()
    assert rig.engine.wake_at == rig.now + 60 * SECOND
    rig.wait(59 * SECOND)
    assert rig.engine.view().phase is Phase.RUNNING
    rig.wait(2 * SECOND)
    cancel_all(rig)
    assert (rig.engine.view().phase, rig.engine.view().reason) == (Phase.STOPPED, "TimeLimit")


def test_a_price_that_may_be_old_reaches_nothing() -> None:
    rig = holding(stop_loss_price=990)
    rig.restart()
    assert rig.engine.view().phase is Phase.RUNNING
    rig.configure(stop_loss_price=1020)
    assert rig.engine.view().phase is Phase.RUNNING, "no price of this instance yet"
    rig.price(1010)
    assert rig.engine.view().reason == "StopLossPrice"


@pytest.mark.parametrize(("barriers", "price"), [({"take_profit_price": 970}, 970), ({"stop_loss_price": 1040}, 1041)])
def test_the_barriers_of_a_short_grid_lie_the_other_way_round(barriers: dict[str, Any], price: int) -> None:
    rig = Rig(replace(CONFIG, side=GridSide.SHORT, **barriers))
    rig.price(1000)
    rig.settle()
    assert rig.engine.view().phase is Phase.RUNNING
    assert "BarrierReached" in told(rig.price(price))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.sampled_from([(0, 0), (960, 1035), (985, 0), (0, 1015)]),
    st.lists(st.integers(940, 1060), min_size=1, max_size=30),
)
def test_no_price_within_the_quiet_band_reaches_a_barrier(
    profit: int, loss: int, levels: tuple[int, int], prices: list[int]
) -> None:
    barriers = {"take_profit": money(profit) // 10, "stop_loss": money(loss) // 10}
    rig = holding(**barriers, stop_loss_price=levels[0], take_profit_price=levels[1])
    for price in prices:
        low, high = rig.engine.quiet_band()
        quiet = (low is None or low < price) and (high is None or price < high)
        again = rig.replayed()
        actions = rig.price(price)
        if quiet:
            assert not actions
            again._low = again._high = price
            assert not again.on(PriceChanged(rig.now, price)), "it would have had a consequence"
        rig.settle()
        if rig.engine.view().phase is not Phase.RUNNING:
            return
