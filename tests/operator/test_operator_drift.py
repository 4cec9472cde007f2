"""What counts as drift, and that it is repaired on a real API server."""

from typing import Any

import pytest

from opensqt_operator.drift import first_difference
from tests.operator.fake_cluster import eventually
from tests.operator.kube_client import Object
from tests.operator.world import World, condition, ready, reason, state_of


@pytest.mark.parametrize(
    ("desired", "live", "path"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": 1}, {"a": 2}, "a"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b"),
        ({"a": {"b": 1}}, {}, "a"),
        ({"a": {}}, {}, "a"),
        ({"a": []}, {}, None),
        ({"a": ["x"]}, {"a": ["x", "y"]}, "a"),
        ({"env": [{"name": "x", "value": "1"}]}, {"env": [{"name": "y"}, {"name": "x", "value": "1"}]}, None),
        ({"env": [{"name": "x", "value": "1"}]}, {"env": [{"name": "x", "value": "2"}]}, "env[0].value"),
        ({"env": [{"name": "x", "value": "1"}]}, {"env": [{"name": "y", "value": "1"}]}, "env[0]"),
        ({"cpu": "0.5"}, {"cpu": "500m"}, None),
        ({"memory": "1024Mi"}, {"memory": "1Gi"}, None),
        ({"memory": "80Mi"}, {"memory": "80M"}, "memory"),
        ({"plain": "0.5"}, {"plain": "500m"}, "plain"),
        ({"a": False}, {}, "a"),
        # Another label in a selector selects something else.
        ({"selector": {"a": "1"}}, {"selector": {"a": "1", "b": "2"}}, "selector"),
    ],
)
def test_only_what_we_set_is_compared(desired: Any, live: Any, path: str | None) -> None:
    assert first_difference(desired, live) == path


envtest = pytest.mark.envtest


@envtest
async def test_a_pod_deleted_by_hand_comes_back(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        await world.kube.delete("Pod", "grid-bot")
        await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "made again")
        await world.event("DriftRepaired", "Pod grid-bot was gone")


@envtest
@pytest.mark.parametrize(
    ("patch", "put_back"),
    [
        (
            {"metadata": {"labels": {"app.kubernetes.io/managed-by": "someone"}}},
            lambda pod: pod["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "opensqt-operator",
        ),
        (
            {"metadata": {"labels": {"app.kubernetes.io/instance": None}}},
            lambda pod: pod["metadata"]["labels"].get("app.kubernetes.io/instance") == "grid",
        ),
        (
            {"spec": {"containers": [{"name": "bot", "image": "evil"}]}},
            lambda pod: pod["spec"]["containers"][0]["image"] == "opensqt-bot:test",
        ),
    ],
    ids=["selector label", "instance label", "image"],
)
async def test_a_pod_changed_by_hand_is_put_back_and_lives_on(world: World, patch: Object, put_back: Any) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        before = await world.kube.get("Pod", "grid-bot")
        await world.kube.strategic("Pod", "grid-bot", patch)

        async def repaired() -> bool:
            return bool(put_back(await world.kube.get("Pod", "grid-bot")))

        await eventually(repaired, "put back")
        after = await world.kube.get("Pod", "grid-bot")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        await world.running()


@envtest
@pytest.mark.parametrize(
    ("kind", "patch", "put_back"),
    [
        ("Service", {"spec": {"selector": {"app.kubernetes.io/instance": "other"}}},
         lambda it: it["spec"]["selector"]["app.kubernetes.io/instance"] == "paper"),
        ("Service", {"spec": {"selector": {"added": "by-hand"}}}, lambda it: "added" not in it["spec"]["selector"]),
        ("Service", {"spec": {"publishNotReadyAddresses": False}}, lambda it: it["spec"]["publishNotReadyAddresses"]),
        ("Deployment", {"spec": {"replicas": 3}}, lambda it: it["spec"]["replicas"] == 1),
        ("Deployment", {"spec": {"paused": True}}, lambda it: not it["spec"].get("paused")),
        ("Deployment", {"spec": {"strategy": {"type": "RollingUpdate"}}},
         lambda it: it["spec"]["strategy"]["type"] == "Recreate"),
        ("Deployment", {"metadata": {"ownerReferences": None}}, None),
        ("ServiceAccount", {"automountServiceAccountToken": True},
         lambda it: it["automountServiceAccountToken"] is False),
    ],
    ids=[
        "service selector", "narrower selector", "service field", "replicas", "paused",
        "strategy", "disowned", "account",
    ],
)  # fmt: skip
async def test_a_connectors_children_changed_by_hand_are_put_back(
    world: World, kind: str, patch: Object, put_back: Any
) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        await world.kube.merge(kind, "paper-connector", patch)
        if put_back is None:
            # Whoever takes our name off it has taken it from us: we say so, and touch it no more.
            async def blocked() -> bool:
                return reason(await world.kube.get("ExchangeConnector", "paper")) == "NameTaken"

            await eventually(blocked, "NameTaken")
            return

        async def repaired() -> bool:
            return bool(put_back(await world.kube.get(kind, "paper-connector")))

        await eventually(repaired, "put back")
        await world.event("DriftRepaired", f"of {kind} paper-connector was changed by hand")


@envtest
@pytest.mark.parametrize("kind", ["Service", "Deployment", "ServiceAccount"])
async def test_a_connectors_children_deleted_by_hand_come_back(world: World, kind: str) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        before = await world.kube.get(kind, "paper-connector")
        await world.kube.delete(kind, "paper-connector")

        async def back() -> bool:
            found = await world.kube.find(kind, "paper-connector")
            return found is not None and bool(found["metadata"]["uid"] != before["metadata"]["uid"])

        await eventually(back, "made again")


@envtest
async def test_a_pod_of_that_name_that_is_not_ours_is_never_touched(world: World) -> None:
    world.cluster.hold = lambda pod: {"state": {"waiting": {"reason": "Held"}}}
    foreign = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "grid-bot"},
        "spec": {"containers": [{"name": "theirs", "image": "theirs"}]},
    }
    created = await world.kube.create(foreign)
    async with world.operator():
        await world.create_bot()
        bot = await world.until(lambda bot: reason(bot) == "NameTaken", "says so")
        assert "grid-bot" in condition(bot, "Ready")["message"]
        pod = await world.kube.get("Pod", "grid-bot")
        assert "ownerReferences" not in pod["metadata"]
        assert pod["metadata"]["uid"] == created["metadata"]["uid"]
        world.cluster.hold = lambda pod: None
        await world.kube.delete("Pod", "grid-bot", grace=0)
        await world.until(lambda bot: state_of(bot) == "Running", "goes on once it is gone")
