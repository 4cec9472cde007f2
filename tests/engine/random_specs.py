"""Random specs and edits of them: topic by topic, so that every combination of what a spec may say can come."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from opensqt.api.barriers import BarrierAction
from opensqt.api.gridbot import Side
from opensqt.api.interval import Interval
from opensqt.api.risk import Trigger
from opensqt.engine.config import PPM, AtrConfig, EngineConfig, MonitorConfig
from tests.engine.rig import CONFIG, SECOND, money

MAX_POSITION = 45
MAX_ORDERS = 8
BASE = replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS)
"""What every random spec begins with: the two limits are the same in all of them, so that they can be checked."""
MONITORED = "ETH/USDT:USDT"
MONITOR = MonitorConfig([MONITORED], Interval.M1, 3_000_000, 2, Trigger.ANY, 1)

Change = dict[str, Any]
UNBOUNDED: Change = {"lower": 0, "upper": 0, "trail_up": False, "trail_down": False, "trail_up_to": 0}
TOPICS: tuple[tuple[Change, ...], ...] = (
    (
        {"step": 10, "ratio_ppm": 0, "atr": None},
        {"step": 7, "ratio_ppm": 0, "atr": None},
        {"step": 13, "ratio_ppm": 0, "atr": None},
        {"step": 0, "ratio_ppm": 9_000, "atr": None},
        {"step": 0, "ratio_ppm": 0, "atr": AtrConfig(Interval.M1, 2, PPM)},
    ),
    (
        {"buy_window": 3, "sell_window": 3},
        {"buy_window": 5, "sell_window": 3},
        {"buy_window": 2, "sell_window": 1},
    ),
    (
        UNBOUNDED,
        UNBOUNDED | {"upper": 1020},
        UNBOUNDED | {"lower": 975},
        UNBOUNDED | {"lower": 965, "upper": 1030},
        {"lower": 960, "upper": 1040, "trail_up": True, "trail_down": True, "trail_up_to": 1100},
    ),
    ({"trigger_price": 0}, {"trigger_price": 0}, {"trigger_price": 1012}, {"trigger_price": 980}),
    (
        {"order_money": money(100), "order_lots": 0, "order_equity_ppm": 0, "reinvest_ppm": 0},
        {"order_money": money(150), "order_lots": 0, "order_equity_ppm": 0, "reinvest_ppm": 500_000},
        {"order_money": 0, "order_lots": 7, "order_equity_ppm": 0, "reinvest_ppm": 0},
        {"order_money": 0, "order_lots": 0, "order_equity_ppm": 80_000, "reinvest_ppm": 1_000_000},
    ),
    ({"post_only": True}, {"post_only": False}),
    (
        {"max_drawdown": 0, "max_drawdown_ppm": 0, "max_consecutive_losses": 0, "max_daily_loss": 0, "cooldown": 0},
        {"max_drawdown": money(4), "max_drawdown_ppm": 0, "max_consecutive_losses": 2, "max_daily_loss": 0,
         "cooldown": 20 * SECOND},
        {"max_drawdown": 0, "max_drawdown_ppm": 3_000, "max_consecutive_losses": 0, "max_daily_loss": money(3),
         "cooldown": 0},
    ),
    (
        {"take_profit": 0, "stop_loss": 0, "take_profit_price": 0, "stop_loss_price": 0, "time_limit": 0},
        {"take_profit": money(2), "stop_loss": money(6), "take_profit_price": 0, "stop_loss_price": 0,
         "time_limit": 0},
        {"take_profit": 0, "stop_loss": 0, "take_profit_price": 1060, "stop_loss_price": 940, "time_limit": 0},
        {"take_profit": 0, "stop_loss": 0, "take_profit_price": 0, "stop_loss_price": 0, "time_limit": 90 * SECOND},
    ),
    tuple({"barrier_action": action} for action in BarrierAction),
    ({"monitor": None}, {"monitor": None}, {"monitor": MONITOR}),
    ({"max_price_deviation_ppm": 0}, {"max_price_deviation_ppm": 15_000}),
    ({"max_notional": 0}, {"max_notional": money(300)}),
    ({"skew_ppm": 0}, {"skew_ppm": 700_000}),
    ({"margin_lock": 10 * SECOND}, {"margin_lock": 0}),
    ({"max_clock_skew": 0}, {"max_clock_skew": SECOND}),
    ({"reset_token": ""}, {"reset_token": "a"}, {"reset_token": "b"}),
)  # fmt: skip
"""Each topic's ways, the plainest first. A topic's change leaves the rest of the spec alone."""


def specs(side: Side, base: EngineConfig = BASE) -> st.SearchStrategy[EngineConfig]:
    """Any combination."""
    return st.tuples(*(st.sampled_from(topic) for topic in TOPICS)).map(
        lambda changes: replace(base, side=side, **{key: value for change in changes for key, value in change.items()})
    )


def edits() -> st.SearchStrategy[Callable[[EngineConfig], EngineConfig]]:
    """A change of one or two topics, as people make them."""
    one = st.one_of(*(st.sampled_from(topic) for topic in TOPICS))
    return st.lists(one, min_size=1, max_size=2).map(
        lambda changes: lambda config: replace(config, **{k: v for change in changes for k, v in change.items()})
    )
