"""Kubernetes Events: few, deduplicated, and never in the way of anything.

An Event's name follows from what it says, so that the same thing said again, by this process or the next, counts up
the one that is there. Of what a bot finds again and again there is one Event for each reason: its message is the
newest, its count says how many.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from opensqt.api.report import clip
from opensqt.bot.v1 import bot_pb2
from opensqt_operator.api_client import ApiClient, RequestError
from opensqt_operator.drift import digest
from opensqt_operator.names import EVENTS, FIELD_MANAGER, Object

_MESSAGE_LENGTH = 1024
_REMEMBERED = 10_000
_BACKLOG = 1_000
_PER_REASON, _WINDOW = 10, 300.0
"""Of one reason about one resource, so many writes in so many seconds: none keeps another from being told."""
_TOLD = frozenset({"BreakerClosed", "WoundDown", "PositionClosed", "Started"})
"""What people want to know of a bot though nothing is wrong; of warnings they want to know all."""
_SERIES = frozenset({"MissedFill", "LateFill", "UnknownOrder", "LostOrder", "ReturnedOrder", "ForeignPosition"})
"""Of these there may be many at once, as after an outage."""
_NEWEST = "opensqt.io/notice"
"""On the Event of a series: the number of the newest notice in it, for an operator that starts anew."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Notice:
    about: Object
    reason: str
    message: str
    warning: bool
    number: int
    """The bot's; 0 for what the operator says itself."""

    @property
    def name(self) -> str:
        metadata = self.about["metadata"]
        said = ["", ""] if self.reason in _SERIES else [self.message, str(self.number or "")]
        return f"{metadata['name']}.{digest([metadata['uid'], self.reason, *said])}"


@dataclass(slots=True)
class _Posted:
    count: int
    newest: int


class Events:
    """Posts Events; a failure is logged and that is all."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._posted: OrderedDict[str, _Posted] = OrderedDict()
        self._spent: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._backlog: asyncio.Queue[_Notice] = asyncio.Queue(_BACKLOG)

    async def post(self, about: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Post an Event about a resource."""
        await self._post([_Notice(about, reason, clip(message, _MESSAGE_LENGTH), warning, 0)])

    def notice(self, about: Object, notice: bot_pb2.WatchEventsResponse) -> None:
        """Post what a bot says has happened, if it is for people; later, and each notice once, whoever repeats it."""
        warning = notice.severity == bot_pb2.SEVERITY_WARNING
        if not warning and notice.reason not in _TOLD:
            return
        try:
            self._backlog.put_nowait(
                _Notice(about, notice.reason, clip(notice.message, _MESSAGE_LENGTH), warning, notice.id)
            )
        except asyncio.QueueFull:
            _log.warning("events_dropped", about=about["metadata"]["name"])

    async def run(self) -> None:
        """Post what bots say; what has come meanwhile of one series goes together."""
        while True:
            waiting = [await self._backlog.get()]
            while not self._backlog.empty():
                waiting.append(self._backlog.get_nowait())
            for notices in _together(waiting):
                await self._post(notices)

    async def _post(self, notices: Sequence[_Notice]) -> None:
        """Post notices of one name."""
        newest = notices[-1]
        try:
            posted = self._posted.pop(newest.name, None) or await self._find_or_create(notices)
            if posted is None:
                return
            self._posted[newest.name] = posted
            while len(self._posted) > _REMEMBERED:
                self._posted.popitem(last=False)
            fresh = sum(not notice.number or notice.number > posted.newest for notice in notices)
            if not fresh:
                return
            posted.count, posted.newest = posted.count + fresh, newest.number
            if self._allowed(newest) and not await self._update(newest, posted):
                # It had expired.
                self._posted.pop(newest.name)
                await self._find_or_create(notices)
        except RequestError as failure:
            name = newest.about["metadata"]["name"]
            _log.warning("event_not_posted", about=name, reason=newest.reason, failure=str(failure))

    async def _find_or_create(self, notices: Sequence[_Notice]) -> _Posted | None:
        """The Event as an earlier operator has left it; None where there was none, or it may not be told now."""
        newest = notices[-1]
        if not self._allowed(newest):
            return None
        if await self._api.create(EVENTS, _event(newest, len(notices))):
            self._posted[newest.name] = _Posted(len(notices), newest.number)
            return None
        there = await self._api.merge(EVENTS, newest.about["metadata"]["namespace"], newest.name, {})
        if there is None:
            return None
        told = there["metadata"].get("annotations", {}).get(_NEWEST, "")
        return _Posted(int(there.get("count") or 1), int(told) if told.isdecimal() else newest.number)

    async def _update(self, newest: _Notice, posted: _Posted) -> bool:
        patch = {
            "metadata": {"annotations": {_NEWEST: str(posted.newest)}},
            "count": posted.count,
            "message": newest.message,
            "lastTimestamp": _now(),
        }
        return await self._api.merge(EVENTS, newest.about["metadata"]["namespace"], newest.name, patch) is not None

    def _allowed(self, notice: _Notice) -> bool:
        """At most so many writes about one resource for one reason in a while."""
        now = asyncio.get_running_loop().time()
        kind = (notice.about["metadata"]["uid"], notice.reason)
        recent = [when for when in self._spent.pop(kind, ()) if now - when < _WINDOW]
        allowed = len(recent) < _PER_REASON
        self._spent[kind] = [*recent, now] if allowed else recent
        while len(self._spent) > _REMEMBERED:
            self._spent.popitem(last=False)
        return allowed


def _together(notices: Iterable[_Notice]) -> list[list[_Notice]]:
    """The notices by the Event that they go into, in the order in which the Events are first spoken of."""
    by_name: dict[str, list[_Notice]] = {}
    for notice in notices:
        by_name.setdefault(notice.name, []).append(notice)
    return list(by_name.values())


def _event(newest: _Notice, count: int) -> Object:
    metadata = newest.about["metadata"]
    now = _now()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": newest.name,
            "namespace": metadata["namespace"],
            "annotations": {_NEWEST: str(newest.number)},
        },
        "involvedObject": {
            "apiVersion": newest.about["apiVersion"],
            "kind": newest.about["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": "Warning" if newest.warning else "Normal",
        "reason": clip(newest.reason, 128),
        "message": newest.message,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": count,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
