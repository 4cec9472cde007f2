"""Candle files: what is read, and how each kind of bad data is named with its line."""

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.connector.paper.candles import MINUTE_US, BadMarketDataError, Candles, read_candles

HEADER = "timestamp,open,high,low,close,volume"
TICK, LOT = Decimal("0.5"), Decimal("0.1")


def read(tmp_path: Path, *lines: str, header: str = HEADER, packed: bool = False) -> Candles:
    path = tmp_path / "candles.csv"
    data = ("\n".join([header, *lines]) + "\n").encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return read_candles(path, TICK, LOT)


@pytest.mark.parametrize("packed", [False, True])
def test_prices_come_in_ticks_and_volumes_in_lots(tmp_path: Path, packed: bool) -> None:
    candles = read(tmp_path, "2022-01-01 00:00:00,100,101.5,99,101,12.34", packed=packed)
    assert list(candles.times) == [1640995200000000]
    assert [list(column) for column in (candles.opens, candles.highs, candles.lows, candles.closes)] == [
        [200],
        [203],
        [198],
        [202],
    ]
    assert list(candles.volumes) == [123]


@pytest.mark.parametrize(
    "text",
    [
        "2022-01-01 00:00:00",
        "2022-01-01 00:00:00.000000",
        "2022-01-01 00:00:00+00:00",
        "2022-01-01T02:00:00+02:00",
        "2022-01-01T00:00:00Z",
        "1640995200",
        "1640995200.0",
        "1640995200000",
        "1640995200000000",
    ],
)
def test_timestamps_of_all_forms(tmp_path: Path, text: str) -> None:
    assert list(read(tmp_path, f"{text},1,1,1,1,1").times) == [1640995200000000]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    candles = read(tmp_path, "9,8,x,1.5,2,1,1640995200", header=" Volume,HIGH,note,close,open,low,Timestamp")
    assert (candles.opens[0], candles.highs[0], candles.lows[0], candles.closes[0]) == (4, 16, 2, 3)


def test_prices_off_the_tick_are_rounded_to_the_nearest(tmp_path: Path) -> None:
    candles = read(tmp_path, "0,100.24,100.25,99.76,100.2,1")
    assert (candles.opens[0], candles.highs[0], candles.lows[0], candles.closes[0]) == (200, 200, 200, 200)


def test_exponents_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "0,1e1,1E+1,10,10,0").opens[0] == 20


def test_gaps_are_allowed_and_counted(tmp_path: Path) -> None:
    candles = read(tmp_path, *(f"{second},1,1,1,1,1" for second in (0, 60, 180, 240, 6000)))
    assert candles.gaps() == (2, 95)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "holds no candles"),
        (["0,1,1,1,1,1", "0,1,1,1,1,1"], "line 3: timestamp 0 is there twice"),
        (["60,1,1,1,1,1", "0,1,1,1,1,1"], "line 3: timestamp 0 is out of order"),
        (["0,1,1,1,1,1", "30,1,1,1,1,1"], "line 3: timestamp 30 is less than a minute after"),
        (["0,1,1,1,1,1", "60,1,0.5,1,1,1"], "line 3: high must be the highest and low the lowest price"),
        (["0,3,2,1,1,1"], "line 2: high must be the highest"),
        (["0,1,2,1,0.5,1"], "line 2: high must be the highest"),
        (["0,0,1,1,1,1"], "line 2: price 0 is not greater than zero"),
        (["0,1,1,-1,1,1"], "line 2: price -1 is not greater than zero"),
        (["0,1,1,0.2,1,1"], "line 2: price 0.2 is less than half a tick of 0.5"),
        (["0,1,NaN,1,1,1"], "line 2: 'NaN' is not a number"),
        (["0,1,inf,1,1,1"], "line 2: 'inf' is not a number"),
        (["0,1,1,1,,1"], "line 2: '' is not a number"),
        (["0,1,1,1,1,-5"], "line 2: volume -5 is negative"),
        (["0,1,1,1,1e40,1"], "line 2: 1E+40 is too large"),
        (["0,1,1,1"], "line 2: has 4 columns"),
        (["yesterday,1,1,1,1,1"], "line 2: timestamp 'yesterday' is neither"),
        (["99999999999999999999,1,1,1,1,1"], "line 2: timestamp 99999999999999999999 is no time"),
        (["0,1,1,1,1,1", '60,"1,1,1,1,1'], "line 3: not CSV"),
    ],
)
def test_bad_data_is_named_with_its_line(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(BadMarketDataError) as bad:
        read(tmp_path, *lines)
    assert str(bad.value).startswith("candles.csv: ")
    assert said in str(bad.value)


@pytest.mark.parametrize("header", ["timestamp,open,high,low,close", "time,o,h,l,c,v", "", "0,1,1,1,1,1"])
def test_a_missing_column_is_named(tmp_path: Path, header: str) -> None:
    with pytest.raises(BadMarketDataError, match=r"line 1: the header lacks the column .*volume"):
        read(tmp_path, "0,1,1,1,1,1", header=header)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadMarketDataError, match=r"absent\.csv: cannot be read: No such file"):
        read_candles(tmp_path / "absent.csv", TICK, LOT)
    with pytest.raises(BadMarketDataError, match="cannot be read: Is a directory"):
        read_candles(tmp_path, TICK, LOT)
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(BadMarketDataError, match="found nothing"):
        read_candles(empty, TICK, LOT)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(128, 256)) * 10)
    with pytest.raises(BadMarketDataError, match="is not UTF-8 text"):
        read_candles(binary, TICK, LOT)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress((HEADER + "\n" + "0,1,1,1,1,1\n" * 9999).encode())[:60])
    with pytest.raises(BadMarketDataError, match="damaged gzip data"):
        read_candles(cut, TICK, LOT)


@pytest.mark.parametrize(
    ("name", "tick", "amount", "first", "last_close"),
    [
        ("btc-perp-2022-01-1m", "0.1", 45031, 463190, 385440),
        ("dogeusdt-2025-06-1m", "0.00001", 43200, 19701, 16405),
    ],
)
def test_the_real_candles(
    candle_file: Callable[[str], Path], name: str, tick: str, amount: int, first: int, last_close: int
) -> None:
    candles = read_candles(candle_file(name), Decimal(tick), Decimal(1))
    assert (len(candles), candles.opens[0], candles.closes[-1]) == (amount, first, last_close)
    assert candles.gaps() == (0, 0)
    assert candles.times[-1] - candles.times[0] == (amount - 1) * MINUTE_US
