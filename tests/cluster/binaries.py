"""Builds the parts of a Kubernetes cluster from the Go module proxy and keeps them outside the repository.

No registry that the test machines reach has them as binaries. What is there in the right version is not built again.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.cluster.progress import progress

KUBERNETES = "1.34.4"
"""The newest minor whose kubelet still runs under cgroup v1 with no more than a flag."""
KIND = "0.33.0"
ETCD = "3.6.8"

CACHE = Path(os.environ.get("OPENSQT_CLUSTER_CACHE") or Path.home() / ".cache/opensqt-cluster")
BIN = CACHE / "bin"

_KUBERNETES_PARTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "kubeadm",
)
_INSTALLED = {
    "coredns": "github.com/coredns/coredns@v1.14.7",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok@v0.8.0",
    "helm": "helm.sh/helm/v4/cmd/helm@v4.3.1",
    "kind": f"sigs.k8s.io/kind@v{KIND}",
    "buildx": "github.com/docker/buildx/cmd/buildx@v0.38.2",
}
_VERSIONS = {
    **dict.fromkeys(_KUBERNETES_PARTS, KUBERNETES),
    **{name: module.rsplit("@v", 1)[1] for name, module in _INSTALLED.items()},
    "etcd": ETCD,
}

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
"""What an envtest is made of."""
CLIENTS = ("kind", "kubectl", "helm")
"""What drives a cluster."""
NODE = (*_KUBERNETES_PARTS, "etcd", "coredns")
"""What a node image is made of."""
ALL = tuple(_VERSIONS)


class BuildError(Exception):
    """Something cannot be built here; the message says why."""


def path(name: str) -> Path:
    """Where the binary `name` is, or is to be built."""
    return BIN / name


def tool(name: str) -> str:
    """The command for `name`: ours, else the one on PATH, else ours once it is built.

    Raises:
        BuildError: it is nowhere, and cannot be built.
    """
    if missing([name]):
        if elsewhere := shutil.which(name):
            return elsewhere
        ensure([name])
    return str(path(name))


def missing(names: Iterable[str]) -> list[str]:
    """Those of `names` that the cache does not hold in the version asked for."""
    built = _built()
    return [name for name in names if not (path(name).exists() and built.get(name) == _VERSIONS[name])]


def ensure(names: Iterable[str]) -> None:
    """Build what is missing of `names`.

    Raises:
        BuildError: there is no Go here, or a build failed.
    """
    wanted = missing(names)
    if not wanted:
        return
    if shutil.which("go") is None:
        raise BuildError(f"building {', '.join(wanted)} needs Go on PATH")
    BIN.mkdir(parents=True, exist_ok=True)
    progress(f"building into {BIN}: {', '.join(wanted)} (minutes, on a cold Go cache)")
    steps: list[Callable[[], None]] = []
    if kubernetes := [name for name in wanted if name in _KUBERNETES_PARTS]:
        steps.append(partial(_build_kubernetes, kubernetes))
    if "etcd" in wanted:
        steps.append(_build_etcd)
    steps += [partial(_install, name) for name in wanted if name in _INSTALLED]
    # Linking is single-threaded and compiling is not: two at a time keep two processors busy.
    with ThreadPoolExecutor(2) as pool:
        for step in [pool.submit(step) for step in steps]:
            step.result()
    _record(wanted)


def module_dir(module: str) -> Path:
    """The folder of a Go module (`path@version`) in Go's module cache."""
    answer = json.loads(_go("mod", "download", "-json", module, cwd=CACHE))
    return Path(answer["Dir"])


def _built() -> dict[str, str]:
    try:
        versions: dict[str, str] = json.loads((BIN / "versions.json").read_text())
    except FileNotFoundError:
        return {}
    return versions


def _record(names: list[str]) -> None:
    versions = _built() | {name: _VERSIONS[name] for name in names}
    fresh = BIN / "versions.json.new"
    fresh.write_text(json.dumps(versions, indent=1, sort_keys=True))
    fresh.replace(BIN / "versions.json")


def _build_kubernetes(parts: list[str]) -> None:
    source = _fresh_dir("kubernetes-src")
    kubernetes = module_dir(f"k8s.io/kubernetes@v{KUBERNETES}")
    its_mod = (kubernetes / "go.mod").read_text().splitlines()
    minor = KUBERNETES.removeprefix("1.")
    # Its own go.mod replaces the staging modules by local folders; a dependent must name their published versions.
    staging = [words[0] for words in map(str.split, its_mod) if len(words) == 3 and words[2].startswith("./staging")]
    (source / "go.mod").write_text("\n".join([
        "module opensqt.test/kubernetes",
        next(line for line in its_mod if line.startswith("go ")),
        f"require k8s.io/kubernetes v{KUBERNETES}",
        *(f"replace {module} => {module} v0.{minor}" for module in staging),
        *(f"tool k8s.io/kubernetes/cmd/{part}" for part in _KUBERNETES_PARTS),
        "",
    ]))  # fmt: skip
    _go("mod", "tidy", cwd=source)
    version = {"gitVersion": f"v{KUBERNETES}", "gitMajor": "1", "gitMinor": minor.split(".")[0]}
    flags = "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in version.items())
    # One command for all: they share most packages, and their links overlap.
    _go(
        "build",
        "-trimpath",
        "-ldflags",
        flags,
        "-o",
        f"{BIN}/",
        *(f"k8s.io/kubernetes/cmd/{part}" for part in parts),
        cwd=source,
    )
    progress(f"built {', '.join(parts)}")


def _build_etcd() -> None:
    """Not by `go install`: etcd's module has replacements. Its command is five lines over its server package."""
    source = _fresh_dir("etcd-src")
    (source / "go.mod").write_text("module opensqt.test/etcd\ngo 1.25\n")
    (source / "main.go").write_text(
        'package main\nimport ("os"; "go.etcd.io/etcd/server/v3/etcdmain")\nfunc main() { etcdmain.Main(os.Args) }\n'
    )
    _go("get", f"go.etcd.io/etcd/server/v3@v{ETCD}", cwd=source)
    _go("build", "-trimpath", "-ldflags", "-s -w", "-o", str(path("etcd")), ".", cwd=source)
    progress("built etcd")


def _install(name: str) -> None:
    _go("install", "-trimpath", "-ldflags", "-s -w", _INSTALLED[name], cwd=CACHE)
    progress(f"built {name}")


def _fresh_dir(name: str) -> Path:
    folder = CACHE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _go(*arguments: str, cwd: Path) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(BIN), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(["go", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"go {' '.join(arguments[:2])} failed:\n{done.stderr[-4000:]}")
    return done.stdout
