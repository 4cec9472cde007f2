"""`python -m tests.cluster COMMAND`: what the Makefile calls.

up                  a kind cluster with the project on it, and a bot that trades; KUBE_CONTEXT=name: on that cluster
down                takes away what `up` made
images              builds the two images
prepare             builds what the tests need and this machine can, so that they wait for no build
manifests [--check] renders the chart into manifests/, or says how they differ
share               makes the cluster of the end-to-end tests ready, and keeps it until its input ends
binaries [envtest]  builds the parts of a cluster that are missing, all or those of an envtest
"""

import os
import sys
from pathlib import Path

from tests.cluster import binaries, engine, images, kind, manifests, release, shared
from tests.cluster.binaries import BuildError
from tests.cluster.kubectl import Kubectl
from tests.cluster.progress import progress

_NAME = "opensqt"


def up() -> None:
    context = os.environ.get("KUBE_CONTEXT")
    registry = os.environ.get("IMAGE_REGISTRY", "")
    settings = []
    if context:
        kubectl = Kubectl(None, context)
        name = context.removeprefix("kind-") if context.startswith("kind-") else None
        if name is None and not registry:
            raise BuildError(f"set IMAGE_REGISTRY to a registry to push to, from which the cluster of {context} pulls")
    else:
        name = _NAME
        kubectl = Kubectl(kind.up(name))
    built = images.build(registry)
    if name:
        progress("loading the images")
        kind.load(name, built.operator, built.bot)
        # A trial's disk: the node image that is built from source has no provisioner of volumes.
        settings.append("journal.postgres.persistence.enabled=false")
    else:
        for image in (built.operator, built.bot):
            progress(f"pushing {image}")
            engine.docker("push", image)
    release.install(kubectl, built, *settings)
    release.trade(kubectl)
    sys.stdout.write(kubectl("get", "gridbots,exchangeconnectors", "-n", "default").stdout)
    if kubectl.kubeconfig is None:
        sys.stdout.write(f"\nWatch it:  kubectl {' '.join(kubectl.flags)} get gridbots -w\n")
    else:
        sys.stdout.write(f"\nWatch it:  export KUBECONFIG={kubectl.kubeconfig}\n           kubectl get gridbots -w\n")


def down() -> None:
    if context := os.environ.get("KUBE_CONTEXT"):
        release.uninstall(Kubectl(None, context))
        return
    if not kind.kubeconfig(_NAME).exists():
        progress("nothing to take away")
        return
    engine.start()
    kind.down(_NAME)
    images.remove()
    kind.stop_idle_engine()


def prepare() -> None:
    try:
        binaries.ensure(binaries.ENVTEST)
        if (reason := kind.unavailable()) is None:
            kind.prepare()
            images.prepare()
        else:
            progress(f"no kind here: {reason}")
    except BuildError as error:
        # The tests say what they leave out, and fail where nothing may be left out.
        progress(f"goes on without: {error}")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["up"]:
            up()
        case ["down"]:
            down()
        case ["images"]:
            built = images.build(os.environ.get("IMAGE_REGISTRY", ""))
            sys.stdout.write(f"{built.operator}\n{built.bot}\n")
        case ["prepare"]:
            prepare()
        case ["share"]:
            with shared.joined(shared.session_id()):
                sys.stdin.read()
        case ["manifests"]:
            manifests.write()
        case ["manifests", "--check"]:
            differences = manifests.differences()
            sys.stderr.write(differences)
            return 1 if differences else 0
        case ["binaries"]:
            binaries.ensure(binaries.ALL)
        case ["binaries", "envtest"]:
            binaries.ensure(binaries.ENVTEST)
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    Path(binaries.CACHE).mkdir(parents=True, exist_ok=True)
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
