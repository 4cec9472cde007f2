"""A soak can fail: its judges see what is missed, counted twice, made up, or grows."""

from decimal import Decimal

import pytest

from tests.soak.books import LATE_SECONDS, Booked, Differences, compare
from tests.soak.judges import Sample, flat, growth, longest_life, percentile

NOW_MS = 1_000_000_000.0
FIRST: Booked = ("o1", Decimal(100), Decimal("0.01"))
SECOND: Booked = ("o2", Decimal(101), Decimal("0.02"))


def differences(traded: list[Booked], journalled: list[tuple[Booked, str]], age: float = 1.0) -> Differences:
    return compare([(fill, NOW_MS - age * 1000) for fill in traded], journalled, NOW_MS)


def test_the_same_fills_are_the_same() -> None:
    assert differences([FIRST, SECOND], [(SECOND, "b"), (FIRST, "a")]) == Differences(2, 0, ())


def test_two_equal_fills_of_an_order_are_two() -> None:
    assert differences([FIRST, FIRST], [(FIRST, "a"), (FIRST, "b")]).breaches == ()
    assert differences([FIRST, FIRST], [(FIRST, "a")]).waiting == 1


def test_a_fill_may_be_late_but_not_too_late() -> None:
    assert differences([FIRST], []) == Differences(1, 1, ())
    late = differences([FIRST], [], LATE_SECONDS + 1)
    assert late.waiting == 0
    assert "missed" in late.breaches[0]


def test_a_fill_that_was_made_up_is_seen() -> None:
    assert "the exchange has not" in differences([], [(FIRST, "a")]).breaches[0]


def test_a_fill_that_was_counted_twice_is_seen() -> None:
    found = differences([FIRST], [(FIRST, "a"), (FIRST, "a")]).breaches
    assert any("counted 2 times" in breach for breach in found)


def life(pid: int, seconds: int, mebibytes: float, growing: float = 0.0) -> list[Sample]:
    return [Sample(at, pid, mebibytes + growing * at / 60) for at in range(0, seconds, 2)]


def test_memory_is_judged_by_the_longest_life() -> None:
    assert {sample.pid for sample in longest_life([*life(1, 100, 90), *life(2, 900, 80)])} == {2}
    assert longest_life([]) == []


@pytest.mark.parametrize(("growing", "is_flat"), [(0.0, True), (0.2, True), (3.0, False)])
def test_what_grows_is_not_flat(growing: float, is_flat: bool) -> None:
    grown = growth(life(1, 1200, 90, growing))
    assert grown is not None
    assert flat(*grown) is is_flat


def test_a_first_growth_is_forgiven() -> None:
    warming = [Sample(at, 1, 60 + 40 * min(1.0, at / 200)) for at in range(0, 1200, 2)]
    grown = growth(warming)
    assert grown is not None
    assert flat(*grown)


def test_a_short_life_tells_nothing() -> None:
    assert growth(life(1, 60, 90)) is None


def test_percentiles() -> None:
    figures = [float(figure) for figure in range(1, 101)]
    assert (percentile(figures, 0.5), percentile(figures, 0.99), percentile([], 0.5)) == (51.0, 100.0, 0.0)
