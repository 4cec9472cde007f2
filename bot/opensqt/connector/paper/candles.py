"""Recorded one-minute candles, read from CSV (plain or gzipped) into integer columns.

Columns are found by the header's names: timestamp, open, high, low, close, volume; others are ignored. A timestamp is
ISO 8601 (UTC where it names no zone) or seconds, milliseconds or microseconds since the Unix epoch. A price that is not
on the tick is rounded to the nearest one (half to even); a volume is rounded down to the lot.
"""

import csv
import gzip
import io
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

MINUTE_US = 60_000_000
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**62


class BadMarketDataError(Exception):
    """Market data cannot be played; the message names the source, the line where there is one, and the cause."""


@dataclass(slots=True)
class Candles:
    """Columns of one-minute candles: open times in µs, a minute or more apart; prices in ticks, volumes in lots."""

    times: "array[int]"
    opens: "array[int]"
    highs: "array[int]"
    lows: "array[int]"
    closes: "array[int]"
    volumes: "array[int]"

    @classmethod
    def empty(cls) -> "Candles":
        return cls(*(array("q") for _ in COLUMNS))

    def __len__(self) -> int:
        return len(self.times)

    def append(self, time_us: int, prices: tuple[int, int, int, int], volume: int) -> None:
        """`prices` are open, high, low and close."""
        self.times.append(time_us)
        self.opens.append(prices[0])
        self.highs.append(prices[1])
        self.lows.append(prices[2])
        self.closes.append(prices[3])
        self.volumes.append(volume)

    def gaps(self) -> tuple[int, int]:
        """How many gaps there are in time, and the longest in minutes."""
        missing = [
            (later - earlier) // MINUTE_US - 1
            for earlier, later in zip(self.times, self.times[1:], strict=False)
            if later - earlier >= 2 * MINUTE_US
        ]
        return len(missing), max(missing, default=0)


def read_candles(path: Path, tick_size: Decimal, lot_size: Decimal) -> Candles:
    """The candles of a file. Raises BadMarketDataError."""
    try:
        with path.open("rb") as file:
            return parse_candles(file, path.name, tick_size, lot_size)
    except OSError as error:
        raise BadMarketDataError(f"{path.name}: cannot be read: {error.strerror or error}") from None


def parse_candles(file: BinaryIO, name: str, tick_size: Decimal, lot_size: Decimal) -> Candles:
    """The candles of an open file that is called `name` in messages. Raises BadMarketDataError."""
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if gzipped else file
    candles = Candles.empty()
    line = 1
    try:
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            columns = _columns(next(rows, []))
            parse = _RowParser(columns, tick_size, lot_size)
            for row in rows:
                line = rows.line_num
                if row:
                    parse(row, candles)
    except _BadRowError as error:
        raise BadMarketDataError(f"{name}: line {line}: {error}") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadMarketDataError(f"{name}: damaged gzip data: {error}") from None
    except UnicodeDecodeError:
        raise BadMarketDataError(f"{name}: line {line + 1} or later is not UTF-8 text: is it a CSV file?") from None
    except csv.Error as error:
        raise BadMarketDataError(f"{name}: line {line + 1}: not CSV: {error}") from None
    if not candles:
        raise BadMarketDataError(f"{name}: holds no candles")
    return candles


class _BadRowError(Exception):
    pass


def _columns(header: list[str]) -> list[int]:
    names = [name.strip().lower() for name in header]
    if missing := [column for column in COLUMNS if column not in names]:
        found = ", ".join(names)[:200] or "nothing"
        raise _BadRowError(f"the header lacks the column {', '.join(missing)}; found {found}")
    return [names.index(column) for column in COLUMNS]


class _RowParser:
    """Appends rows to candles. Raises _BadRowError."""

    def __init__(self, columns: Iterable[int], tick_size: Decimal, lot_size: Decimal) -> None:
        self._time, self._open, self._high, self._low, self._close, self._volume = columns
        self._last_time = -_LARGEST
        # Neighbouring candles share most of their prices.
        self._ticks = lru_cache(maxsize=65536)(lambda text: _ticks(text, tick_size))
        self._lot_size = lot_size

    def __call__(self, row: list[str], candles: Candles) -> None:
        try:
            time_us = _time_us(row[self._time])
            open_, high, low, close = (self._ticks(row[i]) for i in (self._open, self._high, self._low, self._close))
            volume = _lots(row[self._volume], self._lot_size)
        except IndexError:
            raise _BadRowError(f"has {len(row)} columns, fewer than the header") from None
        if not low <= open_ <= high or not low <= close <= high:
            named = zip(COLUMNS[1:], (self._open, self._high, self._low, self._close), strict=False)
            prices = ", ".join(f"{column} {row[index]}" for column, index in named)
            raise _BadRowError(f"high must be the highest and low the lowest price: {prices}")
        self._check_order(time_us, row[self._time])
        candles.append(time_us, (open_, high, low, close), volume)

    def _check_order(self, time_us: int, text: str) -> None:
        since = time_us - self._last_time
        if since == 0:
            raise _BadRowError(f"timestamp {text} is there twice")
        if since < 0:
            raise _BadRowError(f"timestamp {text} is out of order: it is older than that of the candle before")
        if since < MINUTE_US:
            raise _BadRowError(f"timestamp {text} is less than a minute after the candle before")
        self._last_time = time_us


def _time_us(text: str) -> int:
    text = text.strip()
    if text.replace(".", "", 1).isdigit():
        value = Decimal(text)
        # A time of this century has 10 digits in seconds, 13 in milliseconds, 16 in microseconds.
        for limit, scale in ((10**11, 10**6), (10**14, 10**3), (10**17, 1)):
            if value < limit:
                return int(value * scale)
        raise _BadRowError(f"timestamp {text[:40]} is no time since the Unix epoch")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadRowError(f"timestamp {text[:40]!r} is neither ISO 8601 nor a time since the Unix epoch") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise _BadRowError(f"{text[:40]!r} is not a number") from None
    if not value.is_finite():
        raise _BadRowError(f"{text[:40]!r} is not a number")
    return value


def _ticks(text: str, tick_size: Decimal) -> int:
    price = _number(text)
    if price <= 0:
        raise _BadRowError(f"price {text.strip()} is not greater than zero")
    return _whole(
        price, tick_size, ROUND_HALF_EVEN, f"price {text.strip()} is less than half a tick of {tick_size:f}", 1
    )


def _lots(text: str, lot_size: Decimal) -> int:
    return _whole(_number(text), lot_size, ROUND_FLOOR, f"volume {text.strip()} is negative", 0)


def _whole(value: Decimal, unit: Decimal, rounding: str, too_small: str, least: int) -> int:
    try:
        whole = int((value / unit).to_integral_value(rounding))
    except InvalidOperation:
        whole = _LARGEST
    if whole < least:
        raise _BadRowError(too_small)
    if whole >= _LARGEST:
        raise _BadRowError(f"{value} is too large for a step of {unit:f}")
    return whole
