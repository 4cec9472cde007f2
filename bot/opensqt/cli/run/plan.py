"""What is to run: the resources with uid and generation, and the processes that the operator would start for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBot
from opensqt.api.process import BOT_PORTS, CONNECTOR_PORTS, Process, bot_process, connector_process
from opensqt.api.schema import broken_immutables
from opensqt.cli.run.inputs import Overrides, place_inputs
from opensqt.cli.run.loopback import free_ports, hosts
from opensqt.cli.run.manifests import ManifestError, Manifests
from opensqt.cli.run.state import State

Resource = TypeVar("Resource", GridBot, ExchangeConnector)


@dataclass(frozen=True, slots=True)
class PlannedConnector:
    """`address` (host:port) is where its ExchangeService will be."""

    resource: ExchangeConnector
    process: Process
    address: str

    @property
    def name(self) -> str:
        return f"connector {self.resource.metadata.name}"


@dataclass(frozen=True, slots=True)
class PlannedBot:
    """`address` (host:port) is where its BotService will be."""

    resource: GridBot
    process: Process
    address: str
    connector: PlannedConnector

    @property
    def name(self) -> str:
        return f"bot {self.resource.metadata.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    connectors: tuple[PlannedConnector, ...]
    bots: tuple[PlannedBot, ...]


def apply(manifests: Manifests, state: State, overrides: Overrides) -> Plan:
    """Applies the manifests to the state, which gives them new generations. Raises ManifestError and NoPortError."""
    manifests = place_inputs(manifests, state, overrides)
    _check_immutables(manifests, state)
    host = hosts(state.folder)
    connectors = {
        key: _connector(_identified(connector, state), manifests, state, overrides, next(host))
        for key, connector in manifests.connectors.items()
    }
    bots = tuple(
        _bot(_identified(bot, state), connectors[_connector_of(bot)], next(host)) for bot in manifests.bots.values()
    )
    state.save()
    return Plan(tuple(connectors.values()), bots)


def _connector(
    connector: ExchangeConnector, manifests: Manifests, state: State, overrides: Overrides, host: str
) -> PlannedConnector:
    key = (connector.metadata.namespace, connector.metadata.name)
    bots = [bot for bot in manifests.bots.values() if _connector_of(bot) == key]
    ports = free_ports(host, CONNECTOR_PORTS)
    process = connector_process(
        connector,
        host=host,
        ports=ports,
        credentials_dir=str(state.credentials(*key)),
        lockstep_bots=tuple(_uid(bot, state) for bot in bots) if overrides.lockstep else (),
    )
    return PlannedConnector(connector, process, f"{host}:{ports.grpc}")


def _bot(bot: GridBot, connector: PlannedConnector, host: str) -> PlannedBot:
    ports = free_ports(host, BOT_PORTS)
    process = bot_process(bot, connector=connector.address, host=host, ports=ports)
    return PlannedBot(bot, process, f"{host}:{ports.grpc}", connector)


def _connector_of(bot: GridBot) -> tuple[str, str]:
    return bot.metadata.namespace, bot.spec.connector_ref.name


def _uid(resource: GridBot | ExchangeConnector, state: State) -> str:
    return state.uid(resource.kind, resource.metadata.namespace, resource.metadata.name)


def _key(resource: GridBot | ExchangeConnector) -> str:
    return f"{resource.kind}/{resource.metadata.namespace}/{resource.metadata.name}"


def _identified(resource: Resource, state: State) -> Resource:
    """Each run is an application of its own: its generation is newer than all that the bot's log knows."""
    generation = state.apply(_key(resource), resource.spec.to_json_object())
    metadata = resource.metadata.model_copy(update={"uid": _uid(resource, state), "generation": generation})
    return resource.model_copy(update={"metadata": metadata})


def _check_immutables(manifests: Manifests, state: State) -> None:
    wrong = []
    for resource in _resources(manifests):
        if (applied := state.applied.get(_key(resource))) is not None:
            changed = broken_immutables(resource.spec, applied.spec)
            if isinstance(resource, ExchangeConnector):
                changed += _changed_markets(resource.spec.to_json_object(), applied.spec)
            wrong += [f"{manifests.origin(resource)}: spec{line} (or start over with --fresh)" for line in changed]
    if wrong:
        raise ManifestError("\n".join(wrong))


def _changed_markets(spec: dict[str, Any], applied: dict[str, Any]) -> list[str]:
    """Orders and positions in one market's data mean nothing in another's."""
    before = {market["symbol"]: market for market in applied.get("paper", {}).get("markets", ())}
    return [
        f".paper.markets: the data or rules of {market['symbol']} are not those of the run before: "
        "go on with the same ones"
        for market in spec.get("paper", {}).get("markets", ())
        if before.get(market["symbol"], market) != market
    ]


def _resources(manifests: Manifests) -> Iterator[GridBot | ExchangeConnector]:
    yield from manifests.connectors.values()
    yield from manifests.bots.values()
