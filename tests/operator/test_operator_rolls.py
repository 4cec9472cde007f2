"""An upgrade of the operator restarts its bots in turns, and stops where one does not come up."""

from dataclasses import dataclass

import pytest

from opensqt.api.gridbot_status import GridBotStatus
from opensqt_operator.cache import Cache
from opensqt_operator.names import GRIDBOTS, Key
from opensqt_operator.rolls import Rolls
from tests.operator.fake_cluster import eventually
from tests.operator.kube_client import Object
from tests.operator.world import World, condition, observed, ready, reason


def key(name: str) -> Key:
    return Key(GRIDBOTS.kind, "ns", name)


def bot(name: str, why: str = "UpToDate") -> Object:
    progressing = {"type": "Progressing", "reason": why, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    progressing["status"] = "True" if why == "Upgrading" else "False"
    metadata = {"namespace": "ns", "name": name, "uid": name, "resourceVersion": "1"}
    return {"kind": "GridBot", "metadata": metadata, "spec": {}, "status": {"conditions": [progressing]}}


def status(raw: Object) -> GridBotStatus:
    return GridBotStatus.model_validate(raw["status"])


@dataclass
class Turns:
    """Rolls over a cache of these bots, and the keys that it has put into the queue."""

    rolls: Rolls
    queued: list[Key]


def turns(*bots: Object, limit: int = 1) -> Turns:
    cache, queued = Cache(), list[Key]()
    for one in bots:
        cache.put(one)
    return Turns(Rolls(cache, limit, queued.append), queued)


def test_the_next_begins_when_the_one_before_it_is_ready() -> None:
    it = turns(bot("a"), bot("b"))
    assert it.rolls.ahead(key("a")) == ""
    it.rolls.begin(key("a"))
    assert it.rolls.ahead(key("a")) == ""
    assert it.rolls.ahead(key("b")) == "ns/a"
    it.rolls.wait(key("b"))
    upgrading = bot("a", "Upgrading")
    it.rolls.note(upgrading, status(upgrading))
    assert it.queued == []
    done = bot("a")
    it.rolls.note(done, status(done))
    assert it.queued == [key("b")]
    assert it.rolls.ahead(key("b")) == ""


def test_the_next_operator_knows_which_are_under_way() -> None:
    it = turns(bot("a", "Upgrading"), bot("b"), bot("c"), limit=2)
    assert it.rolls.ahead(key("b")) == ""
    it.rolls.begin(key("b"))
    assert it.rolls.ahead(key("c")) == "ns/a, ns/b"


def test_nobody_waits_for_what_is_deleted() -> None:
    it = turns(bot("a"), bot("b"))
    it.rolls.begin(key("a"))
    it.rolls.wait(key("b"))
    deleted = bot("a", "Upgrading")
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    it.rolls.note(deleted, status(deleted))
    assert it.queued == [key("b")]


_BOTS = ("grid", "other", "third")


def image(pod: Object) -> str:
    return str(pod["spec"]["containers"][0]["image"])


async def images(world: World) -> list[str]:
    """Of the Pods that there are."""
    pods = [await world.kube.find("Pod", f"{name}-bot") for name in _BOTS]
    return [image(pod) for pod in pods if pod is not None]


@pytest.mark.envtest
async def test_an_upgrade_stops_at_what_does_not_come_up_and_goes_on_when_it_does(world: World) -> None:
    async with world.operator():
        for name in _BOTS:
            await world.create_bot(name)
        for name in _BOTS:
            await world.running(name)
    before = image(await world.kube.get("Pod", "grid-bot"))

    def hold(pod: Object) -> Object | None:
        broken = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
        return broken if image(pod) == "broken" else None

    world.cluster.hold = hold
    async with world.operator(image="broken"):
        event = await world.event("UpgradeStopped", "ErrImagePull")
        stuck = event["involvedObject"]["name"]
        for name in _BOTS:
            if name != stuck:
                waiting = await world.until(lambda bot: reason(bot, "Progressing") == "UpgradeWaiting", "waits", name)
                assert stuck in condition(waiting, "Progressing")["message"]
                assert ready(waiting) == "True"
    # The next operator of that version knows it, too.
    async with world.operator(image="broken") as operator:
        await world.kube.merge("GridBot", stuck, {"metadata": {"labels": {"look": "again"}}})
        rest = next(name for name in _BOTS if name != stuck)
        await world.kube.merge("GridBot", rest, {"spec": {"riskLimits": {"maxOpenOrders": 33}}})
        await world.until(lambda bot: observed(bot) and ready(bot) == "True", "its spec reaches it", rest)
        assert sorted(await images(world)) == sorted(["broken", before, before])
        assert operator.alive
    async with world.operator(image="opensqt-bot:better"):

        async def all_upgraded() -> bool:
            return await images(world) == ["opensqt-bot:better"] * len(_BOTS)

        await eventually(all_upgraded, "all are upgraded")
        for name in _BOTS:
            await world.running(name)
