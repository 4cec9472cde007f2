"""Fills that are told before the price that made them: beside the older price each of them looks like a profit."""

from dataclasses import replace
from typing import Any

from opensqt.api.gridbot import Side as GridSide
from opensqt.engine.breaker import DAY
from opensqt.engine.events import PriceChanged
from opensqt.engine.view import Phase
from tests.engine.rig import CONFIG, SECOND, Rig, money, told, trading

WINDOW = 20
FALL = range(1000, 1000 - 10 * WINDOW, -10)


def swept(**limits: Any) -> tuple[Rig, list[str]]:
    """The price falls through all twenty entries; no price has been told since it was 1004, nothing beside 860 yet."""
    rig = trading(replace(CONFIG, buy_window=WINDOW, **limits))
    said = []
    for price in FALL:
        rig.now += SECOND
        said += told(rig.fill(rig.entry(price)))
    rig.settle()
    return rig, said


def late(rig: Rig, price: int, seconds: int) -> list[str]:
    """A price that is so much older than the newest fill."""
    return told(rig.feed(PriceChanged(rig.now - seconds * SECOND, price)))


def test_buys_on_the_way_down_take_no_profit() -> None:
    rig, said = swept(take_profit=money(50))
    assert "BarrierReached" not in said
    assert "BarrierReached" not in late(rig, 1003, 3)
    assert "BarrierReached" not in told(rig.price(810))
    assert rig.engine.view().phase is Phase.RUNNING
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_sales_of_a_short_grid_on_the_way_up_take_no_profit() -> None:
    short = replace(CONFIG, side=GridSide.SHORT, sell_window=WINDOW, buy_window=1, take_profit=money(50))
    rig = trading(short, price=996)
    for price in range(1010, 1000 + 10 * WINDOW, 10):
        rig.now += SECOND
        assert "BarrierReached" not in told(rig.fill(rig.entry(price)))
    assert "BarrierReached" not in told(rig.price(1190))


def test_they_make_no_peak_to_lose_from() -> None:
    """Bought at 900 on the average and worth 897: no drawdown of 200."""
    rig, _ = swept(max_drawdown=money(200))
    late(rig, 1003, 3)
    assert rig.engine.view().drawdown == 0
    rig.price(897)
    assert not rig.engine.view().breaker.open
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_no_day_begins_with_such_a_profit() -> None:
    rig = trading(replace(CONFIG, buy_window=WINDOW, max_daily_loss=money(250)))
    rig.wait((rig.now // DAY + 1) * DAY - rig.now - SECOND)
    rig.price(1004)
    for price in FALL:
        rig.fill(rig.entry(price))
    rig.settle()
    rig.wait(2 * SECOND)
    rig.price(810)
    assert not rig.engine.view().breaker.open


def test_a_breaker_that_is_closed_counts_from_no_such_profit() -> None:
    rig = trading(replace(CONFIG, buy_window=WINDOW, max_consecutive_losses=1, max_drawdown=money(250)))
    rig.fill(rig.entry(1000), fee=money(1))
    rig.settle()
    rig.fill(rig.exit(1010), fee=money(1))
    assert rig.engine.view().breaker.open
    for price in FALL[1:]:  # before the cancels
        rig.fill(rig.entry(price))
    rig.configure(reset_token="again")  # noqa: S106 - no password
    rig.price(810)
    assert not rig.engine.view().breaker.open


def test_a_price_that_is_as_new_as_they_are_is_judged_at_once() -> None:
    rig, _ = swept(take_profit=money(50))
    assert "BarrierReached" in told(rig.price(960))
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_loss_is_one_beside_an_old_price_too() -> None:
    rig = trading(replace(CONFIG, stop_loss=money(2), max_drawdown=money(1)))
    said = told(rig.fill(rig.entry(1000), fee=money(3)))
    assert {"BarrierReached", "BreakerOpened"} <= set(said)


def test_while_no_price_comes_a_fill_s_own_price_says_what_is_won() -> None:
    """The stream of prices is silent: ten lots of 1000 are sold for 1 more than they cost."""
    rig = trading(replace(CONFIG, take_profit=money(1)))
    for price in (1000, 990):
        assert "BarrierReached" not in told(rig.fill(rig.entry(price)))
    rig.settle()
    rig.now += SECOND
    assert "BarrierReached" in told(rig.fill(rig.exit(1010)))
