"""From nothing to an engine that may trade. Each step is tried until it works; the status says what it waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import TypeVar

import structlog

from opensqt.api.gridbot import GridBot
from opensqt.connector.client import Caller, ConnectorStatus, ExchangeClient
from opensqt.connector.retry import Backoff
from opensqt.connector.venue import Account, Position, SymbolRules, VenueError
from opensqt.engine.engine import Engine, check_units
from opensqt.engine.events import Remedy
from opensqt.engine.json_form import UnreadableError
from opensqt.engine.replay import Difference, repeat
from opensqt.journal.errors import JournalDiverged, JournalMisconfigured, JournalUnreachable
from opensqt.journal.journal import Journal, Recovered
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.probes import CONNECTOR, JOURNAL, Probes
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

WAITS = Backoff(first=0.25, cap=2.0, floor=0.1)
"""Between tries of what comes back by itself."""
PERSON_WAITS = Backoff(first=2.0, cap=15.0, floor=1.0)
"""Between tries of what a person must mend."""
FOR_PERSONS = frozenset({Remedy.FIX_REQUEST, Remedy.FIX_CREDENTIALS, Remedy.INSUFFICIENT_MARGIN, Remedy.HALT})
"""What another try of PrepareSymbol would not mend by itself; an account in hedge mode is FIX_REQUEST."""
REPLAYED_AT_ONCE = 2000
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a step has to be tried again."""

    reason: str
    message: str
    needs_person: bool


class Startup:
    """The steps, in their order."""

    def __init__(self, bot: GridBot, board: StatusBoard, probes: Probes, random: Random) -> None:
        self._bot = bot
        self._board = board
        self._probes = probes
        self._random = random

    async def journal(self, dsn: str) -> Journal:
        """Takes the next epoch: from here on no earlier instance can commit or place anything."""
        meta = self._bot.metadata

        async def open_journal() -> Journal | Trouble:
            return await self._from_journal(
                Journal.open(
                    dsn, bot_uid=meta.uid, namespace=meta.namespace, name=meta.name, symbol=self._bot.spec.symbol
                )
            )

        journal = await self._until(open_journal)
        self._probes.healthy(JOURNAL)
        self._board.epoch(journal.epoch)
        return journal

    async def recovered(self, journal: Journal) -> Recovered:
        async def load() -> Recovered | Trouble:
            return await self._from_journal(journal.load())

        recovered = await self._until(load)
        self._probes.healthy(JOURNAL)
        return recovered

    async def connector(self, client: ExchangeClient) -> ConnectorStatus:
        """Waits until the connector is there and its exchange is ready."""

        async def ask() -> ConnectorStatus | Trouble:
            try:
                status = await client.status()
            except VenueError as error:
                return self._connector_trouble(Trouble("Unreachable", str(error), False))
            self._board.weaknesses(status.capabilities.weaknesses)
            if not status.health.ready:
                return self._connector_trouble(Trouble(status.health.reason, status.health.message, False))
            return status

        status = await self._until(ask)
        self._probes.healthy(CONNECTOR, "Ready", status.health.message)
        return status

    async def rules(self, client: ExchangeClient) -> SymbolRules:
        symbol = self._bot.spec.symbol

        async def ask() -> SymbolRules | Trouble:
            try:
                for rules in await client.symbols([symbol]):
                    if rules.symbol == symbol:
                        return rules
            except VenueError as error:
                if error.failure.remedy is not Remedy.FIX_REQUEST:
                    return self._connector_trouble(Trouble("Unreachable", str(error), False))
            served = await self._served(client)
            return Trouble("UnknownSymbol", f"spec.symbol: the connector does not trade {symbol}; {served}", True)

        return await self._until(ask)

    async def account(self, client: ExchangeClient) -> Account:
        async def ask() -> Account | Trouble:
            try:
                return await client.account()
            except VenueError as error:
                return self._connector_trouble(Trouble("Unreachable", str(error), False))

        return await self._until(ask)

    async def position(self, client: ExchangeClient) -> Position:
        """The account's position in the symbol, before this bot's first order."""
        symbol = self._bot.spec.symbol

        async def ask() -> Position | Trouble:
            try:
                found = await client.positions([symbol])
            except VenueError as error:
                return self._connector_trouble(Trouble("Unreachable", str(error), False))
            nothing = Position(symbol, Decimal(0), Decimal(0), Decimal(0), 0, 0)
            return next((position for position in found if position.symbol == symbol), nothing)

        return await self._until(ask)

    async def prepare(self, client: ExchangeClient, epoch: int, skip: Callable[[], bool]) -> bool:
        """Prepares the account, until that is done (True) or `skip` says that the bot is only to end (False)."""

        async def ask() -> bool | Trouble:
            return False if skip() else await self.prepare_now(client, epoch)

        return await self._until(ask)

    async def prepare_now(self, client: ExchangeClient, epoch: int) -> bool | Trouble:
        """Sets the leverage; without it nothing is placed but what ends the bot."""
        caller, spec = Caller(self._bot.metadata.uid, epoch), self._bot.spec
        try:
            await client.prepare(caller, spec.symbol, spec.leverage)
        except VenueError as error:
            final = error.failure.remedy in FOR_PERSONS
            said = f"the exchange does not take spec.leverage {spec.leverage} for {spec.symbol}"
            message = f"{said}: {error.failure.message}" if final else str(error)
            return Trouble("PrepareRefused" if final else "Unreachable", message, final)
        return True

    async def engine(self, translation: Translation, recovered: Recovered) -> tuple[Engine, list[Difference]]:
        """The engine as it was after the last event that was committed, with all orders that were sent by then.

        And where it decides otherwise than the one that wrote the log: another release, after a crash.
        """
        uid, market = self._bot.metadata.uid, translation.market

        async def restore() -> Engine | Trouble:
            try:
                if recovered.snapshot is None:
                    return Engine(market, uid)
                return Engine.restore(market, uid, recovered.snapshot)
            except (UnreadableError, ValueError) as error:
                return Trouble("JournalUnreadable", str(error), True)

        engine = await self._until(restore)
        differences = []
        for number, decision in enumerate(recovered.decisions, 1):
            if difference := repeat(engine, decision):
                differences.append(difference)
            if number % REPLAYED_AT_ONCE == 0:
                await asyncio.sleep(0)

        async def check() -> bool | Trouble:
            try:
                check_units(engine.market.units, market)
            except UnreadableError as error:
                return Trouble("JournalUnreadable", str(error), True)
            return True

        await self._until(check)
        log.info("recovered", snapshot_seq=recovered.snapshot_seq, events=len(recovered.decisions))
        return engine, differences

    async def _until(self, step: Callable[[], Awaitable[Result | Trouble]]) -> Result:
        quick, slow = WAITS.delays(self._random.uniform), PERSON_WAITS.delays(self._random.uniform)
        said = ""
        while isinstance(outcome := await step(), Trouble):
            say = self._board.halted if outcome.needs_person else self._board.starting
            say(outcome.reason, outcome.message)
            if outcome.message != said:
                said = outcome.message
                log.warning("not_started", reason=outcome.reason, message=outcome.message)
            await asyncio.sleep(next(slow if outcome.needs_person else quick))
        return outcome

    async def _from_journal(self, call: Awaitable[Result]) -> Result | Trouble:
        try:
            return await call
        except JournalUnreachable as error:
            trouble = Trouble("JournalUnreachable", str(error), False)
        except JournalMisconfigured as error:
            trouble = Trouble("JournalMisconfigured", str(error), True)
        except (JournalDiverged, UnreadableError) as error:
            trouble = Trouble("JournalUnreadable", str(error), True)
        self._probes.unhealthy(JOURNAL, trouble.reason.removeprefix("Journal"), trouble.message)
        return trouble

    def _connector_trouble(self, trouble: Trouble) -> Trouble:
        self._probes.unhealthy(CONNECTOR, trouble.reason, trouble.message)
        return Trouble("ConnectorNotReady", f"{trouble.reason}: {trouble.message}", trouble.needs_person)

    async def _served(self, client: ExchangeClient) -> str:
        try:
            symbols = sorted(rules.symbol for rules in await client.symbols())
        except VenueError as error:
            return f"what it trades is not known: {error}"
        shown = ", ".join(symbols[:10]) or "nothing"
        return f"it trades {shown}" + (f" and {len(symbols) - 10} more" if len(symbols) > 10 else "")
