"""The bot's three ports: BotService with health and reflection, plaintext health for kubelet, and metrics."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from opensqt.bot.v1 import bot_pb2, bot_pb2_grpc
from opensqt.runtime.metrics import Metrics, serve_metrics
from opensqt.runtime.service import BotService
from opensqt.runtime.settings import Settings, SettingsError

LIVENESS = "liveness"
"""SERVING as long as the process answers at all; the empty service name is the same."""
READINESS = "readiness"
"""SERVING while the bot does what its spec asks, with all probes well."""
SERVER_OPTIONS = (
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Ports:
    """Raises SettingsError where an address cannot be listened on."""

    def __init__(self, settings: Settings, service: BotService, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._health_server = grpc.aio.server(options=SERVER_OPTIONS)
        self._health = health_aio.HealthServicer()
        self._metrics_server: asyncio.Server | None = None
        self._ready = False
        self.listen = self.health = self.metrics = 0
        """The ports in fact listened on; they differ from the settings where those say 0."""
        bot_pb2_grpc.add_BotServiceServicer_to_server(service, self._server)
        for server in (self._server, self._health_server):
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [bot_pb2.DESCRIPTOR.services_by_name["BotService"].full_name, reflection.SERVICE_NAME]
        names.append(health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection(names, self._server)

    async def open(self) -> None:
        await self._health.set(LIVENESS, _SERVING)
        await self._health.set(READINESS, _NOT_SERVING)
        self.listen = await _start(self._server, "--listen", self._settings.listen)
        self.health = await _start(self._health_server, "--health", self._settings.health)
        host, _, port = self._settings.metrics.rpartition(":")
        try:
            self._metrics_server = await serve_metrics(self._metrics.registry, host, int(port))
        except OSError as error:
            raise SettingsError(f"--metrics: cannot listen on {self._settings.metrics}: {error}") from None
        self.metrics = self._metrics_server.sockets[0].getsockname()[1]

    async def say(self, ready: bool) -> None:
        if ready != self._ready:
            self._ready = ready
            await self._health.set(READINESS, _SERVING if ready else _NOT_SERVING)

    async def close(self, grace: float) -> None:
        """Calls under way have `grace` seconds to end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
        await self._health_server.stop(0)
        if self._metrics_server is not None:
            self._metrics_server.close()


async def _start(server: grpc.aio.Server, option: str, address: str) -> int:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise SettingsError(f"{option}: cannot listen on {address}: {error}") from None
    await server.start()
    return port
