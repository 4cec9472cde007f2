"""What is to be done for an ExchangeConnector: pure, from an observation.

A connector that is being deleted is kept, whole and repaired, as long as GridBots refer to it: they wind down through
it. So `kubectl delete -f` works in any order.
"""

from opensqt_operator.connector.observation import Observation
from opensqt_operator.connector.resources import children
from opensqt_operator.drift import first_difference
from opensqt_operator.names import MANIFEST_HASH, Kind, Object
from opensqt_operator.ownership import Ownership, as_born, ownership
from opensqt_operator.steps import Announce, Apply, HoldOn, LetGo, Plan, Step
from opensqt_operator.validation import InvalidSpecError

_SHOWN = 3
_LOOK_AGAIN = 10.0


def plan(o: Observation) -> Plan:  # noqa: PLR0911 - a chain of reasons
    """The next steps; none where it is as its spec asks, or where only waiting or a person helps."""
    if o.deleting and not o.held:
        return Plan(reason="Terminating", message="waiting for others to let go of it", progressing=True)
    if o.deleting and o.forced:
        return _let_go("Forced", "let go at once, as its annotation asks", warning=True)
    if o.deleting and not o.bots:
        return _let_go("Released", "no GridBot refers to it any more")
    if isinstance(o.parsed, InvalidSpecError):
        return Plan(reason="InvalidSpec", message=str(o.parsed))
    hold: tuple[Step, ...] = () if o.held else (HoldOn(),)
    wanted = children(o.raw, o.parsed, o.options)
    for kind, _ in wanted:
        blocked = _blocked(o, kind)
        if blocked is not None:
            return blocked
    steps = [step for kind, manifest in wanted for step in _steps(o.live.get(kind), kind, manifest)]
    if o.deleting:
        names = ", ".join(o.bots[:_SHOWN]) + (" …" if len(o.bots) > _SHOWN else "")
        return Plan(tuple(steps), "InUse", f"GridBots still refer to it: {names}", progressing=True)
    if steps:
        return Plan((*hold, *steps), "Applying", "bringing its children to what the spec asks", progressing=True)
    return Plan(hold)


def _blocked(o: Observation, kind: Kind) -> Plan | None:
    live = o.live.get(kind)
    if live is None:
        return None
    name = live["metadata"]["name"]
    match ownership(live, o.raw):
        case Ownership.OURS:
            return None
        case Ownership.EARLIER:
            message = f"{kind.kind} {name} of an earlier ExchangeConnector of this name has to go first"
            return Plan(
                reason="WaitingForEarlier", message=message, progressing=True, look_again=_LOOK_AGAIN, blocked=True
            )
        case Ownership.FOREIGN:
            message = f"there is a {kind.kind} {name} that is not ours: delete it, or rename this ExchangeConnector"
            return Plan(reason="NameTaken", message=message, look_again=_LOOK_AGAIN, blocked=True)


def _steps(live: Object | None, kind: Kind, manifest: Object) -> list[Step]:
    name = manifest["metadata"]["name"]
    if live is None:
        return [Apply(kind, manifest, force=False), Announce("Created", f"created {kind.kind} {name}")]
    if "deletionTimestamp" in live["metadata"]:
        return []
    manifest = manifest | {"metadata": as_born(manifest["metadata"], live["metadata"])}
    difference = first_difference(manifest, live)
    if difference is None:
        return []
    if live["metadata"].get("annotations", {}).get(MANIFEST_HASH) != manifest["metadata"]["annotations"][MANIFEST_HASH]:
        return [Apply(kind, manifest), Announce("Updated", f"updated {kind.kind} {name}")]
    repaired = Announce("DriftRepaired", f"{difference} of {kind.kind} {name} was changed by hand", warning=True)
    return [Apply(kind, manifest), repaired]


def _let_go(reason: str, message: str, *, warning: bool = False) -> Plan:
    return Plan((Announce(reason, message, warning), LetGo()), reason, message, progressing=True)
