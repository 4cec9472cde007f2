"""A file of candles that grows: CSV, plain or gzipped, whole at any moment, whatever ends the program."""

import csv
import gzip
import os
import shutil
from collections.abc import Iterable
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from opensqt.connector.ccxt_venue.history import Candle

HEADER = ("timestamp", "open", "high", "low", "close", "volume")
LINE_LIMIT = 65536


class CandleFileError(Exception):
    """The file cannot be gone on with; the message says why."""


class CandleFile:
    """`path` is written when all is there; until then the rows are in `path.part`, where the next try finds them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self.first: int | None = None
        self.last: list[str] | None = None
        self._file: IO[str] | None = None

    def open(self) -> None:
        """Goes on with what there is. Raises CandleFileError."""
        if not self.part.exists() and self.path.exists():
            self._take_over()
        if self.part.exists():
            self._look()
        new = not self.part.exists() or self.part.stat().st_size == 0
        self._file = self.part.open("a", encoding="utf-8", newline="")
        if new:
            csv.writer(self._file, lineterminator="\n").writerow(HEADER)

    @property
    def last_ms(self) -> int | None:
        return None if self.last is None else _ms(self.last[0])

    def add(self, candles: Iterable[Candle]) -> None:
        """Durable when it returns."""
        assert self._file is not None  # noqa: S101 - it was opened
        writer = csv.writer(self._file, lineterminator="\n")
        for candle in candles:
            row = _row(candle)
            writer.writerow(row)
            self.first = self.first if self.first is not None else candle.time_ms
            self.last = row
        self._file.flush()
        os.fsync(self._file.fileno())

    def is_last(self, candle: Candle) -> bool:
        """Whether the last row says what the exchange says of that time."""
        return self.last == _row(candle)

    def finish(self) -> None:
        """The file is whole, under its own name."""
        self.close()
        if self.path.suffix == ".gz":
            whole = self.path.with_name(self.path.name + ".new")
            # Without a time and a name in it: the same candles make the same file.
            with self.part.open("rb") as rows, whole.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as packed:
                shutil.copyfileobj(rows, packed)
            whole.replace(self.path)
            self.part.unlink()
        else:
            self.part.replace(self.path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take_over(self) -> None:
        new = self.part.with_name(self.part.name + ".new")
        try:
            with self.path.open("rb") as raw, new.open("wb") as copy:
                rows = gzip.GzipFile(fileobj=raw) if self.path.suffix == ".gz" else raw
                shutil.copyfileobj(cast("IO[bytes]", rows), copy)
        except (OSError, EOFError) as error:
            raise CandleFileError(f"{self.path} cannot be read: {error}") from None
        new.replace(self.part)

    def _look(self) -> None:
        """Finds the first and the last whole row; a torn one at the end goes."""
        with self.part.open("rb+") as file:
            header = file.readline(LINE_LIMIT)
            if header and header.decode("utf-8", "replace").strip() != ",".join(HEADER):
                raise CandleFileError(f"{self.part} has other columns than {', '.join(HEADER)}: it is not ours")
            whole = file.tell() if header.endswith(b"\n") else 0
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                row = line.decode("utf-8", "replace").strip().split(",")
                self.first = self.first if self.first is not None else _ms(row[0])
                self.last = row
            file.truncate(whole)


def _row(candle: Candle) -> list[str]:
    time_ms, *numbers = astuple(candle)
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return [moment, *(f"{number.normalize():f}" for number in numbers)]


def _ms(timestamp: str) -> int:
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        raise CandleFileError(f"{timestamp[:40]!r} is no time that we have written") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
