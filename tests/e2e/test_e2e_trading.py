"""`kubectl apply` of manifests makes bots that trade real candles, and `kubectl get` tells the truth about them."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e import books
from tests.e2e.lab import BTC, Lab, bot, candles, condition, connector, eventually

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]


async def test_applied_bot_trades_and_its_status_is_true(lab: Lab, candle_file: Callable[[str], Path]) -> None:
    """Applied together, candles, connector and bot trade; columns, conditions and numbers agree with the books."""
    lab.apply(candles("btc", candle_file("btc-perp-2022-01-1m")), connector(BTC), bot())
    lab.until_ready("grid")
    lab.until_fills("grid", 20)
    kinds = ("ConnectorReady", "CircuitClosed", "WithinRiskLimits")
    lab.until("grid", f"{kinds} are True", lambda it: all(condition(it, kind)["status"] == "True" for kind in kinds))

    def columns(kind: str) -> list[list[str]]:
        return [line.split() for line in lab.run("get", kind).stdout.splitlines()]

    names = "NAME SYMBOL SIDE STATE READY BREAKER POSITION PNL CONNECTOR AGE"
    assert " ".join(columns("gridbots")[0]) == names
    wanted = ["grid", "BTC/USDT:USDT", "Long", "Running", "True", "Closed"]
    eventually(f"the columns are {wanted}", lambda: columns("gridbots")[1][:6] == wanted)
    shown = ["paper", "paper", "Demo", "True"]
    eventually(f"the connector's are {shown}", lambda: columns("exchangeconnectors")[1][:4] == shown)

    stopped = lab.stop("grid")
    written = await books.read(lab.kubectl, stopped["metadata"]["uid"], lab.uid("exchangeconnector", "paper"))
    written.assert_exactly_once()
    status = stopped["status"]
    assert len(written.exchange_fills) == status["orders"]["fills"] >= 20
    assert Decimal(status["position"]["quantity"]) == written.position
    assert status["orders"]["buys"] == status["orders"]["sells"] == 0
    assert status["epoch"] == written.epoch == 1
    pnl = {name: Decimal(value) for name, value in status["pnl"].items()}
    assert pnl["total"] == pnl["realised"] + pnl["unrealised"]
    assert pnl["fees"] > 0


async def test_two_bots_share_a_connector(lab: Lab, candle_file: Callable[[str], Path]) -> None:
    """Two bots of one account trade their own markets; neither sees the other's orders."""
    # One account has one clock: both markets play the same month.
    lab.apply(candles("btc", candle_file("btc-perp-2022-01-1m")), connector(BTC, BTC | {"symbol": "XBT/USDT:USDT"}))
    lab.apply(bot(), bot("other", symbol="XBT/USDT:USDT", grid={"spacing": {"geometric": "0.1"}, "buyWindow": 5}))
    lab.until_ready("grid", "other")
    for name in ("grid", "other"):
        lab.until_fills(name)
    for name in ("grid", "other"):
        stopped = lab.stop(name)
        written = await books.read(lab.kubectl, stopped["metadata"]["uid"], lab.uid("exchangeconnector", "paper"))
        written.assert_exactly_once()
        assert Decimal(stopped["status"]["position"]["quantity"]) == written.position
    eventually("it says so", lambda: (lab.get("exchangeconnector", "paper") or {})["status"]["bots"] == 2)
