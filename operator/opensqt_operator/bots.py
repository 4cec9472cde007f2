"""Lines to bots: their status as a stream, their events, and what we tell them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import grpc.aio
import structlog

from opensqt.bot.v1 import bot_pb2, bot_pb2_grpc
from opensqt_operator.lines import Line
from opensqt_operator.names import Key

_CONFIGURE_TIME_OUT = 10.0
_EVENTS_AGAIN = 5.0
_log = structlog.get_logger(__name__)
StatusStream = grpc.aio.UnaryStreamCall[bot_pb2.WatchStatusRequest, bot_pb2.WatchStatusResponse]


@dataclass(frozen=True, slots=True)
class Order:
    """What a bot is to do: its spec at a generation, and the goal that follows from it or from its deletion."""

    bot_uid: str
    generation: int
    goal: "bot_pb2.Goal.ValueType"
    spec_json: str


class ConfigureError(Exception):
    """The bot did not take what it was told; the message says why."""


class NotYetError(Exception):
    """The bot is starting: it remembers what it was told, but cannot say yet that it does it."""


class BotLine(Line[bot_pb2.Status]):
    """A line to one bot."""

    def __init__(
        self,
        key: Key,
        pod_uid: str,
        address: str,
        changed: Callable[[Key], None],
        *,
        interval: float,
        happened: Callable[[Key, str, bot_pb2.WatchEventsResponse], None],
    ) -> None:
        self._interval_ms = round(interval * 1000)
        self._happened = happened
        self._seen = 0
        self.acknowledged: tuple[int, int] | None = None
        """Generation and goal of the last order that this instance has taken, since the line came up."""
        self.told: tuple[int, int] | None = None
        """The same of the last order that it was given, whether it could take it or not."""
        self._stream: StatusStream | None = None
        super().__init__(key, pod_uid, address, changed)
        self._stub = bot_pb2_grpc.BotServiceStub(self.channel)

    async def listen(self) -> None:
        self.acknowledged = self.told = None
        events = asyncio.create_task(self._watch_events(), name=f"events {self.key}")
        try:
            while await self._watch_status():
                pass
        finally:
            events.cancel()

    async def _watch_status(self) -> bool:
        """One stream; whether it was ended by us, to be followed by another."""
        request = bot_pb2.WatchStatusRequest(min_interval_ms=self._interval_ms)
        stream = self._stream = self._stub.WatchStatus(request)
        try:
            async for response in stream:
                if stream is not self._stream:
                    break
                self.heard(response.status)
        except asyncio.CancelledError:
            # It is the stream that was cancelled, or this task.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                stream.cancel()
                raise
        return stream is not self._stream

    async def configure(self, order: Order) -> None:
        """Tell the bot; its answer is its newest status.

        Raises:
            NotYetError: it is still starting.
            ConfigureError: it refused, or did not answer.
        """
        request = bot_pb2.ConfigureRequest(
            bot_uid=order.bot_uid, generation=order.generation, goal=order.goal, spec_json=order.spec_json
        )
        try:
            response = await self._stub.Configure(request, timeout=_CONFIGURE_TIME_OUT)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE and self.up:
                self.told = (order.generation, order.goal)
                raise NotYetError(str(error.details())) from error
            raise ConfigureError(f"{error.code().name}: {error.details()}") from error
        # What is still on its way in the stream was said before the bot knew; a new stream starts with the present.
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()
        self.acknowledged = self.told = (order.generation, order.goal)
        self.heard(response.status)

    async def _watch_events(self) -> None:
        # The status stream tells when the bot is gone; this one only has to come back while that one is up.
        while True:
            try:
                async for event in self._stub.WatchEvents(bot_pb2.WatchEventsRequest(after=self._seen)):
                    self._seen = event.id
                    self._happened(self.key, self.pod_uid, event)
            except grpc.aio.AioRpcError as error:
                _log.debug("events_lost", key=self.key, error=error.details())
            await asyncio.sleep(_EVENTS_AGAIN)
