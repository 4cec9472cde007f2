"""What is mended in ccxt's class itself gives what ccxt would have given."""

from functools import cache
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.ccxt_venue.loader import load
from opensqt.connector.ccxt_venue.transport import observed

ENTRIES = st.lists(
    st.fixed_dictionaries({"symbol": st.sampled_from(["A", "B"]), "timestamp": st.integers(1, 9)}), max_size=12
)


@cache
def both() -> tuple[Any, Any]:
    """Ours and ccxt's own."""
    own = load("bybit")
    return observed(own)({}), own({})


@given(
    entries=ENTRIES,
    symbol=st.sampled_from(["A", "B", None]),
    limit=st.none() | st.integers(0, 14),
    since=st.none() | st.integers(1, 9),
    tail=st.booleans(),
)
def test_the_newest_of_a_stream_are_those_that_ccxt_finds(
    entries: list[dict[str, Any]], symbol: str | None, limit: int | None, since: int | None, tail: bool
) -> None:
    ours, ccxts = (
        one.filter_by_value_since_limit(entries, "symbol", symbol, since, limit, "timestamp", tail) for one in both()
    )
    assert ours == ccxts


def test_what_was_told_before_is_not_read_again() -> None:
    class Old(SimpleNamespace):
        def get(self, _name: str) -> str:
            raise AssertionError("read again")

    newest = {"symbol": "A", "timestamp": 2}
    ours, _ = both()
    assert ours.filter_by_value_since_limit([Old(), newest], "symbol", "A", None, 1, "timestamp", True) == [newest]
