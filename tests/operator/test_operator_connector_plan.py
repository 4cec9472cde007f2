"""What is done for an ExchangeConnector, and what is said of it: pure, case by case."""

from datetime import UTC, datetime
from typing import Any

import pytest

from opensqt.api.connector import ExchangeConnector
from opensqt.exchange.v1 import exchange_pb2
from opensqt_operator.connector.observation import Observation
from opensqt_operator.connector.plan import plan
from opensqt_operator.connector.resources import children
from opensqt_operator.connector.status import status
from opensqt_operator.lines import Contact
from opensqt_operator.names import DEPLOYMENTS, SERVICE_ACCOUNTS, SERVICES, Kind
from opensqt_operator.options import Options
from opensqt_operator.steps import Announce, Apply, HoldOn, LetGo, Plan
from tests.operator.kube_client import Object
from tests.operator.world import connector_manifest

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
OPTIONS = Options(namespaces=(), image="bot:1")


def connector(*, held: bool = True, deleting: bool = False, generation: int = 1, **spec: Any) -> Object:
    raw = connector_manifest()
    raw["spec"] |= spec
    raw["metadata"] |= {"namespace": "ns", "uid": "c-uid", "generation": generation, "resourceVersion": "1"}
    if held:
        raw["metadata"]["finalizers"] = ["opensqt.io/wind-down"]
    if deleting:
        raw["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return raw


def made(raw: Object) -> dict[Kind, Object]:
    """The children that we made for `raw`, with its Deployment rolled out."""
    them = dict(children(raw, ExchangeConnector.model_validate(raw), OPTIONS))
    them[DEPLOYMENTS]["metadata"]["generation"] = 1
    them[DEPLOYMENTS]["status"] = {"observedGeneration": 1, "updatedReplicas": 1}
    return them


def running_pod() -> Object:
    return {
        "metadata": {"name": "p", "uid": "p-uid", "creationTimestamp": "2026-01-01T11:00:00Z"},
        "status": {
            "podIP": "10.0.0.1",
            "containerStatuses": [{"name": "connector", "state": {"running": {"startedAt": "2026-01-01T11:00:01Z"}}}],
        },
    }


def observe(raw: Object, live: dict[Kind, Object] | None = None, **fields: Any) -> Observation:
    defaults: dict[str, Any] = {
        "live": {kind: (live or {}).get(kind) for kind in (SERVICE_ACCOUNTS, SERVICES, DEPLOYMENTS)},
        "pods": (running_pod(),), "bots": (), "contact": Contact(None, 1.0), "options": OPTIONS,
    }  # fmt: skip
    return Observation(now=NOW, raw=raw, **(defaults | fields))


def kinds(p: Plan) -> list[type]:
    return [type(step) for step in p.steps if not isinstance(step, Announce)]


def test_a_new_connector_is_held_and_gets_its_children() -> None:
    p = plan(observe(connector(held=False)))
    assert kinds(p) == [HoldOn, Apply, Apply, Apply]
    assert all(not step.force for step in p.steps if isinstance(step, Apply))


def test_nothing_is_done_where_all_is_as_it_should_be() -> None:
    raw = connector()
    assert plan(observe(raw, made(raw))).steps == ()


def test_an_edit_updates_and_a_change_by_hand_is_repaired() -> None:
    raw = connector()
    live = made(raw)
    live[SERVICES]["spec"]["selector"] = {"app.kubernetes.io/instance": "other"}
    repaired = plan(observe(raw, live))
    assert [step.reason for step in repaired.steps if isinstance(step, Announce)] == ["DriftRepaired"]
    edited = connector(generation=2, resources={"limits": {"memory": "1Gi"}})
    updated = plan(observe(edited, made(connector())))
    assert [step.reason for step in updated.steps if isinstance(step, Announce)] == ["Updated"]
    assert [step.kind for step in updated.steps if isinstance(step, Apply)] == [DEPLOYMENTS]


def test_a_deletion_restarts_no_connector_that_bots_still_need() -> None:
    raw = connector()
    ending = connector(deleting=True, generation=2)
    p = plan(observe(ending, made(raw), bots=("grid",)))
    assert p.steps == ()
    assert (p.reason, "grid" in p.message) == ("InUse", True)
    without = made(raw)
    del without[DEPLOYMENTS]
    (apply, _) = plan(observe(ending, without, bots=("grid",))).steps
    assert isinstance(apply, Apply)
    assert apply.manifest["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is False


def test_it_goes_when_no_bot_refers_to_it_or_by_force() -> None:
    ending = connector(deleting=True)
    assert kinds(plan(observe(ending, made(connector())))) == [LetGo]
    ending["metadata"]["annotations"] = {"opensqt.io/force-delete": "true"}
    assert kinds(plan(observe(ending, made(connector()), bots=("grid",)))) == [LetGo]


def test_what_is_not_ours_is_never_touched() -> None:
    raw = connector()
    live = made(raw)
    live[DEPLOYMENTS]["metadata"]["ownerReferences"] = []
    p = plan(observe(raw, live))
    assert (p.reason, p.steps, p.blocked) == ("NameTaken", (), True)
    live = made(raw | {"metadata": raw["metadata"] | {"uid": "earlier"}})
    assert plan(observe(raw, live)).reason == "WaitingForEarlier"


def test_only_the_connector_sees_credentials_and_only_paper_a_journal() -> None:
    real = connector()
    real["spec"] = {"exchange": "bybit", "credentialsSecretRef": {"name": "keys"}}
    template = made(real)[DEPLOYMENTS]["spec"]["template"]["spec"]
    (container,) = template["containers"]
    assert [env["name"] for env in container["env"]] == ["OPENSQT_RESOURCE"]
    # A Secret that is missing is the connector's to tell of: kubelet would let it wait without a word.
    assert [volume["secret"]["optional"] for volume in template["volumes"] if "secret" in volume] == [True]
    assert {"name": "credentials", "mountPath": "/etc/opensqt/credentials", "readOnly": True} in container[
        "volumeMounts"
    ]
    paper = made(connector())[DEPLOYMENTS]["spec"]["template"]["spec"]["containers"][0]
    assert {env["name"] for env in paper["env"]} == {"OPENSQT_RESOURCE", "OPENSQT_JOURNAL_DSN"}


def test_candles_are_mounted_by_the_place_of_their_market() -> None:
    raw = connector()
    raw["spec"]["paper"]["markets"] = [
        {"symbol": "BTC/USDT:USDT", "model": {"seed": 1}},
        {"symbol": "ETH/USDT:USDT", "candles": {"configMapRef": {"name": "eth", "key": "eth.csv.gz"}}},
        {"symbol": "SOL/USDT:USDT", "candles": {"volume": {"claimName": "data", "path": "sol.csv"}}},
    ]
    template = made(raw)[DEPLOYMENTS]["spec"]["template"]["spec"]
    assert [volume["configMap"]["optional"] for volume in template["volumes"] if "configMap" in volume] == [True]
    mounts = {mount["mountPath"] for mount in template["containers"][0]["volumeMounts"]}
    assert mounts == {"/tmp", "/etc/opensqt/candles/1", "/etc/opensqt/candles/2"}  # noqa: S108


@pytest.mark.parametrize(
    ("report", "ready", "credentials"),
    [
        ({"ready": True, "reason": "Ready"}, "True", "True"),
        ({"ready": False, "reason": "WrongCredentials", "message": "-2015"}, "False", "False"),
        ({"ready": False, "reason": "MissingPermission"}, "False", "False"),
        ({"ready": False, "reason": "WithdrawalPermission"}, "False", "False"),
        ({"ready": False, "reason": "AddressNotAllowed"}, "False", "False"),
        ({"ready": False, "reason": "ClockSkew"}, "False", "Unknown"),
        ({"ready": False, "reason": "VenueUnreachable"}, "False", "Unknown"),
    ],
)
def test_what_the_connector_says_becomes_conditions(report: Object, ready: str, credentials: str) -> None:
    raw = connector()
    raw["spec"] = {"exchange": "bybit", "credentialsSecretRef": {"name": "keys"}}
    answer = exchange_pb2.GetConnectorStatusResponse(**report)
    o = observe(raw, made(raw), contact=Contact(answer))
    conditions = {condition.type: condition for condition in status(o, plan(o)).conditions}
    assert conditions["Ready"].status == ready
    assert conditions["Ready"].reason == report["reason"]
    assert conditions["CredentialsValid"].status == credentials


@pytest.mark.parametrize(
    "rollout", [{"observedGeneration": 1, "updatedReplicas": 1}, {"observedGeneration": 2, "updatedReplicas": 0}, {}]
)
def test_the_pod_of_an_earlier_spec_is_not_ready_for_the_new_one(rollout: Object) -> None:
    raw = connector(generation=2)
    live = made(raw)
    live[DEPLOYMENTS]["metadata"]["generation"] = 2
    live[DEPLOYMENTS]["status"] = rollout
    answer = exchange_pb2.GetConnectorStatusResponse(ready=True, reason="Ready")
    o = observe(raw, live, contact=Contact(answer))
    conditions = {condition.type: condition for condition in status(o, plan(o)).conditions}
    assert (conditions["Ready"].status, conditions["Ready"].reason) == ("False", "RollingOut")
    assert (conditions["Progressing"].status, conditions["Progressing"].reason) == ("True", "RollingOut")
    live[DEPLOYMENTS]["status"] = {"observedGeneration": 2, "updatedReplicas": 1}
    rolled = observe(raw, live, contact=Contact(answer))
    assert {one.type: one.status for one in status(rolled, plan(rolled)).conditions}["Ready"] == "True"


def test_a_restarted_operator_believes_the_status_until_it_has_heard_better() -> None:
    raw = connector()
    answer = exchange_pb2.GetConnectorStatusResponse(ready=True, reason="Ready")
    answer.markets.add(symbol="BTC/USDT:USDT", played=42, total=100)
    o = observe(raw, made(raw), contact=Contact(answer), bots=("grid",))
    written = status(o, plan(o))
    assert [market.progress for market in written.markets] == ["42%"]
    raw["status"] = written.to_json_object()
    silent = observe(raw, made(raw), bots=("grid",))
    assert status(silent, plan(silent)) == silent.previous
    lost = observe(raw, made(raw), bots=("grid",), contact=Contact(answer, 11.0, "gone"))
    assert {c.type: c.reason for c in status(lost, plan(lost)).conditions}["Ready"] == "ConnectorUnreachable"
