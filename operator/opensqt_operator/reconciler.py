"""The cycle of every reconcile: observe → plan (pure) → carry out → status (pure)."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import structlog

from opensqt_operator.api_client import ApiClient, RefusedError, StaleError, TryLaterError
from opensqt_operator.cache import Cache
from opensqt_operator.conditions import Verdict, false
from opensqt_operator.executor import Executor
from opensqt_operator.names import Key, Kind, Object
from opensqt_operator.owned import Owned
from opensqt_operator.queue import TryAgainError
from opensqt_operator.status_writer import StatusWriter
from opensqt_operator.steps import LetGo, Plan

O = TypeVar("O", bound=Owned)  # noqa: E741 - an observation, `o` throughout

_AFTER_REFUSAL = 15.0
_log = structlog.get_logger(__name__)


class Reconciler(ABC, Generic[O]):
    """The only one that acts for the resources of its kind."""

    def __init__(self, kind: Kind, api: ApiClient, cache: Cache, executor: Executor, writer: StatusWriter) -> None:
        self._kind = kind
        self._api, self._cache, self._executor, self._writer = api, cache, executor, writer
        self._trouble: dict[Key, Verdict] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Bring the resource one step further; after how many seconds it wants to be looked at again.

        Raises:
            TryAgainError: something failed that may succeed later.
        """
        o = self.observe(key)
        if o is None:
            self.forget(key)
            return None
        self.connect(key, o)
        p = self.plan(o)
        try:
            if p.needs_live or self.doubts(o):
                # What is created or destroyed is decided on what is, not on what the cache remembers.
                o = await self.observe_live(key)
                if o is None:
                    self.forget(key)
                    return None
                p = self.plan(o)
            o, p = await self._carry_out(key, o, p)
            if o is None:
                return None
            again = await self.write_status(o, p)
        except (StaleError, TryLaterError) as failure:
            raise TryAgainError(str(failure), getattr(failure, "after", 0.0)) from failure
        except RefusedError as failure:
            raise TryAgainError(f"status refused: {failure}", _AFTER_REFUSAL) from failure
        waits = (again, p.look_again, self.look_again(o), _AFTER_REFUSAL if o.trouble else None)
        return min((wait for wait in waits if wait is not None), default=None)

    async def _carry_out(self, key: Key, o: O, p: Plan) -> tuple[O | None, Plan]:
        """Take the plan's steps; what is then observed, and the plan that the status speaks of."""
        self.decided(key, p)
        if not p.steps:
            if self._trouble.pop(key, None) is not None:
                o = self.observe(key) or o
            return o, p
        _log.info("acting", key=key, why=p.reason, message=p.message, steps=[type(step).__name__ for step in p.steps])
        trouble = await self._take(key, o, p)
        if trouble is not None:
            self._trouble[key] = trouble
        else:
            self._trouble.pop(key, None)
            if o.deleting and any(isinstance(step, LetGo) for step in p.steps):
                self.forget(key)
                return None, p
        after = self.observe(key)
        if after is None:
            return None, p
        self.connect(key, after)
        following = self.plan(after)
        return after, p if following.steps else following

    async def _take(self, key: Key, o: O, p: Plan) -> Verdict | None:
        try:
            return await self.take_steps(key, o, p)
        except RefusedError as refused:
            return false("Refused", f"{p.reason}: {refused}")

    @abstractmethod
    def observe(self, key: Key) -> O | None:
        """From the cache; None where it does not know the resource."""

    @abstractmethod
    async def observe_live(self, key: Key) -> O | None:
        """From the API server; the cache learns of it. None where there is no such resource."""

    @abstractmethod
    def connect(self, key: Key, o: O) -> None:
        """Have a line to its Pod as long as its container may be running."""

    @abstractmethod
    def plan(self, o: O) -> Plan:
        """What is to be done: pure."""

    @abstractmethod
    async def write_status(self, o: O, p: Plan) -> float | None:
        """Write what has changed; after how many seconds to try again where it has to wait."""

    async def take_steps(self, key: Key, o: O, p: Plan) -> Verdict | None:
        """Take the plan's steps one after another; what was refused other than by the API server, and why.

        Raises:
            RequestError: the API server did not take one.
        """
        await self._executor.carry_out(self._kind, o.raw, p.steps)
        return None

    def decided(self, key: Key, p: Plan) -> None:
        """Note the plan before it is carried out, and before another resource is planned for."""

    def doubts(self, o: O) -> bool:
        """Whether the cache may be wrong about it, though its plan needs no more than the cache."""
        return False

    def look_again(self, o: O) -> float | None:
        """After how many seconds to look again, whatever the plan says."""
        return None

    def forget(self, key: Key) -> None:
        """It is gone: nothing is kept of it."""
        self._trouble.pop(key, None)
        self._writer.forget(key)

    async def live(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as the API server has it; the cache learns of it."""
        found = await self._api.get(kind, namespace, name)
        remembered = self._cache.get(kind, namespace, name)
        if found is not None:
            self._cache.put(found)
        elif remembered is not None:
            self._cache.drop_for_good(remembered)
        return found
