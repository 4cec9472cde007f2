"""Health that means something: it fails when the queue or the watches are stuck, and kubelet then restarts us."""

import time
from collections.abc import Callable

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from opensqt_operator.names import Key
from opensqt_operator.queue import KeyedQueue
from opensqt_operator.resync import Resync

STUCK_KEY = 300.0
"""A key that has been due or running for so many seconds proves that the queue is stuck."""
MISSED_RESYNCS = 2
"""Resyncs in a row that find what the watch did not tell prove that the watch is stuck."""
_API_SILENCE = 60.0
_log = structlog.get_logger(__name__)


class Health:
    """What is wrong with this process; nothing where the answer is empty."""

    def __init__(self, queue: KeyedQueue[Key], resync: Resync) -> None:
        self._queue, self._resync = queue, resync

    def stuck(self) -> list[str]:
        """Reasons for a restart."""
        reasons = []
        oldest = self._queue.oldest()
        if oldest > STUCK_KEY:
            reasons.append(f"a key has been due for {oldest:.0f} s")
        reasons += [
            f"the watch of {watch} has told nothing of what {misses} lists have found"
            for watch, misses in self._resync.misses.items()
            if misses >= MISSED_RESYNCS
        ]
        return reasons

    def unready(self) -> list[str]:
        """Reasons why we cannot do our work at present; a restart would not help."""
        now = time.monotonic()
        reasons = self.stuck()
        if self._resync.succeeded is None:
            reasons.append("nothing has been listed yet")
        elif now - self._resync.succeeded > 3 * self._resync.interval + _API_SILENCE:
            reasons.append(f"the last resync was {now - self._resync.succeeded:.0f} s ago")
        return reasons


async def serve_health(health: Health, host: str, port: int) -> web.AppRunner:
    """GET /healthz and /readyz."""
    return await _serve({"/healthz": _probe(health.stuck), "/readyz": _probe(health.unready)}, host, port)


async def serve_metrics(measure: Callable[[], None], host: str, port: int) -> web.AppRunner:
    """GET /metrics; `measure` sets the gauges first."""

    async def metrics(_: web.Request) -> web.Response:
        measure()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return await _serve({"/metrics": metrics}, host, port)


def _probe(reasons: Callable[[], list[str]]) -> Callable[[web.Request], object]:
    async def answer(_: web.Request) -> web.Response:
        try:
            wrong = reasons()
        except Exception:
            _log.exception("probe_failed")
            wrong = ["the probe itself failed"]
        return web.Response(status=503 if wrong else 200, text="\n".join(wrong or ["ok"]) + "\n")

    return answer


async def _serve(routes: dict[str, object], host: str, port: int) -> web.AppRunner:
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
