"""`opensqt data`: market data into files that the paper exchange and backtests read."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import structlog

from opensqt.api.exchange import Exchange
from opensqt.cli.candle_file import CandleFile, CandleFileError
from opensqt.connector.ccxt_venue.history import History
from opensqt.connector.venue import VenueError

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130
GAPS_SHOWN = 5
_REAL = [exchange.value for exchange in Exchange if exchange is not Exchange.PAPER]
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


@click.group("data")
def data() -> None:
    """Market data."""


@data.command("download")
@click.option("--exchange", type=click.Choice(_REAL), required=True, help="Whose market; no account is needed.")
@click.option("--symbol", required=True, help="As ccxt names it: BTC/USDT:USDT is a perpetual, BTC/USDT is spot.")
@click.option("--interval", default="1m", show_default=True, help="Length of a candle; the paper exchange plays 1m.")
@click.option("--from", "start", type=click.DateTime(_TIMES), required=True, help="First candle, UTC.")
@click.option("--to", "end", type=click.DateTime(_TIMES), help="End, itself left out, UTC; now where it is not given.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="CSV, or .csv.gz.")
def download(*, exchange: str, symbol: str, interval: str, start: datetime, end: datetime | None, output: Path) -> None:
    """Download candles: timestamp, open, high, low, close, volume.

    Run again after whatever ended it: it goes on where it was, and appends to a file that ends earlier. Keeps to the
    exchange's rate limits.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    wanted = _Wanted(Exchange(exchange), symbol, interval, _ms(start), None if end is None else _ms(end))
    file = CandleFile(output)
    try:
        asyncio.run(_download(wanted, file))
    except (ValueError, CandleFileError) as error:
        click.echo(f"opensqt data download: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    except (VenueError, OSError) as error:
        click.echo(f"opensqt data download: {error}", err=True)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        click.echo("\nstopped: run the same command again to go on", err=True)
        sys.exit(EXIT_INTERRUPTED)
    finally:
        file.close()


@dataclass(frozen=True)
class _Wanted:
    exchange: Exchange
    symbol: str
    interval: str
    start_ms: int
    end_ms: int | None


class _Gaps:
    """Times for which the exchange has no candle."""

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self.found: list[tuple[int, int]] = []

    def look(self, expected_ms: int, time_ms: int) -> None:
        if time_ms > expected_ms:
            self.found.append((expected_ms, (time_ms - expected_ms) // self._step_ms))

    def lines(self) -> list[str]:
        if not self.found:
            return ["no gaps"]
        missing = sum(count for _, count in self.found)
        shown = [f"  {count} from {_utc(at)}" for at, count in sorted(self.found, key=lambda gap: -gap[1])[:GAPS_SHOWN]]
        return [f"{len(self.found)} gaps, {missing} candles that the exchange does not have; the longest:", *shown]


async def _download(wanted: _Wanted, file: CandleFile) -> None:
    history = History(
        wanted.exchange,
        wanted.symbol,
        wanted.interval,
        waiting=lambda reason: click.echo(f"\nwaiting: {reason}", err=True),
    )
    try:
        now_ms = await history.open()
        step_ms = history.step_ms
        # The candle under way is not one yet.
        end_ms = min(wanted.end_ms or now_ms, now_ms) // step_ms * step_ms
        start_ms = -(-wanted.start_ms // step_ms) * step_ms
        if start_ms >= end_ms:
            raise ValueError("--from: there is no whole candle between it and --to (or now)")
        file.open()
        expected_ms = await _go_on(history, file, start_ms)
        gaps = _Gaps(step_ms)
        written = 0
        with click.progressbar(
            length=end_ms - start_ms, label=f"{wanted.exchange} {wanted.symbol} {wanted.interval}", file=sys.stderr
        ) as bar:
            bar.update(max(0, min(expected_ms, end_ms) - start_ms))
            reached_ms = expected_ms
            async for until_ms, candles in history.pages(expected_ms, end_ms):
                for candle in candles:
                    gaps.look(expected_ms, candle.time_ms)
                    expected_ms = candle.time_ms + step_ms
                file.add(candles)
                written += len(candles)
                bar.update(until_ms - reached_ms)
                reached_ms = until_ms
        gaps.look(expected_ms, end_ms)
        if file.last is None:
            raise ValueError(f"{wanted.exchange} has no candles of {wanted.symbol} in that time")
        file.finish()
    finally:
        await history.close()
    click.echo(f"{file.path}: {written} candles more, up to {_utc(end_ms)}")
    for line in gaps.lines():
        click.echo(line)


async def _go_on(history: History, file: CandleFile, start_ms: int) -> int:
    """Where to go on. Raises CandleFileError where what the file has is not of this market, or begins too late."""
    if file.last_ms is None:
        return start_ms
    if file.first is not None and file.first > start_ms:
        raise CandleFileError(f"{file.path} begins at {_utc(file.first)} already: what is before needs another file")
    async for _, candles in history.pages(file.last_ms, file.last_ms + history.step_ms):
        if not candles or not file.is_last(candles[0]):
            raise CandleFileError(
                f"{file.path} (or its .part) has other candles at {_utc(file.last_ms)} than the exchange: "
                "another market?"
            )
    return file.last_ms + history.step_ms


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
