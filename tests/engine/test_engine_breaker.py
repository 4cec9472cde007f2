from collections.abc import Callable
from dataclasses import replace

import pytest

from opensqt.engine.actions import OrderSide
from opensqt.engine.events import CancelFailed, Event, FeedChanged, OrderFilled, OrderState, PositionReported, Remedy
from tests.engine.rig import CONFIG, SECOND, Rig, cancelled, looked_up, money, placed, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def lose(rig: Rig) -> None:
    """One cycle whose fees eat the profit."""
    rig.fill(rig.entry(1000), fee=money(1))
    rig.opened(*rig.engine.live_orders())
    rig.fill(rig.exit(1010), fee=money(1))
    rig.opened(*rig.engine.live_orders())


def win(rig: Rig) -> None:
    rig.fill(rig.entry(1000))
    rig.opened(*rig.engine.live_orders())
    rig.fill(rig.exit(1010))
    rig.opened(*rig.engine.live_orders())


def test_losing_exits_in_a_row_open_it() -> None:
    rig = trading(replace(CONFIG, max_consecutive_losses=2))
    lose(rig)
    win(rig)
    lose(rig)
    assert rig.engine.view().consecutive_losses == 1
    assert not rig.engine.view().breaker.open
    lose(rig)
    breaker = rig.engine.view().breaker
    assert (breaker.open, breaker.reason, breaker.trips) == (True, "ConsecutiveLosses", 1)


def test_an_exit_that_wins_nothing_is_no_loss() -> None:
    rig = trading()
    lose(rig)
    rig.fill(rig.entry(1000))
    rig.opened(*rig.engine.live_orders())
    rig.fill(rig.exit(1010), fee=money(1))
    assert rig.engine.view().consecutive_losses == 0


def test_an_exit_is_judged_as_a_whole() -> None:
    """Three fills of one exit are one loss."""
    rig = trading()
    rig.fill(rig.entry(1000), fee=money(3))
    rig.opened(*rig.engine.live_orders())
    for lots in (3, 3, 4):
        rig.fill(rig.exit(1010), lots)
    assert rig.engine.view().consecutive_losses == 1


def test_a_part_that_wins_does_not_hide_that_its_exit_has_lost() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.opened(*rig.engine.live_orders())
    rig.fill(rig.exit(1010), 3, fee=money(5))
    rig.fill(rig.exit(1010), 7)
    assert rig.engine.view().consecutive_losses == 1


def test_open_it_withdraws_entries_and_keeps_selling() -> None:
    rig = trading(replace(CONFIG, max_consecutive_losses=1))
    rig.fill(rig.entry(990))
    rig.fill(rig.entry(1000), fee=money(5))
    rig.opened(*rig.engine.live_orders())
    actions = rig.fill(rig.exit(1010))
    assert "BreakerOpened" in told(actions)
    assert cancelled(actions) == [rig.entry(980)]
    assert rig.live(SELL) == [1000]
    rig.report(rig.entry(980), OrderState.CANCELLED)
    rig.report(rig.exit(1000), OrderState.CANCELLED)
    rig.wait(SECOND)
    assert rig.live(SELL) == [1000]
    assert rig.live(BUY) == []


@pytest.mark.parametrize(
    "closed",
    [
        lambda rig: FeedChanged(rig.now, "price", healthy=False, message="gone"),
        lambda rig: CancelFailed(rig.now, rig.entry(980), Remedy.HALT, "the account is frozen"),
    ],
)
def test_it_withdraws_entries_also_while_the_gate_is_closed_for_all(closed: Callable[[Rig], Event]) -> None:
    rig = trading(replace(CONFIG, max_consecutive_losses=1))
    rig.fill(rig.entry(1000), fee=money(5))
    rig.settle()
    rig.feed(closed(rig))
    assert rig.entry(990) in cancelled(rig.fill(rig.exit(1010)))


def test_drawdown_opens_it_at_the_very_tick_even_among_quiet_prices() -> None:
    rig = trading(replace(CONFIG, step=100, max_drawdown=money(2)), price=1040)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(1040)
    # 10 lots at 1000 are worth 4 more at 1040: 2 below that peak is 1020.
    assert rig.engine.quiet_band()[0] == 1020
    rig.price(1021)
    assert not rig.engine.dirty
    rig.price(1020)
    assert rig.engine.view().breaker.reason == "Drawdown"


def test_the_peak_follows_in_steps_of_a_hundredth_of_the_limit() -> None:
    rig = trading(replace(CONFIG, step=1000, max_drawdown=money(50)), price=1200)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(1200)
    # A step is 0.5: five ticks of 10 lots.
    assert rig.engine.quiet_band()[1] == 1205
    rig.price(1204)
    assert not rig.engine.dirty
    rig.price(1205)
    assert rig.engine.dirty


def test_drawdown_is_counted_from_the_peak() -> None:
    rig = trading(replace(CONFIG, max_drawdown=money(2), buy_window=1))
    rig.fill(rig.entry(1000))
    for price in range(1004, 1055):
        rig.price(price)
    rig.price(1035)
    assert not rig.engine.view().breaker.open
    rig.price(1034)
    assert rig.engine.view().breaker.open


def test_relative_drawdown_is_of_the_first_equity() -> None:
    rig = trading(replace(CONFIG, max_drawdown_ppm=20_000))
    rig.equity(100)
    rig.equity(500)
    rig.fill(rig.entry(1000))
    rig.price(1004)
    rig.price(985)
    assert not rig.engine.view().breaker.open
    rig.price(984)
    assert rig.engine.view().breaker.open


def tripped(cooldown: int = 0) -> Rig:
    rig = trading(replace(CONFIG, max_consecutive_losses=1, cooldown=cooldown))
    lose(rig)
    for client_id in [rig.entry(price) for price in (990, 980)]:
        rig.report(client_id, OrderState.CANCELLED)
    assert rig.engine.view().breaker.open
    assert rig.engine.live_orders() == []
    return rig


def test_it_closes_by_itself_after_the_cooldown() -> None:
    rig = tripped(60 * SECOND)
    assert rig.engine.view().breaker.resets_at == rig.now + 60 * SECOND
    assert placed(rig.wait(59 * SECOND)) == []
    assert [price for _, price, _ in placed(rig.wait(SECOND))] == [1000, 990, 980]
    assert rig.engine.view().consecutive_losses == 0
    breaker = rig.engine.view().breaker
    assert (breaker.open, breaker.reason, breaker.message, breaker.opened_at) == (False, "", "", 0)
    lose(rig)
    assert (rig.engine.view().breaker.open, rig.engine.view().breaker.trips) == (True, 2)


def test_without_a_cooldown_only_another_token_closes_it() -> None:
    rig = tripped()
    assert placed(rig.wait(10**6 * SECOND)) == []
    rig.configure(max_open_orders=50)
    assert rig.engine.view().breaker.open
    assert placed(rig.configure(reset_token="again")) != []  # noqa: S106 - no password
    assert not rig.engine.view().breaker.open


def test_after_a_reset_drawdown_is_counted_anew() -> None:
    rig = trading(replace(CONFIG, max_drawdown=money(2)))
    rig.fill(rig.entry(1000))
    rig.price(1004)
    rig.price(984)
    rig.configure(reset_token="1")  # noqa: S106 - no password
    assert rig.engine.view().drawdown == 0
    rig.price(983)
    assert not rig.engine.view().breaker.open


def test_it_is_still_open_after_a_restart() -> None:
    rig = tripped()
    rig.restart()
    rig.price(1004)
    assert rig.live(BUY) == []
    assert rig.replayed().view().breaker == rig.engine.view().breaker


def test_a_position_that_is_too_small_for_long_opens_it() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.opened(*rig.engine.live_orders())
    assert rig.engine.view().position == 10
    assert sorted(looked_up(rig.feed(PositionReported(rig.now, 7)))) == sorted(rig.engine.live_orders())
    rig.opened(*rig.engine.live_orders())
    rig.feed(PositionReported(rig.now, 7))
    assert not rig.engine.view().breaker.open
    rig.now += 5 * SECOND
    rig.feed(PositionReported(rig.now, 7))
    breaker = rig.engine.view().breaker
    assert breaker.reason == "PositionDivergence"
    assert "0.07" in breaker.message
    assert breaker.resets_at == 0
    assert rig.engine.view().position == 10  # never silently put right


def test_what_others_of_the_account_hold_is_no_divergence() -> None:
    """If it lasts, orders are looked up, but once: the others' every trade must not cost us a look-up of each order."""
    rig = trading()
    assert looked_up(rig.feed(PositionReported(rig.now, 7))) == []
    rig.now += 10 * SECOND
    assert sorted(looked_up(rig.feed(PositionReported(rig.now, 7)))) == sorted(rig.engine.live_orders())
    rig.opened(*rig.engine.live_orders())
    for _ in range(3):
        rig.now += 10 * SECOND
        assert looked_up(rig.feed(PositionReported(rig.now, 7))) == []
    assert not rig.engine.view().breaker.open


def test_a_fill_on_its_way_is_no_divergence() -> None:
    rig = trading()
    rig.feed(PositionReported(rig.now, 10))
    rig.opened(*rig.engine.live_orders())
    rig.now += SECOND
    rig.fill(rig.entry(1000))
    rig.feed(PositionReported(rig.now, 10))
    rig.now += 10 * SECOND
    rig.feed(PositionReported(rig.now, 10))
    assert not rig.engine.view().breaker.open


def test_a_position_that_is_always_told_before_its_fills_is_no_divergence() -> None:
    """Exits in a row, each first heard of by the position: every report shows the same difference, of another fill."""
    rig = trading()
    for level in (1000, 990, 980):
        rig.fill(rig.entry(level))
        rig.settle()
    held = rig.engine.view().position
    for level in (990, 1000, 1010):
        lots = rig.places[rig.exit(level)].lots
        assert lots == 10
        held -= lots
        rig.feed(PositionReported(rig.now, held))
        rig.settle()
        rig.wait(10 * SECOND)
        rig.fill(rig.exit(level))
        rig.settle()
    assert not rig.engine.view().breaker.open


def test_an_order_that_could_not_be_asked_about_yet_is_asked_about_before_anything_is_concluded() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    sent = rig.exit(1010)
    rig.opened(*(order for order in rig.engine.live_orders() if order != sent))
    rig.feed(PositionReported(rig.now, 7))  # a part of the exit has been sold, but nobody has even told that it is open
    rig.opened(*(order for order in rig.engine.live_orders() if order != sent))
    rig.opened(sent)
    rig.now += 6 * SECOND
    assert sent in looked_up(rig.feed(PositionReported(rig.now, 7)))
    rig.opened(*(order for order in rig.engine.live_orders() if order != sent))
    rig.report(sent, OrderState.OPEN, 3)
    rig.feed(PositionReported(rig.now, 7))
    assert not rig.engine.view().breaker.open
    rig.fill(sent, 3)
    rig.feed(PositionReported(rig.now, 7))
    rig.now += 60 * SECOND
    rig.feed(PositionReported(rig.now, 7))
    assert not rig.engine.view().breaker.open


def test_nothing_is_concluded_while_an_order_is_in_doubt() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    for _ in range(3):
        rig.feed(PositionReported(rig.now, 7))
        rig.now += 10 * SECOND
    assert not rig.engine.view().breaker.open
    rig.settle()
    rig.feed(PositionReported(rig.now, 7))
    assert rig.engine.view().breaker.open


def test_a_fill_that_comes_late_does_not_open_it_in_the_past() -> None:
    rig = trading(replace(CONFIG, max_consecutive_losses=1, cooldown=60 * SECOND))
    rig.fill(rig.entry(1000), fee=money(5))
    rig.settle()
    before = rig.now
    rig.now += 3600 * SECOND
    rig.price(1004)
    event = OrderFilled(before, rig.exit(1010), "late", 1010, 10, money(5), maker=True)
    rig.feed(event)
    breaker = rig.engine.view().breaker
    assert (breaker.open, breaker.opened_at) == (True, rig.now)
    rig.wait(59 * SECOND)
    assert rig.engine.view().breaker.open
    assert rig.replayed().snapshot() == rig.engine.snapshot()
