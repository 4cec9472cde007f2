"""One run: everything is started, followed to the end of the data or Ctrl-C, wound down, reported and ended."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.cli.run.fills import Fill, FillLog, in_decimals
from opensqt.cli.run.follow import BotView, ConnectorView, patiently
from opensqt.cli.run.picture import Picture, columns, progress, row
from opensqt.cli.run.plan import Plan, PlannedBot, PlannedConnector
from opensqt.cli.run.report import report
from opensqt.cli.run.screen import Screen
from opensqt.cli.run.state import State
from opensqt.cli.run.supervisor import Death, Supervised
from opensqt.connector.client import ExchangeClient
from opensqt.connector.venue import VenueError
from opensqt.journal.errors import JournalError
from opensqt.journal.reader import JournalledFill, JournalReader
from opensqt.runtime.translation import market_of

REFRESH_SECONDS = 0.25
FILLS_SHOWN = 8
WIND_DOWN_SECONDS = 60.0
ASK_SECONDS = 5.0
STOP_SECONDS = 15.0
REPORT_SECONDS = 30.0
START_SECONDS = 10.0
"""Within which nobody is told that something is not ready yet."""
MOST_DEATHS = 5
"""Of a process that has never been well, until the run is given up."""
_LASTING = {"BadMarketData", "JournalMisconfigured", "WrongCredentials", "MissingPermission"}
"""What a connector that has never been ready will not get over by itself."""


class RunFailedError(Exception):
    """The run cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its report where one could be made, and what went wrong."""

    document: dict[str, Any] | None
    failures: tuple[str, ...] = ()
    interrupted: bool = False


class Session:
    """`interrupt` ends it in good order, `kill` at once."""

    def __init__(self, plan: Plan, state: State, screen: Screen, *, dsn: str, until_end: bool) -> None:
        self._plan = plan
        self._state = state
        self._screen = screen
        self._dsn = dsn
        self._until_end = until_end
        self._started = datetime.now(UTC)
        self._connectors = [ConnectorView(each, ExchangeClient(each.address)) for each in plan.connectors]
        self._bots = [BotView(each, self._happened) for each in plan.bots]
        self._processes: list[Supervised] = []
        self._deaths: dict[str, int] = {}
        self._recent: deque[tuple[str, str, Fill]] = deque(maxlen=FILLS_SHOWN)
        self._earlier: dict[str, list[JournalledFill]] = {}
        self._reader: JournalReader | None = None
        self._interrupted = asyncio.Event()
        self._failure: str | None = None

    def interrupt(self) -> None:
        self._interrupted.set()

    @property
    def interrupted(self) -> bool:
        return self._interrupted.is_set()

    def kill(self) -> None:
        """Kills all processes."""
        for process in self._processes:
            process.kill()

    async def run(self) -> Ending:
        """Plays to the end of the data, a failure or `interrupt`."""
        async with AsyncExitStack() as stack:
            await self._load_earlier_fills()
            supervising = self._start_processes()
            stack.push_async_callback(self._stop_processes, supervising)
            followers = [
                asyncio.create_task(each.follow()) for views in (self._connectors, self._bots) for each in views
            ]
            stack.push_async_callback(self._stop_following, followers)
            await self._watch([*supervising, *followers])
            return await self._end()

    def _start_processes(self) -> list[asyncio.Task[None]]:
        tasks = []
        everything: tuple[PlannedConnector | PlannedBot, ...] = (*self._plan.connectors, *self._plan.bots)
        for planned in everything:
            log = self._state.log(planned.name)
            self._screen.step(f"starting {planned.name} at {planned.address}, its log is {log}")
            process = Supervised(planned.name, planned.process, dsn=self._dsn, log=log, died=self._died)
            self._processes.append(process)
            tasks.append(asyncio.create_task(process.run()))
        return tasks

    async def _stop_processes(self, supervising: Sequence[asyncio.Task[None]]) -> None:
        """Bots first: the exchange must answer their last questions."""
        bots = len(self._plan.bots)
        for group in (self._processes[-bots:], self._processes[:-bots]):
            await asyncio.gather(*(process.stop(STOP_SECONDS) for process in group))
        await asyncio.gather(*supervising, return_exceptions=True)

    async def _stop_following(self, followers: Sequence[asyncio.Task[None]]) -> None:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        for view in self._connectors:
            await view.client.close()
        for bot in self._bots:
            await bot.close()
        if self._reader is not None:
            with suppress(JournalError):
                await self._reader.close()

    async def _watch(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Shows what happens until something ends it."""
        while not (self._interrupted.is_set() or self._failure or self._ended()):
            for task in tasks:
                if task.done() and not task.cancelled() and (error := task.exception()):
                    raise error
            self._failure = self._failure or self._hopeless()
            await self._show()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._interrupted.wait(), REFRESH_SECONDS)
        await self._show()

    def _ended(self) -> bool:
        """All data has been played, and the bots have done all that they wanted to do about it."""
        if self._until_end:
            return all(view.status.market_ended for view in self._bots)
        return all(view.ended and view.paper for view in self._connectors)

    def _hopeless(self) -> str | None:
        """What makes it vain to go on."""
        for view in self._connectors:
            health = view.status.health if view.status else None
            if health and not view.was_ready and health.reason in _LASTING:
                return f"{view.planned.name}: {health.reason}: {health.message}"
        if self._until_end:
            for bot in self._bots:
                if bot.status.phase == pb.PHASE_HALTED:
                    return f"{bot.planned.name} has halted: {bot.status.reason}: {bot.status.message}"
        return None

    def _died(self, death: Death) -> None:
        self._screen.trouble(str(death))
        self._deaths[death.name] = self._deaths.get(death.name, 0) + 1
        if death.again_in is None:
            self._failure = f"{death.name} cannot run: {death.meaning}"
        elif self._deaths[death.name] >= MOST_DEATHS and not self._ever_well(death.name):
            self._failure = f"{death.name} has ended {MOST_DEATHS} times without ever having been ready"

    def _ever_well(self, name: str) -> bool:
        return any(view.was_ready for view in self._connectors if view.planned.name == name) or any(
            view.status.last_price for view in self._bots if view.planned.name == name
        )

    def _happened(self, view: BotView, event: pb.WatchEventsResponse) -> None:
        self._screen.event(view.planned.resource.metadata.name, event.reason, event.message)

    async def _show(self) -> None:
        for view in self._bots:
            await self._show_fills(view)
        now = datetime.now(UTC)
        self._screen.show(
            Picture(
                columns=columns(wide=False),
                rows=[row(view, self._started, now, wide=False) for view in self._bots],
                fills=list(self._recent),
                progress=progress(self._connectors),
                troubles=self._troubles(),
                elapsed=(now - self._started).total_seconds(),
            )
        )

    async def _load_earlier_fills(self) -> None:
        """Before any bot runs: what is in the journal now is of earlier runs."""
        try:
            reader = await JournalReader.open(self._dsn)
        except JournalError:
            return  # there is no journal yet
        try:
            for view in self._bots:
                uid = view.planned.resource.metadata.uid
                self._earlier[uid] = await reader.recent_fills(uid, FILLS_SHOWN)
        finally:
            await reader.close()

    async def _show_fills(self, view: BotView) -> None:
        """The journal's, so that none is shown twice and none is left out, whatever dies in between."""
        name, symbol = view.planned.resource.metadata.name, view.planned.resource.spec.symbol
        if view.fills is None:
            view.fills = await self._fill_log(view)
        if view.fills is None:
            return
        try:
            if self._reader is None:
                self._reader = await JournalReader.open(self._dsn)
            for fill in await view.fills.newer(self._reader):
                self._recent.append((name, symbol, fill))
                self._screen.fill(name, symbol, fill)
        except JournalError:
            self._reader = None  # it will be back; the bots' probes say so meanwhile

    async def _show_last_fills(self) -> None:
        """Those that the report has and nobody was shown: the journal may have been slow to answer."""
        give_up = asyncio.get_running_loop().time() + REPORT_SECONDS
        await self._show()
        while self._reader is None and any(view.fills for view in self._bots):
            if asyncio.get_running_loop().time() >= give_up:
                return
            await asyncio.sleep(REFRESH_SECONDS)
            await self._show()

    async def _fill_log(self, view: BotView) -> FillLog | None:
        """None as long as the bot has not taken an epoch or the connector does not know the market."""
        if not view.status.epoch:
            return None
        uid, symbol = view.planned.resource.metadata.uid, view.planned.resource.spec.symbol
        client = next(each.client for each in self._connectors if each.planned is view.planned.connector)
        try:
            (rules,) = await client.symbols([symbol])
        except (VenueError, ValueError):
            return None
        market, earlier = market_of(rules), self._earlier.get(uid, [])
        name = view.planned.resource.metadata.name
        self._recent += [(name, symbol, in_decimals(fill, market)) for fill in earlier]
        return FillLog(uid, market, earlier[-1] if earlier else None)

    def _troubles(self) -> list[str]:
        """Of those that should be well by now."""
        patience = (datetime.now(UTC) - self._started).total_seconds() < START_SECONDS
        troubles = [
            f"{view.planned.name}: {view.status.health.reason}: {view.status.health.message}"
            for view in self._connectors
            if view.status is not None and not view.status.health.ready and not patience
        ]
        for view in self._bots:
            starting = view.status.phase == pb.PHASE_STARTING and not patience
            if view.status.phase == pb.PHASE_HALTED or starting:
                troubles.append(f"{view.planned.name}: {view.status.reason}: {view.status.message}")
        return troubles

    async def _end(self) -> Ending:
        failures = [self._failure] if self._failure else []
        if not self._until_end:
            failures += await self._wind_down()
            await self._show()
        document = None
        if not (failures and self._until_end) and not (self._until_end and self._interrupted.is_set()):
            try:
                document = await patiently(
                    lambda: asyncio.wait_for(report(self._bots, self._connectors, self._dsn), REPORT_SECONDS),
                    REPORT_SECONDS,
                )
            except (VenueError, JournalError, grpc.aio.AioRpcError, TimeoutError) as error:
                failures += [] if failures else [f"no report could be made: {error or type(error).__name__}"]
            else:
                await self._show_last_fills()
        failures += [
            f"{view.planned.name} has halted: {view.status.reason}: {view.status.message}"
            for view in self._bots
            if view.status.phase == pb.PHASE_HALTED and not self._failure
        ]
        return Ending(document, tuple(failures), self._interrupted.is_set())

    async def _wind_down(self) -> list[str]:
        """Cancels all orders; the positions and the journal stay. Returns what could not be done."""
        await self._ask_those_not_heard_yet()
        bots = [view for view in self._bots if self._can_wind_down(view)]
        if not bots:
            return []
        self._screen.step("winding down: all orders are being cancelled; Ctrl-C again ends it at once")
        return [failure for failure in await asyncio.gather(*map(self._stop_bot, bots)) if failure]

    async def _ask_those_not_heard_yet(self) -> None:
        """A bot may have placed orders since its own or its connector's last word was asked for."""
        silent: list[ConnectorView | BotView] = [view for view in self._connectors if not view.was_ready]
        silent += [view for view in self._bots if not view.status.last_price]
        await asyncio.gather(*map(self._last_word, silent))

    @staticmethod
    async def _last_word(view: ConnectorView | BotView) -> None:
        with suppress(VenueError, grpc.aio.AioRpcError, TimeoutError):
            await asyncio.wait_for(patiently(view.refresh, ASK_SECONDS), ASK_SECONDS)

    def _can_wind_down(self, view: BotView) -> bool:
        """Without its connector, or its own process, nothing can be cancelled; then it has never traded in this run."""
        connector = next(each for each in self._connectors if each.planned is view.planned.connector)
        return connector.was_ready and self._ever_well(view.planned.name)

    async def _stop_bot(self, view: BotView) -> str | None:
        resource = view.planned.resource
        key = f"{resource.kind}/{resource.metadata.namespace}/{resource.metadata.name}"
        generation = self._state.apply(key, resource.spec.to_json_object())
        self._state.save()
        ended: Coroutine[Any, Any, None] = self._stopped(view, generation)
        try:
            await asyncio.wait_for(ended, WIND_DOWN_SECONDS)
        except TimeoutError:
            return (
                f"{view.planned.name} has not confirmed within {WIND_DOWN_SECONDS:g} s that its orders are cancelled "
                f"({view.state}: {view.status.message or view.status.reason}): look at the exchange"
            )
        return None

    @staticmethod
    async def _stopped(view: BotView, generation: int) -> None:
        await view.configure(generation, pb.GOAL_STOP)
        await view.wait_for(lambda status: status.generation >= generation and status.phase == pb.PHASE_STOPPED)
