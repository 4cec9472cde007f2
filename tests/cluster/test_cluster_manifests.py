"""What people install is what the chart says, an API server takes all of it, and the operator may do its work alone."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from opensqt.connector.ccxt_venue.exchanges import DIALECTS, SPOT_DIALECTS
from opensqt.connector.ccxt_venue.loader import load
from tests.cluster import binaries, manifests
from tests.cluster.envtest import Envtest
from tests.cluster.fixtures import need
from tests.cluster.images import ROOT
from tests.cluster.release import CHART

pytestmark = pytest.mark.envtest

SAMPLES = [*sorted((ROOT / "manifests/samples").glob("*.yaml")), *sorted((ROOT / "examples").glob("*.yaml"))]
OPERATOR = "system:serviceaccount:opensqt-system:opensqt-operator"


@pytest.fixture(scope="module")
def installed(envtest: Envtest) -> Envtest:
    """An API server on which manifests/install.yaml was applied. It stays: a namespace is never quite gone there."""
    envtest.kubectl("apply", "--server-side", "--validate=strict", "-f", str(ROOT / "manifests/install.yaml"))
    envtest.serve("gridbots", "exchangeconnectors")
    return envtest


def _template(*arguments: str) -> subprocess.CompletedProcess[str]:
    need("envtest", None if not binaries.missing(["helm"]) else "helm is not built")
    command = [binaries.tool("helm"), "template", "opensqt", str(CHART), "-n", "opensqt-system", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _rendered(*arguments: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(_template(*arguments).stdout) if document]


def _egress(*values: str) -> dict[str, list[dict[str, Any]]]:
    """The rules for what bots and connectors may reach, by the name of their network policy."""
    settings = [word for value in ("networkPolicies.enabled=true", *values) for word in ("--set", value)]
    policies = [each for each in _rendered(*settings) if each["kind"] == "NetworkPolicy"]
    return {
        each["metadata"]["name"]: each["spec"]["egress"] for each in policies if "Egress" in each["spec"]["policyTypes"]
    }


def test_generated_manifests_are_current() -> None:
    """manifests/install.yaml and the chart's CRDs are what `make manifests` makes of the chart and crds/."""
    need("envtest", None if not binaries.missing(["helm"]) else "helm is not built")
    assert manifests.differences() == ""


def test_install_is_accepted_whole(installed: Envtest) -> None:
    """Every object of install.yaml is valid to the field, and applying it again changes nothing."""
    again = installed.kubectl("diff", "--server-side", "-f", str(ROOT / "manifests/install.yaml"), check=False)
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_sample_is_valid(installed: Envtest, sample: Path) -> None:
    """Each sample and example passes the CRDs' schema and rules, without an unknown field."""
    done = installed.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(sample))
    assert "gridbot.opensqt.io/" in done.stdout


def test_misspelt_value_is_refused() -> None:
    """The values' schema names the value that does not exist."""
    refused = _template("--set", "journal.postgres.persistance.enabled=false")
    assert refused.returncode
    assert "persistance" in refused.stderr


def test_namespaced_install_needs_no_cluster_role_for_the_operator() -> None:
    """With watchNamespaces the operator has a Role in each of them and is told of them, and nothing more."""
    documents = _rendered("--set", "watchNamespaces={trading,lab}", "--set", "aggregateRoles=false")
    assert not [each for each in documents if each["kind"].startswith("ClusterRole")]
    roles = {
        each["metadata"]["namespace"]
        for each in documents
        if each["metadata"]["name"] == "opensqt-operator" and each["kind"] == "Role"
    }
    assert roles == {"trading", "lab"}
    operator = next(each for each in documents if each["kind"] == "Deployment")
    arguments = operator["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--namespace=trading", "--namespace=lab"} <= set(arguments)


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ((), [5432]),
        (("journal.dsn=postgresql://me:p@ss:1@db.example.org/opensqt",), [5432]),
        (("journal.dsn=postgresql://me:p@ss:1@db.example.org:6432/opensqt?sslmode=require",), [6432]),
        (("journal.dsn=postgresql://[fd00::1]:6432/opensqt",), [6432]),
        (("journal.dsn=postgresql://me:pass@a:1234\\,b:5678/opensqt",), [1234, 5678]),
        (("networkPolicies.databasePorts={6432,6433}",), [6432, 6433]),
    ],
)
def test_bots_and_connectors_may_reach_the_port_of_their_database(values: tuple[str, ...], ports: list[int]) -> None:
    rules = _egress(*values)
    for name in ("opensqt-bots", "opensqt-connectors"):
        assert rules[name][1] == {"ports": [{"port": port} for port in ports]}


def test_connectors_may_reach_every_exchange_and_its_streams() -> None:
    """Paper connectors too, which look the same to a policy: they may take a real exchange's prices."""
    rules = _egress()["opensqt-connectors"]
    allowed = {one["port"] for rule in rules if "to" not in rule for one in rule["ports"]}
    for dialect in (*DIALECTS.values(), *SPOT_DIALECTS.values()):
        profile = dialect.profile
        urls = load(profile.ccxt_id, parent=profile.parent)({}).urls
        ports = set(_ports([urls["api"], urls.get("test"), urls.get("demo"), list(profile.demo_streams.values())]))
        assert ports, profile.ccxt_id
        assert ports <= allowed, profile.ccxt_id


def _ports(addresses: Any) -> Iterator[int]:
    """Of all URLs in ccxt's nested tables; their hosts may be placeholders."""
    if isinstance(addresses, str):
        port = re.match(r"\w+://[^/:]+(?::(\d+))?", addresses)
        assert port, addresses
        yield int(port[1] or 443)
    elif addresses:
        for each in addresses.values() if isinstance(addresses, dict) else addresses:
            yield from _ports(each)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_pods_keep_to_the_restricted_standard(installed: Envtest, kind: str) -> None:
    """A namespace that enforces the restricted Pod Security Standard warns of none of our Pods."""
    installed.kubectl("apply", "-f", "-", stdin=yaml.safe_dump({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }))  # fmt: skip
    rendered = _rendered("--set", "journal.postgres.persistence.enabled=false")
    template = next(each for each in rendered if each["kind"] == kind)["spec"]["template"]["spec"]
    spec = template | {"serviceAccountName": "default", "restartPolicy": "Never"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any", "namespace": "restricted"}, "spec": spec}
    installed.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
    spec["securityContext"] = {}
    refused = installed.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False)
    assert "violates PodSecurity" in refused.stderr


def test_the_operator_may_do_its_work_alone(installed: Envtest) -> None:
    """It may run bots, and may read no Secret, touch no CRD and exec into nothing."""

    def may(*what: str) -> bool:
        return (
            installed.kubectl("auth", "can-i", *what, "--as", OPERATOR, "-n", "default", check=False).stdout.strip()
            == "yes"
        )

    assert may("create", "pods")
    assert may("patch", "gridbots.opensqt.io", "--subresource", "status")
    assert not may("get", "secrets")
    assert not may("list", "secrets")
    assert not may("create", "pods", "--subresource", "exec")
    assert not may("delete", "gridbots.opensqt.io")
    assert not may("delete", "deployments.apps")
    assert not may("update", "customresourcedefinitions")
