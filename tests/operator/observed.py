"""GridBots as an operator may find them: a resource, its Pod, and what the bot says, without a cluster."""

from datetime import UTC, datetime
from typing import Any

from opensqt.api.gridbot import GridBot
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.gridbot.observation import Observation
from opensqt_operator.gridbot.resources import bot_pod
from opensqt_operator.lines import Contact
from opensqt_operator.options import Options
from opensqt_operator.steps import Announce, Plan
from tests.operator.kube_client import Object
from tests.operator.world import bot_manifest

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
OPTIONS = Options(namespaces=(), image="bot:1")
CONNECTOR: Object = {
    "apiVersion": "opensqt.io/v1alpha1",
    "kind": "ExchangeConnector",
    "metadata": {"name": "paper", "namespace": "ns"},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ]
    },
}


def gridbot(*, generation: int = 1, held: bool = True, deleting: bool = False, **spec: Any) -> Object:
    raw = bot_manifest("grid", **spec)
    raw["metadata"] |= {"namespace": "ns", "uid": "bot-uid", "generation": generation, "resourceVersion": "1"}
    if held:
        raw["metadata"]["finalizers"] = ["opensqt.io/wind-down"]
    if deleting:
        raw["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return raw


def live_pod(raw: Object, *, options: Options = OPTIONS, container: Object | None = None, **more: Any) -> Object:
    """The Pod that we made for `raw`, running."""
    born = {**raw, "metadata": {k: v for k, v in raw["metadata"].items() if k != "deletionTimestamp"}}
    pod = bot_pod(born, GridBot.model_validate(born), options)
    pod["metadata"] |= {"uid": "pod-uid", "creationTimestamp": "2026-01-01T11:00:00Z", "resourceVersion": "2"}
    pod["status"] = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "containerStatuses": [
            {
                "name": "bot",
                "restartCount": 0,
                **(container or {"state": {"running": {"startedAt": "2026-01-01T11:00:01Z"}}}),
            }
        ],
    }
    pod["metadata"] |= more.pop("metadata", {})
    pod["status"] |= more.pop("status", {})
    return pod


def report(**fields: Any) -> bot_pb2.Status:
    known: dict[str, Any] = {"epoch": 1, "generation": 1, "phase": bot_pb2.PHASE_RUNNING, "last_price": "40000"}
    return bot_pb2.Status(**(known | fields))


def starting_report(**fields: Any) -> bot_pb2.Status:
    """As of a bot that has not read its journal yet."""
    return bot_pb2.Status(**({"epoch": 2, "phase": bot_pb2.PHASE_STARTING} | fields))


def observe(raw: Object, pod: Object | None = None, **fields: Any) -> Observation:
    told: bot_pb2.Status | None = fields.pop("report", None)
    contact = Contact(told) if told is not None else Contact(None, 1.0)
    defaults: dict[str, Any] = {
        "connector": CONNECTOR, "contact": contact, "acknowledged": None, "told": None, "options": OPTIONS,
        "deleting_since": NOW if "deletionTimestamp" in raw["metadata"] else None,
    }  # fmt: skip
    return Observation(now=NOW, raw=raw, pod=pod, **(defaults | fields))


def kinds(p: Plan) -> list[type]:
    return [type(step) for step in p.steps]


def with_progress(raw: Object, reason: str) -> Object:
    condition = {
        "type": "Progressing",
        "status": "True",
        "reason": reason,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return raw | {"status": {"conditions": [condition], "pod": "grid-bot"}}


def announced(p: Plan) -> list[str]:
    return [step.reason for step in p.steps if isinstance(step, Announce)]
