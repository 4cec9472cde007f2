"""The pytest plugin of the clusters: fixtures, and at the end which parts of the tests ran, which did not, and why.

`OPENSQT_REQUIRE=envtest,kind` makes what is left out a failure: CI promises to run everything.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.cluster import binaries, shared
from tests.cluster.envtest import Envtest

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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Delete the cluster that this session's workers shared (`OPENSQT_KEEP_CLUSTER=1` keeps it for the next one)."""
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
