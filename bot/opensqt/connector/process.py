"""The connector process around a venue: its ports, its health, its end."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from opensqt.connector.metrics import CLOCK_SKEW_SECONDS, READY
from opensqt.connector.server import ExchangeService
from opensqt.connector.venue import Venue
from opensqt.exchange.v1 import exchange_pb2, exchange_pb2_grpc

log = structlog.get_logger(__name__)

EXCHANGE_SERVICE = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"].full_name
LIVENESS = "liveness"
"""Health service that is SERVING as long as the process is well, whatever the venue says: for liveness probes."""
GRACE_SECONDS = 3.0
HEALTH_SECONDS = 5.0
SERVER_OPTIONS = (
    # Clients ping every 20 s; without this gRPC answers the third ping with "too many pings" and hangs up.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)


class ListenError(Exception):
    """An address cannot be listened on; the message names it."""


class ConnectorServer:
    """The gRPC servers of one venue: the service itself, and plaintext health on a port of its own."""

    def __init__(
        self,
        venue: Venue,
        *,
        add_services: Callable[[grpc.aio.Server], tuple[str, ...]] = lambda _: (),
        fatal: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`add_services` adds what the venue serves beside `ExchangeService` and returns the services' names.

        `fatal` is told when the process must end.
        """
        self._fatal = fatal
        self._venue = venue
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._health_server = grpc.aio.server(options=SERVER_OPTIONS)
        self._health = health_aio.HealthServicer()
        self._service = ExchangeService(venue)
        self._said: tuple[bool, str, str] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(self._service, self._server)
        names = (
            EXCHANGE_SERVICE,
            *add_services(self._server),
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
        )
        for server in (self._server, self._health_server):
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)

    async def start(self, listen: str, health: str) -> tuple[int, int]:
        """Listens, and opens the venue meanwhile; returns the two ports. Raises ListenError."""
        ports = _bind(self._server, "--listen", listen), _bind(self._health_server, "--health", health)
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self._say()
        await self._health_server.start()
        await self._server.start()
        self._tasks = [asyncio.create_task(self._follow_health()), asyncio.create_task(self._venue.open())]
        for task in self._tasks:
            task.add_done_callback(self._failed)
        return ports

    async def stop(self) -> None:
        """Ends the streams, lets calls finish, closes the venue."""
        for task in self._tasks:
            task.cancel()
        await self._health.enter_graceful_shutdown()
        await self._service.close_streams()
        stopping = asyncio.create_task(self._server.stop(GRACE_SECONDS))
        await self._venue.close()
        await stopping
        await self._health_server.stop(0)

    def _failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("connector_failed", exc_info=error)
            self._fatal(str(error) or type(error).__name__)

    async def _follow_health(self) -> None:
        while True:
            # Also without a word from the venue: one may fall between two waits.
            with suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_SECONDS):
                    await self._venue.health_changed()
            await self._say()

    async def _say(self) -> None:
        """Tells the health, and again where it has changed meanwhile: nobody was waiting for that change."""
        while True:
            health = self._venue.health()
            CLOCK_SKEW_SECONDS.set(health.clock_skew_us / 1e6)
            said = health.ready, health.reason, health.message
            if said == self._said:
                return
            self._said = said
            log.info("health", ready=health.ready, reason=health.reason, message=health.message)
            READY.set(health.ready)
            serving = health_pb2.HealthCheckResponse.SERVING
            status = serving if health.ready else health_pb2.HealthCheckResponse.NOT_SERVING
            for service in ("", EXCHANGE_SERVICE):
                await self._health.set(service, status)


async def run(server: ConnectorServer, *, listen: str, health: str, metrics: str, ended: asyncio.Event) -> None:
    """Serves until `ended` is set, or by SIGTERM or SIGINT. Raises ListenError."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    host, _, port = metrics.rpartition(":")
    try:
        metrics_server, metrics_thread = start_http_server(int(port), host)
    except OSError as error:
        raise ListenError(f"--metrics: cannot listen on {metrics}: {error.strerror or error}") from None
    try:
        ports = await server.start(listen, health)
        log.info("listening", port=ports[0], health_port=ports[1], metrics_port=metrics_server.server_port)
        await ended.wait()
        log.info("stopping")
    finally:
        await server.stop()
        metrics_server.shutdown()
        metrics_thread.join()


def _bind(server: grpc.aio.Server, option: str, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ListenError(f"{option}: cannot listen on {address}: {error}") from None
