"""One kind cluster for all workers of a session, with the project's own images and chart on it; a namespace a test."""

import fcntl
import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.cluster import images, kind, release
from tests.cluster.binaries import CACHE
from tests.cluster.fixtures import need
from tests.cluster.images import Images
from tests.cluster.kind import END_TO_END
from tests.cluster.kubectl import Kubectl
from tests.e2e.lab import Lab


@dataclass(frozen=True, slots=True)
class Cluster:
    """The shared cluster."""

    kubectl: Kubectl
    images: Images
    node: str = f"{END_TO_END}-control-plane"


@pytest.fixture(scope="session")
def cluster(testrun_uid: str) -> Cluster:
    """The cluster, made by the first worker that asks, and upgraded to the images of this working copy."""
    need("kind", kind.unavailable())
    CACHE.mkdir(parents=True, exist_ok=True)
    done = CACHE / "e2e-session"
    with (CACHE / "e2e.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text().split()[0] == testrun_uid:
            _, operator, bot = done.read_text().split()
            return Cluster(Kubectl(kind.kubeconfig(END_TO_END)), Images(operator, bot))
        kubectl = Kubectl(kind.up(END_TO_END))
        built = images.build()
        kind.load(END_TO_END, built.operator, built.bot)
        release.install(kubectl, built, "journal.postgres.persistence.enabled=false")
        done.write_text(f"{testrun_uid} {built.operator} {built.bot}")
        return Cluster(kubectl, built)


@pytest.fixture
def lab(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A namespace of the test's own, with the journal's Secret; deleted with all that is in it."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    namespace = f"{name}-{uuid4().hex[:6]}"
    kubectl = cluster.kubectl
    kubectl("create", "namespace", namespace)
    made = Lab(kubectl, namespace, cluster.node)
    dsn = kubectl.get("-n", release.NAMESPACE, "secret", "opensqt-journal")["data"]["dsn"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "opensqt-journal"}, "data": {"dsn": dsn}}
    made.apply(secret)
    yield made
    # The bots first: they need their connector to cancel their orders.
    made.run("delete", "gridbots", "--all", "--wait=false")
    made.run("wait", "--for=delete", "gridbots", "--all", "--timeout=60s", check=False)
    kubectl("delete", "namespace", namespace, "--wait=false")
