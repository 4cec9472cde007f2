"""`opensqt data download`, as a process, before the simulators of the exchanges: pages, gaps, resumption, limits."""

import asyncio
import gzip
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.api.exchange import Exchange
from opensqt.connector.ccxt_venue import ENDPOINT_ENV
from opensqt.connector.ccxt_venue.history import PAGE_CANDLES
from opensqt.connector.paper.candles import read_candles
from tests.cli.conftest import ENVIRONMENT
from tests.venues.faces import FACES
from tests.venues.faults import Fault, Operation
from tests.venues.listing import Candle
from tests.venues.server import Face

SYMBOL = "BTC/USDT:USDT"
COUNT = 250
MINUTE = 60_000


@pytest.fixture(params=PAGE_CANDLES, ids=lambda exchange: exchange.value)
async def face(request: pytest.FixtureRequest) -> AsyncIterator[Face]:
    face = FACES[Exchange(request.param)]()
    rows = face.core.candles[face.btc.id]
    for number, row in enumerate(rows):  # each another
        move = number * face.btc.tick
        changed = {name: getattr(row, name) + move for name in ("open", "high", "low", "close")}
        rows[number] = replace(row, **changed, volume=Decimal(number + 1) * face.btc.lot)
    await face.start()
    yield face
    await face.stop()


def first_ms(face: Face) -> int:
    return face.core.candles[face.btc.id][0].open_ms


def moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


async def started(face: Face, output: Path, count: int, *, symbol: str = SYMBOL) -> asyncio.subprocess.Process:
    start = first_ms(face)
    words = ["--exchange", face.exchange.value, "--symbol", symbol, "--from", moment(start)]
    words += ["--to", moment(start + count * MINUTE), "-o", str(output)]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "opensqt", "data", "download", *words),
        env=ENVIRONMENT | {ENDPOINT_ENV: face.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def download(face: Face, output: Path, count: int, *, symbol: str = SYMBOL) -> tuple[int, str, str]:
    process = await started(face, output, count, symbol=symbol)
    async with asyncio.timeout(300):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def expected(face: Face, count: int) -> list[tuple[int, int, int, int, int, int]]:
    tick, lot = face.btc.tick, face.btc.lot

    def shown(row: Candle) -> tuple[int, int, int, int, int, int]:
        prices = (int(price / tick) for price in (row.open, row.high, row.low, row.close))
        return (row.open_ms * 1000, *prices, int(row.volume / lot))  # type: ignore[return-value]

    end = first_ms(face) + count * MINUTE
    return [shown(row) for row in face.core.candles[face.btc.id] if row.open_ms < end]


def played(face: Face, path: Path) -> list[tuple[int, int, int, int, int, int]]:
    """As the paper exchange reads it."""
    candles = read_candles(path, face.btc.tick, face.btc.lot)
    columns = (candles.times, candles.opens, candles.highs, candles.lows, candles.closes, candles.volumes)
    return list(zip(*columns, strict=True))


async def test_what_the_exchange_has_is_what_the_paper_exchange_reads(face: Face, tmp_path: Path) -> None:
    del face.core.candles[face.btc.id][30:33]
    path = tmp_path / "btc.csv.gz"
    code, out, err = await download(face, path, COUNT)
    assert code == 0, err
    assert played(face, path) == expected(face, COUNT)
    assert "1 gaps, 3 candles" in out
    assert f"{face.exchange.value} {SYMBOL} 1m" in err
    assert gzip.decompress(path.read_bytes()).startswith(b"timestamp,open,high,low,close,volume\n")
    assert names(tmp_path) == ["btc.csv.gz"]


async def test_a_file_that_ends_earlier_is_gone_on_with(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "btc.csv.gz"
    assert (await download(face, path, 120))[0] == 0
    asked = len(face.sent(Operation.CANDLES))
    code, _, err = await download(face, path, COUNT)
    assert code == 0, err
    assert played(face, path) == expected(face, COUNT)
    again = len(face.sent(Operation.CANDLES)) - asked
    assert again == 1 + -(-130 // PAGE_CANDLES[face.exchange]), "the last candle, and those that come after it"


@pytest.mark.parametrize("face", [Exchange.OKX], ids=["okx"], indirect=True)
async def test_killed_at_any_page_it_goes_on_where_it_was(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "btc.csv"
    gate = asyncio.Event()
    face.faults.next(Fault(Operation.CANDLES), Fault(Operation.CANDLES, gate=gate))  # the second page is held back
    process = await started(face, path, COUNT)
    await face.until(lambda: len(face.sent(Operation.CANDLES)) == 2, 60)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    gate.set()
    part = tmp_path / "btc.csv.part"
    assert not path.exists()
    with part.open("a") as file:
        file.write("2026-01-01 00:0")  # a torn row
    code, _, err = await download(face, path, COUNT)
    assert code == 0, err
    assert played(face, path) == expected(face, COUNT)


@pytest.mark.parametrize("face", [Exchange.BYBIT], ids=["bybit"], indirect=True)
async def test_refusals_and_losses_are_waited_out(face: Face, tmp_path: Path) -> None:
    for _ in range(4):
        face.faults.next(Fault(Operation.CANDLES, status=502, body="bad gateway"))
    face.faults.next(Fault(Operation.CANDLES, hang_up=True))
    path = tmp_path / "btc.csv"
    code, _, err = await download(face, path, COUNT)
    assert code == 0, err
    assert "waiting: bybit answered HTTP 502" in err
    assert played(face, path) == expected(face, COUNT)


@pytest.mark.parametrize("face", [Exchange.BINANCE], ids=["binance"], indirect=True)
async def test_mistakes_are_named_and_nothing_is_mixed(face: Face, tmp_path: Path) -> None:
    path = tmp_path / "btc.csv"
    code, _, err = await download(face, path, 10, symbol="NOT/USDT:USDT")
    assert (code, "no market 'NOT/USDT:USDT'" in err) == (2, True), err
    assert names(tmp_path) == []
    assert (await download(face, path, 10))[0] == 0
    before = path.read_bytes()
    code, _, err = await download(face, path, 20, symbol="ETH/USDT:USDT")
    assert (code, "another market?" in err) == (2, True), err
    assert path.read_bytes() == before
