"""The state folder: kept from run to run, one run's at a time, never somebody else's."""

import json
import os
from pathlib import Path

import pytest

from opensqt.cli.run.inputs import Overrides
from opensqt.cli.run.manifests import ManifestError, read_manifests
from opensqt.cli.run.plan import Plan, apply
from opensqt.cli.run.state import State, StateError
from tests.cli.conftest import MANIFEST


def _apply(folder: Path, text: str, overrides: Overrides = Overrides()) -> Plan:  # noqa: B008 - it is frozen
    path = folder / "m.yaml"
    path.write_text(text)
    state = State.open(folder / "state")
    try:
        return apply(read_manifests([path]), state, overrides)
    finally:
        state.close()


def test_a_second_application_has_the_same_uids_and_newer_generations(tmp_path: Path) -> None:
    first, second = _apply(tmp_path, MANIFEST), _apply(tmp_path, MANIFEST)
    old, new = first.bots[0].resource.metadata, second.bots[0].resource.metadata
    assert new.uid == old.uid
    assert new.generation == old.generation + 1


def test_another_state_has_other_uids(tmp_path: Path) -> None:
    """A client id must never be used for two orders of one account."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    assert len({_apply(folder, MANIFEST).bots[0].resource.metadata.uid for folder in folders}) == 2


def test_a_wiped_state_has_other_uids(tmp_path: Path) -> None:
    before = _apply(tmp_path, MANIFEST).bots[0].resource.metadata.uid
    state = State.open(tmp_path / "state")
    (state.folder / "postgres").mkdir()
    state.wipe()
    state.close()
    assert not (tmp_path / "state" / "postgres").exists()
    assert _apply(tmp_path, MANIFEST).bots[0].resource.metadata.uid != before


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("symbol: BTC/USDT:USDT", "symbol: ETH/USDT:USDT", "spec.symbol: symbol is immutable"),
        ("seed: 7", "seed: 8", "spec.paper.markets: the data or rules of BTC/USDT:USDT are not those"),
    ],
)
def test_what_must_not_change_is_refused_as_in_a_cluster(tmp_path: Path, old: str, new: str, field: str) -> None:
    _apply(tmp_path, MANIFEST)
    with pytest.raises(ManifestError) as refused:
        _apply(tmp_path, MANIFEST.replace(old, new))
    assert field in str(refused.value)
    assert "--fresh" in str(refused.value)


def test_limits_and_speed_may_change(tmp_path: Path) -> None:
    _apply(tmp_path, MANIFEST)
    plan = _apply(tmp_path, MANIFEST + "  leverage: 2\n", Overrides(speed=10))
    assert plan.bots[0].resource.spec.leverage == 2
    assert plan.connectors[0].resource.spec.paper is not None
    assert plan.connectors[0].resource.spec.paper.speed == 10


def test_candles_override_every_market(tmp_path: Path) -> None:
    plan = _apply(tmp_path, MANIFEST, Overrides(candles=tmp_path / "c.csv", lockstep=True))
    connector, bot = plan.connectors[0], plan.bots[0]
    assert connector.resource.spec.paper is not None
    (market,) = connector.resource.spec.paper.markets
    assert market.model is None
    assert market.candles is not None
    assert market.candles.path == str(tmp_path / "c.csv")
    assert connector.process.command[-2:] == ("--lockstep", bot.resource.metadata.uid)
    assert bot.process.command[:4] == ("opensqt", "bot", "--connector", connector.address)


def test_credentials_are_files_for_the_connector_alone(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {apiKey: k, apiSecret: hush}\n---\n"
        "apiVersion: opensqt.io/v1alpha1\nkind: ExchangeConnector\nmetadata: {name: paper}\n"
        "spec: {exchange: bybit, credentialsSecretRef: {name: keys}}\n---\n" + MANIFEST.split("---\n")[1]
    )
    plan = _apply(tmp_path, text)
    folder = Path(plan.connectors[0].process.env["OPENSQT_CREDENTIALS_DIR"])
    assert (folder / "apiSecret").read_text() == "hush"
    assert (folder / "apiSecret").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "hush" not in json.dumps([plan.connectors[0].process.env, plan.bots[0].process.env])
    assert "hush" not in (tmp_path / "state" / "state.json").read_text()


def test_only_one_run_has_a_state(tmp_path: Path) -> None:
    first = State.open(tmp_path / "state")
    with pytest.raises(StateError, match=f"process {os.getpid()} runs with it"):
        State.open(tmp_path / "state")
    first.close()
    State.open(tmp_path / "state").close()


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StateError, match=r"is not empty and no state of opensqt run \(thesis.tex"):
        State.open(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "[]"])
def test_a_damaged_state_is_not_overwritten(tmp_path: Path, text: str) -> None:
    State.open(tmp_path).close()
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(StateError, match="is damaged"):
        State.open(tmp_path)
    assert (tmp_path / "state.json").read_text() == text


def test_the_state_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    State.open(tmp_path).close()
    (tmp_path / "state.json").write_text('{"version": 2}')
    with pytest.raises(StateError, match="is of version 2"):
        State.open(tmp_path)
