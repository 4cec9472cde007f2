"""All that a decision about a GridBot is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from opensqt.api.connector import ExchangeConnectorStatus
from opensqt.api.gridbot import DeletionPolicy, GridBot
from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.meta import ConditionStatus
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.conditions import Verdict, false, find, true, unknown
from opensqt_operator.gridbot.resources import started_for
from opensqt_operator.lines import Contact
from opensqt_operator.names import Object
from opensqt_operator.owned import Owned
from opensqt_operator.ownership import Ownership, orphaned, ownership
from opensqt_operator.pod_state import PodState, Stage, pod_state
from opensqt_operator.validation import InvalidSpecError, parse_status, parsed

GRACE = 10.0
"""For so many seconds a bot that does not answer is believed to be what it last said."""
ORPHANING = "orphan"
"""The garbage collector's finalizer: deleted with `--cascade=orphan`."""
AT_LEAST = 60.0
"""So long an operator tries, in seconds, that comes after the deadline of a deletion: it was away, not the exchange."""
START_GRACE = 45.0
"""The same for a bot whose container has just been started."""
BotContact = Contact[bot_pb2.Status]


@dataclass(frozen=True, kw_only=True)
class Observation(Owned):
    """A GridBot, its Pod, its connector and what the bot says, at one moment. All of them values."""

    pod: Object | None
    connector: Object | None
    contact: BotContact
    acknowledged: tuple[int, int] | None
    """Generation and goal of the last order that the bot took."""
    told: tuple[int, int] | None
    """The same of the last order that it was given."""
    deleting_since: datetime | None = None
    """When this process first saw that it is being deleted."""
    last_pod: Object | None = None
    """Where there is no Pod now: the last state of the one that was, as its deletion told it."""
    ahead: str = ""
    """The bots that are upgraded before this one."""

    @cached_property
    def parsed(self) -> GridBot | InvalidSpecError:
        return parsed(GridBot, self.raw)

    @cached_property
    def previous(self) -> GridBotStatus:
        return parse_status(GridBotStatus, self.raw)

    @cached_property
    def pod_state(self) -> PodState | None:
        return None if self.pod is None or not self.pod_is_ours else pod_state(self.pod)

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.raw["metadata"]["namespace"])

    @property
    def policy(self) -> DeletionPolicy:
        """Also where the rest of the spec is invalid."""
        try:
            return DeletionPolicy(self.raw.get("spec", {}).get("deletionPolicy", DeletionPolicy.CANCEL_ORDERS))
        except ValueError:
            return DeletionPolicy.CANCEL_ORDERS

    @property
    def deadline(self) -> datetime:
        """When deletion lets go: counted from the deletion, whichever operator saw it."""
        seconds = self.raw.get("spec", {}).get("deletionTimeoutSeconds", 300)
        seconds = seconds if isinstance(seconds, int) else 300
        deleted = datetime.fromisoformat(self.raw["metadata"]["deletionTimestamp"]) if self.deleting else self.now
        seen = self.deleting_since or self.now
        return max(deleted + timedelta(seconds=seconds), seen + timedelta(seconds=min(seconds, AT_LEAST)))

    @cached_property
    def pod_is_ours(self) -> bool:
        """Also where it has lost its owner: a bot that was started for this very GridBot trades for it."""
        if self.pod is None:
            return False
        uid = self.raw["metadata"]["uid"]
        return ownership(self.pod, self.raw) is Ownership.OURS or (orphaned(self.pod) and started_for(self.pod) == uid)

    @property
    def pod_stays(self) -> bool:
        """Nobody but us will delete its Pod when it has gone."""
        orphaning = ORPHANING in self.raw["metadata"].get("finalizers", ())
        return self.pod is not None and self.pod_is_ours and (orphaning or orphaned(self.pod))

    @property
    def report(self) -> bot_pb2.Status | None:
        """What the bot says now; None where its line is not up."""
        return self.contact.report if self.contact.up else None

    @property
    def unreachable(self) -> bool:
        """Its container runs, and yet it has not answered for longer than it may."""
        return self.patience is not None and self.patience <= 0

    @property
    def patience(self) -> float | None:
        """For how many more seconds its silence means nothing; None where it answers, or cannot answer."""
        state = self.pod_state
        if state is None or state.stage is not Stage.RUNNING or self.contact.up:
            return None
        left = GRACE - self.contact.silent_for
        if self.contact.report is None and state.started is not None:
            left = max(left, START_GRACE - (self.now - state.started).total_seconds())
        return left


def connector_verdict(connector: Object | None, name: str) -> Verdict:
    """The condition ConnectorReady."""
    if connector is None:
        return false("ConnectorNotFound", f"there is no ExchangeConnector {name} in this namespace")
    if "deletionTimestamp" in connector["metadata"]:
        return false("ConnectorDeleting", f"ExchangeConnector {name} is being deleted")
    ready = find(parse_status(ExchangeConnectorStatus, connector).conditions, "Ready")
    if ready is None:
        return unknown("ConnectorStarting", f"ExchangeConnector {name} has no status yet")
    make: dict[ConditionStatus, Callable[[str, str], Verdict]] = {
        ConditionStatus.TRUE: true, ConditionStatus.FALSE: false, ConditionStatus.UNKNOWN: unknown,
    }  # fmt: skip
    return make[ready.status](ready.reason, ready.message)
