"""The cluster of the end-to-end tests: one for all workers of a session, and for one session at a time."""

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from tests.cluster import engine, images, kind, release
from tests.cluster.binaries import CACHE
from tests.cluster.images import Images
from tests.cluster.kubectl import Kubectl

NAME = "opensqt-e2e"
TEST_LABEL = "opensqt.io/test=true"
"""On the namespaces of tests."""
_SOON = ("featureGates: {KubeletCrashLoopBackOffMax: true}", 'crashLoopBackOff: {maxContainerRestartPeriod: "1s"}')
"""What tests kill is started again at once, the third time too."""
_MADE = CACHE / "e2e-made"
"""Who made the cluster ready, and with which images."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster with the project on it."""

    kubectl: Kubectl
    images: Images
    exchanges: str
    """The image of the simulated exchanges."""
    node: str = f"{NAME}-control-plane"


@contextmanager
def joined(session: str) -> Iterator[Cluster]:
    """The cluster, made ready by the first worker of `session` that asks; waits until no other session uses it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "e2e-users").open("w") as users:
        with _alone():
            made = _made_by(session)
            if made is None:
                fcntl.flock(users, fcntl.LOCK_EX)
                made = _make(session)
            fcntl.flock(users, fcntl.LOCK_SH)
        yield made


def remove(session: str) -> None:
    """Delete the cluster, if `session` was the last to make it ready."""
    if not _MADE.exists():
        return
    with _alone():
        if _made_by(session) is not None:
            _MADE.unlink()
            kind.down(NAME)
            kind.stop_idle_engine()


def _make(session: str) -> Cluster:
    engine.start()
    with ThreadPoolExecutor() as pool:
        building = pool.submit(images.build)
        kubectl = Kubectl(kind.up(NAME, *_SOON))
        built = building.result()
    # What a session left that was killed.
    kubectl("delete", "namespaces", "-l", TEST_LABEL, "--wait=false")
    exchanges = images.build_exchanges(built)
    kind.load(NAME, built.operator, built.bot, exchanges)
    release.install(kubectl, built, "journal.postgres.persistence.enabled=false")
    _MADE.write_text(f"{session} {built.operator} {built.bot} {exchanges}")
    return Cluster(kubectl, built, exchanges)


def _made_by(session: str) -> Cluster | None:
    if not _MADE.exists():
        return None
    by, operator, bot, exchanges = _MADE.read_text().split()
    return Cluster(Kubectl(kind.kubeconfig(NAME)), Images(operator, bot), exchanges) if by == session else None


@contextmanager
def _alone() -> Iterator[IO[str]]:
    with (CACHE / "e2e-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def session_id() -> str:
    """The same in a session's controller and all its workers, which inherit its environment."""
    return os.environ.setdefault("OPENSQT_TEST_SESSION", f"{os.getpid()}-{os.urandom(4).hex()}")
