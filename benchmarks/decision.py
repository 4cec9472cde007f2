"""A price through the pure core, with 100 slots: where nothing is to do, where all is planned, where an order follows.

Rounds are interleaved; a figure is the median of the rounds' percentiles. Target: p50 of at most 10 µs where nothing is
to do, which is nearly every price.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "bot"), str(Path(__file__).parents[1])]

from opensqt.engine.actions import OrderSide, Place  # noqa: E402
from opensqt.engine.events import OrderFilled, OrderReported, OrderState, PriceChanged  # noqa: E402
from opensqt.engine.market import to_money  # noqa: E402
from tests.engine.rig import CONFIG, MARKET, Rig  # noqa: E402

TARGET_US = 10.0
SLOTS = 100
ROUNDS = 7
REPETITIONS = 300
SPACING = 1_000
PRICE = 1_000_000
Operation = Callable[[int], list[int]]
"""Takes a number of repetitions, returns the nanoseconds of each."""


def grid() -> Rig:
    """Fifty levels bought, each with its exit, and fifty entries below them: a hundred slots and orders."""
    config = replace(
        CONFIG,
        step=SPACING,
        buy_window=SLOTS // 2 + 2,
        sell_window=SLOTS // 2,
        order_money=to_money(Decimal(100_000)),
        max_open_orders=10 * SLOTS,
    )
    rig = Rig(config, market=replace(MARKET, maker_fee_ppm=0))
    rig.price(PRICE)
    rig.settle()
    for index in range(1, SLOTS // 2 + 1):
        rig.price(PRICE - index * SPACING - SPACING // 5)
        rig.settle()
        for client_id in rig.engine.live_orders():
            place = rig.places[client_id]
            if place.side is OrderSide.BUY and place.price == PRICE - index * SPACING:
                rig.fill(client_id)
        rig.settle()
    held = [slot for slot in rig.engine.view().slots if slot.held]
    assert len(held) >= SLOTS // 2
    assert len(rig.engine.view().slots) >= SLOTS
    assert len(rig.engine.live_orders()) >= SLOTS
    return rig


def quiet(rig: Rig) -> Operation:
    """Prices within the quiet band."""
    low, high = band(rig)
    return prices(rig, [low + 1 + number % (high - low - 1) for number in range(97)])


def planned(rig: Rig) -> Operation:
    """Prices at the two ends of the quiet band, where everything is planned anew."""
    return prices(rig, [*band(rig)])


def band(rig: Rig) -> tuple[int, int]:
    low, high = rig.engine.quiet_band()
    assert low is not None
    assert high is not None
    assert low + 1 < high
    return low, high


def prices(rig: Rig, ticks: list[int]) -> Operation:
    events = [PriceChanged(rig.now, price) for price in ticks]
    on, clock = rig.engine.on, time.perf_counter_ns

    def run(repetitions: int) -> list[int]:
        durations = []
        for number in range(repetitions):
            event = events[number % len(events)]
            before = clock()
            on(event)
            durations.append(clock() - before)
        return durations

    return run


def traded(rig: Rig) -> Operation:
    """The nearest entry is filled, so that its exit is placed; that is filled, and the entry is placed again."""
    entries = [rig.places[client_id] for client_id in rig.engine.live_orders()]
    nearest = max((place for place in entries if place.side is OrderSide.BUY), key=lambda place: place.price or 0)
    trades = count()

    def run(repetitions: int) -> list[int]:
        nonlocal nearest
        durations = []
        for _ in range(repetitions):
            rig.engine.on(OrderReported(rig.now, nearest.client_id, OrderState.OPEN, 0))
            fill = OrderFilled(
                rig.now, nearest.client_id, f"t{next(trades)}", nearest.price or 0, nearest.lots, 0, True
            )
            before = time.perf_counter_ns()
            actions = rig.engine.on(fill)
            durations.append(time.perf_counter_ns() - before)
            (nearest,) = [action for action in actions if isinstance(action, Place)]
        return durations

    return run


def main() -> int:
    operations = {"quiet": quiet(grid()), "planned": planned(grid()), "a fill, and the order it needs": traded(grid())}
    p50: dict[str, list[float]] = {name: [] for name in operations}
    p99: dict[str, list[float]] = {name: [] for name in operations}
    for number in range(ROUNDS + 1):
        for name, operation in operations.items():
            durations = operation(REPETITIONS)
            if number:  # the first round warms up
                p50[name].append(statistics.median(durations) / 1000)
                p99[name].append(statistics.quantiles(durations, n=100)[98] / 1000)
    print(f"{'100 slots, 100 orders':32}{'p50 µs':>10}{'p99 µs':>10}")
    for name in operations:
        print(f"{name:32}{statistics.median(p50[name]):10.2f}{statistics.median(p99[name]):10.2f}")
    met = statistics.median(p50["quiet"]) <= TARGET_US
    print(f"quiet p50, target {TARGET_US:.0f} µs: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
