"""Reconciles a GridBot."""

from datetime import UTC, datetime

import structlog

from opensqt_operator.api_client import ApiClient, StaleError
from opensqt_operator.bots import BotLine, ConfigureError, NotYetError, Order
from opensqt_operator.cache import Cache
from opensqt_operator.conditions import Verdict, false
from opensqt_operator.executor import Executor
from opensqt_operator.gridbot import status as gridbot_status
from opensqt_operator.gridbot.observation import Observation
from opensqt_operator.gridbot.plan import WAITING, plan
from opensqt_operator.gridbot.resources import bot_address
from opensqt_operator.lines import Contact, Lines
from opensqt_operator.names import CONNECTORS, GRIDBOTS, PODS, Key, Object, pod_name
from opensqt_operator.options import Options
from opensqt_operator.pod_state import Stage
from opensqt_operator.reconciler import Reconciler
from opensqt_operator.rolls import UPGRADING, Rolls
from opensqt_operator.status_writer import StatusWriter
from opensqt_operator.steps import Plan

_log = structlog.get_logger(__name__)


class GridBotReconciler(Reconciler[Observation]):
    """The only one that acts for GridBots."""

    def __init__(
        self,
        *,
        api: ApiClient,
        cache: Cache,
        executor: Executor,
        writer: StatusWriter,
        lines: Lines[BotLine],
        options: Options,
        rolls: Rolls,
    ) -> None:
        super().__init__(GRIDBOTS, api, cache, executor, writer)
        self._lines = lines
        self._options = options
        self._rolls = rolls
        self._deleting_since: dict[Key, tuple[str, datetime]] = {}

    def plan(self, o: Observation) -> Plan:
        return plan(o)

    def decided(self, key: Key, p: Plan) -> None:
        if p.reason == WAITING:
            self._rolls.wait(key)
        elif p.reason == UPGRADING:
            # Before anything else can run: what another key sees from here on counts this one.
            self._rolls.begin(key)

    def doubts(self, o: Observation) -> bool:
        return o.unreachable

    async def write_status(self, o: Observation, p: Plan) -> float | None:
        after = gridbot_status.status(o, p)
        self._rolls.note(o.raw, after)
        again = await self._writer.write(GRIDBOTS, o.raw, o.previous, after, gridbot_status.urgent_part)
        if again is None:
            await self._executor.carry_out(GRIDBOTS, o.raw, tuple(gridbot_status.news(o.previous, after)))
        return again

    async def take_steps(self, key: Key, o: Observation, p: Plan) -> Verdict | None:
        line = self._lines.get(key, o.pod_state.uid) if o.pod_state is not None else None

        async def tell(order: Order) -> None:
            if line is None:
                raise StaleError("the bot's line is gone")
            await line.configure(order)

        try:
            await self._executor.carry_out(GRIDBOTS, o.raw, p.steps, tell)
        except NotYetError as failed:
            _log.info("not_configured_yet", key=key, because=str(failed))
        except ConfigureError as failed:
            return false("ConfigureFailed", f"the bot does not take its spec: {failed}")
        return None

    def observe(self, key: Key) -> Observation | None:
        raw = self._cache.get(GRIDBOTS, key.namespace, key.name)
        if raw is None:
            return None
        pod = self._cache.get(PODS, key.namespace, pod_name(key.name))
        return self._observation(key, raw, pod)

    async def observe_live(self, key: Key) -> Observation | None:
        raw = await self.live(GRIDBOTS, key.namespace, key.name)
        known = self._cache.get(PODS, key.namespace, pod_name(key.name))
        pod = await self.live(PODS, key.namespace, pod_name(key.name))
        if raw is None:
            return None
        if pod is None and known is not None and "deletionTimestamp" in raw["metadata"]:
            # Whether it ever ran tells what is left to be wound down.
            raise StaleError(f"Pod {pod_name(key.name)} has just gone: the watch will tell how it ended")
        name = raw.get("spec", {}).get("connectorRef", {}).get("name", "")
        if name:
            await self.live(CONNECTORS, key.namespace, name)
        return self._observation(key, raw, pod)

    def _observation(self, key: Key, raw: Object, pod: Object | None) -> Observation:
        now = datetime.now(UTC).replace(microsecond=0)
        line = self._lines.get(key, pod["metadata"]["uid"]) if pod is not None else None
        return Observation(
            now=now,
            raw=raw,
            pod=pod,
            connector=self._cache.connector_of(raw),
            contact=line.contact() if line is not None else Contact(),
            acknowledged=line.acknowledged if line is not None else None,
            told=line.told if line is not None else None,
            options=self._options,
            last_pod=self._cache.last_pod(key.namespace, pod_name(key.name)) if pod is None else None,
            deleting_since=self._noticed_deletion(key, raw, now),
            ahead=self._rolls.ahead(key),
            trouble=self._trouble.get(key),
        )

    def _noticed_deletion(self, key: Key, raw: Object, now: datetime) -> datetime | None:
        if "deletionTimestamp" not in raw["metadata"]:
            return None
        uid, since = self._deleting_since.get(key, ("", now))
        if uid != raw["metadata"]["uid"]:
            uid, since = self._deleting_since[key] = (raw["metadata"]["uid"], now)
        return since

    def connect(self, key: Key, o: Observation) -> None:
        """Have a line to the bot as long as its container may be running."""
        state = o.pod_state
        if state is not None and state.ip and state.stage in {Stage.RUNNING, Stage.TERMINATING}:
            self._lines.open(key, state.uid, bot_address(state.ip))
        else:
            self._lines.close(key)

    def forget(self, key: Key) -> None:
        super().forget(key)
        self._lines.close(key)
        self._deleting_since.pop(key, None)
        self._rolls.forget(key)
