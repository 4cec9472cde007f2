"""From a Pod's creation to its bot's first committed order, and the bot's resident memory, on kind.

Targets: 5 s, 70 MiB. Usage: PYTHONPATH=. python benchmarks/startup.py [RUNS]   (makes a cluster)
"""

import asyncio
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

from tests.cluster import binaries, kind, release, shared
from tests.cluster.kubectl import Kubectl
from tests.cluster.shared import Cluster
from tests.e2e import books
from tests.e2e.lab import MODEL, Lab, bot, connector, eventually, is_ready

TARGET_SECONDS = 5.0
TARGET_MIB = 70.0


def main(runs: int) -> int:
    """Measure `runs` bots one after another; the exit code is 1 where a median misses its target."""
    if reason := kind.unavailable():
        print(f"left out: {reason}")
        return 0
    session = f"bench-{uuid4().hex[:8]}"
    try:
        with shared.joined(session) as cluster:
            seconds, mebibytes = _measure(cluster, runs)
    finally:
        shared.remove(session)
    for name, values, target in (("first order", seconds, TARGET_SECONDS), ("resident MiB", mebibytes, TARGET_MIB)):
        middle = statistics.median(values)
        spread = f"min {min(values):6.2f}  median {middle:6.2f}  max {max(values):6.2f}"
        print(f"{name:14} {spread}  target {target:g}  {'ok' if middle <= target else 'MISSED'}")
    return int(statistics.median(seconds) > TARGET_SECONDS or statistics.median(mebibytes) > TARGET_MIB)


def _measure(cluster: Cluster, runs: int) -> tuple[list[float], list[float]]:
    kubectl = cluster.kubectl
    namespace = f"startup-{uuid4().hex[:6]}"
    kubectl("create", "namespace", namespace)
    lab = Lab(kubectl, namespace, cluster.node)
    data = kubectl.get("-n", release.NAMESPACE, "secret", "opensqt-journal")["data"]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "opensqt-journal"},
        "data": {"dsn": data["dsn"]},
    }
    lab.apply(secret, connector(MODEL))
    eventually("the connector is ready", lambda: is_ready(lab.get("exchangeconnector", "paper") or {}))
    seconds, mebibytes = [], []
    try:
        for number in range(runs):
            name = f"grid{number}"
            created = _created(kubectl, lab, name)
            lab.until(name, "it trades", lambda it: it.get("status", {}).get("orders", {}).get("buys"))
            first = asyncio.run(_first_order(kubectl, lab.uid("gridbot", name)))
            seconds.append((first - created).total_seconds())
            mebibytes.append(_resident(lab, name))
            lab.run("delete", "gridbot", name)
    finally:
        lab.run("delete", "gridbots", "--all")
        kubectl("delete", "namespace", namespace, "--wait=false")
    return seconds, mebibytes


def _created(kubectl: Kubectl, lab: Lab, name: str) -> datetime:
    """When a watch told of the bot's Pod: creationTimestamp has whole seconds only."""
    watch_pods = [binaries.tool("kubectl"), *kubectl.flags, "-n", lab.namespace, "get", "pods", "--watch", "-o", "name"]
    with subprocess.Popen(watch_pods, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout
        try:
            watch.stdout.readline()  # the connector's Pod: the watch stands
            lab.apply(bot(name))
            for line in watch.stdout:
                if line.strip() == f"pod/{name}-bot":
                    return datetime.now(UTC)
        finally:
            watch.kill()
    raise RuntimeError("the watch ended")


async def _first_order(kubectl: Kubectl, bot_uid: str) -> datetime:
    async with books.database(kubectl) as connection:
        found: datetime = await connection.fetchval(
            "SELECT recorded_at FROM opensqt.events WHERE bot_uid = $1"
            " AND seq = (SELECT min(first_seq) FROM opensqt.orders WHERE bot_uid = $1)",
            bot_uid,
        )
        return found


def _resident(lab: Lab, name: str) -> float:
    status = lab.run("exec", f"{name}-bot", "--", "cat", "/proc/1/status").stdout
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
