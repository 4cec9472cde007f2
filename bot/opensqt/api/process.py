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
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - in a Pod, its only address

CREDENTIALS_DIR = "/etc/opensqt/credentials"
"""One file a key of the credentials Secret: apiKey, apiSecret, passphrase."""
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
        "spec": resource.spec.to_json_object(),
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def _listen(host: str, port: int) -> tuple[str, ...]:
    """Where a process answers: gRPC on `port`, then health and metrics."""
    return (
        *("--listen", f"{host}:{port}"),
        *("--health", f"{host}:{HEALTH_PORT}"),
        *("--metrics", f"{host}:{METRICS_PORT}"),
    )


def bot_process(bot: GridBot, *, connector: str, host: str = ANY_ADDRESS) -> Process:
    """The bot, which finds its connector at `connector` (host:port) and listens on `host`."""
    return Process(
        command=("opensqt", "bot", "--connector", connector, *_listen(host, BOT_PORT)),
        env={RESOURCE_ENV: _resource(bot)},
    )


def connector_process(
    connector: ExchangeConnector, *, host: str = ANY_ADDRESS, lockstep_bots: tuple[str, ...] = ()
) -> Process:
    """The connector, listening on `host`; in lockstep with the bots of these uids where any are named."""
    lockstep = tuple(word for uid in lockstep_bots for word in ("--lockstep", uid))
    return Process(
        command=("opensqt", "connector", *_listen(host, CONNECTOR_PORT), *lockstep),
        env={RESOURCE_ENV: _resource(connector)},
    )
