"""A GridBot's status: pure, from an observation and the plan that was made from it."""

from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.meta import ConditionStatus
from opensqt.api.report import STATES, with_report
from opensqt_operator.conditions import find, with_times
from opensqt_operator.gridbot.conditions import verdicts
from opensqt_operator.gridbot.observation import Observation
from opensqt_operator.pod_state import Stage
from opensqt_operator.rolls import upgrading
from opensqt_operator.steps import Announce, Plan


def status(o: Observation, plan: Plan) -> GridBotStatus:
    """What is to be written; equal to the previous where there is nothing new."""
    before = o.previous
    fields = {
        "observed_generation": o.generation,
        "state": state(o, plan),
        "conditions": with_times(verdicts(o, plan), before.conditions, now=o.now, generation=o.generation),
        "pod": o.pod["metadata"]["name"] if o.pod is not None and o.pod_is_ours else "",
    }
    if o.pod_state is None or o.pod_state.stage is not Stage.RUNNING or o.unreachable:
        # They spoke of a process that is gone, or that nobody hears.
        fields["probes"] = []
    updated = before.model_copy(update=fields)
    report = o.report
    return with_report(updated, report) if report is not None else updated


def urgent_part(status: GridBotStatus) -> object:
    """All that is to be written at once when it changes: everything but numbers, messages and times."""
    return (
        status.observed_generation,
        status.state,
        status.pod,
        status.epoch,
        [(one.type, one.status, one.reason, one.observed_generation) for one in status.conditions],
        (status.breaker.state, status.breaker.reason, status.breaker.opened_at, status.breaker.trips),
        [(one.reason, one.exits) for one in status.gate],
        status.monitor.state,
        [(limit.name, limit.limit, limit.reached) for limit in status.limits],
        [(probe.name, probe.healthy, probe.reason) for probe in status.probes],
        (status.reconciliation.failing_since, status.reconciliation.counts),
        status.weaknesses,
    )


def news(before: GridBotStatus, after: GridBotStatus) -> list[Announce]:
    """What a new status says that people want to hear of, and the bot has no Event for."""
    reached = {limit.name for limit in before.limits if limit.reached}
    limits = [
        Announce("LimitReached", f"{limit.name}: {limit.used} of {limit.limit}: no further entries", warning=True)
        for limit in after.limits
        if limit.reached and limit.name not in reached
    ]
    return _journal_news(before, after) + _upgrade_news(before, after) + limits


def _journal_news(before: GridBotStatus, after: GridBotStatus) -> list[Announce]:
    lost = before.orders.fills - after.orders.fills
    if lost <= 0 and not 0 < after.epoch < before.epoch:
        return []
    message = (
        f"the journal is at epoch {after.epoch} with {after.orders.fills} fills, after epoch {before.epoch} with "
        f"{before.orders.fills}: its database is another one, or as it was earlier. "
        "Compare position and open orders with the exchange's (docs/recovery.md)"
    )
    return [Announce("JournalReplaced", message, warning=True)]


def _upgrade_news(before: GridBotStatus, after: GridBotStatus) -> list[Announce]:
    degraded = find(after.conditions, "Degraded")
    if degraded is None or not _stuck(after) or _stuck(before):
        return []
    why = f"{degraded.reason}: {degraded.message}"
    return [Announce("UpgradeStopped", f"no other bot is upgraded until this one is Ready: {why}", warning=True)]


def _stuck(status: GridBotStatus) -> bool:
    degraded = find(status.conditions, "Degraded")
    return upgrading(status) and degraded is not None and degraded.status == ConditionStatus.TRUE


def state(o: Observation, plan: Plan) -> str:  # noqa: PLR0911 - a chain of reasons
    """The word in the column STATE."""
    if o.deleting:
        return "WindingDown" if o.held and plan.reason == "WindingDown" else "Terminating"
    pod, report = o.pod_state, o.report
    if pod is None:
        return "Pending"
    if pod.stage in {Stage.TERMINATING, Stage.FINISHED}:
        return "Restarting"
    if pod.stage is not Stage.RUNNING:
        return "Starting"
    if report is not None:
        return STATES.get(report.phase, "Unknown")
    if o.unreachable:
        return "Unknown"
    # Not heard of yet, or lost a moment ago: what it was is the best that is known.
    return "Starting" if o.previous.state in {"Pending", "Unknown"} else o.previous.state
