"""ccxt's watch calls as endless iterators, in which an interruption or a long silence shows as a `Gap`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog

from opensqt.connector.ccxt_venue import errors, transport
from opensqt.connector.ccxt_venue.session import Session
from opensqt.connector.retry import RECONNECTS
from opensqt.connector.venue import Gap

log = structlog.get_logger(__name__)
Item = TypeVar("Item")

SETTLE_SECONDS = 2.0
"""A watch that has not failed for so long after an interruption has subscribed again."""


async def follow(
    session: Session,
    name: str,
    watch: Callable[[Any], Awaitable[Item]],
    *,
    silence: float | None = None,
    quiet: Callable[[], Awaitable[Item | None]] | None = None,
) -> AsyncIterator[Item | Gap]:
    """The results of `watch(exchange)`, again and again.

    Yields a `Gap` when the stream is interrupted, and another when it is subscribed again: what came in between is
    lost, and a state that was fetched after the first one may be too old. After `silence` seconds without a result
    `quiet` is asked for what there is to tell: None where the stream should have told it, and its connection is
    dropped.
    """
    delays = RECONNECTS.delays()
    lost = False
    connections: dict[str, Any] = {}
    task: asyncio.Task[Item] | None = None
    try:
        while True:
            exchange = await session.ready_for_streams()
            task = task or asyncio.ensure_future(_once(watch, exchange, connections))
            done, _ = await asyncio.wait({task}, timeout=SETTLE_SECONDS if lost else silence)
            if not done and lost:
                lost = False
                yield Gap(f"{name}: subscribed again")
                continue
            if not done:
                known = await quiet() if quiet is not None else None
                if known is not None:
                    yield known
                    continue
                reason = f"silent for {silence:.0f} s"
                await _stop(task)
                await session.drop_streams(exchange, name)
            elif task.cancelled() or task.exception() is not None:
                reason = _reason(task, session)
            else:
                result, task = task.result(), None
                delays = RECONNECTS.delays()
                if lost:
                    lost = False
                    yield Gap(f"{name}: subscribed again")
                yield result
                continue
            task = None
            connections.clear()
            log.warning("stream_interrupted", stream=name, reason=reason)
            if not lost:
                yield Gap(f"{name}: {reason}")
            lost = True
            await asyncio.sleep(next(delays))
    finally:
        if task is not None:
            await _stop(task)


async def merge(sources: Sequence[AsyncIterator[Item]], *, idle: float | None = None) -> AsyncIterator[Item | None]:
    """The items of all sources as they come; None after `idle` seconds without any. Raises what a source raises."""
    queue: asyncio.Queue[Item | BaseException] = asyncio.Queue()

    async def pump(source: AsyncIterator[Item]) -> None:
        try:
            async for item in source:
                queue.put_nowait(item)
        except Exception as error:  # handed to the reader
            queue.put_nowait(error)

    tasks = [asyncio.create_task(pump(source)) for source in sources]
    try:
        while True:
            try:
                async with asyncio.timeout(idle):
                    item = await queue.get()
            except TimeoutError:
                yield None
                continue
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _once(watch: Callable[[Any], Awaitable[Item]], exchange: Any, connections: dict[str, Any]) -> Item:
    transport.connections_used.set(connections)
    return await watch(exchange)


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _reason(task: asyncio.Task[Any], session: Session) -> str:
    error = None if task.cancelled() else task.exception()
    return "hung up" if error is None else errors.clean(f"{type(error).__name__}: {error}", session.credentials)
