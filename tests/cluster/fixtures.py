"""The pytest plugin of the clusters: fixtures, and at the end which parts of the tests ran, which did not, and why.

`OPENSQT_REQUIRE=envtest,kind` makes what is left out a failure: CI promises to run everything.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.cluster import binaries, kind, shared
from tests.cluster.envtest import Envtest

_cluster: list[subprocess.Popen[bytes]] = []
"""The process that makes the shared cluster, in the session's controller."""
PARTS = ("envtest", "kind")
"""The markers that name what a test needs from the machine."""


def need(part: str, missing: str | None) -> None:
    """Skip the test where `missing` says what this machine lacks for `part`; fail it where CI requires the part."""
    if missing is None:
        return
    if part in os.environ.get("OPENSQT_REQUIRE", "").split(","):
        pytest.fail(f"{part} is required here, but {missing}")
    pytest.skip(f"{part}: {missing}")


def _no_envtest() -> str | None:
    wanted = binaries.missing(binaries.ENVTEST)
    return (
        f"{', '.join(wanted)} not built (`python -m tests.cluster binaries envtest` does it, and needs Go)"
        if wanted
        else None
    )


@pytest.fixture(scope="session")
def envtest() -> Iterator[Envtest]:
    """An API server for this worker's tests; they share it, so each takes a namespace of its own."""
    need("envtest", _no_envtest())
    with Envtest() as running:
        yield running


@pytest.fixture
def fresh_envtest() -> Iterator[Envtest]:
    """An API server for one test alone, which records every request (`audited`)."""
    need("envtest", _no_envtest())
    with Envtest(audit=True) as running:
        yield running


def pytest_configure(config: pytest.Config) -> None:
    """Give the session its name before the workers inherit it."""
    if not hasattr(config, "workerinput"):
        os.environ.pop("OPENSQT_TEST_SESSION", None)
    shared.session_id()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: object, ids: Sequence[str]) -> None:
    """Have the shared cluster made beside the first tests, so that nobody waits for it."""
    if _cluster or not any(one.startswith("tests/e2e/") for one in ids) or kind.unavailable() is not None:
        return
    command = [sys.executable, "-m", "tests.cluster", "share"]
    # Where it fails, the first test that needs the cluster tries again, and says why.
    _cluster.append(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Delete the cluster that this session's workers shared (`OPENSQT_KEEP_CLUSTER=1` keeps it for the next one)."""
    for process in _cluster:
        process.communicate()
    if not hasattr(session.config, "workerinput") and not os.environ.get("OPENSQT_KEEP_CLUSTER"):
        shared.remove(shared.session_id())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which parts ran and which were left out, and why."""
    ran: Counter[str] = Counter()
    left_out: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            if outcome != "skipped" and report.when != "call":
                continue
            part = next((part for part in PARTS if part in report.keywords), "without a cluster")
            if outcome == "skipped":
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
                left_out.setdefault(part, Counter())[reason.removeprefix("Skipped: ")] += 1
            else:
                ran[part] += 1
    terminalreporter.section("parts")
    for part in ("without a cluster", *PARTS):
        terminalreporter.line(f"{part}: {ran[part]} tests ran" + (", some left out:" if part in left_out else ""))
        for reason, count in left_out.get(part, Counter()).most_common():
            terminalreporter.line(f"  {count} left out: {reason}")
