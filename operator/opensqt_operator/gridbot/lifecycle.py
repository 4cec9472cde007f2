"""What a bot's goal is, and how a GridBot ends.

Deletion drives the bot to its end (`PHASE_STOPPED`) and lets go then; every step is safe to repeat:

    no finalizer of ours ─► nothing is held
    force-delete, Orphan, deadline ─► let go, with an Event
    first Pod that has not been seen to run ─► deleted; once its node confirms that it never ran: let go, with an Event
    bot stopped as its deletionPolicy asks, and it has said so since it was told ─► let go
    Pod gone or finished ─► started again, stopped from the first moment, for its orders may still be open
    else ─► told its goal, and waited for
"""

import json

from opensqt.api.gridbot import DeletionPolicy, GridBotSpec, RunState
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.bots import Order
from opensqt_operator.conditions import Verdict
from opensqt_operator.gridbot.observation import Observation, connector_verdict
from opensqt_operator.gridbot.resources import bot_pod, process_hash, started_for, started_with
from opensqt_operator.names import PODS, Object, pod_name
from opensqt_operator.pod_state import PodState, Stage, pod_state
from opensqt_operator.steps import Announce, Apply, Delete, LetGo, Plan, Step, Tell
from opensqt_operator.validation import InvalidSpecError

_RUN_GOALS: dict[RunState, "bot_pb2.Goal.ValueType"] = {
    RunState.RUNNING: bot_pb2.GOAL_RUN,
    RunState.PAUSED: bot_pb2.GOAL_PAUSE,
    RunState.STOPPED: bot_pb2.GOAL_STOP,
}
_END_GOALS: dict[DeletionPolicy, "bot_pb2.Goal.ValueType"] = {
    DeletionPolicy.CANCEL_ORDERS: bot_pb2.GOAL_STOP,
    DeletionPolicy.CLOSE_POSITION: bot_pb2.GOAL_CLOSE,
}
_WINDING_DOWN = "WindingDown"
_LEFT_BEHIND = "orders may be open and a position held at the exchange: look there"


def order_for(o: Observation, spec: GridBotSpec) -> Order:
    """What the bot is to be told."""
    goal = _END_GOALS[o.policy] if o.deleting else _RUN_GOALS[spec.state]
    spec_json = json.dumps(spec.set_part(), separators=(",", ":"), sort_keys=True)
    return Order(str(o.raw["metadata"]["uid"]), o.generation, goal, spec_json)


def needs_telling(o: Observation, order: Order) -> bool:
    """Whether a bot that is to live on has yet to hear of its spec."""
    report = o.report
    if report is None or o.pod is None or report.generation >= o.generation:
        return False
    if report.generation:
        return True
    # It is starting, and says nothing yet of what is in its journal: it has to know only what its Pod does not say.
    started = started_with(o.pod)
    return started is not None and started[0] < o.generation and o.told != (order.generation, order.goal)


def plan_deletion(o: Observation) -> Plan:  # noqa: PLR0911 - a chain of reasons
    """The way to the end of a GridBot that is being deleted."""
    if not o.held:
        return Plan(reason="Terminating", message="waiting for others to let go of it", progressing=True)
    if o.forced:
        return _let_go(o, "Forced", f"let go at once, as its annotation asks; {_LEFT_BEHIND}", warning=True)
    if o.policy is DeletionPolicy.ORPHAN:
        return _let_go(o, "Orphaned", "let go; orders and position stay as they are")
    if _stopped(o):
        position = o.report.position if o.report is not None else ""
        return _let_go(o, "WoundDown", f"all orders are cancelled; position: {position or '0'}")
    state = o.pod_state
    if o.pod is None and _never_ran(o):
        return _let_go(o, "NeverStarted", "its bot never ran, so nothing was placed")
    if o.now >= o.deadline:
        return _let_go(
            o,
            "DeadlineExceeded",
            f"let go after spec.deletionTimeoutSeconds; {_LEFT_BEHIND}. {_obstacle(o)}",
            warning=True,
        )
    left = (o.deadline - o.now).total_seconds()
    steps = _steps(o, state)
    return Plan(steps, _WINDING_DOWN, _obstacle(o), progressing=True, look_again=min(left, 15.0))


def _steps(o: Observation, state: PodState | None) -> tuple[Step, ...]:  # noqa: PLR0911 - a chain of reasons
    if o.pod is not None and state is None:
        return ()
    if state is None or o.pod is None:
        if isinstance(o.parsed, InvalidSpecError) or o.connector is None:
            return ()
        return (Apply(PODS, bot_pod(o.raw, o.parsed, o.options, winding_down=True), force=False),)
    if state.stage is Stage.TERMINATING:
        return ()
    unborn = state.first and not state.ever_ran and o.previous.epoch == 0
    if state.stage is Stage.FINISHED or unborn or (state.broken and _outdated(o)):
        return (Delete(PODS, pod_name(o.name), state.uid),)
    # A spec edited together with the deletion may not fit the running bot; its own always does.
    started = started_with(o.pod)
    if started is None:
        return ()
    order = order_for(o, started[1])
    if o.report is not None and o.acknowledged != (order.generation, order.goal):
        return (Tell(order),)
    return ()


def _never_ran(o: Observation) -> bool:
    """Its first Pod is gone, and never ran by the word of its node; nothing that was said before that is certain."""
    if o.last_pod is None or started_for(o.last_pod) != o.raw["metadata"]["uid"] or o.previous.epoch:
        return False
    last = pod_state(o.last_pod)
    return last.first and last.ended and not last.ever_ran


def _outdated(o: Observation) -> bool:
    """The Pod does not come up, and the spec has been changed since: perhaps to help it."""
    if isinstance(o.parsed, InvalidSpecError) or o.pod is None:
        return False
    wanted: Object = bot_pod(o.raw, o.parsed, o.options)
    return process_hash(wanted) != process_hash(o.pod)


def _stopped(o: Observation) -> bool:
    """The bot is at its end, and says so since it was told which end."""
    report = o.report
    return (
        report is not None
        and o.acknowledged == (o.generation, _END_GOALS[o.policy])
        and report.generation >= o.generation
        and report.phase == bot_pb2.PHASE_STOPPED
    )


def _obstacle(o: Observation) -> str:
    """What deletion waits for."""
    connector = str(o.raw.get("spec", {}).get("connectorRef", {}).get("name", ""))
    verdict: Verdict = connector_verdict(o.connector, connector)
    hindered = f"; connector: {verdict.reason}: {verdict.message}" if verdict.status != "True" else ""
    if isinstance(o.parsed, InvalidSpecError):
        hindered += f"; the spec is invalid: {o.parsed}"
    state, report = o.pod_state, o.report
    if o.pod is not None and state is None:
        return f"Pod {pod_name(o.name)} belongs to something else{hindered}"
    if state is None:
        return f"no bot runs{hindered}"
    if report is None:
        why = ": ".join(part for part in (state.reason, state.message) if part)
        why = o.contact.error if state.stage is Stage.RUNNING and o.contact.error else why
        return f"the bot does not answer ({why}){hindered}"
    phase = bot_pb2.Phase.Name(report.phase).removeprefix("PHASE_")
    said = ": ".join(part for part in (report.reason, report.message) if part)
    return f"bot: {phase}{f' ({said})' if said else ''}{hindered}"


def _let_go(o: Observation, reason: str, message: str, *, warning: bool = False) -> Plan:
    steps: tuple[Step, ...] = (Announce(reason, message, warning), LetGo())
    if o.pod_stays and o.policy is not DeletionPolicy.ORPHAN:
        # Before its owner goes: afterwards nobody would know it.
        state = o.pod_state
        steps = (Delete(PODS, pod_name(o.name), state.uid), *steps) if state is not None else steps
    return Plan(steps, reason, message, progressing=True)
