"""Sends actions to the connector side by side: cancels before exits before look-ups before entries.

Of one order at most one call is under way: a cancel waits for the answer to its placement, and a look-up can never
overtake the order that it asks about. Many look-ups at once, as after a start, are first sought in a list of the open
orders; only what that does not answer is asked for one by one. When an order finds too little margin, entries that wait
are not sent at all.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from opensqt.engine.actions import Action, Cancel, LookUp, Notify, Place
from opensqt.engine.events import Event
from opensqt.runtime.execution import LISTED_FROM, Execution, is_exit, lacks_margin

CALLS_AT_ONCE = 8

Order = Place | Cancel | LookUp


class _Lane(IntEnum):
    """In the order of their urgency."""

    CANCEL = 0
    EXIT = 1
    LOOK_UP = 2
    ENTRY = 3


@dataclass(slots=True)
class _Job:
    action: Order
    listed: bool = False
    """A look-up that the list of open orders has not answered."""

    @property
    def lane(self) -> _Lane:
        match self.action:
            case Cancel():
                return _Lane.CANCEL
            case LookUp():
                return _Lane.LOOK_UP
            case Place():
                return _Lane.EXIT if is_exit(self.action) else _Lane.ENTRY


class Dispatcher:
    """`put` takes the answers; a call that ends the bot (`Fenced`) comes out of `tasks`."""

    def __init__(self, execution: Execution, put: Callable[[Event], None], tasks: asyncio.TaskGroup) -> None:
        self._execution = execution
        self._put = put
        self._tasks = tasks
        self._lanes: dict[_Lane, deque[_Job]] = {lane: deque() for lane in _Lane}
        self._queues: dict[str, deque[_Job]] = {}
        """By client id: the job that is in a lane or under way, then those that wait for it."""
        self._under_way: set[str] = set()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._held = False
        self._closed = False

    def dispatch(self, actions: Sequence[Action]) -> None:
        """Queues the actions; what can be sent goes out at once."""
        if self._closed:
            return
        for action in actions:
            if not isinstance(action, Notify):
                self._enqueue(_Job(action))
        self._send()

    async def idle(self) -> None:
        """Returns when nothing waits and no call is under way."""
        await self._idle.wait()

    def close(self) -> None:
        """Sends nothing more. What waits is forgotten here: the journal has it, and the next start looks it up."""
        self._closed = True
        for lane in self._lanes.values():
            lane.clear()
        self._queues = {client_id: deque([self._queues[client_id][0]]) for client_id in self._under_way}
        self._note_idle()

    def _enqueue(self, job: _Job) -> None:
        queue = self._queues.setdefault(job.action.client_id, deque())
        if queue and isinstance(job.action, LookUp) and isinstance(queue[-1].action, LookUp):
            unsent = len(queue) > 1 or job.action.client_id not in self._under_way
            if unsent:
                return
        queue.append(job)
        if len(queue) == 1:
            self._lanes[job.lane].append(job)
        self._idle.clear()

    def _send(self) -> None:
        wait = self._execution.held_until - time.monotonic()
        if wait > 0:
            if not self._held:
                self._held = True
                asyncio.get_running_loop().call_later(wait, self._release)
            return
        for lane, jobs in self._lanes.items():
            while jobs and self._calls < CALLS_AT_ONCE:
                batch = [jobs.popleft() for _ in range(min(len(jobs), self._limit(lane, jobs)))]
                self._under_way.update(job.action.client_id for job in batch)
                self._calls += 1
                self._tasks.create_task(self._call(batch))

    def _release(self) -> None:
        self._held = False
        self._send()

    def _limit(self, lane: _Lane, jobs: deque[_Job]) -> int:
        match lane:
            case _Lane.CANCEL:
                return self._execution.cancel_limit
            case _Lane.LOOK_UP:
                return len(jobs) if len(jobs) >= LISTED_FROM and not jobs[0].listed else 1
            case _:
                return self._execution.place_limit

    async def _call(self, batch: list[_Job]) -> None:
        answers, unanswered = await self._answers(batch)
        for event in answers:
            self._put(event)
        self._calls -= 1
        for job in batch:
            self._under_way.discard(job.action.client_id)
            if job.action.client_id in unanswered and not self._closed:
                job.listed = True  # asked for by itself next
                self._lanes[job.lane].append(job)
            else:
                self._done(job)
        if lacks_margin(answers):
            self._hold_entries_back()
        self._note_idle()
        self._send()

    def _done(self, job: _Job) -> None:
        """What waited for the job's answer is next."""
        client_id = job.action.client_id
        queue = self._queues[client_id]
        queue.popleft()
        if queue:
            self._lanes[queue[0].lane].append(queue[0])
        else:
            del self._queues[client_id]

    def _hold_entries_back(self) -> None:
        """Each would be refused like the one before it: the engine decides anew what is to be placed, and when."""
        jobs, self._lanes[_Lane.ENTRY] = self._lanes[_Lane.ENTRY], deque()
        for job in jobs:
            if isinstance(job.action, Place):
                self._put(self._execution.not_sent(job.action))
            self._done(job)

    async def _answers(self, batch: list[_Job]) -> tuple[Sequence[Event], set[str]]:
        """The answers, and the ids of look-ups that the list of open orders has not answered."""
        look_ups = [job.action for job in batch if isinstance(job.action, LookUp)]
        if len(look_ups) > 1:
            reports = await self._execution.listed(look_ups)
            return reports, {each.client_id for each in look_ups} - {report.client_id for report in reports}
        return await self._request(batch), set()

    def _request(self, batch: list[_Job]) -> Coroutine[Any, Any, list[Event]]:
        first = batch[0].action
        if isinstance(first, LookUp):
            return self._execution.look_up(first)
        if isinstance(first, Cancel):
            return self._execution.cancel([job.action.client_id for job in batch])
        return self._execution.place([job.action for job in batch if isinstance(job.action, Place)])

    def _note_idle(self) -> None:
        if not self._queues:
            self._idle.set()
