"""Money: what was paid for what is held, what was won, all in integers, nothing lost to rounding.

At all times: realised + unrealised = sold - bought - fees - funding + position at the last price, to the unit.
"""

from dataclasses import dataclass, field

from opensqt.engine.market import DUST


@dataclass(slots=True)
class Holding:
    """Lots held (signed), what was paid for them without fees (negative where received), and those fees.

    `dust` is held beside the whole lots, in parts of one (`DUST`), where fees were taken in base currency.
    """

    lots: int = 0
    cost: int = 0
    fees: int = 0
    dust: int = 0

    @property
    def amount(self) -> int:
        """All that is held, in parts of a lot."""
        return self.lots * DUST + self.dust

    def trade(self, lots: int, notional: int, fee: int, taken: int = 0) -> int:
        """Books `lots` (negative: sold) at `notional` money with `fee`; returns what is realised, net of fees.

        `taken` is what of a buy the fee has taken, in parts of a lot; `fee` is then its worth, and part of `notional`.
        What reduces the holding takes its share of cost and fees with it; the division's remainder stays, so that the
        last lot takes all that is left.
        """
        sign = 1 if lots > 0 else -1
        amount = self.amount
        if amount * sign >= 0:
            self._hold(amount + lots * DUST - taken)
            self.cost += sign * notional - (fee if taken else 0)
            self.fees += fee
            return 0
        closing = min(abs(lots) * DUST, abs(amount))
        money, charge = notional * closing // (abs(lots) * DUST), fee * closing // (abs(lots) * DUST)
        cost, fees = self.cost * closing // abs(amount), self.fees * closing // abs(amount)
        self._hold(amount + sign * closing)
        self.cost -= cost
        self.fees -= fees
        realised = -sign * money - cost - charge - fees
        if closing < abs(lots) * DUST:
            self.open(sign * (abs(lots) * DUST - closing), sign * (notional - money), fee - charge)
        return realised

    def take(self, other: "Holding") -> None:
        """Takes all that another one holds."""
        self._hold(self.amount + other.amount)
        self.cost += other.cost
        self.fees += other.fees
        other.lots = other.dust = other.cost = other.fees = 0

    def open(self, amount: int, cost: int, fee: int) -> None:
        """Adds an amount, in parts of a lot, with its cost and its fees."""
        self._hold(self.amount + amount)
        self.cost += cost
        self.fees += fee

    def _hold(self, amount: int) -> None:
        self.lots, self.dust = divmod(amount, DUST)


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

    def book(self, holding: Holding, lots: int, notional: int, fee: int, taken: int = 0) -> int:
        """Books a trade on one holding and in the totals; returns what is realised."""
        before = (holding.amount, holding.cost, holding.fees)
        realised = holding.trade(lots, notional, fee, taken)
        change = (now - then for now, then in zip((holding.amount, holding.cost, holding.fees), before, strict=True))
        self.total.open(*change)
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
        return self.total.amount * lot_value // DUST - self.total.cost - self.total.fees

    def pnl(self, lot_value: int) -> int:
        return self.realised + self.unrealised(lot_value)
