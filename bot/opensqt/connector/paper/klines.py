"""Candles of a paper market while it is played, of one minute and longer."""

from collections.abc import Sequence

from opensqt.connector.paper.candles import MINUTE_US
from opensqt.connector.paper.instrument import Instrument
from opensqt.connector.paper.tape import STEPS, Tape
from opensqt.connector.venue import Failure, Kline, VenueError
from opensqt.engine.events import Remedy

INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}
"""Minutes of each interval."""


def require_interval(interval: str) -> None:
    """Raises `VenueError` (FIX_REQUEST) for an interval that is not served."""
    if interval not in INTERVALS:
        message = f"interval: {interval[:20]!r} is not served; take one of {', '.join(INTERVALS)}"
        raise VenueError(Failure(Remedy.FIX_REQUEST, message))


def klines_of(tape: Tape, instrument: Instrument, interval: str, start: int, end: int) -> list[Kline]:
    """What the steps from `start` to before `end` make of the market's candles: each as it closes, the last as it is.

    A candle of an interval is made of all minutes that fall into it; it closes with the last one that the data has.
    """
    length = INTERVALS[interval] * MINUTE_US
    klines: list[Kline] = []
    last = (end - 1) // STEPS
    bucket_start = _first_of_bucket(tape, start // STEPS, length)
    while bucket_start <= last:
        bucket = tape.candle_time(bucket_start) // length
        after = bucket_start
        while after <= last and tape.candle_time(after) // length == bucket:
            after += 1
        whole = after <= last or (
            end % STEPS == 0 and (after >= tape.candles or tape.candle_time(after) // length != bucket)
        )
        steps_of_last = STEPS if after <= last else end - last * STEPS
        klines.append(
            _merged(tape, instrument, bucket * length, range(bucket_start, after), steps_of_last, closed=whole)
        )
        bucket_start = after
    return klines


def _first_of_bucket(tape: Tape, candle: int, length: int) -> int:
    bucket = tape.candle_time(candle) // length
    while candle > 0 and tape.candle_time(candle - 1) // length == bucket:
        candle -= 1
    return candle


def _merged(
    tape: Tape, instrument: Instrument, open_time_us: int, candles: Sequence[int], steps_of_last: int, *, closed: bool
) -> Kline:
    parts = [tape.candle(index) for index in candles[:-1]]
    parts.append(tape.candle(candles[-1], steps_of_last))
    tick = instrument.tick_size
    return Kline(
        symbol=instrument.symbol,
        open_time_us=open_time_us,
        open=parts[0].open * tick,
        high=max(part.high for part in parts) * tick,
        low=min(part.low for part in parts) * tick,
        close=parts[-1].close * tick,
        volume=sum(part.volume for part in parts) * instrument.lot_size,
        closed=closed,
    )
