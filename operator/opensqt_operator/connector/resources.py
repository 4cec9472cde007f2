"""An ExchangeConnector's Deployment, Service and ServiceAccount."""

from opensqt.api.connector import ExchangeConnector
from opensqt.api.exchange import Exchange
from opensqt.api.paper import Candles
from opensqt.api.process import CANDLES_DIR, CONNECTOR_PORT, CREDENTIALS_DIR, connector_process
from opensqt_operator.drift import digest
from opensqt_operator.names import (
    CONNECTOR,
    DEPLOYMENTS,
    INSTANCE_LABEL,
    MANIFEST_HASH,
    NAME_LABEL,
    SERVICE_ACCOUNTS,
    SERVICES,
    Kind,
    Object,
    connector_name,
    labels,
)
from opensqt_operator.options import Options
from opensqt_operator.ownership import owner_reference
from opensqt_operator.pod_template import container, pod_spec

CONTAINER = "connector"
_GRACE = 30


def children(raw: Object, connector: ExchangeConnector, options: Options) -> list[tuple[Kind, Object]]:
    """All that a connector owns, in the order in which it is made."""
    name = connector_name(connector.metadata.name)
    account = _child(raw, SERVICE_ACCOUNTS, {"automountServiceAccountToken": False})
    service = _child(raw, SERVICES, {"spec": _service(connector)})
    deployment = _child(raw, DEPLOYMENTS, {"spec": _deployment(connector, name, options)})
    return [(SERVICE_ACCOUNTS, account), (SERVICES, service), (DEPLOYMENTS, deployment)]


def _child(raw: Object, kind: Kind, body: Object) -> Object:
    metadata = raw["metadata"]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": connector_name(metadata["name"]),
            "namespace": metadata["namespace"],
            "labels": labels(CONNECTOR, metadata["name"]),
            "annotations": {MANIFEST_HASH: digest(body)},
            "ownerReferences": [owner_reference(raw)],
        },
        **body,
    }


def _selector(name: str) -> dict[str, str]:
    return {NAME_LABEL: CONNECTOR, INSTANCE_LABEL: name}


def _service(connector: ExchangeConnector) -> Object:
    return {
        "type": "ClusterIP",
        "selector": _selector(connector.metadata.name),
        "ports": [{"name": "grpc", "port": CONNECTOR_PORT, "targetPort": CONNECTOR_PORT, "protocol": "TCP"}],
        # A connector that is not ready says why, in the vocabulary that bots understand.
        "publishNotReadyAddresses": True,
    }


def _deployment(connector: ExchangeConnector, account: str, options: Options) -> Object:
    spec = connector.spec
    paper = spec.exchange is Exchange.PAPER
    # A deletion counts the generation up, and bots still have to wind down through the connector as it runs.
    steady = connector.model_copy(update={"metadata": connector.metadata.model_copy(update={"generation": 1})})
    the_container = container(
        CONTAINER, connector_process(steady), image=spec.image or options.image, pull_policy=options.image_pull_policy,
        port=CONNECTOR_PORT, readiness="", resources=spec.resources, journal=spec.journal if paper else None,
    )  # fmt: skip
    template = pod_spec(the_container, grace=_GRACE, pull_secrets=options.image_pull_secrets)
    template["serviceAccountName"] = account
    for volume, mount in _volumes(connector):
        template["volumes"].append(volume)
        the_container["volumeMounts"].append(mount)
    return {
        "replicas": 1,
        # Two connectors would each believe that the account's rate budget is theirs.
        # The null takes away what the API server adds for another type, should somebody set that.
        "strategy": {"type": "Recreate", "rollingUpdate": None},
        "revisionHistoryLimit": 2,
        # Nor may it be paused by hand: a new spec would never be rolled out.
        "paused": None,
        "selector": {"matchLabels": _selector(connector.metadata.name)},
        "template": {"metadata": {"labels": labels(CONNECTOR, connector.metadata.name)}, "spec": template},
    }


def _volumes(connector: ExchangeConnector) -> list[tuple[Object, Object]]:
    """Volumes with their mounts: the credentials, and the candles of each market, by its place in the spec."""
    volumes = []
    secret = connector.spec.credentials_secret_ref
    if secret is not None:
        # Optional, so that the connector runs and says what is missing, where it would wait for it without a word.
        source: Object = {"secret": {"secretName": secret.name, "defaultMode": 0o440, "optional": True}}
        volumes.append(_volume("credentials", source, CREDENTIALS_DIR))
    paper = connector.spec.paper
    for index, market in enumerate(paper.markets if paper is not None else ()):
        source = _candles(market.candles) if market.candles is not None else {}
        if source:
            volumes.append(_volume(f"candles-{index}", source, f"{CANDLES_DIR}/{index}"))
    return volumes


def _candles(candles: Candles) -> Object:
    if candles.config_map_ref is not None:
        key = candles.config_map_ref.key
        name = candles.config_map_ref.name
        return {"configMap": {"name": name, "items": [{"key": key, "path": key}], "optional": True}}
    if candles.volume is not None:
        return {"persistentVolumeClaim": {"claimName": candles.volume.claim_name, "readOnly": True}}
    return {}


def _volume(name: str, source: Object, path: str) -> tuple[Object, Object]:
    return {"name": name, **source}, {"name": name, "mountPath": path, "readOnly": True}
