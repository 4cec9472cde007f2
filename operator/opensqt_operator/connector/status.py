"""An ExchangeConnector's status and its conditions: pure, from an observation and the plan made from it."""

from opensqt.api.connector import CREDENTIAL_REASONS, ExchangeConnector, ExchangeConnectorStatus, MarketStatus
from opensqt.api.exchange import Exchange
from opensqt.api.report import clip
from opensqt_operator.conditions import Verdict, false, true, unknown, with_times
from opensqt_operator.connector.observation import Observation
from opensqt_operator.connectors import progress
from opensqt_operator.gridbot.resources import connector_address
from opensqt_operator.names import DEPLOYMENTS
from opensqt_operator.pod_state import Stage
from opensqt_operator.steps import Plan
from opensqt_operator.validation import InvalidSpecError

_MARKETS, _WEAKNESSES = 64, 16
_ROLLING_OUT = "its Deployment has yet to replace the Pod of an earlier spec"
_BLOCKED = frozenset({"NameTaken", "WaitingForEarlier"})


def status(o: Observation, plan: Plan) -> ExchangeConnectorStatus:
    """What is to be written; equal to the previous where there is nothing new."""
    verdicts = {
        "Ready": ready(o, plan),
        "Progressing": progressing(o, plan),
        "Degraded": degraded(o),
        "CredentialsValid": credentials_valid(o),
    }
    metadata = o.raw["metadata"]
    fields = {
        "observed_generation": o.generation,
        "conditions": with_times(verdicts, o.previous.conditions, now=o.now, generation=o.generation),
        "address": connector_address(metadata["namespace"], metadata["name"]),
        "bots": len(o.bots),
    }
    if o.report is not None:
        fields["markets"] = [
            MarketStatus(symbol=clip(symbol, 40), progress=percent, ended=ended)
            for symbol, percent, ended in progress(o.report)[:_MARKETS]
        ]
        fields["weaknesses"] = [clip(one, 256) for one in o.report.capabilities.weaknesses[:_WEAKNESSES]]
    return o.previous.model_copy(update=fields)


def urgent_part(status: ExchangeConnectorStatus) -> object:
    """All that is to be written at once when it changes: everything but progress and messages."""
    return (
        status.observed_generation,
        [(one.type, one.status, one.reason, one.observed_generation) for one in status.conditions],
        status.address,
        status.bots,
        [(market.symbol, market.ended) for market in status.markets],
        status.weaknesses,
    )


def ready(o: Observation, plan: Plan) -> Verdict:  # noqa: PLR0911 - a chain of reasons
    """Bots can trade through it."""
    if o.deleting:
        return false("Deleting", plan.message)
    if isinstance(o.parsed, InvalidSpecError):
        return false("InvalidSpec", str(o.parsed))
    if o.trouble is not None:
        return o.trouble
    if plan.reason in _BLOCKED:
        return false(plan.reason, plan.message)
    pod = o.pod
    if pod is None:
        return _no_pod(o)
    if pod.stage is not Stage.RUNNING:
        return false(pod.reason, pod.message)
    if o.rolling_out:
        return false("RollingOut", _ROLLING_OUT)
    if o.unreachable:
        return unknown("ConnectorUnreachable", f"its Pod does not answer: {o.contact.error or 'no answer yet'}")
    if o.report is None:
        return _as_before(o, "Ready", false("Starting", "the connector has not answered yet"))
    make = true if o.report.ready else false
    return make(o.report.reason or ("Ready" if o.report.ready else "NotReady"), o.report.message)


def _no_pod(o: Observation) -> Verdict:
    deployment = o.live.get(DEPLOYMENTS) or {}
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return false(condition.get("reason", "ReplicaFailure"), condition.get("message", ""))
    return false("Starting", "its Pod has not been made yet")


def progressing(o: Observation, plan: Plan) -> Verdict:
    """It is on its way to what the spec asks, without a person's help."""
    if plan.progressing:
        return true(plan.reason, plan.message)
    watched = isinstance(o.parsed, ExchangeConnector) and plan.reason not in _BLOCKED
    if watched and o.rolling_out and (o.pod is None or not o.pod.broken):
        return true("RollingOut", _ROLLING_OUT)
    if watched and o.report is None:
        if o.unreachable:
            return false("ConnectorUnreachable", o.contact.error)
        if o.pod is None or not o.pod.broken:
            return _as_before(o, "Progressing", true("Starting", "waiting for the connector to answer"))
    return false(plan.reason, plan.message)


def degraded(o: Observation) -> Verdict:  # noqa: PLR0911 - a chain of reasons
    """Something is wrong that a person may have to look at."""
    if isinstance(o.parsed, InvalidSpecError):
        return true("InvalidSpec", str(o.parsed))
    if o.trouble is not None:
        return true(o.trouble.reason, o.trouble.message)
    if o.pod is not None and o.pod.broken:
        return true(o.pod.reason, o.pod.message)
    if o.unreachable:
        return true("ConnectorUnreachable", o.contact.error)
    if o.report is None:
        return _as_before(o, "Degraded", false("AsExpected"))
    if not o.report.ready and o.report.reason != "Connecting":
        return true(o.report.reason or "NotReady", o.report.message)
    return false("AsExpected")


def credentials_valid(o: Observation) -> Verdict:
    """The exchange takes the credentials."""
    if isinstance(o.parsed, ExchangeConnector) and o.parsed.spec.exchange is Exchange.PAPER:
        return true("NotNeeded", "the paper exchange needs no account")
    if o.report is None:
        return _as_before(o, "CredentialsValid", unknown("NoReport", "the connector has not answered yet"))
    if o.report.reason in CREDENTIAL_REASONS:
        return false(o.report.reason, o.report.message)
    if o.report.ready:
        return true("Valid")
    # The clock, a ban or a halt: the exchange was not asked, or said nothing about the key.
    return unknown(o.report.reason or "NotChecked", o.report.message)


def _as_before(o: Observation, kind: str, otherwise: Verdict) -> Verdict:
    """While a running connector is silent for a moment (or we have just started), what it last said stands."""
    running = o.pod is not None and o.pod.stage is Stage.RUNNING
    if not running or o.unreachable or o.previous.observed_generation != o.generation:
        return otherwise
    for condition in o.previous.conditions:
        if condition.type == kind:
            return Verdict(condition.status, condition.reason, condition.message)
    return otherwise
