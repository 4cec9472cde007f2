# ruff: noqa: N802 - the names are gRPC's
"""BotService: what the operator, the live page and people see of the bot, and may tell it."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeAlias

import grpc
import structlog

from opensqt.api.gridbot import GridBot, GridBotSpec
from opensqt.api.live import fixed_differences
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.bot.v1 import bot_pb2_grpc as stubs
from opensqt.engine.actions import Severity
from opensqt.engine.events import Goal
from opensqt.journal.errors import JournalError
from opensqt.runtime.board import StatusBoard
from opensqt.runtime.book import Book
from opensqt.runtime.notices import Notices
from opensqt.runtime.settings import SettingsError, read_spec

log = structlog.get_logger(__name__)

GOALS = {pb.Goal.Value(f"GOAL_{goal.name}"): goal for goal in Goal}
_SEVERITIES = {Severity.NORMAL: pb.SEVERITY_NORMAL, Severity.WARNING: pb.SEVERITY_WARNING}
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class NotReadyError(Exception):
    """The bot cannot take a configuration yet; the message says why."""


class Configurable(Protocol):
    """Takes configurations, one after another."""

    async def configure(self, generation: int, goal: Goal, spec: GridBotSpec) -> None:
        """Returns when it is committed. Raises NotReadyError."""


class BotService(stubs.BotServiceServicer):
    def __init__(
        self, bot: GridBot, board: StatusBoard, notices: Notices, book: Callable[[], Book | None], target: Configurable
    ) -> None:
        self._bot = bot
        self._board = board
        self._notices = notices
        self._book = book
        self._target = target
        self._newest = 0

    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Context) -> pb.GetSnapshotResponse:
        book = self._book()
        if book is None:
            return pb.GetSnapshotResponse(status=self._board.status())
        try:
            fills = await book.fills(request.fills)
        except JournalError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"fills: the journal cannot be read: {error}")
        return pb.GetSnapshotResponse(
            status=self._board.status(), orders=book.orders(), slots=book.slots(), fills=fills
        )

    async def WatchStatus(
        self, request: pb.WatchStatusRequest, _context: Context
    ) -> AsyncIterator[pb.WatchStatusResponse]:
        async for status in self._board.watch(request.min_interval_ms / 1000):
            yield pb.WatchStatusResponse(status=status)

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, _context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        async for notice in self._notices.after(request.after):
            yield pb.WatchEventsResponse(
                id=notice.number,
                time_us=notice.time_us,
                severity=_SEVERITIES[notice.severity],
                reason=notice.reason,
                message=notice.message,
            )

    async def Configure(self, request: pb.ConfigureRequest, context: Context) -> pb.ConfigureResponse:
        uid = self._bot.metadata.uid
        if request.bot_uid != uid:
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, f"bot_uid: this bot is {uid}, not {request.bot_uid}"
            )
        goal = GOALS.get(request.goal)
        if goal is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "goal: must be set to one that this bot knows")
        try:
            spec = read_spec(request.spec_json)
        except SettingsError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if fixed := fixed_differences(self._bot.spec, spec):
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, f"{', '.join(fixed)}: cannot change while the bot runs: restart it"
            )
        self._newest = max(self._newest, self._board.status().generation)
        if request.generation < self._newest:
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"generation: {request.generation} is older than {self._newest}, which is in force",
            )
        self._newest = request.generation
        try:
            await self._target.configure(request.generation, goal, spec)
        except NotReadyError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        log.info("configured", generation=request.generation, goal=goal.value)
        return pb.ConfigureResponse(status=self._board.status())
