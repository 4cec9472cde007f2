"""Names, labels and annotations: what other programs may rely on (docs/architecture.md)."""

from typing import Any, NamedTuple

from opensqt.api import API_VERSION
from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBot

Object = dict[str, Any]
"""A Kubernetes object as the API server's JSON has it."""

FIELD_MANAGER = "opensqt-operator"
FINALIZER = "opensqt.io/wind-down"

BOT = "opensqt-bot"
CONNECTOR = "opensqt-connector"

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
SELECTOR = f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"
"""Selects the children of all our resources."""

PROCESS_HASH = "opensqt.io/process-hash"
"""On a bot's Pod: the hash of what cannot change while it runs."""
MANIFEST_HASH = "opensqt.io/manifest-hash"
"""On a connector's children: the hash of the manifest last applied, which tells a new spec from drift."""
FIRST_POD = "opensqt.io/first-pod"
"""On the first Pod of a bot: where it never ran, nothing was ever placed."""
FORCE_DELETE = "opensqt.io/force-delete"
"""On a resource, set to "true" by a person: let go of it at once."""


class Kind(NamedTuple):
    """A resource of the API server, in namespaces."""

    api_version: str
    kind: str
    plural: str


GRIDBOTS = Kind(API_VERSION, GridBot.kind_name, GridBot.plural)
CONNECTORS = Kind(API_VERSION, ExchangeConnector.kind_name, ExchangeConnector.plural)
PODS = Kind("v1", "Pod", "pods")
SERVICES = Kind("v1", "Service", "services")
SERVICE_ACCOUNTS = Kind("v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENTS = Kind("apps/v1", "Deployment", "deployments")
EVENTS = Kind("v1", "Event", "events")

OWNED = (GRIDBOTS, CONNECTORS)
CHILDREN = (PODS, SERVICES, SERVICE_ACCOUNTS, DEPLOYMENTS)


class Key(NamedTuple):
    """An object's address, and what the queue holds."""

    kind: str
    namespace: str
    name: str


def key_of(obj: Object) -> Key:
    return Key(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def pod_name(bot: str) -> str:
    return f"{bot}-bot"


def connector_name(connector: str) -> str:
    """The name of a connector's Deployment, Service and ServiceAccount."""
    return f"{connector}-connector"


def labels(program: str, instance: str) -> dict[str, str]:
    return {NAME_LABEL: program, INSTANCE_LABEL: instance, MANAGED_BY_LABEL: FIELD_MANAGER}
