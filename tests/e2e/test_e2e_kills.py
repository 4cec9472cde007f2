"""kill -9 of any part while it trades: it goes on, nothing is placed twice, the position is the sum of fills."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cluster.release import NAMESPACE as SYSTEM
from tests.e2e import books
from tests.e2e.lab import BTC, Lab, Object, bot, candles, connector, container_id, eventually

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]

VICTIMS: dict[str, Callable[[Lab], Object]] = {
    "bot": lambda lab: lab.pod("grid"),
    "connector": lambda lab: lab.connector_pod("paper"),
    "postgres": lambda lab: lab.postgres_pod(),
    "operator": lambda lab: lab.operator_pod(),
}


@pytest.mark.parametrize(
    "victim",
    # All tests share the operator: those that take it away do so one after another.
    [pytest.param(name, marks=[pytest.mark.xdist_group("operator")] if name == "operator" else []) for name in VICTIMS],
)
async def test_killed_while_trading(lab: Lab, candle_file: Callable[[str], Path], victim: str) -> None:
    """Three kills, each after new fills: fills come again, and both sides' books agree in the end."""
    find = VICTIMS[victim]
    own = victim == "postgres"
    if own:
        lab.own_postgres()
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
    written = await books.read(
        lab.kubectl, stopped["metadata"]["uid"], lab.uid("exchangeconnector", "paper"),
        namespace=lab.namespace if own else SYSTEM,
    )  # fmt: skip
    written.assert_exactly_once()
    assert Decimal(stopped["status"]["position"]["quantity"]) == written.position
    assert stopped["status"]["orders"]["fills"] == len(written.exchange_fills)
    if victim == "bot":
        assert written.epoch == 4
