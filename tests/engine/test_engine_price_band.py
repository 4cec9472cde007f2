"""An order's own price: none trades farther beyond the market than the spec allows; what merely waits may be far."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from opensqt.api.gridbot import Side as GridSide
from opensqt.engine.actions import OrderSide
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import OrderState, PlaceFailed, Remedy
from opensqt.engine.gate import Closed, Exposure, Gate
from opensqt.engine.ladder import Ladder
from opensqt.engine.market import Market
from opensqt.engine.side import Side
from tests.engine.rig import CONFIG, MARKET, SECOND, Rig, money, placed, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
BAND = replace(CONFIG, max_price_deviation_ppm=50_000)
SHORT = replace(BAND, side=GridSide.SHORT)
TINY = replace(MARKET, min_notional=money(90))


def gate(rig: Rig) -> Gate:
    return Gate(rig.engine._state, rig.config, rig.market, rig.now)


def nothing() -> Exposure:
    return Exposure(dict.fromkeys(Side, 0), dict.fromkeys(Side, 0), 0)


@pytest.mark.parametrize(
    ("side", "allowed", "refused"), [(Side.LONG, [1050, 1, 500], [1051, 2000]), (Side.SHORT, [950, 3000], [949, 500])]
)
def test_an_entry_that_would_take_far_beyond_the_market_is_refused(
    side: Side, allowed: list[int], refused: list[int]
) -> None:
    rig = trading(BAND, price=1000)
    assert {gate(rig).entry(nothing(), side, price, 1000) for price in allowed} == {None}
    assert {gate(rig).entry(nothing(), side, price, 1000) for price in refused} == {Closed.OUTSIDE_PRICE_BAND}


@pytest.mark.parametrize(
    ("side", "allowed", "refused"), [(Side.LONG, [950, 3000], [949, 500]), (Side.SHORT, [1050, 1], [1051, 2000])]
)
def test_an_exit_that_would_take_far_beyond_the_market_is_refused(
    side: Side, allowed: list[int], refused: list[int]
) -> None:
    rig = trading(BAND, price=1000)
    assert {gate(rig).exit(nothing(), side, price, 1000) for price in allowed} == {None}
    assert {gate(rig).exit(nothing(), side, price, 1000) for price in refused} == {Closed.OUTSIDE_PRICE_BAND}


def test_without_the_limit_no_price_is_too_far() -> None:
    rig = trading(price=1000)
    assert gate(rig).entry(nothing(), Side.LONG, 5000, 10) is None
    assert gate(rig).exit(nothing(), Side.LONG, 1, 10) is None


def test_levels_that_wait_far_from_the_market_are_as_good_as_near_ones() -> None:
    rig = trading(replace(BAND, buy_window=40))
    assert rig.live(BUY)[-1] == 610
    assert rig.engine.view().gate == ()


@pytest.fixture
def wrong_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that has gone wrong: it wants a level far above the price too."""

    def window(self: Ladder, price: int) -> Iterator[int]:
        return iter((20, 0, -1))

    monkeypatch.setattr(Ladder, "window", window)
    monkeypatch.setattr(Ladder, "worth_entering", lambda *_: True)


@pytest.mark.usefixtures("wrong_ladder")
def test_what_is_refused_is_told_once_and_stops_no_other_order() -> None:
    rig = Rig(BAND)
    first = rig.price(1000)
    rig.settle()
    then = rig.price(1004)
    assert rig.live(BUY) == [1000, 990]
    assert told(first + then).count("OrderOutsidePriceBand") == 1
    shown = {one.reason: one.message for one in rig.engine.view().gate}
    assert "1200" in shown["OutsidePriceBand"]
    assert "spec.riskLimits.maxPriceDeviationPercent" in shown["OutsidePriceBand"]
    assert rig.replayed().snapshot() == rig.engine.snapshot()


@pytest.mark.usefixtures("wrong_ladder")
def test_a_wider_limit_lets_it_through_and_says_no_more() -> None:
    rig = Rig(BAND)
    rig.price(1000)
    rig.settle()
    rig.configure(max_price_deviation_ppm=300_000)
    assert rig.live(BUY) == [1200, 1000, 990]
    assert rig.engine.view().gate == ()


def gone(config: EngineConfig, price: int, *, market: Market = MARKET) -> Rig:
    """While the bot was away its first level was filled, and the price went to `price`."""
    rig = trading(config, market=market, price=996 if config.side is GridSide.SHORT else 1004)
    rig.restart()
    rig.settle()
    rig.fill(rig.entry(1000))
    rig.price(price)
    return rig


def test_an_exit_that_the_price_has_left_far_behind_goes_at_the_limit() -> None:
    """Below 1425 it would be sold too cheap, and what is held must not wait for ever."""
    assert gone(BAND, 1500).live(SELL) == [1425]
    assert gone(CONFIG, 1500).live(SELL) == [1010]


def test_nearer_than_that_it_goes_at_its_own_price() -> None:
    assert gone(BAND, 1063).live(SELL) == [1010]
    assert gone(BAND, 1064).live(SELL) == [1011]


def test_a_short_one_is_bought_back_at_the_limit() -> None:
    assert gone(SHORT, 800).live(BUY) == [840]


def test_no_limit_makes_an_order_too_small_for_the_exchange() -> None:
    """At 840 ten lots are worth 84, which it would refuse: at 900 it takes them."""
    assert gone(SHORT, 800, market=TINY).live(BUY) == [900]


def test_what_the_exchange_did_not_have_goes_again_at_a_price_that_is_right_by_now() -> None:
    rig = trading(BAND)
    rig.fill(rig.entry(1000))
    first = rig.exit(1010)
    rig.feed(PlaceFailed(rig.now, first, Remedy.RETRY, "try again", rig.now + SECOND))
    rig.price(1040)
    rig.price(1090)
    actions = rig.wait(2 * SECOND)
    assert (SELL, 1036, 10) in placed(actions)
    assert "OrderOutsidePriceBand" in told(actions)
    assert first not in rig.engine.live_orders()
    rig.settle()
    assert rig.live(SELL) == [1036]
    assert not [one for one in rig.engine.view().gate if one.reason == "OutsidePriceBand"]


def test_it_is_the_last_price_that_was_believed_that_counts() -> None:
    rig = trading(BAND)
    rig.fill(rig.entry(1000))
    rig.price(2000)  # nothing has confirmed it
    assert gate(rig).exit(nothing(), Side.LONG, 1010, 10) is None
    rig.report(rig.exit(1010), OrderState.CANCELLED)
    rig.wait(SECOND)
    assert rig.live(SELL) == [1010]
