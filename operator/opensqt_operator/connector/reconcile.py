"""Reconciles an ExchangeConnector."""

from datetime import UTC, datetime

from opensqt.api.process import CONNECTOR_PORT
from opensqt_operator.api_client import ApiClient
from opensqt_operator.cache import Cache
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
from opensqt_operator.reconciler import Reconciler
from opensqt_operator.status_writer import StatusWriter
from opensqt_operator.steps import Plan

_AFTER_SILENCE = 10.0
_CHILDREN = (SERVICE_ACCOUNTS, SERVICES, DEPLOYMENTS)


class ConnectorReconciler(Reconciler[Observation]):
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
        super().__init__(CONNECTORS, api, cache, executor, writer)
        self._lines = lines
        self._options = options

    def plan(self, o: Observation) -> Plan:
        return plan(o)

    async def write_status(self, o: Observation, p: Plan) -> float | None:
        after = connector_status.status(o, p)
        return await self._writer.write(CONNECTORS, o.raw, o.previous, after, connector_status.urgent_part)

    def look_again(self, o: Observation) -> float | None:
        return None if o.contact.up else _AFTER_SILENCE

    def observe(self, key: Key) -> Observation | None:
        raw = self._cache.get(CONNECTORS, key.namespace, key.name)
        if raw is None:
            return None
        name = connector_name(key.name)
        return self._observation(key, raw, {kind: self._cache.get(kind, key.namespace, name) for kind in _CHILDREN})

    async def observe_live(self, key: Key) -> Observation | None:
        """As of every kind; which bots refer to it is asked anew where it is to go."""
        raw = await self.live(CONNECTORS, key.namespace, key.name)
        if raw is None:
            return None
        name = connector_name(key.name)
        children = {kind: await self.live(kind, key.namespace, name) for kind in _CHILDREN}
        if "deletionTimestamp" in raw["metadata"]:
            bots, listed_at = await self._api.list(GRIDBOTS, key.namespace)
            self._cache.replace(GRIDBOTS, bots, listed_at, key.namespace)
        return self._observation(key, raw, children)

    def _observation(self, key: Key, raw: Object, children: dict[Kind, Object | None]) -> Observation:
        line = self._lines.current(key)
        bots = sorted(bot.name for bot in self._cache.bots_of(key.namespace, key.name))
        return Observation(
            now=datetime.now(UTC).replace(microsecond=0),
            raw=raw,
            live=children,
            pods=tuple(self._cache.connector_pods(key.namespace, key.name)),
            bots=tuple(bots),
            contact=line.contact() if line is not None else Contact(),
            options=self._options,
            trouble=self._trouble.get(key),
        )

    def connect(self, key: Key, o: Observation) -> None:
        pod = o.pod
        if pod is not None and pod.ip and pod.stage is Stage.RUNNING:
            host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
            self._lines.open(key, pod.uid, f"{host}:{CONNECTOR_PORT}")
        else:
            self._lines.close(key)

    def forget(self, key: Key) -> None:
        super().forget(key)
        self._lines.close(key)
