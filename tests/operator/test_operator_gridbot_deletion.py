"""How a GridBot ends: pure, case by case."""

from datetime import timedelta
from typing import Any

from opensqt.bot.v1 import bot_pb2
from opensqt_operator.gridbot.plan import plan
from opensqt_operator.lines import Contact
from opensqt_operator.steps import Announce, Apply, Delete, LetGo, Tell
from tests.operator.kube_client import Object
from tests.operator.observed import NOW, announced, gridbot, kinds, live_pod, observe, report


def ending(**spec: Any) -> tuple[Object, Object]:
    return gridbot(generation=2, deleting=True, **spec), live_pod(gridbot(**spec))


def test_a_deleted_bot_is_told_its_end_with_the_spec_it_runs() -> None:
    raw, pod = ending()
    raw["spec"]["order"] = {"quoteSize": "999"}
    p = plan(observe(raw, pod, report=report()))
    (tell,) = p.steps
    assert isinstance(tell, Tell)
    assert (tell.order.goal, tell.order.generation) == (bot_pb2.GOAL_STOP, 2)
    assert '"quoteSize":"200"' in tell.order.spec_json


def test_stopped_is_believed_only_after_the_bot_was_told() -> None:
    raw, pod = ending(deletionPolicy="ClosePosition")
    stopped = report(generation=2, phase=bot_pb2.PHASE_STOPPED)
    assert kinds(plan(observe(raw, pod, report=stopped))) == [Tell]
    assert kinds(plan(observe(raw, pod, report=stopped, acknowledged=(2, bot_pb2.GOAL_STOP)))) == [Tell]
    done = plan(observe(raw, pod, report=stopped, acknowledged=(2, bot_pb2.GOAL_CLOSE)))
    assert kinds(done) == [Announce, LetGo]


def test_what_a_lost_bot_last_said_is_not_believed() -> None:
    raw, pod = ending()
    lost = Contact(report(generation=2, phase=bot_pb2.PHASE_STOPPED), 3.0, "UNAVAILABLE: gone")
    o = observe(raw, pod, contact=lost, acknowledged=(2, bot_pb2.GOAL_STOP))
    assert LetGo not in kinds(plan(o))


def test_deletion_waits_no_longer_than_it_may_counted_from_when_it_could_act() -> None:
    raw, pod = ending(deletionTimeoutSeconds=60)
    winding = report(generation=2, phase=bot_pb2.PHASE_WINDING_DOWN)
    told = (2, bot_pb2.GOAL_STOP)
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T11:59:00Z"
    early = observe(raw, pod, report=winding, acknowledged=told, deleting_since=NOW - timedelta(seconds=59))
    assert plan(early).steps == ()
    assert plan(early).look_again == 1
    late = observe(raw, pod, report=winding, acknowledged=told, deleting_since=NOW - timedelta(seconds=60))
    assert announced(plan(late)) == ["DeadlineExceeded"]


def test_the_deadline_of_a_deletion_is_the_same_for_an_operator_that_comes_later_but_it_may_try() -> None:
    raw, pod = ending(deletionTimeoutSeconds=300)
    winding = report(generation=2, phase=bot_pb2.PHASE_WINDING_DOWN)
    told = (2, bot_pb2.GOAL_STOP)
    raw["metadata"]["deletionTimestamp"] = "2026-01-01T11:54:59Z"
    restarted = observe(raw, pod, report=winding, acknowledged=told, deleting_since=NOW - timedelta(seconds=59))
    assert plan(restarted).look_again == 1
    tried = observe(raw, pod, report=winding, acknowledged=told, deleting_since=NOW - timedelta(seconds=61))
    assert announced(plan(tried)) == ["DeadlineExceeded"]


def test_a_pod_that_no_garbage_collector_will_delete_goes_before_its_owner() -> None:
    raw, pod = ending()
    stopped = report(generation=2, phase=bot_pb2.PHASE_STOPPED)
    done: dict[str, Any] = {"report": stopped, "acknowledged": (2, bot_pb2.GOAL_STOP)}
    assert kinds(plan(observe(raw, pod, **done))) == [Announce, LetGo]
    del pod["metadata"]["ownerReferences"]
    assert kinds(plan(observe(raw, pod, **done))) == [Delete, Announce, LetGo]
    other = ending()[1]
    raw["metadata"]["finalizers"].append("orphan")
    assert kinds(plan(observe(raw, other, **done))) == [Delete, Announce, LetGo]


def test_an_orphaned_pod_of_an_earlier_namesake_is_not_ours() -> None:
    pod = live_pod(gridbot())
    del pod["metadata"]["ownerReferences"]
    namesake = gridbot(held=False)
    namesake["metadata"]["uid"] = "another"
    assert plan(observe(namesake, pod)).reason == "NameTaken"


def test_a_deleted_bot_without_a_pod_is_started_stopped() -> None:
    raw, _ = ending()
    (apply,) = plan(observe(raw)).steps
    assert isinstance(apply, Apply)
    started = apply.manifest["spec"]["containers"][0]["env"][0]["value"]
    assert '"state":"Stopped"' in started
    assert apply.manifest["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is False


def test_without_a_connector_nothing_is_started_to_wind_down() -> None:
    raw, _ = ending()
    p = plan(observe(raw, connector=None))
    assert p.steps == ()
    assert "ConnectorNotFound" in p.message


def test_a_first_pod_that_never_ran_leaves_nothing_behind_once_its_node_has_said_so() -> None:
    raw, pod = ending()
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    pod = live_pod(gridbot(), container=waiting)
    pod["spec"]["nodeName"] = "node-1"
    assert plan(observe(raw, pod)).steps == ()
    assert kinds(plan(observe(raw, last_pod=pod))) == [Apply]
    pod["metadata"]["annotations"]["opensqt.io/first-pod"] = "true"
    assert kinds(plan(observe(raw, pod))) == [Delete]
    # Gone without a last word of its node: who knows.
    assert kinds(plan(observe(raw, last_pod=pod))) == [Apply]
    unscheduled = {**pod, "spec": {name: value for name, value in pod["spec"].items() if name != "nodeName"}}
    assert announced(plan(observe(raw, last_pod=unscheduled))) == ["NeverStarted"]
    unknown = {"name": "bot", "state": {"terminated": {"reason": "ContainerStatusUnknown", "exitCode": 137}}}
    pod["status"] |= {"phase": "Failed", "containerStatuses": [unknown]}
    assert announced(plan(observe(raw, last_pod=pod))) == ["NeverStarted"]
    raw["status"] = {"epoch": 1}
    assert kinds(plan(observe(raw, last_pod=pod))) == [Apply]
    raw["status"] = {}
    pod["status"]["containerStatuses"] = [unknown | {"restartCount": 1}]
    assert kinds(plan(observe(raw, last_pod=pod))) == [Apply]


def test_foreign_finalizers_are_left_to_their_owners() -> None:
    raw = gridbot(held=False, deleting=True)
    assert plan(observe(raw, live_pod(gridbot()), report=report())).steps == ()
