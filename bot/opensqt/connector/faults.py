"""What goes wrong at exchanges, on purpose: a `Venue` around another one whose calls and messages meet with faults.

A plan says which fault strikes next: by a script ("the third placement times out") or by a seeded probability. The same
plan does the same to the same calls, whatever the venue.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

import structlog

from opensqt.api.paper import CALL_FAULTS, Call, Fault, PaperFaults
from opensqt.connector.venue import (
    Account,
    Capabilities,
    Failure,
    FundingPayment,
    Gap,
    Kline,
    NewOrder,
    OrderUpdate,
    Position,
    Price,
    SymbolRules,
    Venue,
    VenueError,
    VenueFill,
    VenueHealth,
    VenueOrder,
)
from opensqt.engine.events import Remedy

log = structlog.get_logger(__name__)

Outcome = VenueOrder | Failure

BACK_OFF_MS = 1000
DELAY_SECONDS = 1.0
"""How late a delayed message is, and a reordered one at most, where nothing overtakes it."""
SLOW_SECONDS = 2.0
WEAKNESS = "faults are injected: spec.paper.faults"


class FaultPlan(Protocol):
    """Asked once for each call and each message, in their order."""

    def on_call(self, call: Call) -> Fault | None: ...

    def on_message(self) -> Fault | None: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """`fault` strikes the `nth` (from 1) call of its kind, or message; or each with a probability where `nth` is 0."""

    fault: Fault
    call: Call = Call.PLACE
    nth: int = 0
    probability: float = 0.0


class ScriptedFaults:
    """A `FaultPlan` of rules; of several that hold, the first strikes."""

    def __init__(self, rules: Iterable[Rule], seed: int = 0) -> None:
        self._rules = tuple(rules)
        self._random = Random(seed)  # noqa: S311 - reproducible
        self._counts: Counter[Call | None] = Counter()

    @classmethod
    def of(cls, spec: PaperFaults) -> "ScriptedFaults":
        rules = (Rule(each.fault, each.call, each.nth or 0, float(each.probability or 0)) for each in spec.inject)
        return cls(rules, spec.seed)

    def on_call(self, call: Call) -> Fault | None:
        return self._next(call, [rule for rule in self._rules if rule.fault in CALL_FAULTS and rule.call is call])

    def on_message(self) -> Fault | None:
        return self._next(None, [rule for rule in self._rules if rule.fault not in CALL_FAULTS])

    def _next(self, kind: Call | None, rules: Sequence[Rule]) -> Fault | None:
        self._counts[kind] += 1
        # Every rule draws, so that one that strikes does not move the others.
        struck = [
            rule
            for rule in rules
            if (rule.nth == self._counts[kind] if rule.nth else self._random.random() < rule.probability)
        ]
        return struck[0].fault if struck else None


class FaultyVenue:
    """`venue` with the faults of `plan`: of the messages those of the orders; what is read is always the truth."""

    def __init__(self, venue: Venue, plan: FaultPlan) -> None:
        self._venue = venue
        self._plan = plan
        self._streams: set[_DisturbedStream] = set()
        self.name = venue.name
        inner = venue.capabilities
        self.capabilities: Capabilities = replace(inner, weaknesses=(*inner.weaknesses, WEAKNESS))

    async def open(self) -> None:
        await self._venue.open()

    async def close(self) -> None:
        await self._venue.close()

    def health(self) -> VenueHealth:
        return self._venue.health()

    async def health_changed(self) -> None:
        await self._venue.health_changed()

    async def symbols(self, symbols: Sequence[str]) -> list[SymbolRules]:
        return await self._venue.symbols(symbols)

    async def account(self) -> Account:
        return await self._venue.account()

    async def positions(self, symbols: Sequence[str]) -> list[Position]:
        return await self._venue.positions(symbols)

    async def order(self, symbol: str, client_id: str) -> tuple[VenueOrder, list[VenueFill]]:
        fault = self._strike(Call.LOOK_UP)
        await self._before(fault, doubt=Remedy.RETRY)
        answer = await self._venue.order(symbol, client_id)
        if fault in _ANSWER_LOST:
            raise VenueError(Failure(Remedy.RETRY, f"injected: {fault}"))
        return answer

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        return await self._venue.open_orders(symbol)

    async def fills(self, symbol: str, since_us: int) -> list[VenueFill]:
        return await self._venue.fills(symbol, since_us)

    async def funding(self, symbol: str, since_us: int) -> list[FundingPayment]:
        return await self._venue.funding(symbol, since_us)

    async def prepare(self, symbol: str, leverage: int) -> None:
        await self._venue.prepare(symbol, leverage)

    async def place(self, orders: Sequence[NewOrder]) -> list[Outcome]:
        return await self._act(self._strike(Call.PLACE), orders, self._venue.place)

    async def cancel(self, symbol: str, client_ids: Sequence[str]) -> list[Outcome]:
        async def cancel(some: Sequence[str]) -> list[Outcome]:
            return await self._venue.cancel(symbol, some)

        return await self._act(self._strike(Call.CANCEL), client_ids, cancel)

    def watch_prices(self, symbols: Sequence[str]) -> AsyncIterator[Price | Gap]:
        return self._venue.watch_prices(symbols)

    async def klines(self, symbol: str, interval: str, limit: int) -> list[Kline]:
        return await self._venue.klines(symbol, interval, limit)

    def watch_klines(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Kline | Gap]:
        return self._venue.watch_klines(symbols, interval)

    def watch_orders(self, symbols: Sequence[str]) -> AsyncIterator[OrderUpdate | Gap]:
        stream = _DisturbedStream(self._venue.watch_orders(symbols), self._plan, self._streams.discard)
        self._streams.add(stream)
        return stream

    def watch_account(self) -> AsyncIterator[Account | Gap]:
        return self._venue.watch_account()

    def watch_positions(self, symbols: Sequence[str]) -> AsyncIterator[Position | Gap]:
        return self._venue.watch_positions(symbols)

    def _strike(self, call: Call) -> Fault | None:
        fault = self._plan.on_call(call)
        if fault is not None:
            log.info("fault_injected", fault=fault.value, call=call.value)
        return fault

    @staticmethod
    async def _before(fault: Fault | None, *, doubt: Remedy) -> None:
        """The faults that keep a call from the exchange. `doubt` is what a call means of which nobody knows the end."""
        if fault is Fault.RATE_LIMITED:
            raise VenueError(Failure(Remedy.BACK_OFF, "injected: 429", "429", retry_after_ms=BACK_OFF_MS))
        if fault is Fault.SERVER_ERROR:
            raise VenueError(Failure(doubt, "injected: 503", "503"))
        if fault is Fault.SLOW_CALL:
            await asyncio.sleep(SLOW_SECONDS)

    async def _act(
        self, fault: Fault | None, items: Sequence[Any], act: Callable[[Sequence[Any]], Any]
    ) -> list[Outcome]:
        await self._before(fault, doubt=Remedy.LOOK_UP)
        match fault:
            case Fault.TIME_OUT_AFTER_ACCEPTANCE:
                await act(items)
                raise VenueError(Failure(Remedy.LOOK_UP, "injected: no answer in time"))
            case Fault.REJECTION_AFTER_ACCEPTANCE:
                await act(items)
                return [Failure(Remedy.FIX_REQUEST, "injected: an error, though it was accepted") for _ in items]
            case Fault.PARTIAL_BATCH_FAILURE:
                done = len(items) // 2
                answers = list(await act(items[:done])) if done else []
                return [*answers, *[Failure(Remedy.RETRY, "injected: this one failed")] * (len(items) - done)]
            case Fault.DISCONNECT_MID_BATCH:
                await act(items[: (len(items) + 1) // 2])
                for stream in self._streams:
                    stream.interrupt()
                raise VenueError(Failure(Remedy.LOOK_UP, "injected: disconnected in the middle of the batch"))
            case _:
                return list(await act(items))


_ANSWER_LOST = CALL_FAULTS - {Fault.RATE_LIMITED, Fault.SERVER_ERROR, Fault.SLOW_CALL}


class _DisturbedStream(AsyncIterator[OrderUpdate | Gap]):
    """A stream of orders and fills whose messages come twice, late, in another order, or not at all."""

    def __init__(
        self,
        source: AsyncIterator[OrderUpdate | Gap],
        plan: FaultPlan,
        closed: Callable[["_DisturbedStream"], None],
    ) -> None:
        self._source = source
        self._plan = plan
        self._closed = closed
        self._queue: asyncio.Queue[OrderUpdate | Gap | BaseException] = asyncio.Queue()
        self._overtaken: list[OrderUpdate | Gap] = []
        """Waits until a later message has gone out."""
        self._pump: asyncio.Task[None] | None = None

    async def __anext__(self) -> OrderUpdate | Gap:
        if self._pump is None:
            self._pump = asyncio.create_task(self._run())
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    async def aclose(self) -> None:
        self._closed(self)
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    def interrupt(self) -> None:
        """Messages may have been lost."""
        self._queue.put_nowait(Gap("injected: disconnected"))

    async def _run(self) -> None:
        try:
            async for item in self._source:
                self._pass(item, None if isinstance(item, Gap) else self._plan.on_message())
        except Exception as error:
            self._queue.put_nowait(error)
        else:
            self._queue.put_nowait(StopAsyncIteration())

    def _pass(self, item: OrderUpdate | Gap, fault: Fault | None) -> None:
        if fault is not None:
            log.info("fault_injected", fault=fault.value, client_id=getattr(item, "client_id", ""))
        match fault:
            case Fault.DROPPED_MESSAGE:
                return
            case Fault.DELAYED_MESSAGE:
                self._later(self._queue.put_nowait, item)
                return
            case Fault.REORDERED_MESSAGE:
                self._overtaken.append(item)
                self._later(self._release)
                return
            case Fault.DUPLICATE_MESSAGE:
                self._queue.put_nowait(item)
        self._queue.put_nowait(item)
        self._release()

    def _release(self) -> None:
        while self._overtaken:
            self._queue.put_nowait(self._overtaken.pop(0))

    @staticmethod
    def _later(act: Callable[..., None], *arguments: Any) -> None:
        asyncio.get_running_loop().call_later(DELAY_SECONDS, act, *arguments)
