"""What people get wrong: said clearly in the conditions, harmless, and over once it is put right."""

import pytest

from opensqt.bot.v1 import bot_pb2
from tests.operator.fake_cluster import eventually
from tests.operator.kube_client import Object
from tests.operator.world import World, bot_manifest, condition, observed, ready, reason, state_of

pytestmark = pytest.mark.envtest


async def test_without_its_connector_a_bot_waits_and_says_so(world: World) -> None:
    async with world.operator():
        await world.create_bot(connector=False)
        bot = await world.until(lambda bot: reason(bot) == "ConnectorNotFound", "says so")
        assert "paper" in condition(bot, "Ready")["message"]
        assert state_of(bot) == "Pending"
        assert await world.kube.find("Pod", "grid-bot") is None
        assert "finalizers" not in bot["metadata"]
        await world.create_bot("other")
        await world.running()


async def test_a_bot_that_never_had_a_pod_is_deleted_at_once(world: World) -> None:
    async with world.operator():
        await world.create_bot(connector=False)
        await world.until(lambda bot: reason(bot) == "ConnectorNotFound", "waits")
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")


@pytest.mark.parametrize(
    ("waiting", "shown", "why"),
    [
        (
            {"reason": "CreateContainerConfigError", "message": 'secret "opensqt-journal" not found'},
            "JournalSecretMissing",
            'spec.journal.dsnSecretRef: secret "opensqt-journal" not found: give namespace',
        ),
        ({"reason": "ImagePullBackOff", "message": "Back-off pulling image"}, "ImagePullBackOff", "pulling"),
    ],
)
async def test_what_kubelet_says_of_a_pod_is_shown(world: World, waiting: Object, shown: str, why: str) -> None:
    world.cluster.hold = lambda pod: {"state": {"waiting": waiting}} if pod["metadata"]["name"] == "grid-bot" else None
    async with world.operator():
        await world.create_bot()
        bot = await world.until(lambda bot: reason(bot) == shown, "shown")
        assert why in condition(bot, "Ready")["message"]
        assert condition(bot, "Degraded")["status"] == "True"
        # It never ran, so there is nothing to wind down.
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")
        await world.event("NeverStarted")


async def test_a_bot_that_started_after_kubelet_last_told_is_wound_down(world: World) -> None:
    """Its node is silent while the GridBot is deleted, and tells in the end that the bot had run after all."""
    waiting = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    world.cluster.hold = lambda pod: waiting if pod["metadata"]["name"] == "grid-bot" else None
    world.cluster.node_down = True
    async with world.operator():
        await world.create_bot()

        async def held() -> bool:
            pod = await world.kube.find("Pod", "grid-bot")
            return pod is not None and bool(pod["status"]["containerStatuses"])

        await eventually(held, "the container is being created, as far as kubelet has told")
        await world.kube.bind("grid-bot", "node-1")
        first = await world.kube.get("Pod", "grid-bot")
        await world.kube.delete("GridBot", "grid")

        async def terminating() -> bool:
            pod = await world.kube.find("Pod", "grid-bot")
            return pod is not None and "deletionTimestamp" in pod["metadata"]

        await eventually(terminating, "its Pod is to go first")
        assert await world.events("NeverStarted") == []
        (status,) = first["status"]["containerStatuses"]
        ran = {"terminated": {"exitCode": 143, "startedAt": "2026-01-01T00:00:00Z", "containerID": "containerd://1"}}
        told = {"phase": "Failed", "containerStatuses": [status | {"state": ran}]}
        await world.kube.merge("Pod", "grid-bot", {"status": told}, "status")
        world.cluster.stubborn.add("grid")
        world.cluster.hold = lambda pod: None
        world.cluster.node_down = False

        async def told_its_end() -> bool:
            return bool(world.cluster.bots["grid"].configured)

        await eventually(told_its_end, "a bot is started to wind down")
        assert world.cluster.bots["grid"].resource["spec"]["state"] == "Stopped"
        world.cluster.bots["grid"].change(phase=bot_pb2.PHASE_STOPPED)
        await world.gone("GridBot", "grid")
        await world.event("WoundDown")
        assert await world.events("NeverStarted") == []


async def test_a_crash_loop_shows_the_last_words(world: World) -> None:
    crashed = {
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {
            "terminated": {
                "exitCode": 2, "reason": "Error", "message": "OPENSQT_JOURNAL_DSN is not set",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
            }
        },
    }  # fmt: skip
    world.cluster.hold = lambda pod: crashed if pod["metadata"]["name"] == "grid-bot" else None
    async with world.operator():
        await world.create_bot()
        bot = await world.until(lambda bot: reason(bot) == "CrashLoopBackOff", "shown")
        assert "OPENSQT_JOURNAL_DSN is not set" in condition(bot, "Ready")["message"]
        assert reason(bot, "Degraded") == "CrashLoopBackOff"


async def test_a_bad_image_rolled_back_while_unhealthy_recovers(world: World) -> None:
    def hold(pod: Object) -> Object | None:
        bad = pod["spec"]["containers"][0]["image"] == "bad"
        return {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}} if bad else None

    world.cluster.hold = hold
    async with world.operator():
        await world.create_bot()
        await world.running()
        await world.kube.merge("GridBot", "grid", {"spec": {"image": "bad"}})
        await world.until(lambda bot: reason(bot) == "ErrImagePull", "the bad image shows")
        await world.kube.merge("GridBot", "grid", {"spec": {"image": None}})
        await world.until(lambda bot: ready(bot) == "True" and bot["status"]["epoch"] == 2, "recovered")


async def test_a_spec_that_the_bot_refuses_is_shown_and_can_be_put_right(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        world.cluster.bots["grid"].refuse = "spec.grid.buyWindow: too wide"
        await world.kube.merge("GridBot", "grid", {"spec": {"grid": {"buyWindow": 500}}})
        bot = await world.until(lambda bot: reason(bot) == "ConfigureFailed", "refused")
        assert "too wide" in condition(bot, "Ready")["message"]
        world.cluster.bots["grid"].refuse = ""
        await world.kube.merge("GridBot", "grid", {"spec": {"grid": {"buyWindow": 5}}})
        await world.until(lambda bot: ready(bot) == "True" and observed(bot), "taken")


async def test_a_connector_that_is_not_ready_shows_in_its_bots(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.until(lambda bot: condition(bot, "ConnectorReady")["status"] == "True", "the connector is up")
        fake = world.cluster.connectors["paper"]
        fake.change(ready=False, reason="BadMarketData", message="line 7: not a number")
        bot = await world.until(lambda bot: reason(bot, "ConnectorReady") == "BadMarketData", "shown in the bot")
        assert "line 7" in condition(bot, "ConnectorReady")["message"]
        fake.change(ready=True, reason="Ready", message="")
        await world.until(lambda bot: condition(bot, "ConnectorReady")["status"] == "True", "ready again")


async def test_limits_probes_and_halts_show_at_once(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        fake = world.cluster.bots["grid"]
        fake.change(limits=[bot_pb2.Limit(name="maxPosition", used="0.2", limit="0.2", reached=True)])
        bot = await world.until(lambda bot: reason(bot, "WithinRiskLimits") == "LimitReached", "limit")
        assert "maxPosition (0.2 of 0.2)" in condition(bot, "WithinRiskLimits")["message"]
        await world.event("LimitReached")
        fake.change(probes=[bot_pb2.Probe(name="Journal", healthy=False, reason="Unreachable", message="no route")])
        bot = await world.until(lambda bot: ready(bot) == "False", "probe")
        assert reason(bot) == "JournalUnhealthy"
        fake.change(phase=bot_pb2.PHASE_HALTED, reason="UnknownSymbol", message="spec.symbol: not served")
        bot = await world.until(lambda bot: state_of(bot) == "Halted", "halt")
        assert reason(bot) == "UnknownSymbol"
        fake.happen("BreakerOpened", "Drawdown: 1000 of 1000", bot_pb2.SEVERITY_WARNING)
        fake.happen("Filled", "not for people", bot_pb2.SEVERITY_NORMAL)
        event = await world.event("BreakerOpened")
        assert event["type"] == "Warning"
        assert await world.events("Filled") == []


async def test_a_silent_bot_is_unknown_after_a_while_and_keeps_its_numbers(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.running()
        world.cluster.bots["grid"].change(fills=7)
        await world.until(lambda bot: bot["status"]["orders"]["fills"] == 7, "the numbers")
        await world.cluster.kill("grid")
        bot = await world.until(lambda bot: state_of(bot) == "Unknown", "unreachable")
        assert (ready(bot), reason(bot)) == ("Unknown", "BotUnreachable")
        assert bot["status"]["orders"]["fills"] == 7


async def test_a_spec_past_the_crds_rules_is_named_field_by_field(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        manifest = bot_manifest("bad")
        manifest["spec"]["grid"]["lower"], manifest["spec"]["grid"]["upper"] = "200", "100"
        with pytest.raises(Exception, match="upper must be greater than lower"):
            await world.kube.create(manifest)
