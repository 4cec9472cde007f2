"""What a bot reports (opensqt.bot.v1.Status) as the status of its GridBot: the same in a cluster and without. Pure."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from opensqt.api.gridbot_status import GridBotStatus, GridStatus, OrdersStatus, PnlStatus, PositionStatus, ProbeStatus
from opensqt.api.reconciliation_status import DiscrepancyCount, DiscrepancyStatus, ReconciliationStatus
from opensqt.api.risk_status import MONITOR_STATES, BreakerStatus, GateStatus, LimitStatus, MonitorStatus
from opensqt.bot.v1 import bot_pb2

STATES = {
    bot_pb2.PHASE_STARTING: "Starting",
    bot_pb2.PHASE_RUNNING: "Running",
    bot_pb2.PHASE_PAUSED: "Paused",
    bot_pb2.PHASE_WINDING_DOWN: "WindingDown",
    bot_pb2.PHASE_STOPPED: "Stopped",
    bot_pb2.PHASE_HALTED: "Halted",
}
"""The word in the column STATE, by phase."""

_PLACES = Decimal("1e-12")
_LARGEST = Decimal(10) ** 15
_LIMITS, _PROBES, _WEAKNESSES, _REASONS, _KINDS, _NEWEST = 16, 16, 16, 16, 16, 8


def knows_itself(report: bot_pb2.Status) -> bool:
    """Whether the bot has read its journal; before that it has no numbers, no breaker and no limits to tell of."""
    return bool(report.last_price)


def with_report(status: GridBotStatus, report: bot_pb2.Status) -> GridBotStatus:
    """The status with what the bot knows; equal to `status` where that is nothing new.

    What it does not know yet stays as its predecessor said it.
    """
    fields: dict[str, object] = {
        "epoch": report.epoch or status.epoch,
        "gate": [
            GateStatus(reason=clip(one.reason, 64), message=clip(one.message, 1024), exits=one.exits)
            for one in report.gate[:_REASONS]
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
    if knows_itself(report):
        fields |= _numbers(report) | _risk(report)
        fields["reconciliation"] = _reconciliation(report.reconciliation, status.reconciliation.last_run)
    updated = status.model_copy(update=fields)
    if updated == status:
        return status
    times: dict[str, object] = {"last_report": _time(report.time_us) or status.last_report}
    if last_run := _time(report.reconciliation.last_run_us):
        times["reconciliation"] = updated.reconciliation.model_copy(update={"last_run": last_run})
    return updated.model_copy(update=times)


def clip(text: str, length: int) -> str:
    """The text in at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _numbers(report: bot_pb2.Status) -> dict[str, object]:
    realised, unrealised = _number(report.realised_pnl), _number(report.unrealised_pnl)
    return {
        "grid": GridStatus(
            anchor_price=_number(report.anchor_price),
            lower_price=_number(report.lower_price),
            upper_price=_number(report.upper_price),
            step=abs(_number(report.step)),
            average_true_range=abs(_number(report.average_true_range)),
        ),
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
            funding=_number(report.funding),
            volume=abs(_number(report.volume)),
            drawdown=abs(_number(report.drawdown)),
        ),
    }


def _risk(report: bot_pb2.Status) -> dict[str, object]:
    return {
        "breaker": _breaker(report.breaker),
        "monitor": _monitor(report.monitor),
        "limits": [
            LimitStatus(
                name=clip(one.name, 64), used=clip(one.used, 40), limit=clip(one.limit, 40), reached=one.reached
            )
            for one in report.limits[:_LIMITS]
        ],
    }


def _breaker(breaker: bot_pb2.Breaker) -> BreakerStatus:
    return BreakerStatus(
        state="Open" if breaker.open else "Closed",
        reason=clip(breaker.reason, 128),
        message=clip(breaker.message, 1024),
        opened_at=_time(breaker.opened_us),
        resets_at=_time(breaker.resets_us),
        trips=breaker.trips,
    )


def _monitor(monitor: bot_pb2.Monitor) -> MonitorStatus:
    return MonitorStatus(
        state=monitor.state if monitor.state in MONITOR_STATES else "Off",
        message=clip(monitor.message, 1024),
        since=_time(monitor.since_us),
        triggers=monitor.triggers,
    )


def _reconciliation(told: bot_pb2.Reconciliation, last_run: datetime | None) -> ReconciliationStatus:
    """With the time that was last written: a run that found nothing is no reason to write."""
    return ReconciliationStatus(
        last_run=last_run,
        failing_since=_time(told.failing_since_us),
        message=clip(told.message, 1024),
        counts=[DiscrepancyCount(kind=clip(one.kind, 64), count=one.count) for one in told.counts[:_KINDS]],
        newest=[
            DiscrepancyStatus(
                time=_time(one.time_us),
                kind=clip(one.kind, 64),
                what=clip(one.what, 1024),
                resolution=clip(one.resolution, 64),
            )
            for one in told.newest[-_NEWEST:]
        ],
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
