"""The processes of a bot and a connector: the operator turns them into containers, `opensqt run` into local ones."""

import json
from dataclasses import dataclass

from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBot

BOT_PORT = 50052
CONNECTOR_PORT = 50051
HEALTH_PORT = 8086
"""Plaintext grpc.health.v1 for kubelet's probes, of both processes."""
METRICS_PORT = 9090


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a process listens: its gRPC service, health, metrics."""

    grpc: int
    health: int = HEALTH_PORT
    metrics: int = METRICS_PORT


BOT_PORTS = Ports(BOT_PORT)
CONNECTOR_PORTS = Ports(CONNECTOR_PORT)
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - in a Pod, its only address

CREDENTIALS_DIR = "/etc/opensqt/credentials"
"""One file a key of the credentials Secret: apiKey, apiSecret, passphrase."""
CREDENTIALS_DIR_ENV = "OPENSQT_CREDENTIALS_DIR"
"""Another folder of them, where there is no container to mount them in."""
CANDLES_DIR = "/etc/opensqt/candles"
"""One folder a market, by its place in spec.paper.markets: `0/<key or path>`."""

RESOURCE_ENV = "OPENSQT_RESOURCE"
"""The resource as JSON: metadata (name, namespace, uid, generation) and spec."""
DSN_ENV = "OPENSQT_JOURNAL_DSN"


@dataclass(frozen=True, slots=True)
class Process:
    """A command with its environment. The journal's DSN comes beside it, from a Secret: it is never in here."""

    command: tuple[str, ...]
    env: dict[str, str]


def _resource(resource: GridBot | ExchangeConnector) -> str:
    document = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": resource.metadata.name,
            "namespace": resource.metadata.namespace,
            "uid": resource.metadata.uid,
            "generation": resource.metadata.generation,
        },
        # An image that the spec pins may be older than this, and refuses fields that it does not know.
        "spec": resource.spec.set_part(),
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def _listen(host: str, ports: Ports) -> tuple[str, ...]:
    return (
        *("--listen", f"{host}:{ports.grpc}"),
        *("--health", f"{host}:{ports.health}"),
        *("--metrics", f"{host}:{ports.metrics}"),
    )


def bot_process(bot: GridBot, *, connector: str, host: str = ANY_ADDRESS, ports: Ports = BOT_PORTS) -> Process:
    """The bot, which finds its connector at `connector` (host:port) and listens on `host`."""
    return Process(
        command=("opensqt", "bot", "--connector", connector, *_listen(host, ports)),
        env={RESOURCE_ENV: _resource(bot)},
    )


def connector_process(
    connector: ExchangeConnector,
    *,
    host: str = ANY_ADDRESS,
    ports: Ports = CONNECTOR_PORTS,
    credentials_dir: str = CREDENTIALS_DIR,
    lockstep_bots: tuple[str, ...] = (),
) -> Process:
    """The connector, listening on `host`; in lockstep with the bots of these uids where any are named."""
    elsewhere = {} if credentials_dir == CREDENTIALS_DIR else {CREDENTIALS_DIR_ENV: credentials_dir}
    lockstep = tuple(word for uid in lockstep_bots for word in ("--lockstep", uid))
    return Process(
        command=("opensqt", "connector", *_listen(host, ports), *lockstep),
        env={RESOURCE_ENV: _resource(connector)} | elsewhere,
    )
