"""A GridBot's conditions: one pure function for each, a chain of reasons where the first that holds is the answer."""

from opensqt.api.gridbot import GridBot, RunState
from opensqt.api.meta import ConditionStatus
from opensqt.api.report import knows_itself
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.conditions import Verdict, false, true, unknown
from opensqt_operator.gridbot.observation import Observation, connector_verdict
from opensqt_operator.names import pod_name
from opensqt_operator.pod_state import Stage
from opensqt_operator.rolls import UPGRADING, upgrading
from opensqt_operator.steps import Plan
from opensqt_operator.validation import InvalidSpecError

_WANTED_PHASES = {
    RunState.RUNNING: bot_pb2.PHASE_RUNNING,
    RunState.PAUSED: bot_pb2.PHASE_PAUSED,
    RunState.STOPPED: bot_pb2.PHASE_STOPPED,
}
_LOOK_THERE = frozenset({"OrderDenied"})
"""What a bot trades on with, though somebody should look at the exchange."""
_BLOCKED = frozenset({"NameTaken", "ConnectorNotFound", "ConnectorDeleting"})


def verdicts(o: Observation, plan: Plan) -> dict[str, Verdict]:
    """All of them, in the order in which they are shown."""
    is_ready, on_its_way = ready(o, plan), progressing(o, plan)
    if upgrading(o.previous) and is_ready.status != ConditionStatus.TRUE and not o.deleting:
        # Until it is Ready: others wait for it, also under the next operator.
        on_its_way = true(UPGRADING, on_its_way.message or is_ready.message)
    return {
        "Ready": is_ready,
        "Progressing": on_its_way,
        "Degraded": degraded(o),
        "ConnectorReady": connector_ready(o),
        "EntriesAllowed": entries_allowed(o),
        "CircuitClosed": circuit_closed(o),
        "WithinRiskLimits": within_risk_limits(o),
    }


def ready(o: Observation, plan: Plan) -> Verdict:
    """It does what the spec asks: Running trades, Paused and Stopped have come to that."""
    if o.deleting:
        return false("Deleting", plan.message)
    if isinstance(o.parsed, InvalidSpecError):
        return false("InvalidSpec", str(o.parsed))
    if o.trouble is not None:
        return o.trouble
    if plan.reason in _BLOCKED or plan.reason == "WaitingForEarlierPod":
        return false(plan.reason, plan.message)
    return _pod_ready(o, o.parsed, plan)


def _pod_ready(o: Observation, bot: GridBot, plan: Plan) -> Verdict:
    pod = o.pod_state
    if pod is None:
        return false(plan.reason if plan.progressing else "PodMissing", plan.message)
    if pod.stage is not Stage.RUNNING:
        return false(pod.reason, pod.message)
    if o.unreachable:
        where = f" on node {pod.node}" if pod.node else ""
        return unknown(
            "BotUnreachable", f"Pod {pod_name(o.name)}{where} does not answer: {o.contact.error or 'no answer yet'}"
        )
    if o.report is None:
        return _as_before(o, "Ready", false("Starting", "the bot has not reported yet"))
    return _bot_ready(o, bot, o.report)


def _bot_ready(o: Observation, bot: GridBot, report: bot_pb2.Status) -> Verdict:  # noqa: PLR0911 - a chain of reasons
    said = report.message
    if report.phase == bot_pb2.PHASE_HALTED:
        return false(report.reason or "Halted", said)
    if report.phase == bot_pb2.PHASE_STARTING:
        return false(report.reason or "Starting", said)
    if report.generation < o.generation:
        return false("Configuring", f"the bot still has generation {report.generation} of the spec")
    unhealthy = [probe for probe in report.probes if not probe.healthy]
    if unhealthy:
        message = "; ".join(f"{probe.name}: {probe.reason}: {probe.message}" for probe in unhealthy)
        return false(f"{unhealthy[0].name}Unhealthy", message)
    if report.phase != _WANTED_PHASES[bot.spec.state]:
        phase = bot_pb2.Phase.Name(report.phase).removeprefix("PHASE_").title().replace("_", "")
        return false(report.reason or phase, said or f"on the way to {bot.spec.state}")
    if report.market_ended and bot.spec.state is RunState.RUNNING:
        return true("MarketEnded", "the paper exchange has played its data to the end")
    return true(report.reason or "Trading" if bot.spec.state is RunState.RUNNING else str(bot.spec.state), said)


def progressing(o: Observation, plan: Plan) -> Verdict:
    """It is on its way to what the spec asks, without a person's help."""
    if plan.progressing and plan.reason == "Starting":
        return _as_before(o, "Progressing", true(plan.reason, plan.message))
    if plan.progressing:
        return true(plan.reason, plan.message)
    if isinstance(o.parsed, GridBot) and o.report is not None and not o.deleting:
        report = o.report
        if report.phase in {bot_pb2.PHASE_STARTING, bot_pb2.PHASE_WINDING_DOWN}:
            return true(report.reason or "Starting", report.message)
        if report.phase != bot_pb2.PHASE_HALTED and report.generation < o.generation:
            return true("Configuring", f"the bot still has generation {report.generation} of the spec")
    return false(plan.reason, plan.message)


def degraded(o: Observation) -> Verdict:  # noqa: PLR0911 - a chain of reasons
    """Something is wrong that a person may have to look at."""
    if isinstance(o.parsed, InvalidSpecError):
        return true("InvalidSpec", str(o.parsed))
    if o.trouble is not None:
        return true(o.trouble.reason, o.trouble.message)
    pod, report = o.pod_state, o.report
    if pod is not None and pod.broken:
        return true(pod.reason, pod.message)
    if o.unreachable:
        return true("BotUnreachable", o.contact.error)
    if report is None:
        return _as_before(o, "Degraded", false("AsExpected")) if pod is not None else false("AsExpected")
    if report.phase == bot_pb2.PHASE_HALTED:
        return true(report.reason or "Halted", report.message)
    unhealthy = [probe for probe in report.probes if not probe.healthy]
    if unhealthy and report.phase != bot_pb2.PHASE_STARTING:
        return true(f"{unhealthy[0].name}Unhealthy", unhealthy[0].message)
    if report.reason in _LOOK_THERE:
        return true(report.reason, report.message)
    return false("AsExpected")


def connector_ready(o: Observation) -> Verdict:
    return connector_verdict(o.connector, str(o.raw.get("spec", {}).get("connectorRef", {}).get("name", "")))


def entries_allowed(o: Observation) -> Verdict:
    """Nothing holds entries back: the bot's gate is open."""
    if o.report is None:
        return _without_report(o, "EntriesAllowed")
    gate = o.report.gate
    if not gate and o.report.phase == bot_pb2.PHASE_STARTING:
        return false(o.report.reason or "Starting", o.report.message)
    if not gate:
        return true("GateOpen")
    first, *others = gate
    return false(first.reason, "; ".join([first.message, *(f"{one.reason}: {one.message}" for one in others)]))


def circuit_closed(o: Observation) -> Verdict:
    """The circuit breaker lets entries be placed."""
    if o.report is None or not knows_itself(o.report):
        return _without_report(o, "CircuitClosed")
    breaker = o.report.breaker
    if not breaker.open:
        return true("Closed")
    return false(breaker.reason or "Open", breaker.message)


def within_risk_limits(o: Observation) -> Verdict:
    """No limit holds an order back."""
    if o.report is None or not knows_itself(o.report):
        return _without_report(o, "WithinRiskLimits")
    reached = [limit for limit in o.report.limits if limit.reached]
    if not reached:
        return true("WithinLimits")
    used = ", ".join(f"{limit.name} ({limit.used} of {limit.limit})" for limit in reached)
    return false("LimitReached", f"no further entries: {used}")


def _without_report(o: Observation, kind: str) -> Verdict:
    if o.pod_state is None:
        return unknown("NoBot", "no bot runs")
    if o.unreachable:
        return unknown("BotUnreachable", "the bot does not answer")
    return _as_before(o, kind, unknown("NoReport", "the bot has not told of it yet"))


def _as_before(o: Observation, kind: str, otherwise: Verdict) -> Verdict:
    """While a running bot is silent for a moment, or starts, or we do, what was last said stands."""
    if o.pod_state is None or o.pod_state.stage is not Stage.RUNNING or o.previous.observed_generation != o.generation:
        return otherwise
    for condition in o.previous.conditions:
        if condition.type == kind:
            return Verdict(condition.status, condition.reason, condition.message)
    return otherwise
