"""A GridBot's Pod."""

import json

from opensqt.api.gridbot import GridBot, GridBotSpec, RunState
from opensqt.api.live import fixed_part
from opensqt.api.process import BOT_PORT, CONNECTOR_PORT, RESOURCE_ENV, bot_process
from opensqt_operator.drift import digest
from opensqt_operator.names import BOT, FIRST_POD, PROCESS_HASH, Object, connector_name, labels, pod_name
from opensqt_operator.options import Options
from opensqt_operator.ownership import as_born, owner_reference
from opensqt_operator.pod_state import CONTAINER
from opensqt_operator.pod_template import container, pod_spec

_GRACE = 30


def bot_address(ip: str) -> str:
    return f"[{ip}]:{BOT_PORT}" if ":" in ip else f"{ip}:{BOT_PORT}"


def connector_address(namespace: str, connector: str) -> str:
    """Where bots find a connector: its Service."""
    return f"{connector_name(connector)}.{namespace}.svc:{CONNECTOR_PORT}"


def bot_pod(raw: Object, bot: GridBot, options: Options, *, first: bool = False, winding_down: bool = False) -> Object:
    """The Pod, as server-side apply takes it.

    `winding_down` starts the bot stopped, so that it can place no entry before it is told how to end.
    """
    if winding_down:
        stopped = bot.spec.model_copy(update={"state": RunState.STOPPED})
        bot = bot.model_copy(update={"spec": stopped})
    metadata = bot.metadata
    process = bot_process(bot, connector=connector_address(metadata.namespace, bot.spec.connector_ref.name))
    template = pod_spec(
        container(
            CONTAINER, process, image=bot.spec.image or options.image, pull_policy=options.image_pull_policy,
            port=BOT_PORT, readiness="readiness", resources=bot.spec.resources, journal=bot.spec.journal,
        ),
        grace=_GRACE, pull_secrets=options.image_pull_secrets,
    )  # fmt: skip
    annotations = {PROCESS_HASH: _process_hash(template, bot.spec)}
    if first:
        annotations[FIRST_POD] = "true"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(metadata.name),
            "namespace": metadata.namespace,
            "labels": labels(BOT, metadata.name),
            "annotations": annotations,
            "ownerReferences": [owner_reference(raw)],
        },
        "spec": template,
    }


def repaired(desired: Object, live: Object) -> Object:
    """The desired Pod of the same process hash, with what was written into the live one's environment at its birth.

    A Pod's environment cannot change, and its live fields have reached the bot over gRPC since.
    """
    environment = {env["name"]: env for env in _environment(live)}
    (wanted,) = desired["spec"]["containers"]
    env = [environment.get(item["name"], item) if item["name"] == RESOURCE_ENV else item for item in wanted["env"]]
    metadata = as_born(desired["metadata"], live["metadata"])
    if live["metadata"].get("annotations", {}).get(FIRST_POD) == "true":
        metadata["annotations"] = metadata["annotations"] | {FIRST_POD: "true"}
    return desired | {
        "metadata": metadata,
        "spec": desired["spec"] | {"containers": [wanted | {"env": env}]},
    }


def process_hash(pod: Object) -> str:
    return str(pod["metadata"].get("annotations", {}).get(PROCESS_HASH, ""))


def started_with(pod: Object) -> tuple[int, GridBotSpec] | None:
    """The generation and the spec that a Pod was started with."""
    try:
        resource = _resource(pod)
        return int(resource["metadata"]["generation"]), GridBotSpec.model_validate(resource["spec"])
    except (ValueError, KeyError, TypeError):
        return None


def started_for(pod: Object) -> str:
    """The uid of the GridBot that a Pod was started for, whoever owns it now; empty where it is no bot of ours."""
    try:
        return str(_resource(pod)["metadata"]["uid"])
    except (ValueError, KeyError, TypeError):
        return ""


def _resource(pod: Object) -> Object:
    value = next((env.get("value", "") for env in _environment(pod) if env["name"] == RESOURCE_ENV), "")
    resource: Object = json.loads(value)
    return resource


def _environment(pod: Object) -> list[Object]:
    containers = pod.get("spec", {}).get("containers", ())
    return next((list(one.get("env", ())) for one in containers if one["name"] == CONTAINER), [])


def _process_hash(template: Object, spec: GridBotSpec) -> str:
    """The hash of what cannot change while the bot runs."""
    (the_container,) = template["containers"]
    env = [item for item in the_container["env"] if item["name"] != RESOURCE_ENV]
    return digest([template | {"containers": [the_container | {"env": env}]}, fixed_part(spec)])
