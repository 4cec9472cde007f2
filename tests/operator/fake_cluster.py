"""The rest of a cluster over an envtest: scheduler, kubelet, Deployment controller and garbage collector, in small.

What it runs as bots and connectors are the fakes of fake_pods.py; everything else is the API server's own.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from tests.operator.fake_pods import FakeBot, FakeConnector, free_address, resource_of
from tests.operator.kube_client import ApiError, KubeClient, Object

_EVERY = 0.05
_COLLECTS = 6
"""Garbage is collected at every so many turns: it is most of what a turn asks the API server."""


class FakeCluster:
    """Brings Pods of one namespace up and down until `stop`."""

    def __init__(self, kube: KubeClient) -> None:
        self.kube = kube
        self.bots: dict[str, FakeBot] = {}
        """The running bots by the name of their GridBot."""
        self.connectors: dict[str, FakeConnector] = {}
        self.epochs: dict[str, int] = {}
        self.hold: Callable[[Object], dict[str, Any] | None] = lambda pod: None
        """The container status of a Pod that is not to run, for example one whose image cannot be pulled."""
        self.node_down = False
        """The node confirms nothing any more."""
        self.stubborn: set[str] = set()
        self.adjust: Callable[[FakeBot], None] = lambda bot: None
        self._pods: list[Object] = []
        """As of this turn."""
        self._served: dict[str, tuple[str, FakeBot | FakeConnector]] = {}
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._task.cancel()
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        for _, fake in self._served.values():
            await fake.stop()
        if isinstance(outcome, Exception):
            raise outcome

    async def kill(self, bot: str) -> None:
        """The bot's process dies; kubelet does not notice yet."""
        await self.bots[bot].stop()

    async def _run(self) -> None:
        for turn in itertools.count():
            collecting = () if turn % _COLLECTS else (self._orphan, self._collect_garbage)
            for step in (*collecting, self._look, self._run_deployments, self._run_pods):
                try:
                    await step()
                except ApiError as error:
                    # Somebody was faster; the next turn sees what is now.
                    if error.code not in {404, 409, 422}:
                        raise
            await asyncio.sleep(_EVERY)

    async def _look(self) -> None:
        self._pods = await self.kube.list("Pod")

    async def _orphan(self) -> None:
        """What is deleted with `--cascade=orphan` loses its children first."""
        for kind in ("GridBot", "ExchangeConnector"):
            for owner in await self.kube.list(kind):
                finalizers = owner["metadata"].get("finalizers", [])
                if "orphan" not in finalizers:
                    continue
                for child in await self.kube.list("Pod"):
                    references = child["metadata"].get("ownerReferences", [])
                    others = [one for one in references if one["uid"] != owner["metadata"]["uid"]]
                    if others != references:
                        patch = {"metadata": {"ownerReferences": others or None}}
                        await self.kube.merge("Pod", child["metadata"]["name"], patch)
                rest = {"metadata": {"finalizers": [one for one in finalizers if one != "orphan"]}}
                await self.kube.merge(kind, owner["metadata"]["name"], rest)

    async def _collect_garbage(self) -> None:
        # Children before owners: what is owned was made after its owner, so an owner that is not listed now is gone.
        children = [
            child
            for kind in ("Deployment", "Service", "ServiceAccount", "Pod")
            for child in await self.kube.list(kind)
            if child["metadata"].get("ownerReferences") and "deletionTimestamp" not in child["metadata"]
        ]
        owners = {
            owner["metadata"]["uid"]
            for kind in ("GridBot", "ExchangeConnector", "Deployment")
            for owner in await self.kube.list(kind)
        }
        for child in children:
            metadata = child["metadata"]
            if not any(one["uid"] in owners for one in metadata["ownerReferences"]):
                await self.kube.delete(child["kind"], metadata["name"], uid=metadata["uid"])

    async def _run_deployments(self) -> None:
        for deployment in await self.kube.list("Deployment"):
            metadata = deployment["metadata"]
            if "deletionTimestamp" in metadata:
                continue
            template = deployment["spec"]["template"]
            name = f"{metadata['name']}-{metadata['generation']}"
            reference = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
            }
            pods = [
                p
                for p in self._pods
                if any(r["uid"] == metadata["uid"] for r in p["metadata"].get("ownerReferences", []))
            ]
            for old in pods:
                if old["metadata"]["name"] != name and "deletionTimestamp" not in old["metadata"]:
                    await self.kube.delete("Pod", old["metadata"]["name"])
            updated = sum(p["metadata"]["name"] == name for p in pods)
            said = {"observedGeneration": metadata["generation"], "replicas": len(pods), "updatedReplicas": updated}
            if any(deployment.get("status", {}).get(field, 0) != value for field, value in said.items()):
                await self.kube.merge("Deployment", metadata["name"], {"status": said}, "status")
            if not pods:
                await self.kube.create({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": name, "ownerReferences": [reference], **template["metadata"]},
                    "spec": template["spec"],
                })  # fmt: skip

    async def _run_pods(self) -> None:
        pods = {pod["metadata"]["uid"]: pod for pod in self._pods}
        for uid in set(self._served) - set(pods):
            await self._end(uid)
        for uid, pod in pods.items():
            if "deletionTimestamp" in pod["metadata"]:
                if not self.node_down:
                    await self._end(uid)
                    await self.kube.delete("Pod", pod["metadata"]["name"], grace=0)
            elif uid not in self._served and pod.get("status", {}).get("phase") == "Pending":
                await self._start(uid, pod)

    async def _start(self, uid: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        (container,) = pod["spec"]["containers"]
        held = self.hold(pod)
        if held is not None:
            status = {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                **held,
            }
            if pod["status"].get("containerStatuses") != [status]:
                await self.kube.merge("Pod", name, {"status": {"containerStatuses": [status]}}, "status")
            return
        if not pod["spec"].get("nodeName"):
            await self.kube.bind(name, "node-1")
        address = free_address()
        fake = await self._serve(pod, container["name"], address)
        self._served[uid] = (name, fake)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "containerStatuses": [{
                "name": container["name"], "image": container["image"], "imageID": "", "ready": True, "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }],
        }  # fmt: skip
        await self.kube.merge("Pod", name, {"status": status}, "status")

    async def _serve(self, pod: Object, container: str, address: str) -> FakeBot | FakeConnector:
        resource = resource_of(pod)
        name = resource["metadata"]["name"]
        if container == "connector":
            connector = self.connectors[name] = FakeConnector()  # type: ignore[abstract]
            await connector.start(address)
            return connector
        uid = resource["metadata"]["uid"]
        self.epochs[uid] = self.epochs.get(uid, 0) + 1
        bot = FakeBot(resource, epoch=self.epochs[uid], stubborn=name in self.stubborn)
        self.adjust(bot)
        await bot.start(address)
        self.bots[name] = bot
        return bot

    async def _end(self, uid: str) -> None:
        served = self._served.pop(uid, None)
        if served is not None:
            await served[1].stop()


async def eventually(look: Callable[[], Awaitable[Any]], what: str, *, within: float = 120.0) -> Any:
    """What `look` answers once it is true; a key or element that it misses means: not yet."""
    deadline = asyncio.get_running_loop().time() + within
    last: object = None
    while asyncio.get_running_loop().time() < deadline:
        last = None
        with contextlib.suppress(KeyError, IndexError):
            last = await look()
            if last:
                return last
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {within} s: {what}; last: {last!r}")
