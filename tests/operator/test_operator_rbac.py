"""What the chart allows the operator is enough for a whole life of a bot: it runs with exactly that."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from tests.operator.operator_process import ROOT
from tests.operator.world import World, observed, ready, reason

pytestmark = pytest.mark.envtest


def operator_rules() -> list[object]:
    """The rules of the operator's role in the plain manifests."""
    for document in yaml.safe_load_all((ROOT / "manifests/install.yaml").read_text()):
        if document and document["kind"] == "ClusterRole" and document["metadata"]["name"].endswith("-operator"):
            rules: list[object] = document["rules"]
            return rules
    raise AssertionError("no ClusterRole of the operator in manifests/install.yaml")


def restricted_kubeconfig(world: World, folder: Path) -> Path:
    """A kubeconfig of a service account that may do what the operator's role says, in the namespace, and no more."""
    namespace = world.kube.namespace
    metadata = {"name": "operator", "namespace": namespace}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": operator_rules(),
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", **metadata}],
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    documents = {"apiVersion": "v1", "kind": "List", "items": [account, role, binding]}
    world.envtest.kubectl("apply", "-f", "-", stdin=json.dumps(documents))
    token = world.envtest.kubectl("-n", namespace, "create", "token", "operator").stdout.strip()
    config = json.loads(world.envtest.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def test_the_charts_rules_are_enough(world: World, tmp_path: Path) -> None:
    kubeconfig = await asyncio.to_thread(restricted_kubeconfig, world, tmp_path)
    async with world.operator(kubeconfig=kubeconfig) as operator:
        await world.create_bot()
        await world.until(lambda bot: ready(bot) == "True" and reason(bot, "ConnectorReady") == "Ready", "runs")
        await world.kube.delete("Service", "paper-connector")
        await world.kube.merge("GridBot", "grid", {"spec": {"order": {"quoteSize": "300"}}})
        await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True" and observed(bot), "rolled")
        await world.kube.delete("GridBot", "grid")
        await world.kube.delete("ExchangeConnector", "paper")
        await world.gone("GridBot", "grid")
        await world.gone("ExchangeConnector", "paper")
        assert "forbidden" not in operator.log().lower()
