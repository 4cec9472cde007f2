"""kill -9 of any part while it trades: it goes on, nothing is placed twice, the position is the sum of fills."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e import books
from tests.e2e.lab import BTC, Lab, Object, bot, candles, connector, container_id, eventually

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

VICTIMS: dict[str, Callable[[Lab], Object]] = {
    "bot": lambda lab: lab.pod("grid"),
    "connector": lambda lab: lab.connector_pod("paper"),
    "postgres": lambda lab: lab.system_pod("opensqt-postgres"),
    "operator": lambda lab: lab.system_pod("opensqt-operator"),
}


@pytest.mark.parametrize("victim", VICTIMS)
async def test_killed_while_trading(lab: Lab, candle_file: Callable[[str], Path], victim: str) -> None:
    """Three kills, each after new fills: fills come again, and both sides' books agree in the end."""
    find = VICTIMS[victim]
    lab.apply(candles("btc", candle_file("btc-perp-2022-01-1m")), connector(BTC), bot())
    lab.until_ready("grid")
    for _ in range(3):
        lab.until_fills("grid")
        pod = find(lab)
        killed = container_id(pod)
        lab.kill(pod)
        eventually(f"another {victim} runs", lambda: container_id(find(lab)) not in {"", killed})  # noqa: B023
    lab.until_ready("grid")
    lab.until_fills("grid")
    stopped = lab.stop("grid")
    written = await books.read(lab.kubectl, stopped["metadata"]["uid"], lab.uid("exchangeconnector", "paper"))
    written.assert_exactly_once()
    assert Decimal(stopped["status"]["position"]["quantity"]) == written.position
    assert stopped["status"]["orders"]["fills"] == len(written.exchange_fills)
    if victim == "bot":
        assert written.epoch == 4
