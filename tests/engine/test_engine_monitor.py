"""The market monitor: what triggers it, what ends it, what it does to the orders, and what it does without candles."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from opensqt.api.interval import Interval
from opensqt.api.risk import Trigger
from opensqt.engine.actions import Action, OrderSide
from opensqt.engine.config import MonitorConfig
from opensqt.engine.events import CandleChanged, FeedChanged
from opensqt.engine.state import candle_feed
from tests.engine.rig import CONFIG, SECOND, Rig, cancelled, money, placed, told

BUY = OrderSide.BUY
MINUTE = 60 * SECOND
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
MONITOR = MonitorConfig([BTC, ETH], Interval.M1, 3_000_000, 4, Trigger.ALL, 2)


class World:
    """A rig whose monitor is fed minute by minute."""

    def __init__(self, monitor: MonitorConfig = MONITOR) -> None:
        self.rig = Rig(replace(CONFIG, monitor=monitor))
        self.rig.now -= self.rig.now % MINUTE
        self.monitor = monitor
        self.actions: list[Action] = []

    def candle(self, symbol: str, close: str, volume: str, *, closed: bool = True, open_time: int = 0) -> list[Action]:
        at = open_time or (self.rig.now - MINUTE if closed else self.rig.now)
        price, amount = money(close), money(volume)
        event = CandleChanged(self.rig.now, symbol, "1m", at, price, price, price, price, amount, closed)
        actions = self.rig.feed(event)
        self.actions += actions
        self.rig.settle()
        return actions

    def minutes(self, count: int, symbols: Iterable[str] = (BTC, ETH), close: str = "100", volume: str = "1") -> None:
        for _ in range(count):
            self.rig.wait(MINUTE)
            for symbol in symbols:
                self.candle(symbol, close, volume)

    def trading(self) -> "World":
        self.minutes(4)
        self.rig.price(1000)
        self.rig.settle()
        self.rig.price(1004)
        self.rig.settle()
        return self

    def fall(self, symbol: str, *, closed: bool = False) -> list[Action]:
        return self.candle(symbol, "90", "3.1", closed=closed)

    @property
    def gate(self) -> list[str]:
        return [one.reason for one in self.rig.engine.view().gate]


def test_all_markets_must_fall_with_volume_and_the_candle_under_way_counts() -> None:
    world = World().trading()
    assert world.rig.live(BUY) == [1000, 990, 980]
    world.fall(BTC)
    assert not world.rig.engine.view().monitor.since
    actions = world.fall(ETH)
    assert "MonitorTriggered" in told(actions)
    assert len(cancelled(actions)) == 3
    assert world.rig.live(BUY) == []
    assert world.gate == ["MonitorTriggered"]
    assert world.rig.engine.view().monitor.state == "Triggered"
    assert placed(world.rig.price(1030)) == []


@pytest.mark.parametrize(("close", "volume"), [("90", "3"), ("100", "9"), ("101", "9")])
def test_neither_a_fall_without_volume_nor_volume_without_a_fall_triggers(close: str, volume: str) -> None:
    world = World().trading()
    for symbol in (BTC, ETH):
        world.candle(symbol, close, volume, closed=False)
    assert world.rig.engine.view().monitor.state == "Calm"


def test_any_market_is_enough_where_the_spec_says_so() -> None:
    world = World(replace(MONITOR, trigger=Trigger.ANY)).trading()
    world.fall(ETH)
    assert world.rig.engine.view().monitor.state == "Triggered"


def test_it_recovers_by_closed_candles_alone_of_enough_markets() -> None:
    world = World().trading()
    world.fall(BTC), world.fall(ETH)
    world.rig.wait(MINUTE)
    world.fall(BTC, closed=True), world.fall(ETH, closed=True)
    for symbol in (BTC, ETH):
        world.candle(symbol, "110", "1", closed=False)
    assert world.rig.engine.view().monitor.state == "Triggered"
    world.rig.wait(MINUTE)
    world.candle(BTC, "110", "1")
    assert world.rig.engine.view().monitor.state == "Triggered"
    actions = world.candle(ETH, "110", "1")
    assert "MonitorRecovered" in told(actions)
    assert world.rig.engine.view().monitor.triggers == 1
    assert world.rig.live(BUY) == [1000, 990, 980]


def test_exits_go_on_while_it_is_triggered() -> None:
    world = World().trading()
    world.fall(BTC), world.fall(ETH)
    world.rig.fill(world.rig.entry(1000))
    world.rig.settle()
    assert world.rig.live(OrderSide.SELL) == [1010]


def test_until_it_has_seen_enough_candles_no_entry_is_placed() -> None:
    world = World()
    world.minutes(3)
    world.rig.price(1000)
    assert world.rig.live(BUY) == []
    assert world.gate == ["MonitorBlind"]
    world.minutes(1)
    world.rig.price(1004)
    assert world.rig.live(BUY) == [1000, 990, 980]


def test_blind_it_leaves_the_entries_that_are_there_and_places_no_new_ones() -> None:
    world = World().trading()
    world.rig.wait(2 * MINUTE)
    assert world.rig.engine.view().monitor.state == "Blind"
    assert "no candles come of BTC/USDT:USDT, ETH/USDT:USDT" in world.rig.engine.view().monitor.message
    assert world.rig.live(BUY) == [1000, 990, 980]
    world.rig.fill(world.rig.entry(1000))
    world.rig.settle()
    assert world.rig.live(BUY) == [990, 980]
    for minutes_ago in (1, 0):
        for symbol in (BTC, ETH):
            world.candle(symbol, "100", "1", open_time=world.rig.now - MINUTE * (minutes_ago + 1))
    assert world.rig.engine.view().monitor.state == "Calm"


def test_a_lost_feed_makes_it_blind_and_nothing_else() -> None:
    world = World().trading()
    world.rig.feed(FeedChanged(world.rig.now, candle_feed("1m"), False, "Silent: no message for 15 s"))
    assert world.gate == ["MonitorBlind"]
    world.rig.fill(world.rig.entry(1000))
    assert world.rig.live(OrderSide.SELL) == [1010]
    world.rig.feed(FeedChanged(world.rig.now, candle_feed("1m"), True))
    assert world.gate == []


def test_candles_that_come_again_change_nothing() -> None:
    world = World().trading()
    before = world.rig.engine.snapshot()
    for ago in (3, 2, 1):
        world.candle(BTC, "1", "1000", open_time=world.rig.now - MINUTE * ago)
    assert world.rig.engine.snapshot() == before


def test_live_candles_leave_no_trace_unless_they_alarm() -> None:
    world = World().trading()
    length = len(world.rig.log)
    for number in range(50):
        world.candle(BTC, "100", f"{number}", closed=False)
    assert len(world.rig.log) == length
    world.fall(BTC)
    assert len(world.rig.log) == length + 1


def test_the_log_decides_the_same_again() -> None:
    world = World().trading()
    world.fall(BTC), world.fall(ETH)
    world.minutes(3, close="120")
    assert world.rig.replayed().snapshot() == world.rig.engine.snapshot()
    assert world.rig.engine.view().monitor.state == "Calm"
