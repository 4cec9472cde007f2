"""The shared cluster, and a namespace of it for each test."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.cluster import kind, release, shared
from tests.cluster.fixtures import need
from tests.cluster.shared import Cluster
from tests.e2e.lab import Lab


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A kind cluster with the images and the chart of this working copy."""
    need("kind", kind.unavailable())
    with shared.joined(shared.session_id()) as made:
        yield made


@pytest.fixture
def lab(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A namespace of the test's own, with the journal's Secret; deleted with all that is in it."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    namespace = f"{name}-{uuid4().hex[:6]}"
    kubectl = cluster.kubectl
    kubectl("create", "namespace", namespace)
    kubectl("label", "namespace", namespace, shared.TEST_LABEL)
    made = Lab(kubectl, namespace, cluster.node)
    dsn = kubectl.get("-n", release.NAMESPACE, "secret", "opensqt-journal")["data"]["dsn"]
    made.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "opensqt-journal"}, "data": {"dsn": dsn}})
    yield made
    # The bots first: they need their connector to cancel their orders.
    made.run("delete", "gridbots", "--all", "--wait=false", check=False)
    made.run("wait", "--for=delete", "gridbots", "--all", "--timeout=60s", check=False)
    kubectl("delete", "namespace", namespace, "--wait=false")
