"""Failures as gRPC statuses: the code for anyone, the `Failure` itself in the trailing metadata for our clients."""

from typing import Any, NoReturn

import grpc

from opensqt.connector import wire
from opensqt.connector.venue import Failure
from opensqt.engine.events import Remedy

Context = grpc.aio.ServicerContext[Any, Any]
FAILURE_KEY = "opensqt-failure-bin"
"""Trailing metadata: the serialized opensqt.exchange.v1.Failure."""

STATUS_CODES = {
    Remedy.RETRY: grpc.StatusCode.UNAVAILABLE,
    Remedy.BACK_OFF: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Remedy.LOOK_UP: grpc.StatusCode.UNKNOWN,
    Remedy.WOULD_CROSS: grpc.StatusCode.FAILED_PRECONDITION,
    Remedy.INSUFFICIENT_MARGIN: grpc.StatusCode.FAILED_PRECONDITION,
    Remedy.DUPLICATE: grpc.StatusCode.ALREADY_EXISTS,
    Remedy.UNKNOWN_ORDER: grpc.StatusCode.NOT_FOUND,
    Remedy.FIX_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Remedy.FIX_CREDENTIALS: grpc.StatusCode.UNAUTHENTICATED,
    Remedy.FENCED: grpc.StatusCode.FAILED_PRECONDITION,
    Remedy.HALT: grpc.StatusCode.FAILED_PRECONDITION,
}


async def refuse(context: Context, failure: Failure, code: grpc.StatusCode | None = None) -> NoReturn:
    """Ends the call with `failure`, under `code` where its remedy alone would not say enough."""
    metadata = ((FAILURE_KEY, wire.failure_to_proto(failure).SerializeToString()),)
    await context.abort(code or STATUS_CODES[failure.remedy], failure.message, metadata)
    raise AssertionError("abort returns")  # for the type checker: abort always raises
