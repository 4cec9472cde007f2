"""Checks before a spec may trade: at each start and with each new spec, until nothing is found. Pure.

While there are findings no entry is placed; exits go on.
"""

from dataclasses import dataclass

from opensqt.engine.config import EngineConfig
from opensqt.engine.market import Market, from_money
from opensqt.engine.side import Side

ABOUT_BALANCE = frozenset({"NoBalance", "BalanceTooSmall"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: CamelCase for programs; for people the field and what to do."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry is at present: its worth in money, its lots; 0 where that is not known."""

    worth: int
    lots: int


def findings(config: EngineConfig, market: Market, equity: int, clock_skew: int, entry: Entry) -> list[Finding]:
    """All that is wrong with an account of this equity (money) and a clock that is so many microseconds ahead."""
    found = [
        _balance(equity),
        _slots(config, equity, entry) if equity > 0 else None,
        _limits(config, market, entry),
        _leverage(config, market),
        _clock(config, clock_skew),
    ]
    return [finding for finding in found if finding is not None]


def required_slots(config: EngineConfig, entry: Entry) -> int:
    """How many levels the balance must carry: the spec's number, or the entries of one side that the limits allow."""
    if config.required_slots:
        return config.required_slots
    most = max(config.window(side) for side in config.sides)
    most = min(most, config.max_open_orders)
    if config.max_notional:
        most = min(most, config.max_notional // entry.worth)
    if config.max_position and entry.lots:
        most = min(most, config.max_position // entry.lots)
    return most


def _balance(equity: int) -> Finding | None:
    if equity > 0:
        return None
    return Finding(
        "NoBalance", f"the account's equity is {from_money(equity):f}: deposit, or name another account in connectorRef"
    )


def _slots(config: EngineConfig, equity: int, entry: Entry) -> Finding | None:
    if not config.leverage or not entry.worth:
        return None
    leverage = min(config.leverage, config.max_leverage)
    required = required_slots(config, entry)
    carried = equity * leverage // entry.worth
    if carried >= required:
        return None
    field = "spec.safety.requiredSlots" if config.required_slots else "the windows of spec.grid"
    return Finding(
        "BalanceTooSmall",
        f"an equity of {from_money(equity):f} with leverage {leverage} carries {carried} orders of "
        f"{from_money(entry.worth):f}, {required} are needed: deposit, or lower spec.order or {field}",
    )


def _limits(config: EngineConfig, market: Market, entry: Entry) -> Finding | None:
    """Limits below a single order would let nothing through, for ever."""
    if 0 < config.max_notional < entry.worth:
        field, limit = "maxNotional", f"{from_money(config.max_notional):f}"
    elif 0 < config.max_position < entry.lots:
        field, limit = "maxPosition", f"{market.from_lots(config.max_position):f}"
    else:
        return None
    return Finding(
        "LimitsAllowNothing", f"spec.riskLimits.{field} {limit} is below a single order: raise it, or lower spec.order"
    )


def _leverage(config: EngineConfig, market: Market) -> Finding | None:
    """The exchange's own cap may have been lowered since the spec was written."""
    if config.leverage > config.max_leverage:
        limit, mend = f"spec.riskLimits.maxLeverage {config.max_leverage}", "lower it, or raise that limit"
    elif 0 < market.max_leverage < config.leverage:
        limit, mend = f"the exchange's {market.max_leverage} for {market.symbol}", "lower it"
    else:
        return None
    return Finding("LeverageTooHigh", f"spec.leverage {config.leverage} is above {limit}: {mend}")


def _clock(config: EngineConfig, skew: int) -> Finding | None:
    if not config.max_clock_skew or abs(skew) <= config.max_clock_skew:
        return None
    return Finding(
        "ClockSkew",
        f"the connector's clock is {abs(skew) // 1000} ms {'ahead of' if skew > 0 else 'behind'} the exchange's, "
        f"{config.max_clock_skew // 1000} ms are allowed (spec.safety.maxClockSkewMilliseconds): set the node's clock",
    )


def other_side(config: EngineConfig, lots: int) -> bool:
    """Whether a position of so many lots is on a side that this spec does not trade."""
    return bool(lots) and Side.of(lots) not in config.sides
