"""The bot's Prometheus metrics, and a small HTTP server for them on the bot's own event loop."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from opensqt.api.report import knows_itself
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.runtime.board import StatusBoard

log = structlog.get_logger(__name__)

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_READ_TIMEOUT = 5.0


class Metrics:
    """One registry an instance, so that two bots in one process (tests) keep apart."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.registry = CollectorRegistry()
        names = list(labels)

        def histogram(name: str, text: str, extra: tuple[str, ...] = ()) -> Histogram:
            return Histogram(name, text, [*names, *extra], registry=self.registry, buckets=_SECONDS)

        self.commit_seconds = histogram("opensqt_bot_commit_seconds", "Time of a journal commit.").labels(**labels)
        self._call_seconds = histogram("opensqt_bot_call_seconds", "Time of a call to the connector.", ("call",))
        self.lag_seconds = histogram("opensqt_bot_loop_lag_seconds", "Delay of the event loop.").labels(**labels)
        self._labels = labels

    def call_seconds(self, call: str) -> Histogram:
        return self._call_seconds.labels(**self._labels, call=call)

    def show(self, board: StatusBoard, feed_ages: Callable[[], dict[str, float]]) -> None:
        """Numbers of the status and ages of the feeds (seconds) are read when they are asked for."""
        self.registry.register(_StatusCollector(self._labels, board, feed_ages))


class _StatusCollector(Collector):
    def __init__(self, labels: dict[str, str], board: StatusBoard, feed_ages: Callable[[], dict[str, float]]) -> None:
        self._labels = labels
        self._board = board
        self._feed_ages = feed_ages

    def collect(self) -> Iterator[Metric]:
        status = self._board.status()
        if knows_itself(status):
            yield from self._known(status)
        for name, text, value in (
            ("epoch", "Instance of the bot.", status.epoch),
            ("generation", "Generation of the spec in force.", status.generation),
            ("ready", "1 while the bot does what its spec asks.", self._board.ready),
        ):
            yield self._family(GaugeMetricFamily, name, text, {(): float(value)})
        phases = {(name.removeprefix("PHASE_").lower(),): float(number == status.phase) for name, number in _PHASES}
        yield self._family(GaugeMetricFamily, "phase", "1 for the present phase.", phases, ("phase",))
        probes = {(probe.name,): float(probe.healthy) for probe in status.probes}
        yield self._family(GaugeMetricFamily, "probe_healthy", "1 while the probe is well.", probes, ("probe",))
        gate = {(one.reason,): 1.0 for one in status.gate}
        yield self._family(GaugeMetricFamily, "gate_closed", "1 while entries are held back for it.", gate, ("reason",))
        ages = {(feed,): age for feed, age in self._feed_ages().items()}
        yield self._family(GaugeMetricFamily, "feed_age_seconds", "Since the last message.", ages, ("feed",))

    def _known(self, status: pb.Status) -> Iterator[Metric]:
        """What only the journal tells: until it is read there is none of it, rather than a zero that looks like one."""
        for name, text, value in (
            ("position", "Base currency held.", status.position),
            ("last_price", "Last price.", status.last_price),
            ("realised_pnl", "Quote currency, net of fees and funding.", status.realised_pnl),
            ("unrealised_pnl", "Quote currency.", status.unrealised_pnl),
            ("drawdown", "Quote currency below the peak.", status.drawdown),
            ("fees", "Paid, in quote currency.", status.fees),
            ("funding", "Paid, in quote currency.", status.funding),
            ("consecutive_losses", "Losing exits in a row.", status.consecutive_losses),
            ("breaker_open", "1 while the circuit breaker is open.", status.breaker.open),
            ("comparison_failing", "1 while no comparison succeeds.", status.reconciliation.failing_since_us > 0),
            ("monitor_triggered", "1 while the market monitor is triggered.", status.monitor.state == "Triggered"),
        ):
            yield self._family(GaugeMetricFamily, name, text, {(): float(value or 0)})
        for name, text, count in (
            ("fills", "Fills counted.", status.fills),
            ("cycles", "Completed buys and sells of one level.", status.cycles),
            ("volume", "Quote currency traded.", status.volume),
            ("breaker_trips", "How often the breaker has opened.", status.breaker.trips),
        ):
            yield self._family(CounterMetricFamily, name, text, {(): float(count or 0)})
        found = {(one.kind,): float(one.count) for one in status.reconciliation.counts}
        text = "Differences from the exchange, by kind."
        yield self._family(CounterMetricFamily, "discrepancies", text, found, ("kind",))
        sides = {("buy",): float(status.open_buys), ("sell",): float(status.open_sells)}
        yield self._family(GaugeMetricFamily, "open_orders", "Live orders.", sides, ("side",))
        limits = {(limit.name,): float(limit.reached) for limit in status.limits}
        yield self._family(GaugeMetricFamily, "limit_reached", "1 while a limit is reached.", limits, ("limit",))

    def _family(
        self,
        family: type[GaugeMetricFamily] | type[CounterMetricFamily],
        name: str,
        text: str,
        values: Mapping[Any, float],
        extra: tuple[str, ...] = (),
    ) -> Metric:
        metric = family(f"opensqt_bot_{name}", text, labels=[*self._labels, *extra])
        for label_values, value in values.items():
            metric.add_metric([*self._labels.values(), *label_values], value)
        return metric


_PHASES = [(name, number) for name, number in pb.Phase.items() if number]


async def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> asyncio.Server:
    """Serves `GET /metrics`; anything else is 404. Raises OSError where the address cannot be had."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_TIMEOUT):
                request = await reader.readuntil(b"\r\n\r\n")
            found = request.split(b" ", 2)[:2] == [b"GET", b"/metrics"]
            body = generate_latest(registry) if found else b""
            head = f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}\r\nContent-Type: {CONTENT_TYPE_LATEST}\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("metrics_request_failed", error=repr(error))
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)
