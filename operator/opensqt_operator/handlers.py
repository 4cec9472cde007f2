"""What Kopf calls: events go into the cache, the keys that they may concern into the queue. Nothing is done here."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import kopf

from opensqt.api.connector import ExchangeConnectorStatus
from opensqt_operator.cache import Cache, version
from opensqt_operator.conditions import find
from opensqt_operator.names import (
    BOT,
    CHILDREN,
    CONNECTOR,
    CONNECTORS,
    GRIDBOTS,
    INSTANCE_LABEL,
    NAME_LABEL,
    OWNED,
    Key,
    Object,
    key_of,
)
from opensqt_operator.validation import parse_status

_OWNERS = {BOT: GRIDBOTS.kind, CONNECTOR: CONNECTORS.kind}


class Handlers:
    """From events to keys."""

    def __init__(self, cache: Cache, enqueue: Callable[[Key], None]) -> None:
        self._cache = cache
        self._enqueue = enqueue
        self.seen: dict[tuple[str, str], int] = {}
        """The newest resource version that the watches have told of, by kind and namespace."""
        self._told: dict[Key, object] = {}

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Have Kopf call us for everything that we watch."""
        for kind in (*OWNED, *CHILDREN):
            group, _, api_version = kind.api_version.rpartition("/")
            kopf.on.event(group, api_version, kind.plural, registry=registry)(self._kopf_event)

    async def _kopf_event(self, event: Mapping[str, Any], **_: Any) -> None:
        self.event(event["type"], dict(event["object"]))

    def event(self, kind: str | None, obj: Object) -> None:
        """An object as a watch tells of it: `kind` is DELETED when it is gone."""
        obj["metadata"] = dict(obj["metadata"])
        key = key_of(obj)
        where = key.kind, key.namespace
        self.seen[where] = max(self.seen.get(where, 0), version(obj))
        before = self._get(key)
        if kind == "DELETED":
            self._cache.drop(obj)
            self.changed(before or obj, None)
        else:
            # Also what the cache has learned already, from an answer to one key, may be news to other keys.
            self._cache.put(obj)
            self.changed(before, obj)

    def changed(self, before: Object | None, after: Object | None) -> None:
        """Enqueue what a change of one object may concern."""
        for key in {*self._concerned(before), *self._concerned(after)}:
            self._enqueue(key)
        subject = after or before
        if subject is None:
            return
        if subject["kind"] == CONNECTORS.kind:
            self._tell_bots(key_of(subject), after)
        if subject["kind"] == GRIDBOTS.kind and (before is None or after is None):
            # A connector counts the bots that refer to it, and goes when the last has gone.
            connector = subject.get("spec", {}).get("connectorRef", {}).get("name", "")
            self._enqueue(Key(CONNECTORS.kind, subject["metadata"]["namespace"], connector))

    def _tell_bots(self, key: Key, connector: Object | None) -> None:
        """Bots' conditions speak of their connector; they are concerned where that would change."""
        told = _told(connector)
        if self._told.get(key) == told:
            return
        self._told[key] = told
        if connector is None:
            del self._told[key]
        for bot in self._cache.bots_of(key.namespace, key.name):
            self._enqueue(bot)

    def _concerned(self, obj: Object | None) -> Iterable[Key]:
        if obj is None:
            return
        key = key_of(obj)
        if key.kind in {kind.kind for kind in OWNED}:
            yield key
            return
        # By label for the Pods of Deployments, by owner for what has lost its labels.
        metadata = obj["metadata"]
        labels = metadata.get("labels", {})
        owner = _OWNERS.get(labels.get(NAME_LABEL, ""))
        if owner and INSTANCE_LABEL in labels:
            yield Key(owner, key.namespace, labels[INSTANCE_LABEL])
        for reference in metadata.get("ownerReferences", ()):
            if reference["kind"] in _OWNERS.values():
                yield Key(reference["kind"], key.namespace, reference["name"])

    def _get(self, key: Key) -> Object | None:
        kind = next(kind for kind in (*OWNED, *CHILDREN) if kind.kind == key.kind)
        return self._cache.get(kind, key.namespace, key.name)


def _told(connector: Object | None) -> object:
    """What bots' conditions say of a connector."""
    if connector is None:
        return None
    ready = find(parse_status(ExchangeConnectorStatus, connector).conditions, "Ready")
    said = (ready.status, ready.reason, ready.message) if ready is not None else None
    return said, "deletionTimestamp" in connector["metadata"]
