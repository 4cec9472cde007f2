"""The operator's process: its options, its parts, its end."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path

import click
import structlog

from opensqt.bot.v1 import bot_pb2
from opensqt_operator import metrics, watching
from opensqt_operator.api_client import ApiClient, load_config
from opensqt_operator.bots import BotLine
from opensqt_operator.budget import StatusBudget
from opensqt_operator.cache import Cache
from opensqt_operator.connector.reconcile import ConnectorReconciler
from opensqt_operator.connectors import ConnectorLine
from opensqt_operator.events import Events
from opensqt_operator.executor import Executor
from opensqt_operator.gridbot.reconcile import GridBotReconciler
from opensqt_operator.handlers import Handlers
from opensqt_operator.health import Health, serve_health, serve_metrics
from opensqt_operator.lines import Lines
from opensqt_operator.names import GRIDBOTS, Key
from opensqt_operator.options import Options
from opensqt_operator.queue import KeyedQueue
from opensqt_operator.resync import Resync
from opensqt_operator.rolls import Rolls
from opensqt_operator.status_writer import StatusWriter

_log = structlog.get_logger(__name__)


class Operator:
    """All parts, put together."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.cache = Cache()
        self.api = ApiClient(load_config(options.kubeconfig), requests_per_second=options.requests_per_second)
        self.events = Events(self.api)
        self.queue: KeyedQueue[Key] = KeyedQueue(self._reconcile, workers=options.workers)
        self.handlers = Handlers(self.cache, self.queue.add)
        self.resync = Resync(
            self.api, self.cache, self.handlers, namespaces=options.namespaces, interval=options.resync
        )
        self.bots = Lines("bot", self._open_bot)
        self.connectors = Lines(
            "connector", lambda key, uid, address: ConnectorLine(key, uid, address, self._line_changed)
        )
        budget = StatusBudget(writes_per_second=options.status_writes_per_second, interval=options.status_interval)
        writer = StatusWriter(self.api, self.cache, budget)
        executor = Executor(self.api, self.cache, self.events)
        self._gridbot = GridBotReconciler(
            api=self.api, cache=self.cache, executor=executor, writer=writer, lines=self.bots, options=options,
            rolls=Rolls(self.cache, options.max_concurrent_rolls, self.queue.add),
        )  # fmt: skip
        self._connector = ConnectorReconciler(
            api=self.api, cache=self.cache, executor=executor, writer=writer, lines=self.connectors, options=options
        )
        self.health = Health(self.queue, self.resync)

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises:
            Exception: a part failed for good; the process has to be started again.
        """
        stop, watching_now = asyncio.Event(), asyncio.Event()
        self._stop_on_signals(stop)
        host = self.options.listen
        servers = [
            await serve_health(self.health, host, self.options.health_port),
            await serve_metrics(self._measure, host, self.options.metrics_port),
        ]
        parts: list[asyncio.Task[None]] = []
        kopf_stop = asyncio.Event()
        kopf: asyncio.Task[None] | None = None
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            listed = asyncio.create_task(self.resync.first(), name="first resync")
            await asyncio.wait([listed, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not listed.done():
                listed.cancel()
                return
            await listed
            parts = [
                asyncio.create_task(part, name=name)
                for name, part in (
                    ("queue", self.queue.run()), ("resync", self.resync.run()), ("events", self.events.run()),
                )
            ]  # fmt: skip
            kopf = asyncio.create_task(
                watching.watch(
                    self.handlers, namespaces=self.options.namespaces, kubeconfig=self.options.kubeconfig,
                    ready=watching_now, stop=kopf_stop,
                ),
                name="kopf",
            )  # fmt: skip
            # Kopf takes the signals for itself when it starts; they are ours.
            await asyncio.wait(
                [asyncio.create_task(watching_now.wait()), kopf, stopped], return_when=asyncio.FIRST_COMPLETED
            )
            self._stop_on_signals(stop)
            _log.info("started", namespaces=self.options.namespaces or "all", image=self.options.image)
            done, _ = await asyncio.wait([*parts, kopf, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if stopped not in done:
                raise RuntimeError(f"{', '.join(task.get_name() for task in done)} ended by itself")
        finally:
            _log.info("stopping")
            for task in (*parts, stopped):
                task.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            await self.bots.aclose()
            await self.connectors.aclose()
            if kopf is not None:
                kopf_stop.set()
                with contextlib.suppress(Exception):
                    await kopf
            for server in servers:
                await server.cleanup()
            await self.api.aclose()

    @staticmethod
    def _stop_on_signals(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

    async def _reconcile(self, key: Key) -> float | None:
        reconciler = self._gridbot if key.kind == GRIDBOTS.kind else self._connector
        return await reconciler.reconcile(key)

    def _open_bot(self, key: Key, pod_uid: str, address: str) -> BotLine:
        return BotLine(
            key, pod_uid, address, self._line_changed, interval=self.options.status_interval, happened=self._happened
        )

    def _line_changed(self, key: Key) -> None:
        self.queue.add(key)

    def _happened(self, key: Key, _pod_uid: str, notice: bot_pb2.WatchEventsResponse) -> None:
        bot = self.cache.get(GRIDBOTS, key.namespace, key.name)
        if bot is not None:
            self.events.notice(bot, notice)

    def _measure(self) -> None:
        metrics.QUEUE_DEPTH.set(self.queue.depth())
        metrics.QUEUE_OLDEST.set(self.queue.oldest())
        self.bots.measure()
        self.connectors.measure()


def _log_as(form: str) -> None:
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
    )
    # Kopf logs through the standard library.
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


@click.command(context_settings={"auto_envvar_prefix": "OPENSQT"})
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    envvar="OPENSQT_NAMESPACE",
    help="Watch only this namespace (repeatable).",
)
@click.option("--image", required=True, help="Image of bots and connectors.")
@click.option(
    "--image-pull-policy",
    default="IfNotPresent",
    show_default=True,
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
)
@click.option(
    "--image-pull-secret", "image_pull_secrets", multiple=True, help="Secret for pulling the image (repeatable)."
)
@click.option("--listen", default="0.0.0.0", show_default=True, help="Address of health and metrics.")  # noqa: S104
@click.option("--health-port", default=8080, show_default=True, help="GET /healthz, /readyz.")
@click.option("--metrics-port", default=9090, show_default=True, help="GET /metrics.")
@click.option(
    "--resync-seconds",
    "resync",
    default=300.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="List everything so often.",
)
@click.option(
    "--workers", default=16, show_default=True, type=click.IntRange(min=1), help="Reconciles at the same time."
)
@click.option(
    "--status-interval",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Seconds between two writes of one bot's numbers.",
)
@click.option(
    "--status-writes-per-second",
    default=20.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Writes of numbers over all bots.",
)
@click.option(
    "--requests-per-second",
    default=100.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Requests to the API server.",
)
@click.option(
    "--max-concurrent-rolls",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Bots that an upgrade restarts at the same time.",
)
@click.option("--log-format", default="json", show_default=True, type=click.Choice(["json", "console"]))
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="OPENSQT_KUBECONFIG",
    help="Outside a cluster: this file's current context.",
)
def main(log_format: str, **values: object) -> None:
    """Watches GridBots and ExchangeConnectors, runs their Pods and writes their status."""
    _log_as(log_format)
    options = Options(**values)  # type: ignore[arg-type]
    if options.kubeconfig is not None:
        os.environ["KUBECONFIG"] = str(options.kubeconfig)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Operator(options).run())
