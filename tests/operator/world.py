"""A test's world: a namespace on the envtest, the rest of a cluster, and ways to look at it."""

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.cluster.envtest import Envtest
from tests.operator.fake_cluster import FakeCluster, eventually
from tests.operator.kube_client import KubeClient, Object
from tests.operator.operator_process import ROOT, OperatorProcess

_numbers = itertools.count(1)


@dataclass
class World:
    """One test's namespace and what lives in it."""

    envtest: Envtest
    kube: KubeClient
    cluster: FakeCluster
    connector: Object = field(default_factory=dict)

    def operator(
        self, *options: str, image: str = "opensqt-bot:test", kubeconfig: Path | None = None
    ) -> OperatorProcess:
        return OperatorProcess(kubeconfig or self.envtest.kubeconfig, self.kube.namespace, *options, image=image)

    async def create_bot(self, name: str = "grid", *, connector: bool = True, **spec: object) -> Object:
        """A GridBot, and its connector where there is none."""
        if connector and await self.kube.find("ExchangeConnector", "paper") is None:
            await self.kube.create(self.connector or connector_manifest())
        return await self.kube.create(bot_manifest(name, **spec))

    async def bot(self, name: str = "grid") -> Object:
        return await self.kube.get("GridBot", name)

    async def until(
        self, condition: Callable[[Object], bool], what: str, name: str = "grid", within: float = 120.0
    ) -> Object:
        """The GridBot once the condition holds."""
        latest: Object = {}

        async def look() -> Object | None:
            latest.update(await self.bot(name))
            return latest if condition(latest) else None

        try:
            found: Object = await eventually(look, what, within=within)
        except AssertionError as error:
            error.add_note(json.dumps(latest.get("status", {}), indent=1))
            raise
        return found

    async def running(self, name: str = "grid") -> Object:
        """The bot runs as its spec asks, and its connector is ready, with all its children."""
        return await self.until(
            lambda bot: state_of(bot) == "Running" and ready(bot) == "True" and observed(bot)
            and reason(bot, "ConnectorReady") == "Ready",
            "the bot and its connector run", name,
        )  # fmt: skip

    async def gone(self, kind: str, name: str, within: float = 120.0) -> None:
        async def look() -> bool:
            return await self.kube.find(kind, name) is None

        await eventually(look, f"{kind} {name} is gone", within=within)

    async def events(self, reason: str) -> list[Object]:
        return [event for event in await self.kube.list("Event") if event["reason"] == reason]

    async def event(self, reason: str, words: str = "") -> Object:
        """An Event of this reason whose message has these words, once there is one."""

        async def look() -> Object | None:
            return next((event for event in await self.events(reason) if words in event["message"]), None)

        found: Object = await eventually(look, f"Event {reason}: …{words}…")
        return found


def condition(obj: Object, kind: str) -> Object:
    """The condition; KeyError where there is none yet."""
    conditions: dict[str, Object] = {one["type"]: one for one in obj.get("status", {}).get("conditions", [])}
    return conditions[kind]


def ready(obj: Object) -> str:
    try:
        return str(condition(obj, "Ready")["status"])
    except KeyError:
        return ""


def reason(obj: Object, kind: str = "Ready") -> str:
    try:
        return str(condition(obj, kind)["reason"])
    except KeyError:
        return ""


def state_of(bot: Object) -> str:
    return str(bot.get("status", {}).get("state", ""))


def observed(bot: Object) -> bool:
    return bool(bot["status"]["observedGeneration"] == bot["metadata"]["generation"])


def connector_manifest(name: str = "paper") -> Object:
    manifest: Object = next(iter(yaml.safe_load_all((ROOT / "examples/gridbot.yaml").read_text())))
    manifest["metadata"]["name"] = name
    return manifest


def bot_manifest(name: str = "grid", **spec: object) -> Object:
    manifest: Object = list(yaml.safe_load_all((ROOT / "examples/gridbot.yaml").read_text()))[1]
    manifest["metadata"]["name"] = name
    manifest["spec"] |= spec
    return manifest


async def make_world(envtest: Envtest) -> World:
    namespace = f"test-{os.getpid()}-{next(_numbers)}"
    kube = KubeClient(envtest.kubeconfig, namespace)
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    return World(envtest, kube, FakeCluster(kube))
