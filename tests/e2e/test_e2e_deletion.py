"""Deletion does what the policy says, and leaves nothing that keeps trading."""

import pytest

from tests.e2e import books
from tests.e2e.books import Books
from tests.e2e.lab import MODEL, Lab, bot, connector, eventually

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]


async def _deleted(lab: Lab, policy: str) -> Books:
    lab.apply(connector(MODEL), bot(deletionPolicy=policy))
    lab.until_ready("grid")
    lab.until_fills("grid")
    found = lab.until("grid", "it holds something", lambda it: float(it["status"]["position"]["quantity"]) > 0)
    lab.run("delete", "gridbot", "grid", "--timeout=90s")
    eventually("its Pod is gone", lambda: not lab.pod("grid"))
    return await books.read(lab.kubectl, found["metadata"]["uid"], lab.uid("exchangeconnector", "paper"))


def _live(written: Books) -> list[str]:
    return [client_id for client_id, _, _, state in written.placed if state.upper() in {"OPEN", "PARTIALLY_FILLED"}]


async def test_cancel_orders_keeps_the_position(lab: Lab) -> None:
    """CancelOrders: no order is left, the position is."""
    written = await _deleted(lab, "CancelOrders")
    assert not _live(written)
    assert written.position > 0
    written.assert_exactly_once()


async def test_close_position_leaves_nothing(lab: Lab) -> None:
    """ClosePosition: no order and no position are left."""
    written = await _deleted(lab, "ClosePosition")
    assert not _live(written)
    assert written.position == 0
    written.assert_exactly_once()


async def test_orphan_leaves_orders_as_they_are(lab: Lab) -> None:
    """Orphan: the orders stay in the market."""
    written = await _deleted(lab, "Orphan")
    assert _live(written)


def test_deleting_a_bot_that_never_ran(lab: Lab) -> None:
    """A bot without a connector goes at once: there is nothing to wind down."""
    lab.apply(bot())
    lab.until("grid", "it says that the connector is missing", lambda it: it.get("status", {}).get("conditions"))
    lab.run("delete", "gridbot", "grid", "--timeout=30s")


def test_a_deleted_pod_comes_back(lab: Lab) -> None:
    """Drift is repaired: a Pod and a Service that somebody deletes are there again, and the bot trades on."""
    lab.apply(connector(MODEL), bot())
    lab.until_ready("grid")
    lab.run("delete", "pod", "grid-bot", "--wait=false")
    lab.run("delete", "service", "paper-connector")
    eventually("the Service is there", lambda: lab.get("service", "paper-connector"))
    lab.until("grid", "a second epoch trades", lambda it: it["status"]["epoch"] == 2)
    lab.until_ready("grid")
    lab.until_fills("grid")
