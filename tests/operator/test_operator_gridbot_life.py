"""A GridBot's life on a real API server: created, edited, rolled, deleted."""

import pytest

from opensqt.bot.v1 import bot_pb2
from tests.operator.fake_cluster import eventually
from tests.operator.world import World, condition, observed, ready, reason, state_of

pytestmark = pytest.mark.envtest


async def test_a_new_bot_gets_one_pod_and_its_status_tells_the_truth(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        bot = await world.until(lambda bot: condition(bot, "ConnectorReady")["status"] == "True", "connector ready")
        pod = await world.kube.get("Pod", "grid-bot")
    (reference,) = pod["metadata"]["ownerReferences"]
    assert (reference["uid"], reference["controller"]) == (bot["metadata"]["uid"], True)
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["command"][:2] == ["opensqt", "bot"]
    status = bot["status"]
    assert (status["epoch"], status["pod"], status["orders"]["buys"]) == (1, "grid-bot", 10)
    assert status["limits"] == [{"name": "maxPosition", "used": "0", "limit": "0.2", "reached": False}]
    assert condition(bot, "CircuitClosed")["status"] == "True"

    assert bot["metadata"]["finalizers"] == ["opensqt.io/wind-down"]


async def test_a_change_in_the_bot_reaches_the_status_by_itself(world: World) -> None:
    async with world.operator("--resync-seconds", "3600"):
        await world.create_bot()
        await world.running()
        fake = world.cluster.bots["grid"]
        fake.change(position="0.005", realised_pnl="1.25", unrealised_pnl="-0.5", fills=1)
        bot = await world.until(lambda bot: bot["status"]["orders"]["fills"] == 1, "the numbers")
        assert bot["status"]["position"]["quantity"] == "0.005"
        assert bot["status"]["pnl"]["total"] == "0.75"
        breaker = bot_pb2.Breaker(open=True, reason="Drawdown", message="1000 of 1000", opened_us=1_700_000_000_000_000)
        fake.change(breaker=breaker)
        bot = await world.until(lambda bot: bot["status"]["breaker"]["state"] == "Open", "the breaker")
        assert reason(bot, "CircuitClosed") == "Drawdown"
        assert condition(bot, "CircuitClosed")["status"] == "False"
        assert ready(bot) == "True"


async def test_a_live_edit_is_pushed_and_restarts_nothing(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        pod = await world.kube.get("Pod", "grid-bot")
        await world.kube.merge(
            "GridBot", "grid", {"spec": {"riskLimits": {"maxOpenOrders": 30}, "grid": {"buyWindow": 7}}}
        )
        fake = world.cluster.bots["grid"]
        await world.until(
            lambda bot: observed(bot) and fake.status.generation == bot["metadata"]["generation"], "configured"
        )
        assert fake.spec["riskLimits"]["maxOpenOrders"] == 30
        assert fake.spec["grid"]["buyWindow"] == 7
        await world.running()
        assert (await world.kube.get("Pod", "grid-bot"))["metadata"]["uid"] == pod["metadata"]["uid"]


@pytest.mark.parametrize(("wanted", "state"), [("Paused", "Paused"), ("Stopped", "Stopped")])
async def test_state_is_pushed_and_shown(world: World, wanted: str, state: str) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        await world.kube.merge("GridBot", "grid", {"spec": {"state": wanted}})
        bot = await world.until(lambda bot: state_of(bot) == state and ready(bot) == "True", state)
        assert reason(bot) == wanted


async def test_an_edit_that_needs_a_restart_rolls_the_pod(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        old = await world.kube.get("Pod", "grid-bot")
        await world.kube.merge("GridBot", "grid", {"spec": {"order": {"quoteSize": "300"}}})
        bot = await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "rolled")
        new = await world.kube.get("Pod", "grid-bot")
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        assert observed(bot)
        await world.event("Rolled")


@pytest.mark.parametrize(
    ("policy", "goal"), [("CancelOrders", bot_pb2.GOAL_STOP), ("ClosePosition", bot_pb2.GOAL_CLOSE)]
)
async def test_deletion_winds_the_bot_down_first(world: World, policy: str, goal: "bot_pb2.Goal.ValueType") -> None:
    world.cluster.stubborn.add("grid")
    async with world.operator():
        await world.create_bot(deletionPolicy=policy)
        await world.running()
        fake = world.cluster.bots["grid"]
        await world.kube.delete("GridBot", "grid")
        await world.until(lambda bot: state_of(bot) == "WindingDown", "winding down")
        assert {request.goal for request in fake.configured} == {goal}
        fake.change(phase=bot_pb2.PHASE_STOPPED)
        await world.gone("GridBot", "grid")
        await world.gone("Pod", "grid-bot")


async def test_orphan_lets_go_at_once(world: World) -> None:
    async with world.operator():
        await world.create_bot(deletionPolicy="Orphan")
        await world.running()
        fake = world.cluster.bots["grid"]
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")
        assert fake.configured == []


@pytest.mark.parametrize("policy", ["CancelOrders", "ClosePosition"])
async def test_deletion_that_orphans_its_pod_winds_the_bot_down_and_ends_the_pod(world: World, policy: str) -> None:
    world.cluster.stubborn.add("grid")
    async with world.operator():
        await world.create_bot(deletionPolicy=policy)
        await world.running()
        fake = world.cluster.bots["grid"]
        await world.kube.delete("GridBot", "grid", propagation="Orphan")

        async def orphaned() -> bool:
            return "ownerReferences" not in (await world.kube.get("Pod", "grid-bot"))["metadata"]

        await eventually(orphaned, "the Pod has no owner")
        await world.until(lambda bot: state_of(bot) == "WindingDown" and bool(fake.configured), "told its end")
        fake.change(phase=bot_pb2.PHASE_STOPPED)
        await world.gone("GridBot", "grid")
        await world.gone("Pod", "grid-bot")
        await world.event("WoundDown")


async def test_an_orphaned_pod_gets_its_owner_back(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        before = await world.kube.get("Pod", "grid-bot")
        await world.kube.merge("Pod", "grid-bot", {"metadata": {"ownerReferences": None}})

        async def owned() -> bool:
            pod = await world.kube.get("Pod", "grid-bot")
            return bool(pod["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"])

        await eventually(owned, "owned again")
        assert (await world.kube.get("Pod", "grid-bot"))["metadata"]["uid"] == before["metadata"]["uid"]


async def test_both_deleted_at_once_wind_down_in_any_order(world: World) -> None:
    world.cluster.stubborn.add("grid")
    async with world.operator():
        await world.create_bot()
        await world.running()
        await world.kube.delete("ExchangeConnector", "paper")
        await world.kube.delete("GridBot", "grid")
        await world.until(
            lambda bot: state_of(bot) == "WindingDown" and "ConnectorDeleting" in condition(bot, "Ready")["message"],
            "winding down, on a connector that is being deleted",
        )
        assert await world.kube.find("Deployment", "paper-connector") is not None
        world.cluster.bots["grid"].change(phase=bot_pb2.PHASE_STOPPED)
        await world.gone("GridBot", "grid")
        await world.gone("ExchangeConnector", "paper")


async def test_deletion_lets_go_at_its_deadline_and_says_so(world: World) -> None:
    world.cluster.stubborn.add("grid")
    async with world.operator():
        await world.create_bot(deletionTimeoutSeconds=10)
        await world.running()
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")
        event = await world.event("DeadlineExceeded")
        assert event["type"] == "Warning"


async def test_the_escape_annotation_lets_go_at_once(world: World) -> None:
    world.cluster.stubborn.add("grid")
    async with world.operator():
        await world.create_bot()
        await world.running()
        await world.kube.delete("GridBot", "grid")
        await world.until(lambda bot: state_of(bot) == "WindingDown", "winding down")
        await world.kube.merge("GridBot", "grid", {"metadata": {"annotations": {"opensqt.io/force-delete": "true"}}})
        await world.gone("GridBot", "grid")
        await world.event("Forced")
