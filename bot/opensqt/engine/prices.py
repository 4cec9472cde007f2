"""The last price: what a new one changes, and whether it is believed."""

from opensqt.engine.config import PPM
from opensqt.engine.events import PriceChanged
from opensqt.engine.lifecycle import OVERDUE_TIME
from opensqt.engine.orders import Stage
from opensqt.engine.state import PRICE_FEED, State, Turn

CONFIRMED_AFTER = 1_000_000
"""Microseconds after which another price near a suspicious one confirms it."""


def on_price(turn: Turn, event: PriceChanged) -> None:
    """Takes a price that can be believed."""
    state = turn.state
    if event.price <= 0 or _suspicious(turn, event):
        return
    state.last_price, state.price_time = event.price, event.time
    if state.traded and event.time >= state.funding.last_fill:
        state.traded, turn.changed = 0, True
    if not state.fresh and PRICE_FEED not in state.feeds_lost:
        state.fresh = turn.changed = True
    for order in state.orders.live.values():
        if order.stage is Stage.OPEN and not order.due and order.passed_by(event.price):
            order.due, turn.changed = turn.now + OVERDUE_TIME, True


def _suspicious(turn: Turn, event: PriceChanged) -> bool:
    """Whether the price is so far from the one before that another one must confirm it first."""
    state = turn.state
    near_last = not state.fresh or _near(state, event.price, state.last_price)
    if near_last or (_near(state, event.price, state.suspect) and turn.now >= state.suspect_since + CONFIRMED_AFTER):
        if state.suspect:
            what = "was wrong: the price before it holds" if near_last else "is confirmed"
            turn.tell("PriceSettled", f"the price {turn.market.from_ticks(state.suspect)} {what}")
            state.suspect = state.suspect_since = 0
        return False
    if not state.suspect or not _near(state, event.price, state.suspect):
        state.suspect, state.suspect_since = event.price, turn.now
        turn.warn(
            "PriceSuspected",
            f"{turn.market.from_ticks(event.price)} is farther from {turn.market.from_ticks(state.last_price)} than "
            "spec.riskLimits.maxPriceDeviationPercent: no entries until another price confirms it",
        )
    return True


def durable_bounds(state: State, kept: int) -> tuple[int | None, int | None]:
    """Between these, both exclusive, a price need not be kept for its own sake; None is unbounded.

    Of such prices the log has only the last, which must not come as a leap to whoever replays it: they are nearer to
    the last `kept` one than half of what is a leap.
    """
    ppm = state.config.max_price_deviation_ppm if state.config else 0
    reach = max(1, kept * ppm // (2 * PPM))
    return (kept - reach, kept + reach) if ppm and kept else (None, None)


def _near(state: State, price: int, other: int) -> bool:
    ppm = state.config.max_price_deviation_ppm if state.config else 0
    return not ppm or (other > 0 and abs(price - other) * PPM <= ppm * other)
