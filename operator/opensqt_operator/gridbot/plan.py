"""What is to be done for a GridBot: pure, from an observation."""

from opensqt.api.gridbot import DeletionPolicy, GridBot
from opensqt.api.live import fixed_differences
from opensqt.api.meta import ConditionStatus
from opensqt_operator.conditions import find
from opensqt_operator.drift import first_difference
from opensqt_operator.gridbot.lifecycle import needs_telling, order_for, plan_deletion
from opensqt_operator.gridbot.observation import Observation, connector_verdict
from opensqt_operator.gridbot.resources import bot_pod, process_hash, repaired, started_with
from opensqt_operator.names import PODS, Object, pod_name
from opensqt_operator.ownership import Ownership, ownership
from opensqt_operator.pod_state import PodState, Stage
from opensqt_operator.rolls import UPGRADING, upgrading
from opensqt_operator.steps import Announce, Apply, Delete, HoldOn, LetGo, Plan, Step, Tell
from opensqt_operator.validation import InvalidSpecError

REPLACE_AFTER = 10.0
"""A Pod that fails is replaced at most once in so many seconds: kubelet may refuse each one at once."""
LOOK_AGAIN = 30.0
"""How often is looked at what no event brings back: a bot that does not answer, a Pod that is in the way."""
_ROLLING, _REPLACING, _CREATING = "Rolling", "Replacing", "Creating"
WAITING = "UpgradeWaiting"
_RESTARTS = {_ROLLING, _REPLACING, UPGRADING}
"""Reasons of Progressing that tell, when the Pod is made again, why."""


def plan(o: Observation) -> Plan:
    """The next steps; none where the bot is as its spec asks, or where only waiting or a person helps."""
    if o.pod is not None and not o.pod_is_ours:
        return _not_ours(o, o.pod)
    if o.deleting:
        return plan_deletion(o)
    if isinstance(o.parsed, InvalidSpecError):
        return Plan(reason="InvalidSpec", message=str(o.parsed))
    state = o.pod_state
    if o.pod is None or state is None:
        return _create(o, o.parsed)
    return _keep(o, o.parsed, o.pod, state)


def _not_ours(o: Observation, pod: Object) -> Plan:
    name = pod_name(o.name)
    if o.deleting:
        return plan_deletion(o)
    if ownership(pod, o.raw) is Ownership.FOREIGN:
        message = f"there is a Pod {name} that is not ours: delete it, or rename this GridBot"
        return Plan(reason="NameTaken", message=message, look_again=LOOK_AGAIN, blocked=True)
    going = "deletionTimestamp" in pod["metadata"]
    steps: tuple[Step, ...] = () if going else (Delete(PODS, name, pod["metadata"]["uid"]),)
    message = f"Pod {name} of an earlier GridBot of this name has to go first"
    return Plan(steps, "WaitingForEarlierPod", message, progressing=True, look_again=LOOK_AGAIN, blocked=True)


def _create(o: Observation, bot: GridBot) -> Plan:
    connector = bot.spec.connector_ref.name
    # A connector that is being deleted is kept for the bots that trade through it, and takes no new ones.
    new = not o.held and not o.previous.pod and not o.previous.epoch
    if o.connector is None or (new and "deletionTimestamp" in o.connector["metadata"]):
        verdict = connector_verdict(o.connector, connector)
        return Plan(reason=verdict.reason, message=verdict.message)
    holds = bot.spec.deletion_policy is not DeletionPolicy.ORPHAN
    first = holds and not o.held and not o.previous.pod
    hold: tuple[Step, ...] = (HoldOn(),) if holds and not o.held else ()
    apply = Apply(PODS, bot_pod(o.raw, bot, o.options, first=first), force=False)
    return Plan((*hold, apply, _why_created(o)), _CREATING, f"creating Pod {pod_name(o.name)}", progressing=True)


def _why_created(o: Observation) -> Announce:
    before = find(o.previous.conditions, "Progressing")
    name = pod_name(o.name)
    if before is not None and before.reason == _ROLLING:
        return Announce("Rolled", f"Pod {name} restarted with the new spec")
    if before is not None and before.reason == UPGRADING:
        return Announce("Upgraded", f"Pod {name} restarted as this version of the operator makes it")
    if before is not None and before.reason == _REPLACING:
        return Announce("Replaced", f"Pod {name} was made again after it had failed", warning=True)
    if o.previous.pod:
        return Announce("DriftRepaired", f"Pod {name} was gone and is made again", warning=True)
    return Announce("Created", f"created Pod {name}")


def _why_outdated(o: Observation, bot: GridBot, pod: Object) -> str:
    """A new spec rolls a bot at once, and so does anything where it does not trade; else the operator takes turns."""
    started = started_with(pod)
    edited = started is not None and bool(fixed_differences(started[1], bot.spec))
    ready = find(o.previous.conditions, "Ready")
    trades = ready is not None and ready.status == ConditionStatus.TRUE
    return _ROLLING if edited or not (trades or upgrading(o.previous)) else UPGRADING


def _keep(o: Observation, bot: GridBot, pod: Object, state: PodState) -> Plan:
    name = pod_name(o.name)
    wanted = bot_pod(o.raw, bot, o.options)
    outdated = process_hash(wanted) != process_hash(pod)
    if state.stage is Stage.TERMINATING:
        before = find(o.previous.conditions, "Progressing")
        reason = before.reason if before is not None and before.reason in _RESTARTS else state.reason
        # An instance that died before it wrote why has left this: the Pod is of an earlier spec.
        reason = _why_outdated(o, bot, pod) if outdated else reason
        return Plan(reason=reason, message=state.message, progressing=True, look_again=30.0)
    if state.stage is Stage.FINISHED:
        wait = REPLACE_AFTER - (o.now - state.created).total_seconds()
        message = f"Pod {name} {state.reason}: {state.message}"
        if wait > 0:
            return Plan(reason=_REPLACING, message=message, progressing=True, look_again=wait)
        return Plan((Delete(PODS, name, state.uid),), _REPLACING, message, progressing=True)
    if outdated and _why_outdated(o, bot, pod) == _ROLLING:
        return Plan(
            (Delete(PODS, name, state.uid),), _ROLLING, "restarting the bot with the new spec", progressing=True
        )
    if outdated and not o.ahead:
        message = "restarting the bot as this version of the operator makes it"
        return Plan((Delete(PODS, name, state.uid),), UPGRADING, message, progressing=True)
    return _stay(o, bot, pod, state, wanted if not outdated else None)


def _stay(o: Observation, bot: GridBot, pod: Object, state: PodState, wanted: Object | None) -> Plan:
    """The running Pod stays; it is `wanted` that it be, or None where it is to be another and has to wait for that."""
    steps: list[Step] = []
    name = pod_name(o.name)
    holds = bot.spec.deletion_policy is not DeletionPolicy.ORPHAN
    if holds != o.held:
        steps.append(HoldOn() if holds else LetGo())
    if wanted is not None:
        wanted = repaired(wanted, pod)
        difference = first_difference(wanted, pod)
        if difference is not None:
            steps += [
                Apply(PODS, wanted),
                Announce("DriftRepaired", f"{difference} of Pod {name} was changed by hand", warning=True),
            ]
            return Plan(tuple(steps), "RepairingDrift", f"putting {difference} of Pod {name} back", progressing=True)
    order = order_for(o, bot.spec)
    if needs_telling(o, order):
        steps.append(Tell(order))
        return Plan(tuple(steps), "Configuring", f"telling the bot generation {o.generation}", progressing=True)
    if wanted is None:
        message = f"to be restarted as this version of the operator makes it, after {o.ahead}"
        return Plan(tuple(steps), WAITING, message, progressing=True, look_again=LOOK_AGAIN)
    if state.stage is not Stage.RUNNING or not o.contact.up:
        reason, look_again = ("BotUnreachable", LOOK_AGAIN) if o.unreachable else ("Starting", o.patience)
        progressing = not o.unreachable and not state.broken
        return Plan(tuple(steps), reason, "waiting for the bot to answer", progressing, look_again=look_again)
    return Plan(tuple(steps))
