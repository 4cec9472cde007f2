"""A GridBot's spec in integers, as the engine wants it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from opensqt.api.barriers import BarrierAction
from opensqt.api.grid import Atr
from opensqt.api.gridbot import GridBotSpec
from opensqt.api.gridbot import Side as GridSide
from opensqt.api.interval import Interval
from opensqt.api.risk import MarketMonitor, Trigger
from opensqt.api.safety import ExistingPosition
from opensqt.engine.market import Market, to_money
from opensqt.engine.side import Side

PPM = 10**6
DEFAULT_PRICE_AGE = 60_000_000
DEFAULT_RECONCILE_INTERVAL = 30_000_000


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """spec.marketMonitor; the multiple of the average volume in parts per million."""

    symbols: list[str]
    interval: Interval
    volume_ppm: int
    window: int
    trigger: Trigger
    recovery: int


@dataclass(frozen=True, slots=True)
class AtrConfig:
    """spec.grid.spacing.atr; the multiple in parts per million."""

    interval: Interval
    period: int
    multiple_ppm: int


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Prices in ticks, quantities in lots, amounts in money, ratios in parts per million, durations in microseconds.

    Of `order_money`, `order_lots` and `order_equity_ppm` the one that is set is the size of an entry.
    Of `step` (arithmetic spacing, ticks), `ratio_ppm` (geometric spacing) and `atr` exactly one is set; 0 turns a limit
    off.
    """

    step: int
    ratio_ppm: int
    buy_window: int
    sell_window: int
    lower: int
    upper: int
    order_money: int
    post_only: bool
    max_position: int
    max_notional: int
    max_open_orders: int
    max_leverage: int
    max_consecutive_losses: int
    max_drawdown: int
    max_drawdown_ppm: int
    cooldown: int
    reset_token: str
    # What follows has defaults: the journals of earlier versions do not say it.
    side: GridSide = GridSide.LONG
    trail_up: bool = False
    trail_down: bool = False
    trail_up_to: int = 0
    trail_down_to: int = 0
    trigger_price: int = 0
    max_price_deviation_ppm: int = 0
    max_price_age: int = DEFAULT_PRICE_AGE
    margin_lock: int = 10_000_000
    max_daily_loss: int = 0
    max_daily_loss_ppm: int = 0
    monitor: MonitorConfig | None = None
    order_lots: int = 0
    order_equity_ppm: int = 0
    reinvest_ppm: int = 0
    take_profit: int = 0
    stop_loss: int = 0
    take_profit_price: int = 0
    stop_loss_price: int = 0
    time_limit: int = 0
    barrier_action: BarrierAction = BarrierAction.CLOSE_POSITION
    leverage: int = 0
    required_slots: int = 0
    reconcile_interval: int = DEFAULT_RECONCILE_INTERVAL
    max_clock_skew: int = 0
    existing_position: ExistingPosition = ExistingPosition.REFUSE
    skew_ppm: int = 0
    atr: AtrConfig | None = None
    rounded_away: str = ""
    """The fields of the spec with a value that this market rounds to 0, which would mean: off."""

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that enter."""
        if self.side is GridSide.NEUTRAL:
            return Side.LONG, Side.SHORT
        return (Side.SHORT,) if self.side is GridSide.SHORT else (Side.LONG,)

    @property
    def bounded(self) -> bool:
        """Whether there are levels from `lower` to `upper` alone."""
        return self.lower > 0 and self.upper > 0

    def window(self, side: Side) -> int:
        """How many levels have entries of this side."""
        return self.buy_window if side is Side.LONG else self.sell_window

    def exit_window(self, side: Side) -> int:
        """How many levels the exits of this side reach."""
        return self.sell_window if side is Side.LONG else self.buy_window

    @classmethod
    def from_spec(cls, spec: GridBotSpec, market: Market) -> "EngineConfig":
        """The spec in the market's integers. Limits are rounded down, so that none grows."""
        spacing, limits, breaker = spec.grid.spacing, spec.risk_limits, spec.circuit_breaker
        order, barriers = spec.order, spec.barriers
        zero = Decimal(0)
        rounded_away: list[str] = []

        def kept(path: str, given: Decimal | None, rounded: Callable[[Decimal], int]) -> int:
            number = rounded(given or zero)
            if given and not number:
                rounded_away.append(path)
            return number

        return cls(
            step=market.to_ticks(spacing.arithmetic or zero),
            ratio_ppm=int((spacing.geometric or zero) * PPM / 100),
            buy_window=spec.grid.buy_window,
            sell_window=spec.grid.sell_window,
            lower=market.to_ticks_up(spec.grid.lower or zero),
            upper=kept("spec.grid.upper", spec.grid.upper, market.to_ticks),
            order_money=to_money(order.quote_size or zero),
            post_only=spec.order.post_only,
            max_position=kept("spec.riskLimits.maxPosition", limits.max_position, market.to_lots),
            max_notional=kept("spec.riskLimits.maxNotional", limits.max_notional, to_money),
            max_open_orders=limits.max_open_orders,
            max_leverage=1 if market.spot else limits.max_leverage,
            max_consecutive_losses=breaker.max_consecutive_losses,
            max_drawdown=kept("spec.circuitBreaker.maxDrawdown", breaker.max_drawdown, to_money),
            max_drawdown_ppm=kept("spec.circuitBreaker.maxDrawdownPercent", breaker.max_drawdown_percent, _ppm),
            cooldown=breaker.cooldown_seconds * 1_000_000,
            reset_token=breaker.reset_token,
            order_lots=market.to_lots(order.base_size or zero),
            order_equity_ppm=int((order.equity_percent or zero) * PPM / 100),
            reinvest_ppm=int((order.reinvest_percent or zero) * PPM / 100),
            take_profit=kept("spec.barriers.takeProfit", barriers.take_profit, to_money),
            stop_loss=kept("spec.barriers.stopLoss", barriers.stop_loss, to_money),
            take_profit_price=kept("spec.barriers.takeProfitPrice", barriers.take_profit_price, market.to_ticks),
            stop_loss_price=kept("spec.barriers.stopLossPrice", barriers.stop_loss_price, market.to_ticks),
            time_limit=(barriers.time_limit_seconds or 0) * 1_000_000,
            barrier_action=barriers.then,
            side=spec.side,
            trail_up=spec.grid.trailing.up,
            trail_down=spec.grid.trailing.down,
            trail_up_to=kept("spec.grid.trailing.upTo", spec.grid.trailing.up_to, market.to_ticks),
            trail_down_to=market.to_ticks_up(spec.grid.trailing.down_to or zero),
            trigger_price=kept("spec.grid.triggerPrice", spec.grid.trigger_price, market.to_ticks),
            max_price_deviation_ppm=kept(
                "spec.riskLimits.maxPriceDeviationPercent", limits.max_price_deviation_percent, _ppm
            ),
            max_price_age=limits.max_price_age_seconds * 1_000_000,
            margin_lock=limits.margin_lock_seconds * 1_000_000,
            max_daily_loss=kept("spec.circuitBreaker.maxDailyLoss", breaker.max_daily_loss, to_money),
            max_daily_loss_ppm=kept("spec.circuitBreaker.maxDailyLossPercent", breaker.max_daily_loss_percent, _ppm),
            leverage=1 if market.spot else spec.leverage,
            reconcile_interval=spec.safety.reconcile_interval_seconds * 1_000_000,
            required_slots=spec.safety.required_slots,
            max_clock_skew=spec.safety.max_clock_skew_milliseconds * 1000,
            existing_position=spec.existing_position,
            atr=_atr_of(spacing.atr) if spacing.atr else None,
            skew_ppm=int((spec.grid.inventory_skew or zero) * PPM),
            monitor=_monitor_of(spec.market_monitor) if spec.market_monitor else None,
            rounded_away=" and ".join(rounded_away),
        )


def _ppm(percent: Decimal) -> int:
    return int(percent * PPM / 100)


def _atr_of(atr: Atr) -> AtrConfig:
    return AtrConfig(interval=atr.interval, period=atr.period, multiple_ppm=int(atr.multiple * PPM))


def _monitor_of(monitor: MarketMonitor) -> MonitorConfig:
    return MonitorConfig(
        symbols=list(monitor.symbols),
        interval=monitor.interval,
        volume_ppm=int(monitor.volume_multiple * PPM),
        window=monitor.moving_average,
        trigger=monitor.trigger,
        recovery=monitor.recovery_threshold,
    )
