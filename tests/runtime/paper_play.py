"""A bot's engine and the paper exchange's matching in one process, without books: a month in seconds.

What lies between them in earnest is here too: the venue's words and their translation. A step is what lockstep makes
of it: funding and fills in their order, then the price; prices that matter to nobody are skipped.
"""

from collections import deque
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBotSpec
from opensqt.connector.paper.candles import read_candles
from opensqt.connector.paper.instrument import Instrument
from opensqt.connector.paper.matching import Matching
from opensqt.connector.paper.tape import NEVER_ABOVE, NEVER_BELOW, Tape
from opensqt.connector.venue import Failure, Price
from opensqt.engine.actions import Action, Cancel, LookUp, Notify, Place
from opensqt.engine.config import EngineConfig
from opensqt.engine.engine import Engine
from opensqt.engine.events import (
    AccountReported,
    CancelFailed,
    ClockTicked,
    Configured,
    Event,
    Goal,
    OrderNotFound,
    PlaceFailed,
    PositionReported,
    PriceChanged,
    Started,
)
from opensqt.engine.market import from_money, to_money
from opensqt.runtime.build import engine_build
from opensqt.runtime.translation import Translation

UID = "5f0c0000-0000-4000-8000-000000000001"


class PaperPlay:
    def __init__(self, market: dict[str, Any], spec: dict[str, Any], candles: Path, balance: str = "100000") -> None:
        connector = ExchangeConnector.model_validate(
            {"metadata": {"name": "paper"}, "spec": {"exchange": "paper", "paper": {"markets": [market]}}}
        )
        paper = connector.spec.paper
        assert paper is not None
        self.symbol: str = market["symbol"]
        self.instrument = Instrument.from_spec(paper.markets[0], paper.fees)
        self.start = to_money(Decimal(balance))
        self.matching = Matching([self.instrument], self.start)
        self.tape = Tape(read_candles(candles, self.instrument.tick_size, self.instrument.lot_size))
        self.translation = Translation(self.instrument.rules())
        self.engine = Engine(self.translation.market, UID)
        self.notices: list[Notify] = []
        self.refused: list[Failure] = []
        self.spec = GridBotSpec.model_validate({"connectorRef": {"name": "paper"}, "symbol": self.symbol, **spec})
        self._told: deque[Event] = deque()
        self._generation = 0
        self._feed(Started(self.tape.time_us(0), 1, self.translation.market, engine_build()))
        self.configure()

    def configure(self, goal: Goal = Goal.RUN, **changes: Any) -> None:
        self._generation += 1
        config = replace(EngineConfig.from_spec(self.spec, self.translation.market), **changes)
        self._feed(Configured(max(self.matching.time_us, self.tape.time_us(0)), self._generation, goal, config))

    @property
    def earned(self) -> Decimal:
        """The change of the account's equity."""
        return from_money(self.matching.account.equity - self.start)

    @property
    def pnl(self) -> Decimal:
        view = self.engine.view()
        return from_money(view.realised + view.unrealised)

    def play(self, until: int | None = None) -> None:
        """Plays to a step, or to the end."""
        tape, matching = self.tape, self.matching
        end = tape.total if until is None else until
        while tape.played < end:
            low, high = matching.bounds(self.symbol)
            quiet_low, quiet_high = self.engine.quiet_band()
            low = max(low, NEVER_BELOW if quiet_low is None else quiet_low)
            high = min(high, NEVER_ABOVE if quiet_high is None else quiet_high)
            step = tape.next_touch(low, high, tape.played)
            for time_us in (matching.funding_due(self.symbol), self.engine.wake_at or 0):
                if time_us:
                    step = min(step, max(tape.played, tape.steps_until(time_us - 1)))
            self._skip(min(step, end), end)
            if tape.played < end:
                self._step()

    def _skip(self, step: int, end: int) -> None:
        tape = self.tape
        if step > tape.played:
            self.matching.skip(self.symbol, tape.price(step - 1), tape.time_us(step - 1), step - tape.played)
            tape.played = step
            if step == end:
                self._feed(PriceChanged(self.matching.time_us, tape.price(step - 1)))

    def _step(self) -> None:
        tape, step = self.tape, self.tape.played
        tape.played += 1
        self.matching.play(self.symbol, tape.price(step), tape.time_us(step))
        self._hear()
        traded = bool(self._told)
        self._told.append(PriceChanged(self.matching.time_us, tape.price(step)))
        self._settle()
        wake_at = self.engine.wake_at
        if wake_at is not None and wake_at <= self.matching.time_us:
            self._feed(ClockTicked(self.matching.time_us))
        if traded:
            self._feed(self._account())
            self._feed(self._position())

    def _feed(self, event: Event) -> None:
        self._told.append(event)
        self._settle()

    def _settle(self) -> None:
        while self._told:
            event = self._told.popleft()
            for action in self.decide(event):
                self._carry_out(action)
                self._hear()

    def decide(self, event: Event) -> list[Action]:
        return self.engine.on(event)

    def _hear(self) -> None:
        for update in self.matching.take_changes().updates:
            if not isinstance(update, Price):
                self._told.append(self.translation.update(update))

    def _account(self) -> AccountReported:
        account = self.matching.account
        return AccountReported(self.matching.time_us, account.equity, account.available)

    def _position(self) -> PositionReported:
        return PositionReported(self.matching.time_us, self.matching.account.holdings[self.symbol].lots)

    def _carry_out(self, action: Action) -> None:
        now = self.matching.time_us
        match action:
            case Place():
                outcome = self.matching.place(self.translation.new_order(action))
                if isinstance(outcome, Failure):
                    self.refused.append(outcome)
                    self._told.append(PlaceFailed(now, action.client_id, outcome.remedy, outcome.message))
            case Cancel():
                cancelled = self.matching.cancel(self.symbol, action.client_id)
                if isinstance(cancelled, Failure):
                    self._told.append(CancelFailed(now, action.client_id, cancelled.remedy, cancelled.message))
            case LookUp():
                if action.client_id not in self.matching.open:
                    self._told.append(OrderNotFound(now, action.client_id))
            case Notify():
                self.notices.append(action)
