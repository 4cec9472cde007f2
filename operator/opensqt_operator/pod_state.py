"""What kubelet and the scheduler say of a Pod."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from opensqt.api.process import DSN_ENV
from opensqt_operator.names import FIRST_POD, Object

CONTAINER = "bot"


class Stage(Enum):
    TERMINATING = auto()
    FINISHED = auto()
    """Failed, succeeded or evicted: none of its containers runs, and none will."""
    PENDING = auto()
    """Not scheduled, or its image not pulled, or its container not created."""
    DOWN = auto()
    """Its container ran and is to run again."""
    RUNNING = auto()


@dataclass(frozen=True, slots=True)
class PodState:
    """One Pod."""

    stage: Stage
    reason: str
    message: str
    uid: str
    ip: str
    node: str
    created: datetime
    started: datetime | None
    """When its container was started, where it runs."""
    ever_ran: bool
    """As far as kubelet has told."""
    ended: bool
    """It was on no node, or its node has said that none of its containers runs: there is no more to be told."""
    first: bool
    """It is the first Pod that its bot ever had."""
    broken: bool
    """It does not come up by itself, as far as one can tell: a person or a new spec must act."""


_ENDED = {"Failed", "Succeeded"}
_NEVER_MADE = "ContainerStatusUnknown"
"""The reason that kubelet gives, when a Pod ends, to a container that it cannot find."""
_NO_CONFIG = "CreateContainerConfigError"
"""The reason that kubelet gives when what an environment variable refers to is not there."""
_PATIENT = {"ContainerCreating", "PodInitializing", ""}
"""Reasons for waiting that pass."""


def pod_state(pod: Object, container_name: str = CONTAINER) -> PodState:
    metadata, status = pod["metadata"], pod.get("status", {})
    container: Object = next((c for c in status.get("containerStatuses", ()) if c["name"] == container_name), {})
    state, last = container.get("state", {}), container.get("lastState", {})
    stage, reason, message, broken = _stage(pod, state, last)
    running = state.get("running", {})
    return PodState(
        stage=stage,
        reason=reason,
        message=message,
        uid=metadata["uid"],
        ip=status.get("podIP", ""),
        node=pod.get("spec", {}).get("nodeName", ""),
        created=_time(metadata["creationTimestamp"]),
        started=_time(running["startedAt"]) if running.get("startedAt") else None,
        ever_ran=bool(running or _ran(state) or last or container.get("restartCount", 0)),
        ended="nodeName" not in pod.get("spec", {}) or status.get("phase") in _ENDED,
        first=metadata.get("annotations", {}).get(FIRST_POD) == "true",
        broken=broken,
    )


def _stage(pod: Object, state: Object, last: Object) -> tuple[Stage, str, str, bool]:  # noqa: PLR0911 - a chain of reasons
    status = pod.get("status", {})
    name = pod["metadata"]["name"]
    if "deletionTimestamp" in pod["metadata"]:
        node = pod.get("spec", {}).get("nodeName", "")
        return Stage.TERMINATING, "PodTerminating", f"waiting for node {node or '(none)'} to end Pod {name}", False
    if status.get("phase") in _ENDED:
        reason = status.get("reason") or f"Pod{status['phase']}"
        message = status.get("message") or _exit(state.get("terminated", {}))
        return Stage.FINISHED, reason, message, True
    if "running" in state:
        return Stage.RUNNING, "ContainerRunning", "", False
    if "terminated" in state:
        return Stage.DOWN, "ContainerTerminated", _exit(state["terminated"]), False
    waiting = state.get("waiting", {})
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if "terminated" in last:
        return Stage.DOWN, reason or "ContainerRestarting", _join(_exit(last["terminated"]), message), True
    if reason == _NO_CONFIG and (missing := _journal_secret(pod, message)):
        return Stage.PENDING, "JournalSecretMissing", missing, True
    if reason not in _PATIENT:
        return Stage.PENDING, reason, message, True
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Stage.PENDING, condition.get("reason", "Unschedulable"), condition.get("message", ""), True
    return Stage.PENDING, reason or "PodPending", message, False


def _ran(state: Object) -> bool:
    return "terminated" in state and state["terminated"].get("reason") != _NEVER_MADE


def _journal_secret(pod: Object, message: str) -> str:
    """What to do about the Secret of the journal's DSN, where that is what kubelet misses."""
    for container in pod.get("spec", {}).get("containers", ()):
        for variable in container.get("env", ()):
            secret = variable.get("valueFrom", {}).get("secretKeyRef", {})
            if variable["name"] == DSN_ENV and secret and secret["name"] in message:
                return (
                    f"spec.journal.dsnSecretRef: {message}: give namespace {pod['metadata']['namespace']} a Secret "
                    f"{secret['name']} with the key {secret['key']}, or add it to the chart's journal.namespaces"
                )
    return ""


def _exit(terminated: Object) -> str:
    """How a container ended, with the last it said (terminationMessagePolicy: FallbackToLogsOnError)."""
    if not terminated:
        return ""
    said = (terminated.get("message") or "").strip()
    text = f"exited with code {terminated.get('exitCode')} ({terminated.get('reason') or 'no reason'})"
    return f"{text}: {said}" if said else text


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
