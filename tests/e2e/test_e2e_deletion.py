"""Deletion does what the policy says, and leaves nothing that keeps trading."""

from pathlib import Path

import pytest

from tests.e2e import books
from tests.e2e.books import Books
from tests.e2e.lab import BTC, MODEL, Lab, bot, candles, condition, connector, eventually, falling

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]


async def _deleted(lab: Lab, policy: str, folder: Path, *options: str) -> Books:
    """What is left of a bot that holds something to its end: no price comes back to its exits."""
    lab.apply(candles("btc", falling(folder)), connector(BTC, speed=60), bot(deletionPolicy=policy))
    lab.until_ready("grid")
    found = lab.until("grid", "it holds something", lambda it: float(it["status"]["position"]["quantity"]) > 0)
    lab.run("delete", "gridbot", "grid", "--timeout=240s", *options)
    eventually("its Pod is gone", lambda: not lab.pod("grid"))
    return await books.read(lab.kubectl, found["metadata"]["uid"], lab.uid("exchangeconnector", "paper"))


def _live(written: Books) -> list[str]:
    return [client_id for client_id, _, _, state in written.placed if state.upper() in {"OPEN", "PARTIALLY_FILLED"}]


async def test_cancel_orders_keeps_the_position(lab: Lab, tmp_path: Path) -> None:
    """CancelOrders: no order is left, the position is."""
    written = await _deleted(lab, "CancelOrders", tmp_path)
    assert not _live(written)
    assert written.position > 0
    written.assert_exactly_once()


async def test_close_position_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    """ClosePosition: no order and no position are left."""
    written = await _deleted(lab, "ClosePosition", tmp_path)
    assert not _live(written)
    assert written.position == 0
    written.assert_exactly_once()


async def test_orphan_leaves_orders_as_they_are(lab: Lab, tmp_path: Path) -> None:
    """Orphan: the orders stay in the market."""
    written = await _deleted(lab, "Orphan", tmp_path)
    assert _live(written)


async def test_deletion_that_orphans_its_pod_leaves_nothing_that_trades(lab: Lab, tmp_path: Path) -> None:
    """`--cascade=orphan` takes the Pod from its owner: it is wound down all the same, and goes."""
    written = await _deleted(lab, "CancelOrders", tmp_path, "--cascade=orphan")
    assert not _live(written)
    assert written.position > 0


def test_deleting_a_bot_that_never_ran(lab: Lab) -> None:
    """A bot without a connector goes at once, and one whose image cannot be pulled as soon as its node has said so."""
    lab.apply(bot())
    lab.until("grid", "it says that the connector is missing", lambda it: it.get("status", {}).get("conditions"))
    lab.run("delete", "gridbot", "grid", "--timeout=240s")
    lab.apply(connector(MODEL), bot(image="opensqt/none:of-that-name"))
    lab.until(
        "grid",
        "it says why",
        lambda it: "Image" in condition(it, "Ready")["reason"] + condition(it, "Ready")["message"],
    )
    lab.run("delete", "gridbot", "grid", "--timeout=240s")
    eventually("the Event", lambda: "NeverStarted" in lab.run("get", "events").stdout)


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
