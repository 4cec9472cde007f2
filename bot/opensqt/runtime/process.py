"""The bot process: its ports first, so that it can always be asked; then the journal, the connector, the trading."""

import asyncio
import signal
from dataclasses import dataclass
from random import Random

import structlog

from opensqt.api.gridbot import GridBotSpec, RunState
from opensqt.connector.client import ExchangeClient
from opensqt.connector.venue import VenueError
from opensqt.engine.actions import Severity
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import Configured, Goal
from opensqt.engine.market import Market
from opensqt.engine.replay import Difference
from opensqt.journal.errors import Fenced, JournalDiverged
from opensqt.journal.journal import Journal
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.book import Book
from opensqt.runtime.candle_feeds import wanted_candles
from opensqt.runtime.clock import MarketClock, frozen_clock
from opensqt.runtime.metrics import Metrics
from opensqt.runtime.notices import Notices
from opensqt.runtime.ports import Ports
from opensqt.runtime.probes import CANDLE_FEED, CONNECTOR, Probes
from opensqt.runtime.service import BotService, NotReadyError
from opensqt.runtime.settings import Settings
from opensqt.runtime.startup import Startup, Trouble
from opensqt.runtime.trading import Surroundings, Trading
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

EXIT_OK = 0
EXIT_CRASHED = 1
EXIT_MISCONFIGURED = 2
EXIT_FENCED = 3
"""A newer instance of the bot has taken over."""

GOALS = {RunState.RUNNING: Goal.RUN, RunState.PAUSED: Goal.PAUSE, RunState.STOPPED: Goal.STOP}
_CONNECTOR_EVERY = 5.0
_LAG_EVERY = 0.5
_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """A configuration that the bot was given."""

    generation: int
    goal: Goal
    spec: GridBotSpec

    @property
    def ends(self) -> bool:
        return self.goal in {Goal.STOP, Goal.CLOSE}


class BotProcess:
    """`run` returns the process's exit code."""

    def __init__(self, settings: Settings) -> None:
        bot = settings.bot
        self._settings = settings
        self._bot = bot
        self._probes = Probes(*([CANDLE_FEED] if wanted_candles(bot.spec) else []))
        self._board = StatusBoard(self._probes)
        self._notices = Notices()
        self._metrics = Metrics({"namespace": bot.metadata.namespace, "gridbot": bot.metadata.name})
        self._metrics.show(self._board, lambda: self._trading.feed_ages() if self._trading else {})
        service = BotService(bot, self._board, self._notices, self._book, self)
        self.ports = Ports(settings, service, self._metrics)
        self._client = ExchangeClient(settings.connector)
        self._startup = Startup(bot, self._board, self._probes, Random())  # noqa: S311 - jitter of the start
        self._prepared = False
        self._unprepared = ""
        """Why the account could not be prepared, as people were last told."""
        self._journal: Journal | None = None
        self._trading: Trading | None = None
        self._market: Market | None = None
        self._clock = MarketClock()
        self._requested: Request | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Until `stop`: the orders stay in the market, and the next start goes on with them.

        Raises SettingsError where a port cannot be had.
        """
        code = EXIT_OK
        try:
            await self.ports.open()
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(self._tell_readiness()), tasks.create_task(self._measure_lag())]
                main = tasks.create_task(self._start_and_trade(tasks, background))
                await self._stop.wait()
                log.info("stopping")
                if self._trading is None:
                    main.cancel()
                else:
                    self._trading.stop()
                    await asyncio.wait([main])
                for task in background:
                    task.cancel()
        except* Fenced as errors:
            log.critical("fenced", error=_first(errors), meaning="a newer instance of this bot is in charge")
            code = EXIT_FENCED
        except* JournalDiverged as errors:
            log.critical("journal_diverged", error=_first(errors), meaning="a restart goes on from the journal")
            code = EXIT_CRASHED
        finally:
            await self.ports.close(_GRACE)
            await self._client.close()
            if self._journal is not None:
                await self._journal.close()
        log.info("stopped", exit_code=code)
        return code

    def stop(self) -> None:
        self._stop.set()

    async def configure(self, generation: int, goal: Goal, spec: GridBotSpec) -> None:
        """Returns when the configuration is committed. Raises NotReadyError while the bot is starting."""
        request = Request(generation, goal, spec)
        if self._trading is not None and self._market is not None:
            await self._prepare_for(request)
            if not await self._trading.configure(self._configured(request, self._market)):
                raise NotReadyError("the bot is starting: the stream of its orders is not followed yet")
            return
        self._requested = request
        never_traded = self._journal is not None and self._journal.seq == 0
        if request.ends and never_traded:
            self._board.stopped(generation, "the bot has never traded: nothing of it is at the exchange")
            return
        status = self._board.status()
        raise NotReadyError(f"the bot is starting: {status.reason}: {status.message}")

    async def _prepare_for(self, request: Request) -> None:
        """Does what the start left out since the bot was to end. Raises NotReadyError while that cannot be done."""
        if self._prepared or request.ends or self._journal is None:
            return
        outcome = await self._startup.prepare_now(self._client, self._journal.epoch)
        if isinstance(outcome, Trouble):
            if outcome.message != self._unprepared:
                self._unprepared = outcome.message
                self._notices.add(Severity.WARNING, outcome.reason, outcome.message)
            raise NotReadyError(f"{outcome.reason}: {outcome.message}")
        self._prepared = True

    async def _start_and_trade(self, tasks: asyncio.TaskGroup, background: list[asyncio.Task[None]]) -> None:
        startup = self._startup
        journal = self._journal = await startup.journal(self._settings.dsn)
        self._notices.start(journal.epoch)
        recovered = await startup.recovered(journal)
        connector = await startup.connector(self._client)
        rules = await startup.rules(self._client)
        translation = Translation(rules)
        self._prepared = await startup.prepare(
            self._client, journal.epoch, lambda: self._requested is not None and self._requested.ends
        )
        account = await startup.account(self._client)
        engine, differences = await startup.engine(translation, recovered)
        if differences:
            self._tell_differences(differences, len(recovered.decisions))
        self._clock = frozen_clock() if connector.capabilities.lockstep else MarketClock()
        self._clock.saw(max(account.time_us, engine.view(slots=False).time))
        trading = Trading(
            Surroundings(
                bot=self._bot,
                client=self._client,
                capabilities=connector.capabilities,
                translation=translation,
                quote=rules.quote,
                dsn=self._settings.dsn,
                journal=journal,
                engine=engine,
                clock=self._clock,
                probes=self._probes,
                board=self._board,
                notices=self._notices,
                metrics=self._metrics,
            )
        )
        background.append(tasks.create_task(self._watch_connector(connector.capabilities.lockstep)))
        logged = engine.view(slots=False).generation
        if not self._prepared:  # it may have been told otherwise since
            self._prepared = await startup.prepare(self._client, journal.epoch, lambda: self._ends(logged))
        request = self._newest_request(logged)
        configured = self._configured(request, translation.market) if request else None
        self._market, self._trading = translation.market, trading
        position = await startup.position(self._client) if engine.wants_position else None
        await trading.run(configured, account, position, connector.health.clock_skew_us)

    def _tell_differences(self, differences: list[Difference], replayed: int) -> None:
        orders = sum(len(difference.orders) for difference in differences)
        message = (
            f"this release decides otherwise on {len(differences)} of the {replayed} events since the last snapshot; "
            f"{orders} orders that it would not have sent are looked up and cancelled"
        )
        log.warning("notice", reason="DecisionsDiffer", message=message)
        self._notices.add(Severity.WARNING, "DecisionsDiffer", message)

    def _newest_request(self, logged: int) -> Request | None:
        """What is newer than the log: what the bot was given while it started, or what its environment says."""
        meta, spec = self._bot.metadata, self._bot.spec
        if self._requested is not None and self._requested.generation >= max(logged, meta.generation):
            return self._requested
        return Request(meta.generation, GOALS[spec.state], spec) if meta.generation > logged else None

    def _ends(self, logged: int) -> bool:
        request = self._newest_request(logged)
        return request is not None and request.ends

    def _configured(self, request: Request, market: Market) -> Configured:
        config = EngineConfig.from_spec(request.spec, market)
        return Configured(self._clock.now(), request.generation, request.goal, config)

    def _book(self) -> Book | None:
        return self._trading.book if self._trading else None

    async def _watch_connector(self, lockstep: bool) -> None:
        """Keeps the connector's probe, and says when a paper market has ended."""
        while True:
            try:
                status = await self._client.status()
            except VenueError as error:
                self._probes.unhealthy(CONNECTOR, "Unreachable", str(error))
            else:
                health = status.health
                tell = self._probes.healthy if health.ready else self._probes.unhealthy
                tell(CONNECTOR, health.reason, health.message)
                if self._trading is not None and not lockstep:
                    self._trading.clock_compared(health.clock_skew_us)
                self._board.weaknesses(status.capabilities.weaknesses)
                if not lockstep:
                    symbol = self._bot.spec.symbol
                    self._board.market_ended(any(each.ended for each in health.markets if each.symbol == symbol))
            await asyncio.sleep(_CONNECTOR_EVERY)

    async def _tell_readiness(self) -> None:
        async for _ in self._board.watch(1.0):
            await self.ports.say(self._board.ready)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_EVERY
            await asyncio.sleep(_LAG_EVERY)
            self._metrics.lag_seconds.observe(max(0.0, loop.time() - due))


def _first(errors: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


def run_bot(settings: Settings) -> int:
    """Runs one bot until SIGTERM or SIGINT; returns the exit code. Raises SettingsError."""

    async def run() -> int:
        process = BotProcess(settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, process.stop)
        return await process.run()

    return asyncio.run(run())
