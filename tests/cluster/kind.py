"""A kind cluster with a kubeconfig of its own, on a node image that is pulled, or built where it cannot be."""

import json
import subprocess
from pathlib import Path

from tests.cluster import binaries, engine
from tests.cluster.binaries import BIN, CACHE, KIND, KUBERNETES, BuildError
from tests.cluster.progress import progress

_NODE_IMAGE = f"opensqt/kind-node:v{KUBERNETES}"
_NODE_SCRIPT = Path(__file__).with_name("node-image.sh")


def kubeconfig(name: str) -> Path:
    """The kubeconfig of the cluster `name`; nobody's current context is touched."""
    return CACHE / f"kubeconfig-{name}"


def exists(name: str) -> bool:
    """Whether the engine runs a cluster of this name."""
    return name in _kind("get", "clusters").split()


def up(name: str) -> Path:
    """Create the cluster `name` where there is none, and wait until its node is Ready.

    Returns:
        Its kubeconfig.

    Raises:
        BuildError: there is no engine, or the cluster does not start.
    """
    engine.start()
    if exists(name):
        _kind("export", "kubeconfig", "--name", name, "--kubeconfig", str(kubeconfig(name)))
        return kubeconfig(name)
    if not engine.has_image(_NODE_IMAGE):
        progress(f"creating the kind cluster {name} with kind's published node image")
        try:
            _create(name, own_image=False)
        except BuildError as error:
            progress(f"that cannot be: {str(error).strip().splitlines()[-1]}")
            _kind("delete", "cluster", "--name", name)
            build_node_image()
        else:
            return kubeconfig(name)
    progress(f"creating the kind cluster {name}")
    _create(name, own_image=True)
    return kubeconfig(name)


def down(name: str) -> None:
    """Delete the cluster `name`, where there is one."""
    if exists(name):
        progress(f"deleting the kind cluster {name}")
        _kind("delete", "cluster", "--name", name, "--kubeconfig", str(kubeconfig(name)))
    kubeconfig(name).unlink(missing_ok=True)


def load(name: str, *images: str) -> None:
    """Make the engine's `images` known to the cluster's node."""
    _kind("load", "docker-image", "--name", name, *images)


def build_node_image() -> None:
    """Build the node image from source; a minute and a half with the binaries built."""
    binaries.ensure(binaries.NODE)
    progress(f"building the node image {_NODE_IMAGE} (90 s)")
    module = binaries.module_dir(f"sigs.k8s.io/kind@v{KIND}")
    command = [str(word) for word in (_NODE_SCRIPT, _NODE_IMAGE, KUBERNETES, BIN, module, CACHE / "node")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"the node image cannot be built:\n{done.stderr[-4000:]}")


def _create(name: str, *, own_image: bool) -> None:
    config: dict[str, object] = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}
    if own_image:
        # It carries a network of its own, for one node, and runs where the host still has cgroup v1.
        config["networking"] = {"disableDefaultCNI": True, "ipFamily": "ipv4"}
        config["nodes"] = [{"role": "control-plane", "image": _NODE_IMAGE}]
        config["kubeadmConfigPatches"] = ["kind: KubeletConfiguration\nfailCgroupV1: false\n"]
    _kind(
        "create", "cluster", "--name", name, "--kubeconfig", str(kubeconfig(name)), "--wait", "180s", "--config", "-",
        stdin=json.dumps(config),
    )  # fmt: skip


def _kind(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run([binaries.tool("kind"), *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"kind {' '.join(arguments[:2])} failed:\n{done.stderr[-4000:]}")
    return done.stdout
