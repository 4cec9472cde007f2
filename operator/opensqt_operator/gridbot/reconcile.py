"""Reconciles a GridBot: observe → plan (pure) → apply → status (pure)."""

from datetime import UTC, datetime

import structlog

from opensqt_operator.api_client import ApiClient, RefusedError, StaleError, TryLaterError
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
from opensqt_operator.queue import TryAgainError
from opensqt_operator.rolls import UPGRADING, Rolls
from opensqt_operator.status_writer import StatusWriter
from opensqt_operator.steps import LetGo, Plan

_AFTER_REFUSAL = 15.0
_log = structlog.get_logger(__name__)


class GridBotReconciler:
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
        self._api, self._cache, self._executor, self._writer = api, cache, executor, writer
        self._lines = lines
        self._options = options
        self._rolls = rolls
        self._deleting_since: dict[Key, tuple[str, datetime]] = {}
        self._trouble: dict[Key, Verdict] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Bring the GridBot one step further; after how many seconds it wants to be looked at again.

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
            if p.needs_live or o.unreachable:
                # What is created or destroyed is decided on what is, not on what the cache remembers.
                o = await self._observe_live(key)
                if o is None:
                    self._forget(key)
                    return None
                p = plan(o)
            o, p = await self._carry_out(key, o, p)
            if o is None:
                return None
            after = gridbot_status.status(o, p)
            self._rolls.note(o.raw, after)
            again = await self._writer.write(GRIDBOTS, o.raw, o.previous, after, gridbot_status.urgent_part)
            if again is None:
                await self._executor.carry_out(GRIDBOTS, o.raw, tuple(gridbot_status.news(o.previous, after)))
        except (StaleError, TryLaterError) as failure:
            raise TryAgainError(str(failure), getattr(failure, "after", 0.0)) from failure
        except RefusedError as failure:
            raise TryAgainError(f"status refused: {failure}", _AFTER_REFUSAL) from failure
        waits = [wait for wait in (again, p.look_again, _AFTER_REFUSAL if o.trouble else None) if wait is not None]
        return min(waits, default=None)

    async def _carry_out(self, key: Key, o: Observation, p: Plan) -> tuple[Observation | None, Plan]:
        """Take the plan's steps; what is then observed, and the plan that the status speaks of."""
        if p.reason == WAITING:
            self._rolls.wait(key)
        elif p.reason == UPGRADING:
            # Before anything else can run: what another key sees from here on counts this one.
            self._rolls.begin(key)
        if not p.steps:
            if self._trouble.pop(key, None) is not None:
                o = self._observe(key) or o
            return o, p
        _log.info("acting", key=key, why=p.reason, message=p.message, steps=[type(step).__name__ for step in p.steps])
        trouble = await self._take_steps(key, o, p)
        if trouble is not None:
            self._trouble[key] = trouble
        else:
            self._trouble.pop(key, None)
            if o.deleting and any(isinstance(step, LetGo) for step in p.steps):
                self._rolls.forget(key)
                return None, p
        after = self._observe(key)
        if after is None:
            return None, p
        self._connect(key, after)
        following = plan(after)
        return after, p if following.steps else following

    async def _take_steps(self, key: Key, o: Observation, p: Plan) -> Verdict | None:
        """Take them one after another; what was refused, and why."""
        line = self._line(key, o)

        async def tell(order: Order) -> None:
            if line is None:
                raise StaleError("the bot's line is gone")
            await line.configure(order)

        try:
            await self._executor.carry_out(GRIDBOTS, o.raw, p.steps, tell)
        except RefusedError as refused:
            return false("Refused", f"{p.reason}: {refused}")
        except NotYetError as failed:
            _log.info("not_configured_yet", key=key, because=str(failed))
        except ConfigureError as failed:
            return false("ConfigureFailed", f"the bot does not take its spec: {failed}")
        return None

    def _observe(self, key: Key) -> Observation | None:
        """From the cache."""
        raw = self._cache.get(GRIDBOTS, key.namespace, key.name)
        if raw is None:
            return None
        pod = self._cache.get(PODS, key.namespace, pod_name(key.name))
        return self._observation(key, raw, pod)

    async def _observe_live(self, key: Key) -> Observation | None:
        """From the API server; the cache learns of it."""
        raw = await self._api.get(GRIDBOTS, key.namespace, key.name)
        pod = await self._api.get(PODS, key.namespace, pod_name(key.name))
        remembered = self._cache.get(PODS, key.namespace, pod_name(key.name))
        if pod is not None:
            self._cache.put(pod)
        elif remembered is not None:
            self._cache.drop_for_good(remembered)
            if raw is not None and "deletionTimestamp" in raw["metadata"]:
                # Whether it ever ran tells what is left to be wound down.
                raise StaleError(f"Pod {pod_name(key.name)} has just gone: the watch will tell how it ended")
        if raw is None:
            remembered = self._cache.get(GRIDBOTS, key.namespace, key.name)
            if remembered is not None:
                self._cache.drop_for_good(remembered)
            return None
        self._cache.put(raw)
        name = raw.get("spec", {}).get("connectorRef", {}).get("name", "")
        connector = await self._api.get(CONNECTORS, key.namespace, name) if name else None
        if connector is not None:
            self._cache.put(connector)
        return self._observation(key, raw, pod, connector)

    def _observation(self, key: Key, raw: Object, pod: Object | None, connector: Object | None = None) -> Observation:
        now = datetime.now(UTC).replace(microsecond=0)
        line = self._lines.get(key, pod["metadata"]["uid"]) if pod is not None else None
        return Observation(
            now=now,
            raw=raw,
            pod=pod,
            connector=connector or self._cache.connector_of(raw),
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

    def _connect(self, key: Key, o: Observation) -> None:
        """Have a line to the bot as long as its container may be running."""
        state = o.pod_state
        if state is not None and state.ip and state.stage in {Stage.RUNNING, Stage.TERMINATING}:
            self._lines.open(key, state.uid, bot_address(state.ip))
        else:
            self._lines.close(key)

    def _line(self, key: Key, o: Observation) -> BotLine | None:
        return self._lines.get(key, o.pod_state.uid) if o.pod_state is not None else None

    def _forget(self, key: Key) -> None:
        self._lines.close(key)
        self._trouble.pop(key, None)
        self._deleting_since.pop(key, None)
        self._rolls.forget(key)
        self._writer.forget(key)
