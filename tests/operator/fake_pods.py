"""A bot and a connector as the operator sees them: their gRPC services, on a loopback address of their own."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import grpc
import grpc.aio

from opensqt.api.process import BOT_PORT, CONNECTOR_PORT, RESOURCE_ENV
from opensqt.bot.v1 import bot_pb2, bot_pb2_grpc
from opensqt.exchange.v1 import exchange_pb2, exchange_pb2_grpc

_addresses = itertools.count(1)


def free_address() -> str:
    """An address in 127.0.0.0/8 that no other worker takes."""
    number = next(_addresses)
    worker = os.getpid() % 250 + 2
    return f"127.{worker}.{number // 250 + 1}.{number % 250 + 2}"


def resource_of(pod: dict[str, Any]) -> dict[str, Any]:
    """The resource that a Pod was started with."""
    (container,) = pod["spec"]["containers"]
    resource: dict[str, Any] = json.loads(next(env["value"] for env in container["env"] if env["name"] == RESOURCE_ENV))
    return resource


class FakeBot(bot_pb2_grpc.BotServiceServicer):
    """Does at once what it is told, unless `stubborn`; its log of specs survives it, as a journal does."""

    _PHASES: ClassVar = {
        bot_pb2.GOAL_RUN: bot_pb2.PHASE_RUNNING,
        bot_pb2.GOAL_PAUSE: bot_pb2.PHASE_PAUSED,
        bot_pb2.GOAL_STOP: bot_pb2.PHASE_STOPPED,
        bot_pb2.GOAL_CLOSE: bot_pb2.PHASE_STOPPED,
    }
    _GOALS: ClassVar = {"Running": bot_pb2.GOAL_RUN, "Paused": bot_pb2.GOAL_PAUSE, "Stopped": bot_pb2.GOAL_STOP}

    def __init__(self, resource: dict[str, Any], *, epoch: int, stubborn: bool = False) -> None:
        self.resource = resource
        self.spec: dict[str, Any] = resource["spec"]
        self.stubborn = stubborn
        self.configured: list[bot_pb2.ConfigureRequest] = []
        self.refuse: str = ""
        self.status = bot_pb2.Status(
            epoch=epoch,
            generation=resource["metadata"]["generation"],
            phase=self._PHASES[self._GOALS[self.spec.get("state", "Running")]],
            last_price="40000",
            position="0",
            open_buys=10,
            probes=[bot_pb2.Probe(name="Journal", healthy=True, reason="Healthy")],
            limits=[bot_pb2.Limit(name="maxPosition", used="0", limit="0.2")],
            time_us=1_700_000_000_000_000,
        )
        self.events: list[bot_pb2.WatchEventsResponse] = []
        self._changed = asyncio.Event()
        self._server = grpc.aio.server()
        bot_pb2_grpc.add_BotServiceServicer_to_server(self, self._server)

    async def start(self, address: str) -> None:
        self._server.add_insecure_port(f"{address}:{BOT_PORT}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    def change(self, **fields: Any) -> None:
        """Change the status and tell all who watch."""
        for name, value in fields.items():
            if name in {"breaker", "limits", "probes"}:
                self.status.ClearField(name)  # type: ignore[arg-type]
                target = getattr(self.status, name)
                target.extend(value) if isinstance(value, list) else target.CopyFrom(value)
            else:
                setattr(self.status, name, value)
        self.status.time_us += 1_000_000
        self._tell()

    def happen(self, reason: str, message: str, severity: "bot_pb2.Severity.ValueType") -> None:
        number = (self.status.epoch << 32) + len(self.events) + 1
        self.events.append(
            bot_pb2.WatchEventsResponse(
                id=number, time_us=self.status.time_us, severity=severity, reason=reason, message=message
            )
        )
        self._tell()

    async def WatchStatus(  # noqa: N802
        self, _request: bot_pb2.WatchStatusRequest, _context: Any
    ) -> AsyncIterator[bot_pb2.WatchStatusResponse]:
        while True:
            changed = self._changed
            yield bot_pb2.WatchStatusResponse(status=self.status)
            await changed.wait()

    async def WatchEvents(  # noqa: N802
        self, request: bot_pb2.WatchEventsRequest, _context: Any
    ) -> AsyncIterator[bot_pb2.WatchEventsResponse]:
        after = request.after
        while True:
            changed = self._changed
            for event in [event for event in self.events if event.id > after]:
                yield event
                after = event.id
            await changed.wait()

    async def GetSnapshot(  # noqa: N802
        self, _request: bot_pb2.GetSnapshotRequest, _context: Any
    ) -> bot_pb2.GetSnapshotResponse:
        return bot_pb2.GetSnapshotResponse(status=self.status)

    async def Configure(self, request: bot_pb2.ConfigureRequest, context: Any) -> bot_pb2.ConfigureResponse:  # noqa: N802
        if request.bot_uid != self.resource["metadata"]["uid"]:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "bot_uid: this bot is another")
        if request.generation < self.status.generation:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "generation: older than what is in force")
        if self.refuse:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refuse)
        self.configured.append(request)
        self.spec = json.loads(request.spec_json)
        self.status.generation = request.generation
        wanted = self._PHASES[request.goal]
        winding = wanted == bot_pb2.PHASE_STOPPED and self.stubborn
        self.change(phase=bot_pb2.PHASE_WINDING_DOWN if winding else wanted)
        return bot_pb2.ConfigureResponse(status=self.status)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class FakeConnector(exchange_pb2_grpc.ExchangeServiceServicer):
    """Says how it is, and nothing else."""

    def __init__(self) -> None:
        self.status = exchange_pb2.GetConnectorStatusResponse(exchange="paper", ready=True, reason="Ready", revision=1)
        self._server = grpc.aio.server()
        exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(self, self._server)

    async def start(self, address: str) -> None:
        self._server.add_insecure_port(f"{address}:{CONNECTOR_PORT}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    def change(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self.status, name, value)
        self.status.revision += 1

    async def GetConnectorStatus(self, _request: Any, _context: Any) -> exchange_pb2.GetConnectorStatusResponse:  # noqa: N802
        return self.status
