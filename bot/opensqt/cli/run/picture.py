"""All that there is to show at one moment: the rows of `kubectl get gridbots`, fills, progress, troubles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opensqt.api.gridbot import GridBot, RunState
from opensqt.api.gridbot_status import GridBotStatus
from opensqt.api.meta import Condition, ConditionStatus
from opensqt.api.report import with_report
from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.cli.run.fills import Fill
from opensqt.cli.run.follow import BotView, ConnectorView

_WANTED = {
    RunState.RUNNING: pb.PHASE_RUNNING,
    RunState.PAUSED: pb.PHASE_PAUSED,
    RunState.STOPPED: pb.PHASE_STOPPED,
}
_LIST_PATH = re.compile(r'\[\?\(@\.(\w+)=="(\w+)"\)\]')


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a paper market has been played."""

    connector: str
    symbol: str
    market_time_us: int
    fraction: float
    ended: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """`rows` has a cell for each column; fills are the newest, oldest first, each with the name of its bot."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    fills: Sequence[tuple[str, str, Fill]]
    progress: Sequence[Progress]
    troubles: Sequence[str]
    elapsed: float


def columns(*, wide: bool) -> list[str]:
    """Headers as kubectl writes them."""
    return ["NAME", *(column.name.upper() for column in GridBot.columns if wide or not column.priority)]


def row(view: BotView, started: datetime, now: datetime, *, wide: bool) -> list[str]:
    """The bot's cells, each from its column's path in the resource."""
    resource = view.planned.resource.to_json_object()
    resource["status"] = status_of(view, started).to_json_object()
    resource["metadata"]["creationTimestamp"] = started.isoformat()
    cells = [view.planned.resource.metadata.name]
    for column in GridBot.columns:
        if column.priority and not wide:
            continue
        value = _at(resource, column.path)
        if value is not None and column.type == "date":
            value = duration((now - datetime.fromisoformat(value)).total_seconds())
        cells.append("" if value is None else str(value))
    return cells


def status_of(view: BotView, started: datetime) -> GridBotStatus:
    """The status that the resource would have."""
    ready, reason, message = readiness(view)
    condition = Condition(
        type="Ready",
        status=ConditionStatus.TRUE if ready else ConditionStatus.FALSE,
        reason=reason or "Unknown",
        message=message,
        last_transition_time=started,
    )
    return with_report(GridBotStatus(state=view.state, conditions=[condition]), view.status)


def readiness(view: BotView) -> tuple[bool, str, str]:
    """Whether the bot does what it is asked, with reason and message."""
    status = view.status
    unhealthy = [probe for probe in status.probes if not probe.healthy]
    if status.phase != _WANTED[view.planned.resource.spec.state]:
        return False, status.reason or view.state, status.message
    if unhealthy:
        return False, f"{unhealthy[0].name}Unhealthy", f"{unhealthy[0].reason}: {unhealthy[0].message}"
    if status.market_ended:
        return True, "MarketEnded", ""
    return True, status.reason or "Trading" if status.phase == pb.PHASE_RUNNING else view.state, status.message


def progress(views: Sequence[ConnectorView]) -> list[Progress]:
    """Of all paper markets."""
    return [
        Progress(
            connector=view.planned.resource.metadata.name,
            symbol=market.symbol,
            market_time_us=market.market_time_us,
            fraction=market.played / market.total if market.total else 0.0,
            ended=market.ended,
        )
        for view in views
        if view.status is not None
        for market in view.status.health.markets
    ]


def duration(seconds: float) -> str:
    """As kubectl writes an age: `45s`, `12m`, `3h20m`, `2d5h`."""
    whole = int(max(0.0, seconds))
    if whole < 120:
        return f"{whole}s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}m{rest}s" if minutes < 10 and rest else f"{minutes}m"
    if whole < 172_800:
        hours, rest = divmod(whole // 60, 60)
        return f"{hours}h{rest}m" if hours < 8 and rest else f"{hours}h"
    days, rest = divmod(whole // 3600, 24)
    return f"{days}d{rest}h" if days < 8 and rest else f"{days}d"


def market_time(time_us: int) -> str:
    """UTC, to the second."""
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}" if time_us else "-"


def _at(resource: Any, path: str) -> Any:
    """What kubectl's JSONPath finds: fields, and elements of lists chosen by one field. None where there is nothing."""
    for step in re.findall(r"\.\w+|\[[^\]]*\]", path):
        if resource is None:
            return None
        if step.startswith("."):
            resource = resource.get(step[1:])
        else:
            chosen = _LIST_PATH.fullmatch(step)
            if chosen is None:
                raise ValueError(f"cannot read the column's path {path}")
            name, value = chosen.groups()
            resource = next((item for item in resource if item.get(name) == value), None)
    return resource
