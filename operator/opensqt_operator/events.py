"""Kubernetes Events: few, deduplicated, and never in the way of anything.

An Event's name follows from what it says, so that the same thing said again, by this process or the next, counts up
the one that is there.
"""

import asyncio
from collections import OrderedDict
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
_PER_OBJECT, _WINDOW = 30, 300.0
_TOLD = frozenset({"BreakerClosed", "WoundDown", "PositionClosed", "Started"})
"""What people want to know of a bot though nothing is wrong; of warnings they want to know all."""
_log = structlog.get_logger(__name__)


class Events:
    """Posts Events; a failure is logged and that is all."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._spent: OrderedDict[str, list[float]] = OrderedDict()
        self._backlog: asyncio.Queue[tuple[Object, str, str, bool, str]] = asyncio.Queue(_BACKLOG)

    async def post(
        self, about: Object, reason: str, message: str, *, warning: bool = False, identity: str = ""
    ) -> None:
        """Post an Event about a resource; one with an `identity` is posted once, whoever says it again."""
        uid = about["metadata"]["uid"]
        if not self._allowed(uid):
            return
        message = clip(message, _MESSAGE_LENGTH)
        name = f"{about['metadata']['name']}.{digest([uid, reason, message, identity])}"
        try:
            await self._post(about, name, reason, message, warning, once=bool(identity))
        except RequestError as failure:
            _log.warning("event_not_posted", about=about["metadata"]["name"], reason=reason, failure=str(failure))

    def notice(self, about: Object, notice: bot_pb2.WatchEventsResponse) -> None:
        """Post what a bot says has happened, if it is for people; later, and once only."""
        warning = notice.severity == bot_pb2.SEVERITY_WARNING
        if not warning and notice.reason not in _TOLD:
            return
        try:
            self._backlog.put_nowait((about, notice.reason, notice.message, warning, str(notice.id)))
        except asyncio.QueueFull:
            _log.warning("events_dropped", about=about["metadata"]["name"])

    async def run(self) -> None:
        """Post what bots say, one after another."""
        while True:
            about, reason, message, warning, identity = await self._backlog.get()
            await self.post(about, reason, message, warning=warning, identity=identity)

    async def _post(self, about: Object, name: str, reason: str, message: str, warning: bool, *, once: bool) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = about["metadata"]
        count = self._counts[name] = self._counts.pop(name, 0) + 1
        while len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        again = {"count": count, "lastTimestamp": now}
        if count > 1 and once:
            return
        if count > 1 and await self._api.merge(EVENTS, metadata["namespace"], name, again):
            return
        created = await self._api.create(EVENTS, {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": clip(reason, 128),
            "message": message,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        })  # fmt: skip
        if not created and not once:
            await self._api.merge(EVENTS, metadata["namespace"], name, {"lastTimestamp": now})

    def _allowed(self, uid: str) -> bool:
        """At most so many Events about one resource in a while."""
        now = asyncio.get_running_loop().time()
        recent = [when for when in self._spent.pop(uid, ()) if now - when < _WINDOW]
        allowed = len(recent) < _PER_OBJECT
        self._spent[uid] = [*recent, now] if allowed else recent
        while len(self._spent) > _REMEMBERED:
            self._spent.popitem(last=False)
        return allowed
