"""What is done for a GridBot, and what is said of it: pure, case by case."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opensqt.api.gridbot import GridBot, GridBotSpec
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.gridbot.conditions import verdicts
from opensqt_operator.gridbot.lifecycle import order_for
from opensqt_operator.gridbot.observation import Observation
from opensqt_operator.gridbot.plan import plan
from opensqt_operator.gridbot.resources import bot_pod, process_hash
from opensqt_operator.gridbot.status import news, state, status, urgent_part
from opensqt_operator.lines import Contact
from opensqt_operator.names import PODS
from opensqt_operator.options import Options
from opensqt_operator.rolls import upgrading
from opensqt_operator.steps import Announce, Apply, Delete, HoldOn, LetGo, Plan, Tell
from tests.operator.kube_client import Object
from tests.operator.world import bot_manifest

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
OPTIONS = Options(namespaces=(), image="bot:1")
CONNECTOR: Object = {
    "apiVersion": "opensqt.io/v1alpha1",
    "kind": "ExchangeConnector",
    "metadata": {"name": "paper", "namespace": "ns"},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ]
    },
}


def gridbot(*, generation: int = 1, held: bool = True, deleting: bool = False, **spec: Any) -> Object:
    raw = bot_manifest("grid", **spec)
    raw["metadata"] |= {"namespace": "ns", "uid": "bot-uid", "generation": generation, "resourceVersion": "1"}
    if held:
        raw["metadata"]["finalizers"] = ["opensqt.io/wind-down"]
    if deleting:
        raw["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return raw


def live_pod(raw: Object, *, options: Options = OPTIONS, container: Object | None = None, **more: Any) -> Object:
    """The Pod that we made for `raw`, running."""
    born = {**raw, "metadata": {k: v for k, v in raw["metadata"].items() if k != "deletionTimestamp"}}
    pod = bot_pod(born, GridBot.model_validate(born), options)
    pod["metadata"] |= {"uid": "pod-uid", "creationTimestamp": "2026-01-01T11:00:00Z", "resourceVersion": "2"}
    pod["status"] = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "containerStatuses": [
            {
                "name": "bot",
                "restartCount": 0,
                **(container or {"state": {"running": {"startedAt": "2026-01-01T11:00:01Z"}}}),
            }
        ],
    }
    pod["metadata"] |= more.pop("metadata", {})
    pod["status"] |= more.pop("status", {})
    return pod


def report(**fields: Any) -> bot_pb2.Status:
    return bot_pb2.Status(**({"epoch": 1, "generation": 1, "phase": bot_pb2.PHASE_RUNNING} | fields))


def observe(raw: Object, pod: Object | None = None, **fields: Any) -> Observation:
    told: bot_pb2.Status | None = fields.pop("report", None)
    contact = Contact(told) if told is not None else Contact(None, 1.0)
    defaults: dict[str, Any] = {
        "connector": CONNECTOR, "contact": contact, "acknowledged": None, "told": None, "options": OPTIONS,
        "deleting_since": NOW if "deletionTimestamp" in raw["metadata"] else None,
    }  # fmt: skip
    return Observation(now=NOW, raw=raw, pod=pod, **(defaults | fields))


def kinds(p: Plan) -> list[type]:
    return [type(step) for step in p.steps]


def with_progress(raw: Object, reason: str) -> Object:
    condition = {
        "type": "Progressing",
        "status": "True",
        "reason": reason,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return raw | {"status": {"conditions": [condition], "pod": "grid-bot"}}


def announced(p: Plan) -> list[str]:
    return [step.reason for step in p.steps if isinstance(step, Announce)]


def test_a_new_bot_is_held_before_its_pod_is_made() -> None:
    p = plan(observe(gridbot(held=False)))
    assert kinds(p) == [HoldOn, Apply, Announce]
    pod = next(step for step in p.steps if isinstance(step, Apply)).manifest
    assert pod["metadata"]["annotations"]["opensqt.io/first-pod"] == "true"


def test_an_orphan_to_be_is_not_held() -> None:
    assert kinds(plan(observe(gridbot(held=False, deletionPolicy="Orphan")))) == [Apply, Announce]
    raw = gridbot(deletionPolicy="Orphan")
    assert kinds(plan(observe(raw, live_pod(raw), report=report()))) == [LetGo]


def test_nothing_is_done_where_all_is_as_it_should_be() -> None:
    raw = gridbot()
    p = plan(observe(raw, live_pod(raw), report=report()))
    assert p.steps == ()
    assert not p.progressing


@pytest.mark.parametrize(
    "edit",
    [
        {"riskLimits": {"maxOpenOrders": 3, "maxLeverage": 20}},
        {"circuitBreaker": {"maxConsecutiveLosses": 1}},
        {"state": "Paused"},
        {"deletionPolicy": "ClosePosition"},
        {"deletionTimeoutSeconds": 20},
        {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 3, "sellWindow": 4}},
        {"grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 10, "sellWindow": 10, "lower": "1", "upper": "9"}},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_live_edits_are_told_and_never_roll(edit: Object) -> None:
    pod = live_pod(gridbot())
    p = plan(observe(gridbot(generation=2, **edit), pod, report=report()))
    assert kinds(p) == [Tell]
    assert plan(observe(gridbot(generation=2, **edit), pod, report=report(generation=2))).steps == ()


@pytest.mark.parametrize(
    "edit",
    [
        {"grid": {"spacing": {"arithmetic": "99"}, "buyWindow": 10, "sellWindow": 10}},
        {"order": {"quoteSize": "201"}},
        {"leverage": 3},
        {"journal": {"dsnSecretRef": {"name": "other"}}},
        {"resources": {"limits": {"memory": "1Gi"}}},
        {"image": "bot:2"},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_other_edits_roll_the_very_pod_that_was_seen(edit: Object) -> None:
    p = plan(observe(gridbot(generation=2, **edit), live_pod(gridbot()), report=report()))
    assert p.steps == (Delete(PODS, "grid-bot", "pod-uid"),)
    assert p.reason == "Rolling"


def trading(raw: Object) -> Object:
    condition = {"type": "Ready", "status": "True", "reason": "Trading", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return raw | {"status": {"conditions": [condition], "pod": "grid-bot", "epoch": 1}}


def test_an_upgrade_of_what_trades_takes_turns() -> None:
    newer = Options(namespaces=(), image="bot:2")
    raw = trading(gridbot())
    waits = plan(observe(raw, live_pod(raw), report=report(), options=newer, ahead="ns/other (CrashLoopBackOff)"))
    assert (waits.steps, waits.reason) == ((), "UpgradeWaiting")
    assert "ns/other (CrashLoopBackOff)" in waits.message
    turn = plan(observe(raw, live_pod(raw), report=report(), options=newer))
    assert (kinds(turn), turn.reason) == ([Delete], "Upgrading")


def test_a_bot_that_waits_for_its_upgrade_hears_of_its_spec() -> None:
    newer = Options(namespaces=(), image="bot:2")
    edited = trading(gridbot(generation=2, state="Paused"))
    waits = plan(observe(edited, live_pod(gridbot()), report=report(), options=newer, ahead="ns/other"))
    assert kinds(waits) == [Tell]


def test_an_edit_never_waits_for_an_upgrade_and_neither_does_what_does_not_trade() -> None:
    newer = Options(namespaces=(), image="bot:2")
    edited = trading(gridbot(generation=2, leverage=3))
    p = plan(observe(edited, live_pod(gridbot()), report=report(), options=newer, ahead="ns/other"))
    assert (kinds(p), p.reason) == ([Delete], "Rolling")
    raw = gridbot()
    p = plan(observe(raw, live_pod(raw), options=newer, ahead="ns/other"))
    assert (kinds(p), p.reason) == ([Delete], "Rolling")


def test_an_upgrade_lasts_until_the_bot_is_ready_again() -> None:
    raw = with_progress(gridbot(), "Upgrading")
    broken = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}
    o = observe(raw, live_pod(raw, container=broken))
    after = status(o, plan(o))
    assert upgrading(after)
    assert [one.reason for one in news(o.previous, after)] == ["UpgradeStopped"]
    again = observe(raw | {"status": after.to_json_object()}, live_pod(raw, container=broken))
    assert news(again.previous, status(again, plan(again))) == []
    up = observe(raw, live_pod(raw), report=report())
    assert not upgrading(status(up, plan(up)))


def test_another_image_of_the_operator_rolls_only_bots_without_one_of_their_own() -> None:
    newer = Options(namespaces=(), image="bot:2")
    raw = gridbot()
    assert kinds(plan(observe(raw, live_pod(raw), report=report(), options=newer))) == [Delete]
    pinned = gridbot(image="mine:1")
    assert plan(observe(pinned, live_pod(pinned), report=report(), options=newer)).steps == ()


def test_writing_a_default_out_rolls_nothing() -> None:
    explicit = gridbot(side="Long", leverage=2)
    explicit["spec"]["order"] = {"quoteSize": "200", "postOnly": True}
    wanted = bot_pod(explicit, GridBot.model_validate(explicit), OPTIONS)
    assert process_hash(wanted) == process_hash(live_pod(gridbot()))


def test_a_terminating_pod_is_waited_for() -> None:
    raw = gridbot()
    pod = live_pod(raw, metadata={"deletionTimestamp": "2026-01-01T11:59:00Z"})
    assert plan(observe(raw, pod, report=report())).steps == ()


def test_a_roll_is_known_for_one_though_whoever_began_it_died_before_saying_so() -> None:
    pod = live_pod(gridbot(), metadata={"deletionTimestamp": "2026-01-01T11:59:00Z"})
    assert plan(observe(gridbot(generation=2, leverage=3), pod)).reason == "Rolling"


def test_a_finished_pod_is_replaced_but_not_in_a_loop() -> None:
    raw = gridbot()
    failed = {"phase": "Failed", "reason": "OutOfcpu", "message": "no room"}
    assert kinds(plan(observe(raw, live_pod(raw, status=failed)))) == [Delete]
    young = live_pod(raw, status=failed, metadata={"creationTimestamp": "2026-01-01T11:59:58Z"})
    p = plan(observe(raw, young))
    assert p.steps == ()
    assert p.look_again == 8


@pytest.mark.parametrize(
    ("before", "event"),
    [("Rolling", "Rolled"), ("Replacing", "Replaced"), ("UpToDate", "DriftRepaired")],
)
def test_why_a_pod_is_made_again_is_said(before: str, event: str) -> None:
    assert announced(plan(observe(with_progress(gridbot(), before)))) == [event]


@pytest.mark.parametrize("connector", [None, CONNECTOR | {"metadata": {"name": "paper", "deletionTimestamp": "x"}}])
def test_without_a_lasting_connector_no_bot_is_started_and_none_is_stopped(connector: Object | None) -> None:
    raw = gridbot(held=False)
    assert plan(observe(raw, connector=connector)).steps == ()
    held = gridbot()
    assert plan(observe(held, live_pod(held), report=report(), connector=connector)).steps == ()


def test_a_connector_that_is_kept_for_its_bots_is_good_enough_to_make_a_bot_again() -> None:
    leaving = CONNECTOR | {"metadata": {"name": "paper", "deletionTimestamp": "x"}}
    assert kinds(plan(observe(gridbot(), connector=leaving))) == [Apply, Announce]
    orphan = gridbot(held=False, deletionPolicy="Orphan") | {"status": {"epoch": 3}}
    assert kinds(plan(observe(orphan, connector=leaving))) == [Apply, Announce]


def test_an_invalid_spec_stops_nothing_and_names_the_field_without_its_value() -> None:
    bad = gridbot(generation=2, order={"quoteSize": "s3cret"})
    o = observe(bad, live_pod(gridbot()), report=report())
    p = plan(o)
    assert p.steps == ()
    verdict = verdicts(o, p)["Ready"]
    assert verdict.reason == "InvalidSpec"
    assert "order.quoteSize" in verdict.message
    assert "s3cret" not in verdict.message


# Deletion


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


# A starting bot


def test_a_starting_bot_is_told_once_and_only_what_its_pod_does_not_say() -> None:
    raw = gridbot()
    starting = report(generation=0, phase=bot_pb2.PHASE_STARTING, reason="ConnectorNotReady", message="no route")
    assert plan(observe(raw, live_pod(raw), report=starting)).steps == ()
    edited = gridbot(generation=2, state="Paused")
    assert kinds(plan(observe(edited, live_pod(raw), report=starting))) == [Tell]
    told = observe(edited, live_pod(raw), report=starting, told=(2, bot_pb2.GOAL_PAUSE))
    assert plan(told).steps == ()
    verdict = verdicts(told, plan(told))["Ready"]
    assert (verdict.reason, verdict.message) == ("ConnectorNotReady", "no route")


# Status


def test_a_restarted_operator_believes_the_status_until_it_has_heard_better() -> None:
    raw = gridbot()
    pod = live_pod(raw)
    o = observe(raw, pod, report=report(fills=3, last_price="1"))
    raw["status"] = status(o, plan(o)).to_json_object()
    silent = observe(raw, pod)
    assert status(silent, plan(silent)) == silent.previous


def test_numbers_are_not_urgent_and_phases_are() -> None:
    raw = gridbot()
    pod = live_pod(raw)
    o = observe(raw, pod, report=report(fills=3, last_price="1"))
    before = status(o, plan(o))
    o = observe(raw, pod, report=report(fills=4, last_price="2", realised_pnl="1.5", unrealised_pnl="-0.5"))
    after = status(o, plan(o))
    assert after.pnl.total == 1
    assert urgent_part(after) == urgent_part(before)
    o = observe(raw, pod, report=report(fills=4, phase=bot_pb2.PHASE_HALTED, reason="X"))
    assert urgent_part(status(o, plan(o))) != urgent_part(before)


@pytest.mark.parametrize("text", ["", "NaN", "1e400", "rubbish", "0.0000000000000001", "-12.50", "1E+3"])
def test_whatever_number_a_bot_may_say_the_crd_takes_what_is_written(text: str) -> None:
    raw = gridbot()
    o = observe(raw, live_pod(raw), report=report(position=text, realised_pnl=text, last_price="1"))
    written = status(o, plan(o)).to_json_object()
    assert type(status(o, plan(o))).model_validate(written) == status(o, plan(o))


def test_states() -> None:
    raw = gridbot()
    pod = live_pod(raw)
    assert state(observe(raw), Plan()) == "Pending"
    assert state(observe(raw, live_pod(raw, container={"state": {"waiting": {}}})), Plan()) == "Starting"
    for phase, word in {
        bot_pb2.PHASE_STARTING: "Starting", bot_pb2.PHASE_RUNNING: "Running", bot_pb2.PHASE_PAUSED: "Paused",
        bot_pb2.PHASE_WINDING_DOWN: "WindingDown", bot_pb2.PHASE_STOPPED: "Stopped", bot_pb2.PHASE_HALTED: "Halted",
    }.items():  # fmt: skip
        assert state(observe(raw, pod, report=report(phase=phase)), Plan()) == word
    assert state(observe(raw, pod, contact=Contact(report(), 11.0)), Plan()) == "Unknown"
    going = live_pod(raw, metadata={"deletionTimestamp": "2026-01-01T11:59:00Z"})
    assert state(observe(raw, going), Plan()) == "Restarting"
    raw["status"] = {"state": "Running"}
    assert state(observe(raw, pod, contact=Contact(report(), 9.0)), Plan()) == "Running"


def test_probes_go_with_the_process_that_they_spoke_of() -> None:
    raw = gridbot()
    pod = live_pod(raw)
    probe = bot_pb2.Probe(name="Journal", healthy=True, reason="Healthy")
    o = observe(raw, pod, report=report(probes=[probe]))
    raw["status"] = status(o, plan(o)).to_json_object()
    assert [one.name for one in observe(raw, pod).previous.probes] == ["Journal"]
    for gone in (
        observe(raw), observe(raw, live_pod(raw, status={"phase": "Failed"})),
        observe(raw, pod, contact=Contact(report(), 11.0)),
    ):  # fmt: skip
        assert status(gone, plan(gone)).probes == []


def test_an_order_that_the_exchange_denies_degrades_the_bot() -> None:
    raw = gridbot()
    o = observe(raw, live_pod(raw), report=report(reason="OrderDenied", message="has had and denies now: o1"))
    said = verdicts(o, plan(o))
    assert (said["Degraded"].status, said["Degraded"].reason) == ("True", "OrderDenied")
    assert said["Ready"].status == "True"


def test_a_bot_hears_nothing_of_what_is_as_by_default() -> None:
    """So that an older bot, which a spec may pin, is not refused what it does not know and nobody uses."""
    raw = gridbot(riskLimits={"maxOpenOrders": 100}, deletionPolicy="CancelOrders", state="Running")
    bot = GridBot.model_validate(raw)
    (container,) = bot_pod(raw, bot, OPTIONS)["spec"]["containers"]
    born = json.loads(container["env"][0]["value"])["spec"]
    told = json.loads(order_for(observe(raw), bot.spec).spec_json)
    assert told == born
    assert not born.keys() & {"riskLimits", "deletionPolicy", "state", "side", "journal"}
    assert GridBotSpec.model_validate(born) == bot.spec


def test_transition_times_move_only_when_a_status_flips() -> None:
    raw = gridbot()
    pod = live_pod(raw)
    o = observe(raw, pod, report=report())
    raw["status"] = status(o, plan(o)).to_json_object()
    later = NOW + timedelta(minutes=5)
    o = Observation(
        now=later, raw=raw, pod=pod, connector=CONNECTOR, acknowledged=None, told=None, options=OPTIONS,
        contact=Contact(report(breaker=bot_pb2.Breaker(open=True, reason="Drawdown"))),
    )  # fmt: skip
    times = {condition.type: condition.last_transition_time for condition in status(o, plan(o)).conditions}
    assert times["CircuitClosed"] == later
    assert {when for kind, when in times.items() if kind != "CircuitClosed"} == {NOW}
