"""Deletion does what the policy says, and leaves nothing that keeps trading."""

from pathlib import Path

import pytest

from tests.e2e import books
from tests.e2e.books import Books
from tests.e2e.lab import BTC, MODEL, Lab, bot, candles, condition, connector, eventually, falling

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]


DELETED: dict[str, tuple[str, str, str]] = {
    "cancelled": ("BTC/USDT:USDT", "CancelOrders", "background"),
    "closed": ("ETH/USDT:USDT", "ClosePosition", "background"),
    "left": ("SOL/USDT:USDT", "Orphan", "background"),
    # It takes the Pod from its owner: the bot is wound down all the same, and its Pod goes.
    "disowned": ("XRP/USDT:USDT", "CancelOrders", "orphan"),
}
"""Bots on one connector: symbol, policy, and how kubectl cascades."""


async def test_deletion_leaves_what_the_policy_says(lab: Lab, tmp_path: Path) -> None:
    """CancelOrders keeps the position, ClosePosition nothing, Orphan all; nothing is left that trades."""
    # They hold something to their end: no price comes back to their exits.
    markets = [BTC | {"symbol": symbol} for symbol, _, _ in DELETED.values()]
    lab.apply(candles("btc", falling(tmp_path)), connector(*markets, speed=60))
    lab.apply(*(bot(name, symbol=symbol, deletionPolicy=policy) for name, (symbol, policy, _) in DELETED.items()))
    lab.until_ready(*DELETED)
    uids = {}
    for name in DELETED:
        found = lab.until(name, f"{name} holds something", lambda it: float(it["status"]["position"]["quantity"]) > 0)
        uids[name] = found["metadata"]["uid"]
    for name, (_, _, cascade) in DELETED.items():
        lab.run("delete", "gridbot", name, "--wait=false", f"--cascade={cascade}")
    for name in DELETED:
        eventually(f"{name} is gone", lambda: not lab.bot(name))  # noqa: B023
        eventually(f"the Pod of {name} is gone", lambda: not lab.pod(name))  # noqa: B023
    account = lab.uid("exchangeconnector", "paper")
    written = {name: await books.read(lab.kubectl, uid, account) for name, uid in uids.items()}
    assert {name for name, book in written.items() if _live(book)} == {"left"}
    assert {name for name, book in written.items() if book.position == 0} == {"closed"}
    for name in DELETED.keys() - {"left"}:  # whose orders are filled while nobody writes it down
        written[name].assert_exactly_once()


def _live(written: Books) -> list[str]:
    return [client_id for client_id, _, _, state in written.placed if state.upper() in {"OPEN", "PARTIALLY_FILLED"}]


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
