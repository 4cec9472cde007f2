"""One account's rate budget: a bucket of the exchange's own weights; cancels go before exits, exits before entries.

Beside the bucket stand the exchange's limits (`limits.py`). Who waits for one endpoint holds up nobody else.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from opensqt.connector.ccxt_venue.limits import Allowance, Limits, Priority

_SHORTEST_NAP, _LONGEST_NAP = 0.001, 0.05


__all__ = ["Budget", "BudgetExhausted", "Priority"]


class BudgetExhausted(Exception):  # noqa: N818 - it is a state of the budget
    """Nothing was sent: the exchange asked everybody to wait, or the queue is longer than the caller's patience."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"the rate budget is used up for another {wait:.1f} s; nothing was sent")
        self.wait = wait


@dataclass(order=True, slots=True)
class _Waiting:
    rank: tuple[int, int]
    weight: float = field(compare=False)
    endpoint: str = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class Budget:
    """`rate` weights a second, at most `burst` saved up; `clock` is in seconds, as `sleep` is.

    A caller who would have to wait for longer than `patience` seconds is told so at once, instead of timing out later.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        limits: Limits | None = None,
        patience: float = 5.0,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._limits = limits or Limits()
        self._patience = patience
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._tokens = burst
        self._counted_at: float | None = None
        self._held_until = 0.0
        self._queue: list[_Waiting] = []
        self._order = itertools.count()
        self._server: asyncio.Task[None] | None = None

    @property
    def held_for(self) -> float:
        """Seconds for which the exchange wants to hear nothing from this account."""
        return max(0.0, self._held_until - self._clock())

    def back_off(self, seconds: float) -> None:
        """Nothing more is sent before `seconds` have passed, whoever asks; a longer pause stays."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def told(self, endpoint: str, allowance: Allowance) -> None:
        """What an answer's headers say."""
        self._limits.told(endpoint, allowance, self._clock())

    async def take(self, weight: float, priority: Priority, endpoint: str = "") -> None:
        """Returns when a request of `weight` may be sent; raises `BudgetExhausted` where that is too far off."""
        wait = self._wait(weight, priority, endpoint)
        if wait > self._patience:
            raise BudgetExhausted(wait)
        if wait == 0 and not self._queue:
            self._spend(weight, endpoint)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = _Waiting((int(priority), next(self._order)), weight, endpoint, turn)
        heapq.heappush(self._queue, waiting)
        if self._server is None or self._server.done():
            self._server = asyncio.get_running_loop().create_task(self._serve())
        await waiting.turn

    def _refill(self) -> None:
        now = self._clock()
        if self._counted_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now

    def _spend(self, weight: float, endpoint: str) -> None:
        self._tokens -= weight
        self._limits.sent(endpoint, weight, self._clock())

    def _wait(self, weight: float, priority: Priority, endpoint: str) -> float:
        """Seconds until a request of this rank would be sent, as things stand."""
        self._refill()
        before = [other for other in self._queue if other.rank[0] <= priority and not other.turn.done()]
        ahead = sum(other.weight for other in before)
        limits = self._limits.wait(endpoint, weight, priority, self._clock())
        backlog = self._limits.backlog(endpoint, sum(other.weight for other in before if other.endpoint == endpoint))
        return max(self.held_for, self._until(ahead + weight), limits, backlog)

    def _until(self, weight: float) -> float:
        # A request heavier than the whole bucket goes when the bucket is full, and leaves a debt.
        return max(
            0.0, (min(weight, self._burst) - self._tokens) / self._rate + max(0.0, weight - self._burst) / self._rate
        )

    async def _serve(self) -> None:
        while self._queue:
            self._refill()
            first, pause = self._next()
            if first is None:
                continue
            if pause > self._patience:
                self._leave(first)
                first.turn.set_exception(BudgetExhausted(pause))
            elif pause > 0:
                # Naps: whoever comes meanwhile with a higher priority goes first, and a longer hold is seen.
                await self._sleep(min(max(pause, _SHORTEST_NAP), _LONGEST_NAP))
            else:
                self._leave(first)
                self._spend(first.weight, first.endpoint)
                first.turn.set_result(None)

    def _next(self) -> tuple[_Waiting | None, float]:
        """The first by rank whose endpoint lets it go, else the one whose turn comes soonest; with its seconds."""
        soonest: tuple[_Waiting | None, float] = (None, 0.0)
        for waiting in sorted(self._queue):
            if waiting.turn.done():
                self._leave(waiting)
                continue
            limits = self._limits.wait(waiting.endpoint, waiting.weight, Priority(waiting.rank[0]), self._clock())
            pause = max(self.held_for, limits, (min(waiting.weight, self._burst) - self._tokens) / self._rate)
            if limits <= 0:
                return waiting, pause
            if soonest[0] is None or pause < soonest[1]:
                soonest = waiting, pause
        return soonest

    def _leave(self, waiting: _Waiting) -> None:
        self._queue.remove(waiting)
        heapq.heapify(self._queue)
