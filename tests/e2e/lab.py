"""A namespace of the shared cluster for one test: manifests in, conditions out, and processes to kill."""

import gzip
import json
import re
import subprocess
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.kubectl import Kubectl
from tests.cluster.release import NAMESPACE as SYSTEM

T = TypeVar("T")
Object = dict[str, Any]
PATIENCE = 240.0
"""Seconds until a condition counts as missed: the machine has two processors, and other tests kill what all share."""


def eventually(what: str, probe: Callable[[], T | None], *, within: float = PATIENCE) -> T:
    """The first answer of `probe` that is neither None nor False; AssertionError, with `what`, where none comes."""
    deadline = time.monotonic() + within
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.2)


def container_id(pod: Object) -> str:
    """containerd's id of the Pod's one container, as it runs now; empty where it does not."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    running = statuses and "running" in statuses[0]["state"]
    return str(statuses[0]["containerID"]).removeprefix("containerd://") if running else ""


def condition(resource: Object, kind: str) -> Object:
    """The condition of this type, or one of status Unknown."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next(
        (each for each in conditions if each["type"] == kind), {"status": "Unknown", "reason": "", "message": ""}
    )


@dataclass(frozen=True, slots=True)
class Lab:
    """kubectl in one namespace."""

    kubectl: Kubectl
    namespace: str
    node: str
    """The container that is the cluster's node."""

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl in the namespace."""
        return self.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def apply(self, *documents: Object) -> None:
        """`kubectl apply` of objects; a refusal raises CalledProcessError."""
        # Server-side: on the client's side the candles would go into an annotation, and are too long for it.
        self.run(
            "apply",
            "--server-side",
            "--force-conflicts",
            "-f",
            "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)}),
        )

    def refusals(self, *documents: Object) -> dict[str, str]:
        """What the API server says against the objects, by name; nothing against one that it would take."""
        everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
        # kubectl's own validation would end at the first.
        dry = ("create", "--dry-run=server", "--validate=ignore", "-f", "-")
        done = self.run(*dry, stdin=everything, check=False)
        # A message may have several lines, and tells the name in quotes.
        messages = re.split(r"^(?=The |Error )", done.stderr, flags=re.MULTILINE)
        names = [document["metadata"]["name"] for document in documents]
        return {name: message for name in names for message in messages if f'"{name}"' in message}

    def patch(self, kind: str, name: str, spec: Object) -> None:
        """Merge into the spec of a resource."""
        self.run("patch", kind, name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def get(self, kind: str, name: str) -> Object | None:
        """The object, or None."""
        found: Object | None = self.kubectl.get("-n", self.namespace, kind, name)
        return found

    def uid(self, kind: str, name: str) -> str:
        """The object's uid."""
        return str((self.get(kind, name) or {})["metadata"]["uid"])

    def bot(self, name: str) -> Object:
        """The GridBot."""
        return self.get("gridbot", name) or {}

    def pod(self, bot: str) -> Object:
        """The bot's Pod, or an empty object."""
        return self.get("pod", f"{bot}-bot") or {}

    def connector_pod(self, connector: str) -> Object:
        """The connector's running Pod, or an empty object."""
        selector = f"app.kubernetes.io/name=opensqt-connector,app.kubernetes.io/instance={connector}"
        return _running_pod(self.kubectl, self.namespace, selector)

    def postgres_pod(self) -> Object:
        """The running Pod of the namespace's own PostgreSQL."""
        return _running_pod(self.kubectl, self.namespace, "app.kubernetes.io/name=opensqt-postgres")

    def operator_pod(self) -> Object:
        """The running Pod of the operator."""
        return _running_pod(self.kubectl, SYSTEM, "app.kubernetes.io/name=opensqt-operator")

    def own_postgres(self) -> None:
        """A PostgreSQL like the release's, in the test's namespace, for a test that kills it; its journal is there."""
        self.copy("service", "opensqt-postgres")
        self.copy("statefulset", "opensqt-postgres")
        password = "swordfish"  # noqa: S105 - of a database that lives as long as the test
        data = {"password": password, "dsn": f"postgresql://opensqt:{password}@opensqt-postgres:5432/opensqt"}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "opensqt-journal"}, "stringData": data})

    def copy(self, kind: str, name: str) -> None:
        """An object of the release, in the test's namespace."""
        found = self.kubectl.get("-n", SYSTEM, kind, name)
        found["metadata"] = {"name": name, "labels": found["metadata"]["labels"]}
        found.pop("status")
        for assigned in ("clusterIP", "clusterIPs"):
            found["spec"].pop(assigned, None)
        self.apply(found)

    def until_ready(self, *bots: str) -> None:
        """Wait until each bot's Ready is True for its newest generation."""
        for name in bots:
            self.until(name, f"{name} is Ready", is_ready)

    def until(self, name: str, what: str, wanted: Callable[[Object], Any], *, within: float = PATIENCE) -> Object:
        """Wait until the GridBot is as `wanted`, and return it."""

        def probe() -> Object | None:
            bot = self.bot(name)
            return bot if wanted(bot) else None

        try:
            return eventually(what, probe, within=within)
        except AssertionError as error:
            error.add_note(self.story())
            raise

    def until_fills(self, name: str, more: int = 5) -> Object:
        """Wait until the bot's status counts `more` fills than now, and return it."""
        before = fills(self.bot(name))
        return self.until(name, f"{name} has {more} more fills than {before}", lambda bot: fills(bot) >= before + more)

    def stop(self, name: str) -> Object:
        """Set the bot's state to Stopped, wait until it is, and return it: nothing changes any more."""
        self.patch("gridbot", name, {"state": "Stopped"})
        return self.until(
            name, f"{name} is Stopped", lambda bot: is_observed(bot) and bot["status"]["state"] == "Stopped"
        )

    def kill(self, pod: Object) -> None:
        """kill -9 the process of the Pod's container, from the node."""
        container = container_id(pod)
        assert container, f"not running: {pod.get('metadata', {}).get('name')}"
        command = ["docker", "exec", self.node, "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", container]
        subprocess.run(command, check=True, capture_output=True)

    def story(self) -> str:
        """What a person would look at when something is wrong here."""
        told = [self.run("get", "gridbots,exchangeconnectors,pods", "-o", "wide", check=False).stdout]
        told += [self.run("get", "gridbots,exchangeconnectors", "-o", "yaml", check=False).stdout[-6000:]]
        told += [self.run("get", "events", "--sort-by=.lastTimestamp", check=False).stdout[-3000:]]
        for pod in self.run("get", "pods", "-o", "name", check=False).stdout.split():
            for previous in ((), ("--previous",)):
                logs = self.run("logs", pod, "--tail", "15", *previous, check=False)
                told += [f"--- {pod} {' '.join(previous)}\n{logs.stdout}"] if logs.stdout else []
        operator = self.kubectl("-n", SYSTEM, "logs", "deployment/opensqt-operator", "--tail", "15", check=False)
        return "\n".join([*told, f"--- operator\n{operator.stdout}"])


def fills(bot: Object) -> int:
    """How many fills the bot's status counts."""
    return int(bot.get("status", {}).get("orders", {}).get("fills", 0))


def is_observed(bot: Object) -> bool:
    """Whether the status speaks of the newest generation."""
    return bool(bot.get("status", {}).get("observedGeneration") == bot.get("metadata", {}).get("generation"))


def is_ready(bot: Object) -> bool:
    """Whether the bot does what its newest spec asks."""
    return is_observed(bot) and condition(bot, "Ready")["status"] == "True"


def candles(name: str, file: Path) -> Object:
    """A ConfigMap with recorded candles under the key candles.csv.gz."""
    made = subprocess.run(["base64", "-w0", file], capture_output=True, text=True, check=True)
    metadata = {"name": name}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "binaryData": {"candles.csv.gz": made.stdout},
    }


def falling(folder: Path) -> Path:
    """Candles of a price that falls and falls, by 5 a minute for five days, as a file in `folder`."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lines = ["timestamp,open,high,low,close,volume"]
    for minute in range(7000):
        price = 40000 - 5 * minute
        lines.append(f"{start + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S},{price},{price},{price - 5},{price - 5},5")
    path = folder / "falling.csv.gz"
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return path


_CONNECTOR: Object = {
    "apiVersion": "opensqt.io/v1alpha1",
    "kind": "ExchangeConnector",
    "metadata": {"name": "paper"},
    "spec": {"exchange": "paper", "paper": {"balance": "100000", "speed": 600, "markets": []}},
}
_BOT: Object = {
    "apiVersion": "opensqt.io/v1alpha1",
    "kind": "GridBot",
    "metadata": {"name": "grid"},
    "spec": {
        "connectorRef": {"name": "paper"},
        "symbol": "BTC/USDT:USDT",
        "grid": {"spacing": {"arithmetic": "25"}, "buyWindow": 6, "sellWindow": 6},
        "order": {"quoteSize": "100"},
        "leverage": 5,
        "riskLimits": {"maxPosition": "5", "maxOpenOrders": 30},
    },
}
BTC: Object = {"symbol": "BTC/USDT:USDT", "candles": {"configMapRef": {"name": "btc", "key": "candles.csv.gz"}}}
MODEL: Object = {"symbol": "BTC/USDT:USDT", "model": {"seed": 3}}


def connector(*markets: Object, **paper: Any) -> Object:
    """The connector `paper`, which plays these markets; `paper` overrides its other settings."""
    made = deepcopy(_CONNECTOR)
    made["spec"]["paper"] |= {"markets": list(markets)} | paper
    return made


def bot(name: str = "grid", **spec: Any) -> Object:
    """A bot on the connector `paper`; `spec` overrides fields of its spec."""
    made = deepcopy(_BOT)
    made["metadata"]["name"] = name
    made["spec"] |= spec
    return made


def _running_pod(kubectl: Kubectl, namespace: str, selector: str) -> Object:
    pods: list[Object] = kubectl.get("-n", namespace, "pods", "-l", selector)["items"]
    return next((pod for pod in pods if container_id(pod) and "deletionTimestamp" not in pod["metadata"]), {})
