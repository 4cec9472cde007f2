"""Deleted and made again under the same name, and nodes that do not answer: never two bots, never the wrong one."""

import asyncio

import pytest

from tests.operator.fake_cluster import eventually
from tests.operator.world import World, bot_manifest, condition, ready, reason, state_of

pytestmark = pytest.mark.envtest


async def test_a_namesake_gets_a_bot_of_its_own(world: World) -> None:
    async with world.operator():
        first = await world.create_bot()
        await world.running()
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")
        second = await world.kube.create(bot_manifest())
        await world.running()
        pod = await world.kube.get("Pod", "grid-bot")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == second["metadata"]["uid"]
    assert world.cluster.bots["grid"].resource["metadata"]["uid"] == second["metadata"]["uid"]


async def test_a_namesake_waits_for_the_orphaned_pod_of_the_earlier_one(world: World) -> None:
    async with world.operator():
        await world.create_bot(deletionPolicy="Orphan")
        await world.running()
        world.cluster.node_down = True
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")
        second = await world.kube.create(bot_manifest())
        bot = await world.until(lambda bot: reason(bot) == "WaitingForEarlierPod", "waits")
        assert state_of(bot) == "Pending"
        world.cluster.node_down = False
        await world.running()
        pod = await world.kube.get("Pod", "grid-bot")
        assert pod["metadata"]["ownerReferences"][0]["uid"] == second["metadata"]["uid"]


async def test_a_pod_on_a_node_that_does_not_answer_is_waited_for(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        old = await world.kube.get("Pod", "grid-bot")
        world.cluster.node_down = True
        await world.kube.merge("GridBot", "grid", {"spec": {"order": {"quoteSize": "300"}}})
        bot = await world.until(lambda bot: reason(bot) == "PodTerminating", "waits for the node")
        assert "node-1" in condition(bot, "Ready")["message"]
        # Longer than any retry of ours: still the same Pod, and only that.
        await asyncio.sleep(3)
        pods = [pod for pod in await world.kube.list("Pod") if pod["metadata"]["name"] == "grid-bot"]
        assert [pod["metadata"]["uid"] for pod in pods] == [old["metadata"]["uid"]]
        world.cluster.node_down = False
        await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "rolled at last")


async def test_an_evicted_pod_is_replaced(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        old = await world.kube.get("Pod", "grid-bot")
        evicted = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}
        await world.kube.merge("Pod", "grid-bot", {"status": evicted}, "status")
        await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "replaced")
        new = await world.kube.get("Pod", "grid-bot")
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        await world.event("Replaced")


async def test_a_deletion_starts_the_bot_again_where_its_pod_is_gone(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
    await world.kube.delete("Pod", "grid-bot")
    await world.gone("Pod", "grid-bot")
    await world.kube.delete("GridBot", "grid")
    world.cluster.stubborn.add("grid")
    async with world.operator():

        async def started() -> bool:
            return world.cluster.bots["grid"].status.epoch == 2

        await eventually(started, "started again to wind down")
        fake = world.cluster.bots["grid"]
        assert fake.resource["spec"]["state"] == "Stopped"

        async def told() -> bool:
            return bool(fake.configured)

        await eventually(told, "told its end")
        await world.until(lambda bot: state_of(bot) == "WindingDown", "winding down")
        pod = await world.kube.get("Pod", "grid-bot")
        assert pod["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is False
        fake.change(phase=5)
        await world.gone("GridBot", "grid")


async def test_foreground_deletion_winds_down_too(world: World) -> None:
    # The first instance is still winding down when its Pod is deleted; the second comes to its end.
    world.cluster.stubborn.add("grid")
    async with world.operator():
        await world.create_bot()
        await world.running()
        world.cluster.stubborn.discard("grid")
        await world.kube.delete("GridBot", "grid", propagation="Foreground")
        # The garbage collector deletes the Pod before anything else.
        await world.kube.delete("Pod", "grid-bot")

        async def told() -> bool:
            return world.cluster.bots["grid"].status.epoch == 2 and bool(world.cluster.bots["grid"].configured)

        await eventually(told, "a second instance is told its end")

        async def released() -> bool:
            found = await world.kube.find("GridBot", "grid")
            return found is None or "opensqt.io/wind-down" not in found["metadata"].get("finalizers", [])

        await eventually(released, "let go")
