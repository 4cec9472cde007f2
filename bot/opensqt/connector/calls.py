"""What every call of the connector's services has in common: its time is measured, its failure becomes a status."""

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import grpc
import structlog

from opensqt.connector.fanout import SlowConsumerError
from opensqt.connector.metrics import CALL_SECONDS, REFUSED
from opensqt.connector.refusals import Context, refuse
from opensqt.connector.venue import Failure, VenueError

log = structlog.get_logger(__name__)

Service = TypeVar("Service")
Request = TypeVar("Request")
Response = TypeVar("Response")


def unary(
    method: Callable[[Service, Request], Awaitable[Response]],
) -> Callable[[Service, Request, Context], Awaitable[Response]]:
    """A handler from a method that answers a request or raises `VenueError`."""
    name = method.__name__
    seconds = CALL_SECONDS.labels(name)

    @functools.wraps(method)
    async def handler(self: Service, request: Request, context: Context) -> Response:
        started = time.perf_counter()
        try:
            return await method(self, request)
        except VenueError as error:
            refusal = _refusal(name, error)
        finally:
            seconds.observe(time.perf_counter() - started)
        return await refuse(context, *refusal)

    return handler


def stream(
    method: Callable[[Service, Request], AsyncIterator[Response]],
) -> Callable[[Service, Request, Context], AsyncIterator[Response]]:
    """As `unary`, for a method that answers with many messages."""
    name = method.__name__

    @functools.wraps(method)
    async def handler(self: Service, request: Request, context: Context) -> AsyncIterator[Response]:
        try:
            async for message in method(self, request):
                yield message
        except VenueError as error:
            refusal = _refusal(name, error)
        else:
            return
        await refuse(context, *refusal)

    return handler


def _refusal(method: str, error: VenueError) -> tuple[Failure, grpc.StatusCode | None]:
    """What the caller is told.

    gRPC's abort keeps itself alive until cycles are looked for: begun while `error` is being handled, it would keep the
    error too, its frames, and whatever the exchange has answered in them.
    """
    REFUSED.labels(method, error.failure.remedy.value).inc()
    log.info("refused", method=method, remedy=error.failure.remedy.value, message=error.failure.message)
    code = grpc.StatusCode.RESOURCE_EXHAUSTED if isinstance(error, SlowConsumerError) else None
    return error.failure, code
