"""A bad API server: conflicts, overload, failures before and after the commit, silence, lost events."""

from collections import Counter
from pathlib import Path

import pytest

from tests.operator.fake_cluster import eventually
from tests.operator.fault_proxy import Fault, FaultProxy
from tests.operator.world import World, observed, ready, reason

pytestmark = pytest.mark.envtest

_FAULTS = {
    "409": Fault(409),
    "429": Fault(429),
    "500": Fault(500),
    "500 after the commit": Fault(500, carried_out=True),
    "cut off": Fault(),
    "cut off after the commit": Fault(carried_out=True),
}


@pytest.mark.parametrize("fault", _FAULTS.values(), ids=_FAULTS.keys())
async def test_every_write_fails_once_and_the_end_is_right(world: World, tmp_path: Path, fault: Fault) -> None:
    async with FaultProxy(world.envtest.kubeconfig, tmp_path) as proxy:
        seen: Counter[tuple[str, str]] = Counter()

        def every_other(method: str, path: str) -> Fault | None:
            if method not in {"POST", "PATCH", "DELETE"}:
                return None
            seen[method, path] += 1
            return fault if seen[method, path] % 2 else None

        proxy.fault = every_other
        async with world.operator(kubeconfig=proxy.kubeconfig):
            await world.create_bot()
            await world.until(lambda bot: ready(bot) == "True" and reason(bot, "ConnectorReady") == "Ready", "runs")
            await world.kube.merge("GridBot", "grid", {"spec": {"order": {"quoteSize": "300"}}})
            await world.until(
                lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True" and observed(bot), "rolled"
            )
            await world.kube.delete("GridBot", "grid")
            await world.gone("GridBot", "grid")


async def test_an_api_server_that_is_away_for_a_while(world: World, tmp_path: Path) -> None:
    async with (
        FaultProxy(world.envtest.kubeconfig, tmp_path) as proxy,
        world.operator(kubeconfig=proxy.kubeconfig) as operator,
    ):
        await world.create_bot()
        await world.running()
        asked: Counter[str] = Counter()

        def away(method: str, path: str) -> Fault | None:
            asked[method] += 1
            return Fault(503)

        proxy.fault = away
        world.cluster.bots["grid"].change(fills=5)

        async def tried() -> bool:
            return asked["PATCH"] >= 4

        await eventually(tried, "the status is tried again and again")
        assert operator.alive
        assert (await operator.probe("healthz"))[0] == 200
        proxy.fault = lambda method, path: None
        await world.until(lambda bot: bot["status"]["orders"]["fills"] == 5, "caught up")


async def test_events_that_the_watch_never_told_are_made_up_for_by_a_resync(world: World, tmp_path: Path) -> None:
    async with FaultProxy(world.envtest.kubeconfig, tmp_path) as proxy:
        proxy.keep_event = lambda event: False
        async with world.operator("--resync-seconds", "2", kubeconfig=proxy.kubeconfig) as operator:
            await world.create_bot()
            await world.until(lambda bot: ready(bot) == "True", "runs without a single event")
            await world.kube.delete("Pod", "grid-bot")
            await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "made again")

            async def unhealthy() -> bool:
                await world.kube.merge("GridBot", "grid", {"metadata": {"labels": {"x": str(id(object()))}}})
                code, said = await operator.probe("healthz")
                return code == 503 and "the watch of GridBot" in said

            await eventually(unhealthy, "a watch that tells nothing shows in the health probe")


async def test_a_pod_deleted_in_the_gap_of_a_relist_is_noticed(world: World, tmp_path: Path) -> None:
    async with FaultProxy(world.envtest.kubeconfig, tmp_path) as proxy, world.operator(kubeconfig=proxy.kubeconfig):
        await world.create_bot()
        await world.running()
        # Kopf's cache-less watch tells of no deletion that it has slept through.
        proxy.keep_event = lambda event: event["type"] != "DELETED"
        await world.kube.delete("Pod", "grid-bot")
        await world.until(lambda bot: bot["status"]["epoch"] == 2 and ready(bot) == "True", "made again")
