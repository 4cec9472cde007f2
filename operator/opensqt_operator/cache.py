"""The last known state of all that we watch: fed by events, replaced by the resync's lists.

It may be stale, and it may hold what is gone: nothing is created or destroyed on its word alone.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator

from opensqt_operator.names import CONNECTOR as CONNECTOR_PROGRAM
from opensqt_operator.names import CONNECTORS, GRIDBOTS, INSTANCE_LABEL, NAME_LABEL, PODS, Key, Kind, Object, key_of

_TOMBSTONES = 10_000


def version(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


class Cache:
    """Objects by key, and what refers to what."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Object]] = defaultdict(dict)
        self._bots_of: dict[tuple[str, str], set[Key]] = defaultdict(set)
        self._gone: OrderedDict[str, None] = OrderedDict()

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

    def put(self, obj: Object, *, watched: bool = False) -> bool:
        """Remember an object unless a newer one is known; whether it was news.

        An answer to a request of ours may arrive after the watch has told that the object is gone; only the watch
        itself can bring it back.
        """
        key, uid = key_of(obj), obj["metadata"]["uid"]
        if watched:
            self._gone.pop(uid, None)
        elif uid in self._gone:
            return False
        known = self._objects[key.kind].get(key)
        if known is not None and version(known) >= version(obj):
            return False
        obj["metadata"].pop("managedFields", None)
        self._objects[key.kind][key] = obj
        self._index(key, known, obj)
        return True

    def drop(self, obj: Object) -> None:
        """Forget an object that the watch says is gone."""
        key, uid = key_of(obj), obj["metadata"]["uid"]
        self._gone[uid] = None
        while len(self._gone) > _TOMBSTONES:
            self._gone.popitem(last=False)
        known = self._objects[key.kind].get(key)
        if known is not None and known["metadata"]["uid"] == uid:
            del self._objects[key.kind][key]
            self._index(key, known, None)

    def replace(self, kind: Kind, objects: Iterable[Object], listed_at: int, namespace: str | None) -> set[Key]:
        """Make a list, complete at the resource version `listed_at`, the truth; the keys of what it changed."""
        changed = set()
        seen = set()
        for obj in objects:
            key = key_of(obj)
            seen.add(key)
            if self.put(obj, watched=True):
                changed.add(key)
        for key, known in list(self._objects[kind.kind].items()):
            if key not in seen and namespace in {None, key.namespace} and version(known) <= listed_at:
                del self._objects[kind.kind][key]
                self._index(key, known, None)
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
