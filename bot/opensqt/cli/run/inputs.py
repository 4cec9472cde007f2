"""What a Pod would have mounted: market data and credentials, as files of this machine."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from opensqt.api.connector import ExchangeConnector
from opensqt.api.paper import Candles, PaperMarket
from opensqt.cli.run.manifests import Manifests
from opensqt.cli.run.state import State


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says instead of the manifests: candles of all paper markets, their speed, lockstep."""

    candles: Path | None = None
    speed: int | None = None
    lockstep: bool = False


def place_inputs(manifests: Manifests, state: State, overrides: Overrides) -> Manifests:
    """The manifests with paths of this machine in them; the files are written."""
    connectors = {}
    for key, connector in manifests.connectors.items():
        _write_credentials(connector, manifests, state)
        connectors[key] = _on_this_machine(connector, manifests, state, overrides)
    return replace(manifests, connectors=connectors)


def remove_credentials(state: State) -> None:
    """When nothing runs any more that needs them."""
    shutil.rmtree(state.folder / "credentials", ignore_errors=True)


def _write_credentials(connector: ExchangeConnector, manifests: Manifests, state: State) -> None:
    reference = connector.spec.credentials_secret_ref
    if reference is None:
        return
    folder = state.credentials(connector.metadata.namespace, connector.metadata.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    for key, value in manifests.secrets[connector.metadata.namespace, reference.name].items():
        file = folder / Path(key).name
        file.touch(mode=0o600)
        file.write_bytes(value)


def _on_this_machine(
    connector: ExchangeConnector, manifests: Manifests, state: State, overrides: Overrides
) -> ExchangeConnector:
    if (paper := connector.spec.paper) is None:
        return connector
    namespace = connector.metadata.namespace
    markets = [_market(market, namespace, manifests, state, overrides) for market in paper.markets]
    speed = overrides.speed or paper.speed
    spec = connector.spec.model_copy(update={"paper": paper.model_copy(update={"markets": markets, "speed": speed})})
    return connector.model_copy(update={"spec": spec})


def _market(
    market: PaperMarket, namespace: str, manifests: Manifests, state: State, overrides: Overrides
) -> PaperMarket:
    if overrides.candles is not None:
        return market.model_copy(update={"candles": Candles(path=str(overrides.candles)), "model": None})
    if market.candles is None:
        return market
    if (reference := market.candles.config_map_ref) is not None:
        file = state.folder / "configmaps" / namespace / reference.name / Path(reference.key).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(manifests.config_maps[namespace, reference.name][reference.key])
        return market.model_copy(update={"candles": Candles(path=str(file))})
    if market.candles.path is not None:
        return market.model_copy(update={"candles": Candles(path=str(Path(market.candles.path).absolute()))})
    return market
