"""The operator dies, starts again, is away, or is there twice: the end is the same, and nothing is made twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.operator.fake_cluster import eventually
from tests.operator.fault_proxy import FaultProxy, counted, writes_of
from tests.operator.kube_client import USER_AGENT, Object
from tests.operator.operator_process import OperatorProcess
from tests.operator.world import World, make_world, observed, ready, reason, state_of

pytestmark = pytest.mark.envtest

_TIMES = {"lastTransitionTime", "lastReport", "openedAt", "resetsAt"}


def timeless(value: Any) -> Any:
    """A status without its times."""
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name not in _TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


async def settled(world: World, *, epoch: int) -> Object:
    await world.until(
        lambda bot: bot["status"]["epoch"] == epoch and ready(bot) == "True" and observed(bot)
        and reason(bot, "Progressing") == "UpToDate" and reason(bot, "ConnectorReady") == "Ready",
        f"settled at epoch {epoch}",
    )  # fmt: skip

    async def connector() -> bool:
        found = await world.kube.get("ExchangeConnector", "paper")
        settled = ready(found) == "True" and reason(found, "Progressing") == "UpToDate"
        return settled and bool(found["status"]["bots"] == 1)

    await eventually(connector, "the connector is ready")
    return await world.bot()


async def story(world: World) -> dict[str, Any]:
    """A bot is created, rolled, hit by drift, and deleted with its connector; the state before its end."""
    await world.create_bot()
    await settled(world, epoch=1)
    await world.kube.merge("GridBot", "grid", {"spec": {"order": {"quoteSize": "300"}}})
    await settled(world, epoch=2)
    await world.kube.delete("Service", "paper-connector")

    async def service() -> Object | None:
        return await world.kube.find("Service", "paper-connector")

    await eventually(service, "the Service is back")
    end = timeless((await settled(world, epoch=2))["status"])
    await world.kube.delete("GridBot", "grid")
    await world.kube.delete("ExchangeConnector", "paper")
    await world.gone("GridBot", "grid")
    await world.gone("ExchangeConnector", "paper")
    assert isinstance(end, dict)
    return end


async def told(world: World, folder: Path, *, kill_after: int) -> tuple[dict[str, Any], int]:
    """The story with an operator that is killed after that write, and started again; its end, and all writes."""
    async with FaultProxy(world.envtest.kubeconfig, folder) as proxy:
        operator = world.operator(kubeconfig=proxy.kubeconfig)
        restarts: list[asyncio.Task[None]] = []

        async def after_write(count: int) -> None:
            if count == kill_after:
                await operator.kill()
                restarts.append(asyncio.create_task(operator.start(ready=False)))

        proxy.after_write = after_write
        async with operator:
            end = await story(world)
            await asyncio.gather(*restarts)
        return end, len(proxy.writes)


_SHARDS = 2


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(_SHARDS))
async def test_killed_after_each_write_the_end_is_the_same_and_nothing_is_made_twice(
    audited_world: World, tmp_path: Path, shard: int
) -> None:
    undisturbed, count = await told(audited_world, tmp_path, kill_after=0)
    expected = counted(audited_world.envtest.audited(), audited_world.kube.namespace, USER_AGENT)
    assert expected["create", "pods", "grid-bot"] == 2
    assert expected["delete", "pods", "grid-bot"] == 1
    turns = asyncio.Semaphore(2)
    wrong: list[str] = []

    async def one(kill_after: int) -> None:
        async with turns:
            world = await make_world(audited_world.envtest)
            folder = tmp_path / str(kill_after)
            folder.mkdir()
            try:
                end, _ = await told(world, folder, kill_after=kill_after)
            finally:
                await world.cluster.stop()
                await world.kube.aclose()
            made = counted(world.envtest.audited(), world.kube.namespace, USER_AGENT)
            if end != undisturbed or made != expected:
                wrong.append(f"killed after write {kill_after}: {made} instead of {expected}; {end}")

    async with asyncio.TaskGroup() as group:
        for kill_after in range(1 + shard, count + 1, _SHARDS):
            group.create_task(one(kill_after))
    assert not wrong, "\n".join(wrong)


async def test_at_rest_and_on_a_restart_nothing_is_written(audited_world: World) -> None:
    world = audited_world
    async with world.operator("--resync-seconds", "2"):
        await world.create_bot()
        await settled(world, epoch=1)
    before = len(writes_of(world.envtest.audited(), world.kube.namespace, USER_AGENT))
    listed = _lists(world)
    async with world.operator("--resync-seconds", "2") as operator:

        async def resynced() -> bool:
            return _lists(world) >= listed + 5

        await eventually(resynced, "several resyncs")
        assert (await operator.probe("healthz"))[0] == 200
    assert writes_of(world.envtest.audited(), world.kube.namespace, USER_AGENT)[before:] == []


def _lists(world: World) -> int:
    """How often an operator has listed the GridBots."""
    lists = (event for event in world.envtest.audited() if event["verb"] == "list")
    return sum("gridbots" in str(event["requestURI"]) for event in lists if event.get("userAgent") != USER_AGENT)


async def test_what_changed_while_it_was_away_is_made_up_for(world: World) -> None:
    async with world.operator():
        await world.create_bot()
        await world.create_bot("other")
        await world.create_bot("doomed")
        for name in ("grid", "other", "doomed"):
            await world.running(name)
    await world.kube.delete("Pod", "grid-bot")
    await world.kube.delete("Service", "paper-connector")
    await world.kube.merge("GridBot", "other", {"spec": {"riskLimits": {"maxOpenOrders": 30}}})
    await world.kube.delete("GridBot", "doomed")
    await world.gone("Pod", "grid-bot")
    async with world.operator():
        await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "made again")
        await world.until(lambda bot: observed(bot) and ready(bot) == "True", "configured", "other")
        assert world.cluster.bots["other"].spec["riskLimits"]["maxOpenOrders"] == 30
        await world.gone("GridBot", "doomed")
        await world.gone("Pod", "doomed-bot")
        assert await world.kube.find("Service", "paper-connector") is not None


async def test_two_operators_at_once_do_no_harm(audited_world: World) -> None:
    world = audited_world
    async with world.operator(), world.operator():
        await world.create_bot()
        await settled(world, epoch=1)
        await world.kube.merge("GridBot", "grid", {"spec": {"order": {"quoteSize": "300"}}})
        await settled(world, epoch=2)
        await world.kube.delete("GridBot", "grid")
        await world.gone("GridBot", "grid")
    made = counted(world.envtest.audited(), world.kube.namespace, USER_AGENT)
    assert made["create", "pods", "grid-bot"] == 2
    assert world.cluster.bots["grid"].status.epoch == 2


async def test_sigterm_ends_it_cleanly(world: World) -> None:
    operator: OperatorProcess = world.operator()
    async with operator:
        await world.create_bot()
        await world.running()
        assert await operator.stop() == 0
    assert state_of(await world.bot()) == "Running"
