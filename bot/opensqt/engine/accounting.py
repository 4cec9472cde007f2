"""Money: what was paid for what is held, what was won, all in integers, nothing lost to rounding.

At all times: realised + unrealised = sold - bought - fees - funding + position at the last price, to the unit.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Holding:
    """Lots held (signed), what was paid for them without fees (negative where received), and those fees."""

    lots: int = 0
    cost: int = 0
    fees: int = 0

    def trade(self, lots: int, notional: int, fee: int) -> int:
        """Books `lots` (negative: sold) at `notional` money with `fee`; returns what is realised, net of fees.

        What reduces the holding takes its share of cost and fees with it; the division's remainder stays, so that the
        last lot takes all that is left.
        """
        sign = 1 if lots > 0 else -1
        if self.lots * sign >= 0:
            self.lots += lots
            self.cost += sign * notional
            self.fees += fee
            return 0
        closing = min(abs(lots), abs(self.lots))
        money, charge = notional * closing // abs(lots), fee * closing // abs(lots)
        cost, fees = self.cost * closing // abs(self.lots), self.fees * closing // abs(self.lots)
        self.lots += sign * closing
        self.cost -= cost
        self.fees -= fees
        realised = -sign * money - cost - charge - fees
        if closing < abs(lots):
            self.trade(lots - sign * closing, notional - money, fee - charge)
        return realised

    def take(self, other: "Holding") -> None:
        """Takes all that another one holds, with what was paid for it."""
        self.lots, self.cost, self.fees = self.lots + other.lots, self.cost + other.cost, self.fees + other.fees
        other.lots = other.cost = other.fees = 0


@dataclass(slots=True)
class Ledger:
    """The bot's totals. `total` is the sum of all holdings; `realised` is net of `fees` and of `funding` paid."""

    total: Holding = field(default_factory=Holding)
    realised: int = 0
    fees: int = 0
    funding: int = 0
    volume: int = 0
    fills: int = 0
    cycles: int = 0
    losses: int = 0

    def book(self, holding: Holding, lots: int, notional: int, fee: int) -> int:
        """Books a trade on one holding and in the totals; returns what is realised."""
        before = (holding.lots, holding.cost, holding.fees)
        realised = holding.trade(lots, notional, fee)
        self.total.lots += holding.lots - before[0]
        self.total.cost += holding.cost - before[1]
        self.total.fees += holding.fees - before[2]
        self.realised += realised
        self.fees += fee
        self.volume += notional
        return realised

    def fund(self, amount: int) -> None:
        """Books funding paid; received where negative."""
        self.funding += amount
        self.realised -= amount

    def offset(self, long: Holding, short: Holding, lots: int, notional: int) -> None:
        """Closes so many lots of two holdings against each other: no trade, but what they won or lost is realised."""
        before = (long.cost + short.cost, long.fees + short.fees)
        self.realised += long.trade(-lots, notional, 0) + short.trade(lots, notional, 0)
        self.total.cost += long.cost + short.cost - before[0]
        self.total.fees += long.fees + short.fees - before[1]

    def exit_done(self, realised: int) -> None:
        """An exit order is over: one that lost counts up, any other starts the count again."""
        self.losses = self.losses + 1 if realised < 0 else 0

    def unrealised(self, lot_value: int) -> int:
        """PnL of what is held, at `lot_value` money a lot, fees of its entries included."""
        return self.total.lots * lot_value - self.total.cost - self.total.fees

    def pnl(self, lot_value: int) -> int:
        return self.realised + self.unrealised(lot_value)
