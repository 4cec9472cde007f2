"""Installs the project on a cluster, applies the example, waits until its bot trades; and takes it all away."""

import subprocess
import time
from typing import Any

from tests.cluster import binaries
from tests.cluster.binaries import BuildError
from tests.cluster.images import ROOT, Images
from tests.cluster.kubectl import Kubectl
from tests.cluster.progress import progress

RELEASE = "opensqt"
NAMESPACE = "opensqt-system"
EXAMPLE = ROOT / "examples/gridbot.yaml"
CHART = ROOT / "charts/opensqt"
_TRADES_WITHIN = 180.0


def install(kubectl: Kubectl, images: Images, *settings: str) -> None:
    """Install or upgrade the release; `settings` are more of helm's `--set` values.

    Raises:
        BuildError: helm failed.
    """
    progress("installing the chart")
    values = [f"image.{name}.{key}={value}" for name, image in (("operator", images.operator), ("bot", images.bot))
              for key, value in zip(("repository", "tag"), image.rsplit(":", 1), strict=True)]  # fmt: skip
    sets = [word for value in (*values, *settings) for word in ("--set", value)]
    helm(kubectl, "upgrade", "--install", RELEASE, str(CHART), "--create-namespace", *sets, "--wait", "--timeout", "3m")


def uninstall(kubectl: Kubectl) -> None:
    """Remove the example, the release, what it keeps, and, where no resource is left, the CRDs."""
    progress("deleting the example")
    kubectl("delete", "-f", str(EXAMPLE), "--ignore-not-found", "--timeout", "120s", check=False)
    progress("uninstalling the chart")
    helm(kubectl, "uninstall", RELEASE, "--ignore-not-found", "--wait")
    left = kubectl("get", "gridbots,exchangeconnectors", "-A", "-o", "name", check=False).stdout.split()
    if left:
        progress(f"the CRDs stay, with {', '.join(left)}")
    else:
        crds = ("gridbots.opensqt.io", "exchangeconnectors.opensqt.io")
        kubectl("delete", "crd", *crds, "--ignore-not-found")
    kubectl("delete", "secret", "-A", "-l", "opensqt.io/trial=true")
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def helm(kubectl: Kubectl, *arguments: str) -> str:
    """Run helm against the cluster and namespace of the release.

    Raises:
        BuildError: it failed; with its message.
    """
    where = ["--kubeconfig", str(kubectl.kubeconfig)] if kubectl.kubeconfig else []
    where += ["--kube-context", kubectl.context] if kubectl.context else []
    command = [binaries.tool("helm"), *where, "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"helm {arguments[0]} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def trade(kubectl: Kubectl) -> None:
    """Apply the example in namespace default and wait until its bot has a fill.

    Raises:
        BuildError: it does not trade; with what is known of why.
    """
    progress(f"applying {EXAMPLE.relative_to(ROOT)}")
    kubectl("apply", "-n", "default", "-f", str(EXAMPLE))
    bot = "btc-grid"
    told = ""
    deadline = time.monotonic() + _TRADES_WITHIN
    while time.monotonic() < deadline:
        status = (kubectl.get("-n", "default", "gridbot", bot) or {}).get("status", {})
        now = _summary(status)
        if now != told:
            progress(f"{bot}: {now}")
            told = now
        if status.get("orders", {}).get("fills"):
            return
        time.sleep(0.5)
    described = kubectl("describe", "-n", "default", "gridbots,exchangeconnectors,pods", check=False).stdout
    logs = kubectl("logs", "-n", NAMESPACE, f"deployment/{RELEASE}-operator", "--tail", "40", check=False).stdout
    raise BuildError(f"{bot} does not trade within {_TRADES_WITHIN:.0f} s\n{described}\n--- operator\n{logs}")


def _summary(status: dict[str, Any]) -> str:
    if not status:
        return "not seen by the operator yet"
    not_ready = [each for each in status.get("conditions", []) if each["type"] == "Ready" and each["status"] != "True"]
    why = "".join(f" ({each['reason']}: {each.get('message', '')})" for each in not_ready)
    counts = ", ".join(f"{status.get('orders', {}).get(name, 0)} {name}" for name in ("buys", "sells", "fills"))
    return f"{status.get('state')}{why}, {counts}"
