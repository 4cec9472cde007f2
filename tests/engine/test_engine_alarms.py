"""The day's loss, prices nobody confirms, the margin lock, and all reasons of the gate at once."""

from dataclasses import replace

from opensqt.engine.actions import OrderSide
from opensqt.engine.events import FeedChanged, Goal, PlaceFailed, Remedy
from tests.engine.rig import CONFIG, SECOND, Rig, cancelled, money, told, trading

BUY, SELL = OrderSide.BUY, OrderSide.SELL
DAY = 86_400 * SECOND
LOSS = replace(CONFIG, max_daily_loss=money(6))


def gate(rig: Rig) -> list[str]:
    return [one.reason for one in rig.engine.view().gate]


def lost_a_day() -> Rig:
    """10 lots (0.1) bought at 1000: at 940 that is a loss of 6."""
    rig = trading(LOSS)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(941)
    assert not rig.engine.view().breaker.open
    rig.fill(rig.entry(990), 1)
    rig.price(940)
    return rig


def test_a_days_loss_opens_the_breaker_and_the_next_day_closes_it() -> None:
    rig = lost_a_day()
    breaker = rig.engine.view().breaker
    assert (breaker.open, breaker.reason) == (True, "DailyLoss")
    midnight = (rig.now // DAY + 1) * DAY
    assert breaker.resets_at == midnight
    assert "it closes at 2023-11-15 00:00:00 UTC, or" in breaker.message
    assert "resetToken" in breaker.message
    rig.wait(midnight - rig.now - 1)
    assert rig.engine.view().breaker.open
    rig.wait(1)
    assert not rig.engine.view().breaker.open
    rig.price(939)
    assert not rig.engine.view().breaker.open  # the new day counts from its own start
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_new_token_forgives_the_days_loss() -> None:
    rig = lost_a_day()
    rig.configure(reset_token="1")  # noqa: S106 - no password
    assert not rig.engine.view().breaker.open
    rig.price(936)
    assert not rig.engine.view().breaker.open


def test_profits_of_the_day_before_do_not_count() -> None:
    rig = trading(LOSS)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(1009)
    rig.wait(DAY)
    rig.price(951)
    assert not rig.engine.view().breaker.open
    rig.price(945)
    assert rig.engine.view().breaker.reason == "DailyLoss"


def test_a_relative_days_loss_counts_from_the_first_equity() -> None:
    rig = trading(replace(CONFIG, max_daily_loss_ppm=20_000))
    rig.equity(300)
    rig.fill(rig.entry(1000))
    rig.settle()
    rig.price(941)
    assert not rig.engine.view().breaker.open
    rig.price(940)
    assert rig.engine.view().breaker.open


def test_a_price_far_off_is_not_believed_until_another_confirms_it() -> None:
    rig = trading(replace(CONFIG, max_price_deviation_ppm=50_000))
    assert told(rig.price(500)) == ["PriceSuspected"]
    assert gate(rig) == ["PriceSuspected"]
    assert rig.engine.view().last_price == 1004
    rig.now += SECOND
    assert told(rig.price(1003)) == ["PriceSettled"]
    assert gate(rig) == []
    rig.price(1100)
    rig.price(1101)
    assert rig.engine.view().last_price == 1003  # the same moment confirms nothing
    rig.now += SECOND
    rig.price(1101)
    assert rig.engine.view().last_price == 1101
    assert gate(rig) == []


def test_a_price_that_crept_away_is_no_leap_to_whoever_replays_the_log() -> None:
    """While it waits for its cancels, no price makes a bot do anything: the log would have the last of them alone."""
    rig = trading(replace(CONFIG, max_price_deviation_ppm=50_000))
    rig.configure(goal=Goal.STOP)
    for price in range(1004, 1400, 9):
        rig.now += 100_000
        assert told(rig.price(price)) == []
    rig.configure(goal=Goal.PAUSE)
    assert rig.replayed().view().last_price == rig.engine.view().last_price


def test_a_price_far_off_is_not_believed_where_no_price_has_any_consequence() -> None:
    rig = trading(replace(CONFIG, max_price_deviation_ppm=50_000))
    rig.configure(goal=Goal.STOP)
    rig.settle()
    rig.price(1005)
    assert told(rig.price(500)) == ["PriceSuspected"]


def test_the_first_price_of_an_instance_needs_no_confirmation() -> None:
    rig = trading(replace(CONFIG, max_price_deviation_ppm=50_000))
    rig.restart()
    rig.price(700)
    assert rig.engine.view().last_price == 700


def test_the_margin_lock_lasts_as_long_as_the_spec_says() -> None:
    rig = trading(replace(CONFIG, margin_lock=30 * SECOND))
    actions = rig.price(1014)
    (late,) = [order for order in rig.engine.live_orders() if rig.places[order].price == 1010]
    rig.feed(PlaceFailed(rig.now, late, Remedy.INSUFFICIENT_MARGIN, "no margin"))
    assert actions
    assert gate(rig) == ["MarginLocked"]
    rig.wait(29 * SECOND)
    assert gate(rig) == ["MarginLocked"]
    rig.wait(SECOND)
    assert gate(rig) == []


def test_the_gate_says_all_its_reasons_at_once() -> None:
    rig = trading(replace(CONFIG, max_consecutive_losses=1))
    rig.fill(rig.entry(1000), fee=money(5))
    rig.settle()
    rig.fill(rig.exit(1010), fee=money(5))
    rig.configure(goal=Goal.PAUSE)
    rig.feed(FeedChanged(rig.now, "orders", False, "Silent: no message"))
    reasons = {one.reason: (one.message, one.exits) for one in rig.engine.view().gate}
    assert list(reasons) == ["FeedLost", "Goal", "BreakerOpen"]
    assert reasons["FeedLost"] == ("orders: Silent: no message", True)
    assert reasons["BreakerOpen"][0].startswith("1 losing exits in a row")
    assert cancelled(rig.wait(1)) == []
