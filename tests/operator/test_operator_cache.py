"""The cache: what events and lists make of it, in any order."""

from opensqt_operator.cache import Cache
from opensqt_operator.handlers import Handlers
from opensqt_operator.names import CONNECTORS, GRIDBOTS, PODS, Key
from tests.operator.kube_client import Object


def thing(kind: str, name: str, version: int, uid: str = "u1", **fields: object) -> Object:
    metadata: Object = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"kind": kind, "metadata": metadata, **fields}


def pod(version: int, uid: str = "u1", **fields: object) -> Object:
    return thing("Pod", "grid-bot", version, uid, **fields)


def test_older_versions_never_replace_newer_ones() -> None:
    cache = Cache()
    assert cache.put(pod(5))
    assert not cache.put(pod(4))
    found = cache.get(PODS, "ns", "grid-bot")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "5"


def test_a_late_answer_does_not_bring_back_what_the_watch_says_is_gone() -> None:
    cache = Cache()
    cache.put(pod(5))
    cache.drop(pod(6))
    assert not cache.put(pod(5))
    assert cache.get(PODS, "ns", "grid-bot") is None
    assert cache.put(pod(7, "u2"))


def test_what_only_left_the_watchs_selector_comes_back_with_the_answer_to_our_own_write() -> None:
    cache = Cache()
    cache.put(pod(5))
    cache.drop(pod(6))
    assert cache.put(pod(7))


def test_late_news_that_it_left_the_selector_does_not_undo_that_we_have_put_it_back() -> None:
    cache = Cache()
    cache.put(pod(5))
    cache.put(pod(7))
    cache.drop(pod(6))
    found = cache.get(PODS, "ns", "grid-bot")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "7"


def test_late_news_of_what_a_live_look_did_not_find_is_ignored() -> None:
    cache = Cache()
    cache.put(pod(5))
    cache.drop_for_good(pod(5))
    assert not cache.put(pod(6))
    assert cache.get(PODS, "ns", "grid-bot") is None
    assert cache.put(pod(7, "u2"))


def test_late_news_of_what_a_list_lacks_is_ignored() -> None:
    cache = Cache()
    cache.put(pod(5))
    cache.replace(PODS, [], 10, None)
    assert not cache.put(pod(6))
    assert cache.put(pod(11))


def test_the_deletion_of_an_earlier_namesake_leaves_the_later_one() -> None:
    cache = Cache()
    cache.put(pod(8, "u2"))
    cache.drop(pod(7, "u1"))
    found = cache.get(PODS, "ns", "grid-bot")
    assert found is not None
    assert found["metadata"]["uid"] == "u2"


def test_a_list_removes_what_it_lacks_but_not_what_is_newer_than_it() -> None:
    cache = Cache()
    cache.put(pod(5))
    cache.put(thing("Pod", "new-bot", 20, "u9"))
    changed = cache.replace(PODS, [], 10, None)
    assert changed == {Key("Pod", "ns", "grid-bot")}
    assert cache.get(PODS, "ns", "new-bot") is not None


def test_a_list_of_one_namespace_leaves_the_others_alone() -> None:
    cache = Cache()
    cache.put(pod(5))
    assert cache.replace(PODS, [], 10, "elsewhere") == set()


def test_bots_are_found_by_their_connector_as_long_as_they_are_there() -> None:
    cache = Cache()
    bot = thing("GridBot", "grid", 5, spec={"connectorRef": {"name": "paper"}})
    cache.put(bot)
    assert cache.bots_of("ns", "paper") == {Key("GridBot", "ns", "grid")}
    assert cache.bots_of("other", "paper") == set()
    cache.drop(bot)
    assert cache.bots_of("ns", "paper") == set()


def bot_key(name: str = "grid") -> Key:
    return Key(GRIDBOTS.kind, "ns", name)


def connector_key() -> Key:
    return Key(CONNECTORS.kind, "ns", "paper")


def test_children_enqueue_their_owner_by_label_or_by_reference() -> None:
    queued: list[Key] = []
    handlers = Handlers(Cache(), queued.append)
    labelled = pod(5)
    labelled["metadata"]["labels"] = {"app.kubernetes.io/name": "opensqt-bot", "app.kubernetes.io/instance": "grid"}
    handlers.event("ADDED", labelled)
    assert queued == [bot_key()]
    queued.clear()
    bare = pod(6)
    bare["metadata"]["ownerReferences"] = [{"kind": "GridBot", "name": "grid", "uid": "x"}]
    handlers.event("DELETED", bare)
    assert queued == [bot_key()]


def test_connectors_hear_of_bots_that_come_and_go_but_not_of_each_of_their_numbers() -> None:
    queued: list[Key] = []
    handlers = Handlers(Cache(), queued.append)
    spec = {"connectorRef": {"name": "paper"}}
    handlers.event("ADDED", thing("GridBot", "grid", 1, spec=spec))
    assert set(queued) == {connector_key(), bot_key()}
    queued.clear()
    handlers.event("MODIFIED", thing("GridBot", "grid", 2, spec=spec))
    assert queued == [bot_key()]
    queued.clear()
    handlers.event("DELETED", thing("GridBot", "grid", 3, spec=spec))
    assert set(queued) == {connector_key(), bot_key()}
    queued.clear()
    # Also where a live look has found before the watch that it is gone.
    handlers.event("DELETED", thing("GridBot", "grid", 3, spec=spec))
    assert set(queued) == {connector_key(), bot_key()}


def connector(version: int, status: str) -> Object:
    ready = {"type": "Ready", "status": status, "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return thing("ExchangeConnector", "paper", version, "c1", status={"conditions": [ready]})


def test_bots_hear_of_their_connector_only_where_their_conditions_change() -> None:
    queued: list[Key] = []
    cache = Cache()
    handlers = Handlers(cache, queued.append)
    cache.put(thing("GridBot", "grid", 1, spec={"connectorRef": {"name": "paper"}}))
    handlers.event("ADDED", connector(2, "False"))
    assert set(queued) == {connector_key(), bot_key()}
    queued.clear()
    handlers.event("MODIFIED", connector(3, "False"))
    assert set(queued) == {connector_key()}
    queued.clear()
    # An answer to a request of ours reaches the cache before the watch tells of it.
    cache.put(connector(4, "True"))
    handlers.event("MODIFIED", connector(4, "True"))
    assert set(queued) == {connector_key(), bot_key()}
    queued.clear()
    handlers.event("DELETED", connector(5, "True"))
    assert set(queued) == {connector_key(), bot_key()}
