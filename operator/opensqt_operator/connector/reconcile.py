"""Reconciles an ExchangeConnector: observe → plan (pure) → apply → status (pure)."""

from datetime import UTC, datetime

import structlog

from opensqt.api.process import CONNECTOR_PORT
from opensqt_operator.api_client import ApiClient, RefusedError, StaleError, TryLaterError
from opensqt_operator.cache import Cache
from opensqt_operator.conditions import Verdict, false
from opensqt_operator.connector import status as connector_status
from opensqt_operator.connector.observation import Observation
from opensqt_operator.connector.plan import plan
from opensqt_operator.connectors import ConnectorLine
from opensqt_operator.executor import Executor
from opensqt_operator.lines import Contact, Lines
from opensqt_operator.names import (
    CONNECTORS,
    DEPLOYMENTS,
    GRIDBOTS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Key,
    Kind,
    Object,
    connector_name,
)
from opensqt_operator.options import Options
from opensqt_operator.pod_state import Stage
from opensqt_operator.queue import TryAgainError
from opensqt_operator.status_writer import StatusWriter
from opensqt_operator.steps import LetGo, Plan

_AFTER_REFUSAL = 15.0
_LOOK_AGAIN = 10.0
_CHILDREN = (SERVICE_ACCOUNTS, SERVICES, DEPLOYMENTS)
_log = structlog.get_logger(__name__)


class ConnectorReconciler:
    """The only one that acts for ExchangeConnectors."""

    def __init__(
        self,
        *,
        api: ApiClient,
        cache: Cache,
        executor: Executor,
        writer: StatusWriter,
        lines: Lines[ConnectorLine],
        options: Options,
    ) -> None:
        self._api, self._cache, self._executor, self._writer = api, cache, executor, writer
        self._lines = lines
        self._options = options
        self._trouble: dict[Key, Verdict] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Bring the connector one step further; after how many seconds it wants to be looked at again.

        Raises:
            TryAgainError: something failed that may succeed later.
        """
        o = self._observe(key)
        if o is None:
            self._forget(key)
            return None
        self._connect(key, o)
        p = plan(o)
        try:
            if p.needs_live:
                o = await self._observe_live(key)
                if o is None:
                    self._forget(key)
                    return None
                p = plan(o)
            o, p = await self._carry_out(key, o, p)
            if o is None:
                return None
            again = await self._writer.write(
                CONNECTORS, o.raw, o.previous, connector_status.status(o, p), connector_status.urgent_part
            )
        except (StaleError, TryLaterError) as failure:
            raise TryAgainError(str(failure), getattr(failure, "after", 0.0)) from failure
        except RefusedError as failure:
            raise TryAgainError(f"status refused: {failure}", _AFTER_REFUSAL) from failure
        silent = None if o.contact.up else _LOOK_AGAIN
        waits = (again, p.look_again, silent, _AFTER_REFUSAL if o.trouble else None)
        return min((wait for wait in waits if wait is not None), default=None)

    async def _carry_out(self, key: Key, o: Observation, p: Plan) -> tuple[Observation | None, Plan]:
        if not p.steps:
            if self._trouble.pop(key, None) is not None:
                o = self._observe(key) or o
            return o, p
        _log.info("acting", key=key, why=p.reason, message=p.message, steps=[type(step).__name__ for step in p.steps])
        try:
            await self._executor.carry_out(CONNECTORS, o.raw, p.steps)
        except RefusedError as refused:
            self._trouble[key] = false("Refused", f"{p.reason}: {refused}")
        else:
            self._trouble.pop(key, None)
            if o.deleting and any(isinstance(step, LetGo) for step in p.steps):
                return None, p
        after = self._observe(key)
        if after is None:
            return None, p
        following = plan(after)
        return after, p if following.steps else following

    def _observe(self, key: Key) -> Observation | None:
        """From the cache."""
        raw = self._cache.get(CONNECTORS, key.namespace, key.name)
        if raw is None:
            return None
        name = connector_name(key.name)
        return self._observation(key, raw, {kind: self._cache.get(kind, key.namespace, name) for kind in _CHILDREN})

    async def _observe_live(self, key: Key) -> Observation | None:
        """From the API server; the cache learns of it. Which bots refer to it is asked anew where it is to go."""
        raw = await self._live(CONNECTORS, key.namespace, key.name)
        if raw is None:
            return None
        name = connector_name(key.name)
        live = {kind: await self._live(kind, key.namespace, name) for kind in _CHILDREN}
        if "deletionTimestamp" in raw["metadata"]:
            bots, listed_at = await self._api.list(GRIDBOTS, key.namespace)
            self._cache.replace(GRIDBOTS, bots, listed_at, key.namespace)
        return self._observation(key, raw, live)

    async def _live(self, kind: Kind, namespace: str, name: str) -> Object | None:
        found = await self._api.get(kind, namespace, name)
        remembered = self._cache.get(kind, namespace, name)
        if found is not None:
            self._cache.put(found)
        elif remembered is not None:
            self._cache.drop_for_good(remembered)
        return found

    def _observation(self, key: Key, raw: Object, live: dict[Kind, Object | None]) -> Observation:
        line = self._lines.current(key)
        bots = sorted(bot.name for bot in self._cache.bots_of(key.namespace, key.name))
        return Observation(
            now=datetime.now(UTC).replace(microsecond=0),
            raw=raw,
            live=live,
            pods=tuple(self._cache.connector_pods(key.namespace, key.name)),
            bots=tuple(bots),
            contact=line.contact() if line is not None else Contact(),
            options=self._options,
            trouble=self._trouble.get(key),
        )

    def _connect(self, key: Key, o: Observation) -> None:
        pod = o.pod
        if pod is not None and pod.ip and pod.stage is Stage.RUNNING:
            host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
            self._lines.open(key, pod.uid, f"{host}:{CONNECTOR_PORT}")
        else:
            self._lines.close(key)

    def _forget(self, key: Key) -> None:
        self._lines.close(key)
        self._trouble.pop(key, None)
        self._writer.forget(key)
