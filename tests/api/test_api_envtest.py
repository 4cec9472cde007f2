"""A real API server takes the CRDs without a word, and refuses bad resources with a message that names the field."""

import copy
import itertools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensqt.api.gridbot import GridBot
from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.report import with_report
from opensqt.bot.v1 import bot_pb2 as pb
from tests.cluster.binaries import tool
from tests.cluster.envtest import Envtest

pytestmark = pytest.mark.envtest

ROOT = Path(__file__).parents[2]
MISSING = object()
_names = itertools.count(1)


def _example() -> tuple[dict[str, Any], dict[str, Any]]:
    connector, bot = yaml.safe_load_all((ROOT / "examples" / "gridbot.yaml").read_text())
    return connector, bot


CONNECTOR, BOT = _example()


def _with(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The document with values at dotted paths, or without them."""
    changed = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = path.split(".")
        target = changed
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is MISSING:
            del target[last]
        else:
            target[last] = value
    return changed


@pytest.fixture(scope="session")
def server(envtest: Envtest) -> Envtest:
    """The API server with our CRDs."""
    applied = envtest.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    assert applied.stderr == "", "kubectl passes the API server's warnings on"
    envtest.serve("gridbots", "exchangeconnectors")
    return envtest


@pytest.fixture
def namespace(server: Envtest) -> Iterator[str]:
    name = f"api-{next(_names)}"
    server.kubectl("create", "namespace", name)
    yield name
    server.kubectl("delete", "namespace", name, "--wait=false")


def _apply(server: Envtest, namespace: str, document: dict[str, Any]) -> str:
    """What kubectl says about the document; empty where it was taken."""
    done = server.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(document), check=False)
    return done.stderr


def test_crds_are_structural_and_established(server: Envtest) -> None:
    for plural in ("gridbots", "exchangeconnectors"):
        crd = json.loads(server.kubectl("get", "crd", f"{plural}.opensqt.io", "-o", "json").stdout)
        conditions = {one["type"]: one["status"] for one in crd["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert "NonStructuralSchema" not in conditions


def test_the_example_is_taken_and_shown(server: Envtest, namespace: str) -> None:
    assert _apply(server, namespace, CONNECTOR) == ""
    assert _apply(server, namespace, BOT) == ""
    header, row = server.kubectl("-n", namespace, "get", "gb").stdout.splitlines()
    assert header.split() == [
        "NAME", "SYMBOL", "SIDE", "STATE", "READY", "BREAKER", "POSITION", "PNL", "CONNECTOR", "AGE",
    ]  # fmt: skip
    assert row.split()[:3] == ["btc-grid", "BTC/USDT:USDT", "Long"]
    everything = server.kubectl("-n", namespace, "get", "opensqt", "-o", "name").stdout.split()
    assert everything == ["exchangeconnector.opensqt.io/paper", "gridbot.opensqt.io/btc-grid"]


def test_the_command_of_security_md_stops_all_bots(server: Envtest, namespace: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert _apply(server, namespace, _with(BOT, {"metadata.name": name})) == ""
    (command,) = re.findall(r"^kubectl get gridbots .*$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec {tool("kubectl")} --kubeconfig {server.kubeconfig} -n {namespace} "$@"\n')
    kubectl.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    bots = json.loads(server.kubectl("-n", namespace, "get", "gridbots", "-o", "json").stdout)["items"]
    assert [bot["spec"]["state"] for bot in bots] == ["Stopped", "Stopped"]


def test_defaults_come_from_the_models(server: Envtest, namespace: str) -> None:
    _apply(server, namespace, BOT)
    stored = json.loads(server.kubectl("-n", namespace, "get", "gb", "btc-grid", "-o", "json").stdout)
    assert stored["spec"] == GridBot.model_validate(BOT).spec.to_json_object()


def test_explain_reads_well(server: Envtest) -> None:
    said = " ".join(server.kubectl("explain", "gridbot.spec.grid").stdout.split())
    assert "Where the levels lie." in said
    assert "spacing <Object> -required-" in said
    assert "entries of Long, exits of Short. (integer, 1 to 500, default 10)" in said
    assert "No entry above this price." in said


REFUSED_BOTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "two sizes": ({"spec.order.baseSize": "1"}, "spec.order", "exactly one of quoteSize, baseSize and equityPercent"),
    "reinvesting too much": ({"spec.order.reinvestPercent": "101"}, "spec.order.reinvestPercent", "at most 100"),
    "spot short": ({"spec.symbol": "BTC/USDT", "spec.side": "Short"}, "spec.side", "spot has no short positions"),
    "spot leverage": ({"spec.symbol": "BTC/USDT", "spec.leverage": 2}, "spec.leverage", "spot has no leverage"),
    "unknown barrier action": ({"spec.barriers": {"then": "Sell"}}, "spec.barriers.then", "Unsupported value"),
    "upper below lower": ({"spec.grid.lower": "5", "spec.grid.upper": "4"}, "spec.grid.upper", "greater than lower"),
    "upper equals lower": ({"spec.grid.lower": "5", "spec.grid.upper": "5.0"}, "spec.grid.upper", "greater than lower"),
    "both spacings": ({"spec.grid.spacing.geometric": "1"}, "spec.grid.spacing", "exactly one"),
    "no spacing": ({"spec.grid.spacing.arithmetic": MISSING}, "spec.grid.spacing", "exactly one"),
    "a number": ({"spec.order.quoteSize": 200}, "spec.order.quoteSize", "must be of type string"),
    "negative": ({"spec.order.quoteSize": "-5"}, "spec.order.quoteSize", "should match"),
    "zero": ({"spec.order.quoteSize": "0.00"}, "spec.order.quoteSize", "must be greater than 0"),
    "exponent": ({"spec.order.quoteSize": "1e3"}, "spec.order.quoteSize", "should match"),
    "zero step": ({"spec.grid.spacing.arithmetic": "0"}, "spec.grid.spacing.arithmetic", "must be greater than 0"),
    "zero levels": ({"spec.grid.buyWindow": 0}, "spec.grid.buyWindow", "greater than or equal to 1"),
    "negative levels": ({"spec.grid.sellWindow": -1}, "spec.grid.sellWindow", "greater than or equal to 1"),
    "quoted levels": ({"spec.grid.buyWindow": "10"}, "spec.grid.buyWindow", "must be of type integer"),
    "leverage": ({"spec.leverage": 11}, "spec.leverage", "must not exceed riskLimits.maxLeverage"),
    "side": ({"spec.side": "Both"}, "spec.side", 'supported values: "Long", "Short", "Neutral"'),
    "trailing without bounds": (
        {"spec.grid.trailing": {"up": True}, "spec.grid.lower": "100"},
        "spec.grid.trailing",
        "only a grid with lower and upper",
    ),
    "trailing short of the bounds": (
        {"spec.grid.lower": "100", "spec.grid.upper": "200", "spec.grid.trailing": {"up": True, "upTo": "150"}},
        "spec.grid.trailing.upTo",
        "must not be below upper",
    ),
    "trailing within the bounds": (
        {"spec.grid.lower": "100", "spec.grid.upper": "200", "spec.grid.trailing": {"down": True, "downTo": "150"}},
        "spec.grid.trailing.downTo",
        "must not be above lower",
    ),
    "zero trigger": ({"spec.grid.triggerPrice": "0"}, "spec.grid.triggerPrice", "must be greater than 0"),
    "three spacings": ({"spec.grid.spacing.atr": {"multiple": "1"}}, "spec.grid.spacing", "exactly one"),
    "too wide a spacing": (
        {"spec.grid.spacing": {"atr": {"multiple": "100.5"}}},
        "spec.grid.spacing.atr.multiple",
        "must be at most 100",
    ),
    "an interval that no exchange has": (
        {"spec.grid.spacing": {"atr": {"interval": "2h"}}},
        "spec.grid.spacing.atr.interval",
        "Unsupported value",
    ),
    "skew without its measure": (
        {"spec.grid.inventorySkew": "0.5", "spec.riskLimits.maxPosition": MISSING},
        "spec.grid.inventorySkew",
        "riskLimits.maxPosition: set that too",
    ),
    "too much skew": (
        {"spec.grid.inventorySkew": "1.5", "spec.riskLimits.maxPosition": "1"},
        "spec.grid.inventorySkew",
        "must be at most 1",
    ),
    "unknown state": ({"spec.state": "Run"}, "spec.state", '"Running", "Paused", "Stopped"'),
    "no symbol": ({"spec.symbol": MISSING}, "spec.symbol", "Required value"),
    "no connector": ({"spec.connectorRef": MISSING}, "spec.connectorRef", "Required value"),
    "bad symbol": ({"spec.symbol": "btcusdt"}, "spec.symbol", "should match"),
    "unknown field": ({"spec.grid.levels": 5}, "spec.grid.levels", "unknown field"),
    "bad memory": ({"spec.resources.limits.memory": "lots"}, "spec.resources.limits.memory", "should match"),
    "dotted name": ({"metadata.name": "a.b"}, "metadata.name", "should match"),
    "long name": ({"metadata.name": "a" * 51}, "metadata.name", "may not be more than 50"),
}


@pytest.mark.parametrize("case", REFUSED_BOTS)
def test_bad_bots_are_refused_by_field(server: Envtest, namespace: str, case: str) -> None:
    changes, field, says = REFUSED_BOTS[case]
    said = _apply(server, namespace, _with(BOT, changes))
    assert f"{field}:" in said or f'"{field}"' in said
    assert says in said


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"spec": {"exchange": "okx"}}, "spec.credentialsSecretRef", "is required for a real exchange"),
        ({"spec.paper": MISSING}, "spec.paper", "must be set for exchange paper"),
        ({"spec.mode": "Live"}, "spec.acknowledgeLiveTrading", "set acknowledgeLiveTrading to true"),
        ({"spec.market": "Spot"}, "spec.market", "the paper exchange plays both"),
        ({"spec.paper.balance": "0"}, "spec.paper.balance", "must be greater than 0"),
        ({"spec.paper.markets": []}, "spec.paper.markets", "at least 1"),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD"}, {"symbol": "A/BCD"}]},
            "spec.paper.markets[1]",
            "Duplicate value",
        ),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD", "candles": {"path": "a"}, "model": {}}]},
            "spec.paper.markets[0]",
            "at most one of candles, model and livePrices",
        ),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD"}, {"symbol": "E/BCD", "livePrices": {"exchange": "okx"}}]},
            "spec.paper.markets",
            "livePrices: all markets have them, or none",
        ),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD", "fillShare": "1.01"}]},
            "spec.paper.markets[0].fillShare",
            "at most 1",
        ),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD", "fillShare": "1", "livePrices": {"exchange": "okx"}}]},
            "spec.paper.markets[0].fillShare",
            "live prices come without the volumes",
        ),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD", "livePrices": {"exchange": "paper"}}]},
            "spec.paper.markets[0].livePrices.exchange",
            "take the prices of a real exchange",
        ),
        (
            {"spec.paper.markets": [{"symbol": "A/BCD", "candles": {"path": "a", "url": "https://b"}}]},
            "spec.paper.markets[0].candles",
            "exactly one of",
        ),
    ],
)
def test_bad_connectors_are_refused_by_field(
    server: Envtest, namespace: str, changes: dict[str, Any], field: str, says: str
) -> None:
    said = _apply(server, namespace, _with(CONNECTOR, changes))
    assert f"{field}:" in said
    assert says in said


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"spec.symbol": "ETH/USDT:USDT"}, "symbol"),
        ({"spec.connectorRef.name": "other"}, "connectorRef"),
        ({"spec.journal": {"dsnSecretRef": {"name": "other"}}}, "journal"),
    ],
)
def test_immutable_fields_stay(server: Envtest, namespace: str, changes: dict[str, Any], field: str) -> None:
    assert _apply(server, namespace, BOT) == ""
    said = _apply(server, namespace, _with(BOT, changes))
    assert f"spec.{field}: " in said
    assert f"{field} is immutable" in said
    assert _apply(server, namespace, _with(BOT, {"spec.leverage": 3, "spec.grid.buyWindow": 7})) == ""


def test_the_exchange_the_market_and_the_mode_of_a_connector_stay(server: Envtest, namespace: str) -> None:
    assert _apply(server, namespace, CONNECTOR) == ""
    real = {**CONNECTOR, "spec": {"exchange": "okx", "credentialsSecretRef": {"name": "keys"}}}
    assert "spec.exchange: " in _apply(server, namespace, real)
    spot = {**real, "metadata": {**real["metadata"], "name": "spot"}}
    assert _apply(server, namespace, spot) == ""
    assert "spec.market: " in _apply(server, namespace, _with(spot, {"spec.market": "Spot"}))
    live = _with(CONNECTOR, {"spec.mode": "Live", "spec.acknowledgeLiveTrading": True})
    assert "spec.mode: " in _apply(server, namespace, live)


def test_null_is_a_field_that_is_not_set(server: Envtest, namespace: str) -> None:
    assert _apply(server, namespace, _with(BOT, {"spec.grid.lower": None, "spec.leverage": None})) == ""
    said = server.kubectl("-n", namespace, "get", "gb", "btc-grid", "-o", "jsonpath={.spec.leverage}").stdout
    assert said == "1"


def test_status_is_a_subresource(server: Envtest, namespace: str) -> None:
    """Users' applies never touch it, its writer's never touch the spec."""
    assert _apply(server, namespace, _with(BOT, {"status.state": "Running"})) == ""
    get = ("-n", namespace, "get", "gb", "btc-grid", "-o", "jsonpath={.status.state}/{.metadata.generation}")
    assert server.kubectl(*get).stdout == "/1"
    patch = json.dumps({"status": {"state": "Running"}, "spec": {"leverage": 3}})
    server.kubectl("-n", namespace, "patch", "gb", "btc-grid", "--subresource=status", "--type=merge", "-p", patch)
    assert server.kubectl(*get).stdout == "Running/1"


def test_a_full_status_is_taken(server: Envtest, namespace: str) -> None:
    """What the largest report becomes is within the schema's bounds."""
    report = pb.Status(
        epoch=2**40, phase=pb.PHASE_RUNNING, last_price="123456789.123456789012", position="-0.000000000001",
        average_entry_price="46069.33333333333333333", realised_pnl="-123456789012345.123456789012",
        unrealised_pnl="1e-12", fees="-0.1", drawdown="5", time_us=1_700_000_000_000_000,
        breaker=pb.Breaker(open=True, reason="Drawdown", message="m" * 3000, opened_us=1_700_000_000_000_000, trips=3),
        limits=[pb.Limit(name=f"limit{n}", used="1" * 60, limit="2", reached=True) for n in range(30)],
        probes=[pb.Probe(name=f"Probe{n}", reason="R", message="m" * 3000) for n in range(30)],
        weaknesses=["w" * 1000] * 30,
    )  # fmt: skip
    status = with_report(GridBotStatus(state="Running"), report).to_json_object()
    assert _apply(server, namespace, BOT) == ""
    patch = json.dumps({"status": status})
    server.kubectl("-n", namespace, "patch", "gb", "btc-grid", "--subresource=status", "--type=merge", "-p", patch)
    stored = json.loads(server.kubectl("-n", namespace, "get", "gb", "btc-grid", "-o", "json").stdout)["status"]
    assert stored["position"]["quantity"] == "-0.000000000001"
    assert stored["breaker"]["openedAt"] == "2023-11-14T22:13:20Z"
