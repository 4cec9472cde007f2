"""A bot's PnL is what its account has earned, over days and a month of real candles, to the last unit."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.client import ExchangeClient
from opensqt.engine.market import from_money
from tests.runtime.harness import PATIENCE, UID, environment, until
from tests.runtime.paper_play import PaperPlay
from tests.runtime.processes import BotProcess, bot_process, paper_process

BALANCE = Decimal(100_000)
FILE = "btc-perp-2022-01-1m"
COMMON = {
    "grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 6, "sellWindow": 6},
    "order": {"quoteSize": "500"},
    "riskLimits": {"maxPosition": "0.5", "maxOpenOrders": 40},
}


@dataclass(frozen=True)
class Case:
    """A market and a spec."""

    market: dict[str, Any]
    spec: dict[str, Any]


PERPETUAL = {"symbol": "BTC/USDT:USDT", "fundingRate": "0.01"}
CASES = {
    "perpetual-long": Case(PERPETUAL, {"leverage": 5}),
    "perpetual-short": Case(PERPETUAL, {"leverage": 5, "side": "Short"}),
    "negative-funding": Case(PERPETUAL | {"fundingRate": "-0.02"}, {"leverage": 5}),
    "spot": Case({"symbol": "BTC/USDT"}, {}),
    "spot-fine-lots": Case({"symbol": "BTC/USDT", "lotSize": "0.0000001", "tickSize": "0.01"}, {}),
}


@pytest.mark.long
def test_complaint_11_the_pnl_of_a_month_is_the_change_of_the_equity(candle_file: Callable[[str], Path]) -> None:
    _pnl_is_the_change_of_the_equity(CASES["perpetual-long"], candle_file(FILE), tenths=10)


@pytest.mark.parametrize("tenths", [2, pytest.param(10, marks=pytest.mark.exhaustive)], ids=["days", "month"])
@pytest.mark.parametrize("name", ["perpetual-short", "negative-funding", "spot", "spot-fine-lots"])
def test_complaint_11_the_pnl_is_the_change_of_the_equity(
    candle_file: Callable[[str], Path], name: str, tenths: int
) -> None:
    _pnl_is_the_change_of_the_equity(CASES[name], candle_file(FILE), tenths)


def _pnl_is_the_change_of_the_equity(case: Case, candles: Path, tenths: int) -> None:
    play = PaperPlay(case.market, COMMON | case.spec, candles, str(BALANCE))
    for part in range(1, tenths + 1):
        play.play(play.tape.total * part // 10)
        view = play.engine.view()
        assert view.last_price == play.tape.price(play.tape.played - 1)
    assert view.cycles > 30 * tenths
    assert play.pnl == play.earned
    assert play.refused == []
    assert not play.engine.view().breaker.open
    assert bool(view.funding) == ("fundingRate" in case.market)
    assert from_money(view.volume) > 100 * BALANCE / 100


async def _ended(bot: BotProcess) -> pb.Status:
    async def ended() -> pb.Status | None:
        assert bot.process.returncode is None, bot.log
        status = await bot.status()
        return status if status is not None and status.market_ended else None

    found = await until(ended, seconds=2 * PATIENCE)
    assert isinstance(found, pb.Status)
    return found


@pytest.mark.parametrize("name", ["perpetual-long", "spot"])
async def test_the_real_processes_come_to_the_same_pnl_as_the_exchange(
    postgres_dsn: str, tmp_path: Path, candle_part: Callable[[str, int], Path], name: str
) -> None:
    case = CASES[name]
    market = case.market | {"candles": {"path": str(candle_part(FILE, 1500))}}
    log, spec = tmp_path / "log", {"symbol": case.market["symbol"], **COMMON, **case.spec}
    async with (
        paper_process(postgres_dsn, [market], log, lockstep=(UID,), balance=str(BALANCE)) as connector,
        bot_process(environment(postgres_dsn, changes=spec), connector.address, log) as bot,
    ):
        status = await _ended(bot)
        client = ExchangeClient(connector.address)
        account = await client.account()
        funding = await client.funding(spec["symbol"], 0)
        positions = await client.positions([spec["symbol"]])
        await client.close()
    assert status.cycles > 20
    assert Decimal(status.realised_pnl) + Decimal(status.unrealised_pnl) == account.equity - BALANCE
    assert Decimal(status.position) == positions[0].quantity
    assert Decimal(status.funding) == sum(payment.amount for payment in funding)
    assert bool(funding) == ("fundingRate" in case.market)
