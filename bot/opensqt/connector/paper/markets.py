"""All markets of the paper exchange in one time order: by time, then by their place in the spec."""

from collections.abc import Callable, Mapping

from opensqt.connector.paper.matching import Matching
from opensqt.connector.paper.tape import Tape
from opensqt.connector.venue import MarketProgress

Played = Callable[[str, int, int], None]
"""Told of each market that moves: its symbol, and its `played` before and after."""


class Markets:
    """Moves the tapes, and with them the matching engine."""

    def __init__(self, tapes: Mapping[str, Tape], matching: Matching, played: Played) -> None:
        self.tapes = dict(tapes)
        self._matching = matching
        self._played = played
        self._progress: tuple[int, tuple[MarketProgress, ...]] = (-1, ())

    @property
    def ended(self) -> bool:
        return all(tape.ended for tape in self.tapes.values())

    def place_of(self, symbol: str) -> int:
        """Time of the market's last price, in µs; 0 before any."""
        tape = self.tapes[symbol]
        return tape.time_us(tape.played - 1) if tape.played else 0

    def next(self) -> tuple[int, str] | None:
        """Time (µs) and symbol of the next price; None at the end of all data."""
        best: tuple[int, str] | None = None
        for symbol, tape in self.tapes.items():
            if not tape.ended:
                time_us = tape.time_us(tape.played)
                if best is None or time_us < best[0]:
                    best = time_us, symbol
        return best

    def play(self, symbol: str) -> bool:
        """Plays a market's next price; says whether it touched an order."""
        tape = self.tapes[symbol]
        step = tape.played
        tape.played = step + 1
        touched = self._matching.play(symbol, tape.price(step), tape.time_us(step), self._depth(symbol, step))
        self._played(symbol, step, step + 1)
        return touched

    def play_until(self, symbol: str, step: int) -> bool:
        """Plays a market's step, and before it all that is earlier, of which none may touch an order or be wanted."""
        tapes = self.tapes
        until = tapes[symbol].time_us(step)
        after = False
        for other, tape in tapes.items():
            # Of steps at the same time, those of markets that stand earlier in the spec come first.
            if other == symbol:
                after = True
                end = step
            else:
                end = tape.steps_until(until - 1 if after else until)
            self._skip(other, end)
        return self.play(symbol)

    def play_out(self) -> None:
        """Plays all that is left, of which none may touch an order or be wanted."""
        rest = [(tape.time_us(tape.total - 1), symbol) for symbol, tape in self.tapes.items() if not tape.ended]
        for _, symbol in sorted(rest, key=lambda entry: entry[0]):
            self._skip(symbol, self.tapes[symbol].total)

    def _skip(self, symbol: str, end: int) -> None:
        tape = self.tapes[symbol]
        if end > tape.played:
            start, tape.played = tape.played, end
            depth = self._depth(symbol, end - 1)
            self._matching.skip(symbol, tape.price(end - 1), tape.time_us(end - 1), end - start, depth)
            self._played(symbol, start, end)

    def _depth(self, symbol: str, step: int) -> int:
        share = self._matching.account.holdings[symbol].instrument.fill_share
        return self.tapes[symbol].depth(step, share) if share else 0

    def progress(self) -> tuple[MarketProgress, ...]:
        """In price steps, four a candle."""
        step = self._matching.step
        if self._progress[0] != step:
            progress = (
                MarketProgress(symbol, tape.played, tape.total, self.place_of(symbol), tape.ended and not tape.live)
                for symbol, tape in self.tapes.items()
            )
            self._progress = step, tuple(progress)
        return self._progress[1]
