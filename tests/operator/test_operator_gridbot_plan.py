"""What is done for a GridBot that is to live: pure, case by case."""

import pytest

from opensqt.api.gridbot import GridBot
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.gridbot.conditions import verdicts
from opensqt_operator.gridbot.plan import plan
from opensqt_operator.gridbot.resources import bot_pod, process_hash
from opensqt_operator.gridbot.status import news, status
from opensqt_operator.names import PODS
from opensqt_operator.options import Options
from opensqt_operator.rolls import upgrading
from opensqt_operator.steps import Announce, Apply, Delete, HoldOn, LetGo, Tell
from tests.operator.kube_client import Object
from tests.operator.observed import (
    CONNECTOR,
    OPTIONS,
    announced,
    gridbot,
    kinds,
    live_pod,
    observe,
    report,
    with_progress,
)


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
