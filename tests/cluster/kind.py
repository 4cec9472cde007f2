"""A kind cluster with a kubeconfig of its own, on a node image that is pulled, or built where it cannot be."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.cluster import binaries, engine
from tests.cluster.binaries import BIN, CACHE, KIND, KUBERNETES, BuildError
from tests.cluster.progress import progress

_NODE_IMAGE = f"opensqt/kind-node:v{KUBERNETES}"
_PUBLISHED = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
"""The default of this version of kind, by digest."""
_NODE_SCRIPT = Path(__file__).with_name("node-image.sh")


def kubeconfig(name: str) -> Path:
    """The kubeconfig of the cluster `name`; nobody's current context is touched."""
    return CACHE / f"kubeconfig-{name}"


def unavailable() -> str | None:
    """Why this machine cannot have a kind cluster, or None."""
    for tool in binaries.missing(binaries.CLIENTS):
        if shutil.which(tool) is None and shutil.which("go") is None:
            return f"{tool} is not on PATH, and building it needs Go"
    return engine.unavailable()


def prepare() -> None:
    """Have an engine, the clients and a node image, so that `up` takes seconds.

    Raises:
        BuildError: one of them cannot be had.
    """
    engine.start()
    for tool in binaries.CLIENTS:
        binaries.tool(tool)
    _node_image()


def exists(name: str) -> bool:
    """Whether the engine runs a cluster of this name."""
    return name in _kind("get", "clusters").split()


def up(name: str, *kubelet: str) -> Path:
    """Create the cluster `name` where there is none, and wait until its node is Ready.

    Args:
        kubelet: lines of YAML for its kubelet's configuration.

    Returns:
        Its kubeconfig.

    Raises:
        BuildError: there is no engine, or the cluster does not start.
    """
    engine.start()
    if exists(name):
        _kind("export", "kubeconfig", "--name", name, "--kubeconfig", str(kubeconfig(name)))
        return kubeconfig(name)
    image = _node_image()
    config: dict[str, object] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "image": image}],
    }
    if image == _NODE_IMAGE:
        # It carries a network of its own, for one node, and runs where the host still has cgroup v1.
        config["networking"] = {"disableDefaultCNI": True, "ipFamily": "ipv4"}
        kubelet = ("failCgroupV1: false", *kubelet)
    if kubelet:
        config["kubeadmConfigPatches"] = ["\n".join(("kind: KubeletConfiguration", *kubelet, ""))]
    progress(f"creating the kind cluster {name}")
    _kind(
        "create", "cluster", "--name", name, "--kubeconfig", str(kubeconfig(name)), "--wait", "180s", "--config", "-",
        stdin=json.dumps(config),
    )  # fmt: skip
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


def stop_idle_engine() -> None:
    """End the engine that we started, unless another cluster runs on it."""
    if not _kind("get", "clusters").split():
        engine.stop()


def _node_image() -> str:
    """kind's published node image where the engine has it or can pull it, else our own; built where it is missing."""
    for image in (_NODE_IMAGE, _PUBLISHED):
        if engine.has_image(image):
            return image
    progress(f"pulling {_PUBLISHED}")
    if engine.pull(_PUBLISHED):
        return _PUBLISHED
    progress("it cannot be pulled")
    build_node_image()
    return _NODE_IMAGE


def _kind(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run([binaries.tool("kind"), *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"kind {' '.join(arguments[:2])} failed:\n{done.stderr[-4000:]}")
    return done.stdout
