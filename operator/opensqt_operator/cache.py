"""The last known state of all that we watch: fed by events, by the answers to our own writes, and by lists.

For each object it only ever goes forward: what is told late of an older state, by whomever, is ignored. Still it may be
stale, and it may hold what is gone: nothing is created or destroyed on its word alone.
"""

import sys
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator

from opensqt_operator.names import CONNECTOR as CONNECTOR_PROGRAM
from opensqt_operator.names import CONNECTORS, GRIDBOTS, INSTANCE_LABEL, NAME_LABEL, PODS, Key, Kind, Object, key_of

_TOMBSTONES = 10_000
_FOR_GOOD = sys.maxsize


def version(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


class Cache:
    """Objects by key, and what refers to what."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Object]] = defaultdict(dict)
        self._bots_of: dict[tuple[str, str], set[Key]] = defaultdict(set)
        self._gone: OrderedDict[str, int] = OrderedDict()
        """By uid, the version up to which nothing is to be heard any more of what is gone."""
        self._last: OrderedDict[Key, Object] = OrderedDict()

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects[kind.kind].get(Key(kind.kind, namespace, name))

    def all(self, kind: Kind) -> Iterator[Object]:
        return iter(list(self._objects[kind.kind].values()))

    def bots_of(self, namespace: str, connector: str) -> set[Key]:
        """The keys of the GridBots that refer to the connector."""
        return set(self._bots_of[namespace, connector])

    def connector_pods(self, namespace: str, connector: str) -> list[Object]:
        """The Pods of a connector's Deployment."""
        wanted = {NAME_LABEL: CONNECTOR_PROGRAM, INSTANCE_LABEL: connector}
        return [
            pod
            for key, pod in self._objects[PODS.kind].items()
            if key.namespace == namespace and wanted.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def put(self, obj: Object) -> bool:
        """Remember an object unless something newer is known of it; whether it was news."""
        key = key_of(obj)
        known = self._objects[key.kind].get(key)
        heard = max(self._gone.get(obj["metadata"]["uid"], -1), version(known) if known is not None else -1)
        if heard >= version(obj):
            return False
        obj["metadata"].pop("managedFields", None)
        self._objects[key.kind][key] = obj
        self._index(key, known, obj)
        return True

    def last_pod(self, namespace: str, name: str) -> Object | None:
        """The last state of the Pod of that name of whose end the watch has told: its deletion told that too."""
        return self._last.get(Key(PODS.kind, namespace, name))

    def drop(self, obj: Object) -> None:
        """Forget an object that the watch says is gone; it may only have left what the watch selects, and come back."""
        self._forget(obj, version(obj))
        if obj["kind"] == PODS.kind:
            self._last[key_of(obj)] = obj
            self._last.move_to_end(key_of(obj))
            while len(self._last) > _TOMBSTONES:
                self._last.popitem(last=False)

    def drop_for_good(self, obj: Object) -> None:
        """Forget an object that a live look did not find: what the watch has yet to tell of it is old."""
        self._forget(obj, _FOR_GOOD)

    def _forget(self, obj: Object, heard: int) -> None:
        key, uid = key_of(obj), obj["metadata"]["uid"]
        self._gone[uid] = max(heard, self._gone.pop(uid, -1))
        while len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)
        known = self._objects[key.kind].get(key)
        if known is not None and known["metadata"]["uid"] == uid and version(known) <= heard:
            del self._objects[key.kind][key]
            self._index(key, known, None)

    def replace(self, kind: Kind, objects: Iterable[Object], listed_at: int, namespace: str | None) -> set[Key]:
        """Make a list, complete at the resource version `listed_at`, the truth; the keys of what it changed."""
        changed = set()
        seen = set()
        for obj in objects:
            key = key_of(obj)
            seen.add(key)
            if self.put(obj):
                changed.add(key)
        for key, known in list(self._objects[kind.kind].items()):
            if key not in seen and namespace in {None, key.namespace} and version(known) <= listed_at:
                self._forget(known, listed_at)
                changed.add(key)
        return changed

    def _index(self, key: Key, before: Object | None, after: Object | None) -> None:
        if key.kind != GRIDBOTS.kind:
            return
        for obj, change in ((before, set.discard), (after, set.add)):
            if obj is not None:
                connector = obj.get("spec", {}).get("connectorRef", {}).get("name", "")
                change(self._bots_of[key.namespace, connector], key)

    def connector_of(self, bot: Object) -> Object | None:
        """The ExchangeConnector that a GridBot refers to."""
        name = bot.get("spec", {}).get("connectorRef", {}).get("name", "")
        return self.get(CONNECTORS, bot["metadata"]["namespace"], name)
