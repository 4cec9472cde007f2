"""A GridBot's status: pure, from an observation and the plan that was made from it."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from opensqt.api.gridbot import (
    BreakerStatus,
    GridBotStatus,
    LimitStatus,
    OrdersStatus,
    PnlStatus,
    PositionStatus,
    ProbeStatus,
)
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.conditions import clip, with_times
from opensqt_operator.gridbot.conditions import verdicts
from opensqt_operator.gridbot.observation import Observation
from opensqt_operator.pod_state import Stage
from opensqt_operator.steps import Announce, Plan

_PLACES = Decimal("1e-12")
_LARGEST = Decimal(10) ** 15
_LIMITS, _PROBES, _WEAKNESSES = 16, 16, 16
_STATES = {
    bot_pb2.PHASE_STARTING: "Starting",
    bot_pb2.PHASE_RUNNING: "Running",
    bot_pb2.PHASE_PAUSED: "Paused",
    bot_pb2.PHASE_WINDING_DOWN: "WindingDown",
    bot_pb2.PHASE_STOPPED: "Stopped",
    bot_pb2.PHASE_HALTED: "Halted",
}


def status(o: Observation, plan: Plan) -> GridBotStatus:
    """What is to be written; equal to the previous where there is nothing new."""
    before = o.previous
    fields = {
        "observed_generation": o.generation,
        "state": state(o, plan),
        "conditions": with_times(verdicts(o, plan), before.conditions, now=o.now, generation=o.generation),
        "pod": o.pod["metadata"]["name"] if o.pod is not None and o.pod_is_ours else "",
    }
    updated = before.model_copy(update=fields)
    report = o.report
    return updated if report is None else _with_report(updated, report)


def urgent_part(status: GridBotStatus) -> object:
    """All that is to be written at once when it changes: everything but numbers, messages and times."""
    return (
        status.observed_generation,
        status.state,
        status.pod,
        status.epoch,
        [(one.type, one.status, one.reason, one.observed_generation) for one in status.conditions],
        (status.breaker.state, status.breaker.reason, status.breaker.opened_at, status.breaker.trips),
        [(limit.name, limit.limit, limit.reached) for limit in status.limits],
        [(probe.name, probe.healthy, probe.reason) for probe in status.probes],
        status.weaknesses,
    )


def news(before: GridBotStatus, after: GridBotStatus) -> list[Announce]:
    """What a new status says that people want to hear of, and the bot has no Event for."""
    reached = {limit.name for limit in before.limits if limit.reached}
    return [
        Announce("LimitReached", f"{limit.name}: {limit.used} of {limit.limit}: no further entries", warning=True)
        for limit in after.limits
        if limit.reached and limit.name not in reached
    ]


def state(o: Observation, plan: Plan) -> str:
    """The word in the column STATE."""
    if o.deleting:
        return "WindingDown" if o.held and plan.reason == "WindingDown" else "Terminating"
    pod, report = o.pod_state, o.report
    if pod is None:
        return "Pending"
    if pod.stage is not Stage.RUNNING:
        return "Starting"
    if report is not None:
        return _STATES.get(report.phase, "Unknown")
    if o.unreachable:
        return "Unknown"
    # Not heard of yet, or lost a moment ago: what it was is the best that is known.
    return "Starting" if o.previous.state in {"Pending", "Unknown"} else o.previous.state


def _with_report(status: GridBotStatus, report: bot_pb2.Status) -> GridBotStatus:
    realised, unrealised = _number(report.realised_pnl), _number(report.unrealised_pnl)
    fields = {
        "epoch": report.epoch or status.epoch,
        "breaker": _breaker(report.breaker),
        "limits": [
            LimitStatus(
                name=clip(one.name, 64), used=clip(one.used, 40), limit=clip(one.limit, 40), reached=one.reached
            )
            for one in report.limits[:_LIMITS]
        ],
        "probes": [
            ProbeStatus(
                name=clip(one.name, 64),
                healthy=one.healthy,
                reason=clip(one.reason, 128),
                message=clip(one.message, 1024),
            )
            for one in report.probes[:_PROBES]
        ],
        "weaknesses": [clip(one, 256) for one in report.weaknesses[:_WEAKNESSES]],
    }
    if report.last_price or report.fills or report.phase not in {bot_pb2.PHASE_STARTING, bot_pb2.PHASE_UNSPECIFIED}:
        # A bot that is starting has no numbers yet; those of its predecessor stay.
        fields |= {
            "position": PositionStatus(
                quantity=_number(report.position),
                average_entry_price=_number(report.average_entry_price),
                last_price=_number(report.last_price),
            ),
            "orders": OrdersStatus(
                buys=report.open_buys, sells=report.open_sells, fills=report.fills, cycles=report.cycles
            ),
            "pnl": PnlStatus(
                realised=realised,
                unrealised=unrealised,
                total=realised + unrealised,
                fees=_number(report.fees),
                drawdown=abs(_number(report.drawdown)),
            ),
        }
    updated = status.model_copy(update=fields)
    if updated == status:
        return status
    return updated.model_copy(update={"last_report": _time(report.time_us) or status.last_report})


def _breaker(breaker: bot_pb2.Breaker) -> BreakerStatus:
    return BreakerStatus(
        state="Open" if breaker.open else "Closed",
        reason=clip(breaker.reason, 128),
        message=clip(breaker.message, 1024),
        opened_at=_time(breaker.opened_us),
        resets_at=_time(breaker.resets_us),
        trips=breaker.trips,
    )


def _number(text: str) -> Decimal:
    """A bot's number as the CRD takes it; 0 where it says none."""
    try:
        number = Decimal(text or 0)
    except InvalidOperation:
        return Decimal(0)
    if not number.is_finite() or abs(number) >= _LARGEST:
        return Decimal(0)
    return number.quantize(_PLACES).normalize() + 0


def _time(microseconds: int) -> datetime | None:
    """To the second, as Kubernetes writes times."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC) if microseconds else None
