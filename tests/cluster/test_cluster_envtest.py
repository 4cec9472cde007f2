"""The envtest is a real API server, and leaves nothing behind."""

import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.cluster.envtest import Envtest

pytestmark = pytest.mark.envtest


def test_serves_the_kubernetes_api(envtest: Envtest) -> None:
    """It has Kubernetes' own kinds and validates them."""
    assert "namespace/kube-system" in envtest.kubectl("get", "namespaces", "-o", "name").stdout
    with pytest.raises(subprocess.CalledProcessError) as refused:
        envtest.kubectl("create", "namespace", "Not_A_Name")
    assert "Not_A_Name" in refused.value.stderr


def test_authorises_by_role(envtest: Envtest) -> None:
    """A token of a service account is real, and RBAC says what it may do: nothing, at first."""
    envtest.kubectl("create", "serviceaccount", "nobody")
    token = envtest.kubectl("create", "token", "nobody").stdout
    refused = envtest.kubectl("--token", token, "get", "pods", check=False)
    assert 'User "system:serviceaccount:default:nobody" cannot list resource "pods"' in refused.stderr


def test_records_requests(fresh_envtest: Envtest) -> None:
    """The audit log holds every write with its user and verb."""
    fresh_envtest.kubectl("create", "configmap", "one")

    def written() -> bool:
        writes = [event for event in fresh_envtest.audited() if event["verb"] == "create"]
        return any("/default/configmaps" in str(event["requestURI"]) for event in writes)

    deadline = time.monotonic() + 120
    while not written():  # it is recorded after it was answered
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stop_kills_it_and_removes_its_files(envtest: Envtest) -> None:
    """A stopped envtest answers no more, and does not touch another one."""
    with Envtest() as other:
        folder, url = other.folder, other.url
        assert url != envtest.url
    assert not folder.exists()
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(url)  # noqa: S310
    envtest.kubectl("get", "--raw", "/readyz")
