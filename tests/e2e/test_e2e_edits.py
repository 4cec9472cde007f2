"""What can change live does, without a restart; what cannot rolls the Pod, and nothing is placed twice."""

import pytest

from tests.e2e import books
from tests.e2e.lab import MODEL, Lab, Object, bot, connector, container_id, is_ready

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]


async def test_edits_of_a_bot_that_trades(lab: Lab) -> None:
    """Limits and state change in the same process; other memory starts another Pod under the next epoch."""
    lab.apply(connector(MODEL), bot())
    lab.until_ready("grid")
    lab.until_fills("grid")
    before = lab.pod("grid")

    lab.patch("gridbot", "grid", {"riskLimits": {"maxOpenOrders": 3}})
    lab.until("grid", "3 orders at most", lambda it: is_ready(it) and _limit(it) == "3" and _within(it, 3))
    lab.patch("gridbot", "grid", {"riskLimits": {"maxOpenOrders": 30}, "state": "Paused"})
    lab.until("grid", "it is paused without buys", lambda it: is_ready(it) and _is(it, "Paused") and not _buys(it))
    lab.patch("gridbot", "grid", {"state": "Running"})
    running = lab.until("grid", "it runs with buys", lambda it: is_ready(it) and _is(it, "Running") and _buys(it))
    after = lab.pod("grid")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert container_id(after) == container_id(before)
    assert running["status"]["epoch"] == 1

    lab.patch("gridbot", "grid", {"resources": {"limits": {"memory": "256Mi"}}})
    lab.until("grid", "a second epoch is ready", lambda it: is_ready(it) and it["status"]["epoch"] == 2)
    rolled = lab.pod("grid")
    assert rolled["metadata"]["uid"] != before["metadata"]["uid"]
    assert rolled["spec"]["containers"][0]["resources"]["limits"]["memory"] == "256Mi"
    more = lab.until_fills("grid")
    assert more["status"]["orders"]["fills"] > running["status"]["orders"]["fills"]
    stopped = lab.stop("grid")
    written = await books.read(lab.kubectl, stopped["metadata"]["uid"], lab.uid("exchangeconnector", "paper"))
    written.assert_exactly_once()


def _within(it: Object, limit: int) -> bool:
    """Exits that are in the market stay there, but no entry beside them goes beyond the limit."""
    orders = it["status"]["orders"]
    return bool(orders["buys"] == 0 or orders["buys"] + orders["sells"] <= limit)


def _buys(it: Object) -> int:
    return int(it["status"]["orders"]["buys"])


def _is(it: Object, state: str) -> bool:
    return bool(it["status"]["state"] == state)


def _limit(it: Object) -> str:
    return next((each["limit"] for each in it["status"]["limits"] if "rders" in each["name"]), "")
