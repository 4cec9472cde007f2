"""Real candles, played as four prices each, to the engine and to a naive grid: the same fills, the same money."""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from opensqt.api.gridbot import Side
from opensqt.engine.actions import Action, Cancel, Notify, OrderSide, Place
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import OrderFilled, OrderReported, OrderState, PriceChanged
from opensqt.engine.market import Market, from_money, to_money
from tests.engine.naive_grid import NaiveGrid
from tests.engine.rig import CONFIG, Rig

CANDLES = 4000
FEE = Decimal("0.0002")


@dataclass(frozen=True)
class Case:
    file: str
    tick: str
    lot: str
    interval: str
    quote_size: str
    window: int
    side: Side = Side.LONG


CASES = [
    Case("btc-perp-2022-01-1m", "0.5", "0.001", "50", "300", 10),
    Case("btc-perp-2022-01-1m", "0.5", "0.001", "25", "500", 4),
    Case("dogeusdt-2025-06-1m", "0.00001", "1", "0.0004", "50", 12),
    Case("btc-perp-2022-01-1m", "0.5", "0.001", "50", "300", 10, Side.SHORT),
    Case("dogeusdt-2025-06-1m", "0.00001", "1", "0.0004", "50", 4, Side.SHORT),
]


def path_of(file: Path) -> Iterator[Decimal]:
    """Open, low, high, close of a candle that rises, open, high, low, close of one that falls."""
    with gzip.open(file, "rt") as lines:
        for row in islice(csv.DictReader(lines), CANDLES):
            first, low, high, last = (Decimal(row[name]) for name in ("open", "low", "high", "close"))
            yield from (first, low, high, last) if last >= first else (first, high, low, last)


def touches(price: int, place: Place) -> bool:
    """Whether the order fills at this price."""
    assert place.price is not None
    return price <= place.price if place.side is OrderSide.BUY else price >= place.price


class TouchingVenue:
    """Fills an order, wholly and at its price, when a price touches it; buys first, dearest first, then sells."""

    def __init__(self, market: Market, rig: Rig) -> None:
        self.market = market
        self.rig = rig
        rig.careful = False  # of tens of thousands of prices
        self.resting: dict[str, Place] = {}
        self.fills: list[tuple[str, Decimal, Decimal]] = []

    def play(self, price: int) -> None:
        for side, sign in ((OrderSide.BUY, 1), (OrderSide.SELL, -1)):
            touched = [p for p in self.resting.values() if p.side is side and touches(price, p)]
            for place in sorted(touched, key=lambda place: -(place.price or 0) * sign):
                self.fill(place)
        self.carry_out(self.rig.feed(PriceChanged(self.rig.now, price)), price)

    def fill(self, place: Place) -> None:
        assert place.price is not None
        del self.resting[place.client_id]
        fee = to_money(from_money(self.market.notional(place.price, place.lots)) * FEE)
        trade = f"t{len(self.fills)}"
        self.fills.append((place.side, self.market.from_ticks(place.price), self.market.from_lots(place.lots)))
        event = OrderFilled(self.rig.now, place.client_id, trade, place.price, place.lots, fee, maker=True)
        self.carry_out(self.rig.feed(event), None)

    def carry_out(self, actions: list[Action], price: int | None) -> None:
        for action in actions:
            match action:
                case Place(client_id):
                    assert action.price is not None
                    if price is not None:
                        assert action.price < price if action.side is OrderSide.BUY else action.price > price
                    self.resting[client_id] = action
                    self.carry_out(self.rig.feed(OrderReported(self.rig.now, client_id, OrderState.OPEN, 0)), price)
                case Cancel(client_id):
                    del self.resting[client_id]
                    report = OrderReported(self.rig.now, client_id, OrderState.CANCELLED, 0)
                    self.carry_out(self.rig.feed(report), price)
                case _:
                    assert isinstance(action, Notify)


def market_of(case: Case) -> Market:
    return Market("X/USDT:USDT", Decimal(case.tick), Decimal(case.lot), 1, to_money(Decimal(5)), 200, 500)


def config_of(case: Case, market: Market) -> EngineConfig:
    return replace(
        CONFIG,
        step=market.to_ticks(Decimal(case.interval)),
        buy_window=case.window,
        sell_window=case.window,
        order_money=to_money(Decimal(case.quote_size)),
        max_open_orders=1000,
        side=case.side,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file[:4]}-{case.interval}-{case.side}")
def test_the_engine_trades_as_the_naive_grid_does(case: Case, candle_file: Callable[[str], Path]) -> None:
    market = market_of(case)
    rig = Rig(config_of(case, market), market=market)
    venue = TouchingVenue(market, rig)
    short, entry = case.side is Side.SHORT, OrderSide.SELL if case.side is Side.SHORT else OrderSide.BUY
    naive = NaiveGrid(Decimal(case.interval), case.window, Decimal(case.quote_size), Decimal(case.lot), FEE, short)
    for number, price in enumerate(path_of(candle_file(case.file))):
        rig.now += 15_000_000
        venue.play(market.to_ticks(price))
        naive.price(price)
        if number % 50 == 0:
            assert venue.fills[-20:] == naive.fills[-20:]
            resting = sorted(market.from_ticks(p.price or 0) for p in venue.resting.values() if p.side is entry)
            assert resting == sorted(naive.entries)
    view = rig.engine.view()
    assert venue.fills == naive.fills
    assert len(naive.fills) > 300
    assert market.from_lots(view.position) == naive.position
    assert from_money(view.realised) == naive.realised
    assert from_money(view.fees) == naive.fees
    assert from_money(view.unrealised) == naive.unrealised
    assert view.fills == len(naive.fills)

    again = rig.replayed()
    assert again.snapshot() == rig.engine.snapshot()


BOUNDS = (Decimal(46000), Decimal(47000))


@pytest.mark.parametrize("side", [Side.LONG, Side.SHORT])
@pytest.mark.parametrize("trails", [False, True])
def test_a_bounded_grid_trades_as_the_naive_one_does(
    side: Side, trails: bool, candle_file: Callable[[str], Path]
) -> None:
    market, short = market_of(CASES[0]), side is Side.SHORT
    low, high = (market.to_ticks(bound) for bound in BOUNDS)
    config = replace(config_of(CASES[0], market), side=side, lower=low, upper=high, trail_up=trails, trail_down=trails)
    venue = TouchingVenue(market, Rig(config, market=market))
    naive = NaiveGrid(
        Decimal(50), config.buy_window, Decimal(300), Decimal("0.001"), FEE, short, bounds=BOUNDS, trails=trails
    )
    for price in path_of(candle_file(CASES[0].file)):
        venue.rig.now += 15_000_000
        venue.play(market.to_ticks(price))
        naive.price(price)
    assert venue.fills == naive.fills
    assert len(naive.fills) > 100
    view = venue.rig.engine.view()
    assert from_money(view.realised) == naive.realised
    assert market.from_lots(view.position) == naive.position
    assert naive.bounds is not None
    assert (market.from_ticks(view.lower), market.from_ticks(view.upper)) == naive.bounds
    assert (naive.bounds != BOUNDS) == trails


def test_a_neutral_grid_trades_as_a_long_and_a_short_half_do(candle_file: Callable[[str], Path]) -> None:
    case = CASES[1]
    market = market_of(case)
    config = replace(config_of(case, market), side=Side.NEUTRAL)
    venue = TouchingVenue(market, Rig(config, market=market))
    halves = [
        NaiveGrid(
            Decimal(case.interval), case.window, Decimal(case.quote_size), Decimal(case.lot), FEE, short, middle=True
        )
        for short in (False, True)
    ]
    for price in path_of(candle_file(case.file)):
        venue.rig.now += 15_000_000
        venue.play(market.to_ticks(price))
        for half in halves:
            half.price(price)
    assert Counter(venue.fills) == Counter(fill for half in halves for fill in half.fills)
    assert min(len(half.fills) for half in halves) > 20
    view = venue.rig.engine.view()
    assert market.from_lots(view.position) == sum(half.position for half in halves)
    assert from_money(view.realised) == sum(half.realised for half in halves)
    assert from_money(view.unrealised) == sum(half.unrealised for half in halves)
    assert venue.rig.replayed().snapshot() == venue.rig.engine.snapshot()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lower": 92_000, "upper": 94_000, "trail_up": True},
        {"max_position": 20},
        {"max_daily_loss": to_money(Decimal(20))},
    ],
    ids=["open", "bounded", "full", "daily"],
)
@pytest.mark.parametrize("side", Side)
def test_skipping_quiet_prices_changes_nothing(
    side: Side, changes: dict[str, Any], candle_file: Callable[[str], Path]
) -> None:
    """As lockstep does: quiet prices are not even shown to the engine, unless an order fills or a wake is due."""
    case = replace(CASES[0], side=side)
    market = market_of(case)
    config = replace(config_of(case, market), **changes, max_drawdown=to_money(Decimal(40)), cooldown=3600 * 1_000_000)
    shown, skipped = (TouchingVenue(market, Rig(config, market=market)) for _ in range(2))
    for price in islice(path_of(candle_file(case.file)), 8000):
        ticks = market.to_ticks(price)
        shown.rig.now += 15_000_000
        skipped.rig.now += 15_000_000
        shown.play(ticks)
        low, high = skipped.rig.engine.quiet_band()
        fills = any(
            (p.price or 0) >= ticks if p.side is OrderSide.BUY else (p.price or 0) <= ticks
            for p in skipped.resting.values()
        )
        due = 0 < (skipped.rig.engine.wake_at or 0) <= skipped.rig.now
        if fills or due or (low is not None and ticks <= low) or (high is not None and ticks >= high):
            skipped.play(ticks)
    assert changes or shown.rig.engine.view().breaker.trips > 0
    assert len(shown.fills) > 10
    assert skipped.fills == shown.fills
    assert skipped.rig.engine.view().breaker == shown.rig.engine.view().breaker
