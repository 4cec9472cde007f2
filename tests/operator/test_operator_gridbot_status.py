"""What is said of a GridBot: pure, case by case."""

import json
from datetime import timedelta

import pytest

from opensqt.api.gridbot import GridBot, GridBotSpec
from opensqt.bot.v1 import bot_pb2
from opensqt.connector.ccxt_venue.dialect import Dialect, KeyRights
from opensqt.connector.ccxt_venue.exchanges import DIALECTS, SPOT_DIALECTS
from opensqt.connector.ccxt_venue.rights import weaknesses
from opensqt_operator.gridbot.conditions import verdicts
from opensqt_operator.gridbot.lifecycle import order_for
from opensqt_operator.gridbot.observation import Observation
from opensqt_operator.gridbot.plan import plan
from opensqt_operator.gridbot.resources import bot_pod
from opensqt_operator.gridbot.status import news, state, status, urgent_part
from opensqt_operator.lines import Contact
from opensqt_operator.steps import Plan
from tests.operator.observed import (
    CONNECTOR,
    NOW,
    OPTIONS,
    gridbot,
    live_pod,
    observe,
    report,
    starting_report,
)


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


@pytest.mark.parametrize("dialect", [*DIALECTS.values(), *SPOT_DIALECTS.values()], ids=lambda dialect: dialect.__name__)
def test_what_an_exchange_lacks_is_in_the_status_whole(dialect: type[Dialect]) -> None:
    profile = dialect.profile
    lacking = list(profile.weaknesses)
    if not profile.cancel_all:
        assert any("no cancel-all" in one for one in lacking)
    if profile.cancel_batch == 1:
        assert any("cancels go one by one" in one for one in lacking)
    if not profile.refuses_duplicates:
        assert any("a client id may be taken twice" in one for one in lacking)
    # Beside them, of the dead-man switch and of the key's rights:
    lacking += ["no dead-man switch: open orders stay when the connector is gone", *weaknesses(KeyRights(bound=False))]
    raw = gridbot()
    o = observe(raw, live_pod(raw), report=report(weaknesses=lacking))
    assert status(o, plan(o)).to_json_object()["weaknesses"] == lacking


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


@pytest.mark.parametrize("phase", [bot_pb2.PHASE_STARTING, bot_pb2.PHASE_HALTED])
def test_what_a_starting_bot_does_not_know_yet_stays_as_it_was(phase: "bot_pb2.Phase.ValueType") -> None:
    """A position, an open breaker: they are in its journal, whatever keeps it from starting."""
    raw = gridbot()
    pod = live_pod(raw)
    breaker = bot_pb2.Breaker(open=True, reason="Drawdown", message="1000 of 1000", trips=1)
    limit = bot_pb2.Limit(name="maxPosition", used="0.2", limit="0.2", reached=True)
    o = observe(raw, pod, report=report(position="0.5", realised_pnl="-3", fills=9, breaker=breaker, limits=[limit]))
    raw["status"] = status(o, plan(o)).to_json_object()
    o = observe(raw, pod, report=starting_report(phase=phase, reason="PrepareRefused", message="leverage 50"))
    after = status(o, plan(o))
    assert (after.position, after.pnl, after.orders) == (o.previous.position, o.previous.pnl, o.previous.orders)
    assert (after.breaker, after.limits) == (o.previous.breaker, o.previous.limits)
    said = verdicts(o, plan(o))
    assert (said["CircuitClosed"].status, said["WithinRiskLimits"].status) == ("False", "False")
    assert said["Ready"].status == "False"


def test_nothing_is_known_of_the_breaker_of_a_bot_that_has_never_told() -> None:
    raw = gridbot()
    o = observe(raw, live_pod(raw), report=starting_report(reason="JournalUnreachable", message="no route"))
    said = verdicts(o, plan(o))
    assert (said["CircuitClosed"].status, said["WithinRiskLimits"].status) == ("Unknown", "Unknown")
    assert (said["EntriesAllowed"].status, said["EntriesAllowed"].reason) == ("False", "JournalUnreachable")


def test_what_holds_entries_back_is_said_in_full_and_once() -> None:
    raw = gridbot()
    gate = [
        bot_pb2.GateReason(reason="BreakerOpen", message="drawdown"),
        bot_pb2.GateReason(reason="Goal", message="spec.state is Paused"),
    ]
    o = observe(raw, live_pod(raw), report=report(gate=gate))
    held = verdicts(o, plan(o))["EntriesAllowed"]
    assert (held.reason, held.message) == ("BreakerOpen", "drawdown; Goal: spec.state is Paused")


@pytest.mark.parametrize(
    ("epoch", "fills", "told"), [(1, 9, ["JournalReplaced"]), (3, 8, ["JournalReplaced"]), (3, 9, []), (4, 10, [])]
)
def test_a_journal_that_is_behind_what_has_traded_is_told_of(epoch: int, fills: int, told: list[str]) -> None:
    """Its database is new, or an old one: there may be orders and fills that it knows nothing of."""
    raw = gridbot()
    pod = live_pod(raw)
    o = observe(raw, pod, report=report(epoch=3, fills=9))
    raw["status"] = status(o, plan(o)).to_json_object()
    o = observe(raw, pod, report=report(epoch=epoch, fills=fills))
    assert [one.reason for one in news(o.previous, status(o, plan(o)))] == told


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
