"""Funding of the paper exchange's perpetuals: every eight hours, from the first price at or after the hour."""

from dataclasses import dataclass

from opensqt.connector.paper.account import Holding
from opensqt.connector.paper.instrument import FEE_SCALE, Instrument
from opensqt.connector.venue import FundingPayment
from opensqt.engine.market import from_money

PERIOD_US = 8 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class PaperFunding:
    """`amount` is the money paid (negative: received) for `lots` at `price` ticks; `due_us` is the funding time."""

    instrument: Instrument
    due_us: int
    lots: int
    price: int
    amount: int
    step: int

    def to_venue(self) -> FundingPayment:
        instrument = self.instrument
        return FundingPayment(
            symbol=instrument.symbol,
            funding_id=str(self.due_us // 1_000_000),
            amount=from_money(self.amount),
            currency=instrument.quote,
            quantity=self.lots * instrument.lot_size,
            time_us=self.due_us,
        )


def next_due(time_us: int) -> int:
    """The first funding time after `time_us`."""
    return (time_us // PERIOD_US + 1) * PERIOD_US


def fundings(holding: Holding, price: int, now_us: int, step: int) -> list[PaperFunding]:
    """What the position pays at the funding times since its last price; longs pay where the rate is above zero."""
    instrument, lots = holding.instrument, holding.lots
    if not lots or not instrument.funding_rate or not holding.time_us:
        return []
    worth = lots * price * instrument.tick_value * instrument.funding_rate
    amount = (abs(worth) + FEE_SCALE // 2) // FEE_SCALE * (1 if worth > 0 else -1)
    dues = range(next_due(holding.time_us), now_us + 1, PERIOD_US)
    return [PaperFunding(instrument, due, lots, price, amount, step) for due in dues]
