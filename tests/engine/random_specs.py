"""The specs between which random markets change, all with the same limits."""

from dataclasses import replace

from opensqt.api.interval import Interval
from opensqt.engine.config import PPM, AtrConfig
from tests.engine.rig import CONFIG, SECOND, money

MAX_POSITION = 45
MAX_ORDERS = 8
CONFIGS = [
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS),
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS, step=7, buy_window=5),
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS, step=0, ratio_ppm=9_000, sell_window=1),
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS, order_money=money(150), upper=1020),
    replace(
        CONFIG,
        max_position=MAX_POSITION,
        max_open_orders=MAX_ORDERS,
        max_drawdown=money(4),
        max_consecutive_losses=2,
        cooldown=20 * SECOND,
        post_only=False,
    ),
    replace(
        CONFIG,
        max_position=MAX_POSITION,
        max_open_orders=MAX_ORDERS,
        lower=960,
        upper=1040,
        trail_up=True,
        trail_down=True,
        trail_up_to=1100,
    ),
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS, lower=965, upper=1030, trigger_price=1012),
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS, trigger_price=980),
    replace(CONFIG, max_position=MAX_POSITION, max_open_orders=MAX_ORDERS, buy_window=5, skew_ppm=700_000),
    replace(
        CONFIG,
        max_position=MAX_POSITION,
        max_open_orders=MAX_ORDERS,
        step=0,
        atr=AtrConfig(Interval.M1, 2, PPM),
        skew_ppm=300_000,
    ),
]
