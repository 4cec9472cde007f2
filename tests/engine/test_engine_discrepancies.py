"""Differences from the exchange: classified, with what became of them, listed and told once."""

from dataclasses import replace

from opensqt.engine.actions import Action
from opensqt.engine.events import OrderFilled, OrderState, PositionReported
from tests.engine.rig import SECOND, Rig, told, trading


def found(rig: Rig) -> list[tuple[str, str]]:
    return [(one.kind, one.resolution) for one in rig.engine.view().discrepancies]


def fill(rig: Rig, trade_id: str, *, missed: bool) -> list[Action]:
    return rig.feed(OrderFilled(rig.now, rig.entry(1000), trade_id, 1000, 3, 0, maker=True, found=missed))


def position(rig: Rig, lots: int) -> list[str]:
    return told(rig.feed(PositionReported(rig.now, lots)))


def test_a_missed_fill_is_booked_and_told() -> None:
    rig = trading()
    assert told(fill(rig, "a", missed=True)) == ["MissedFill"]
    assert (found(rig), rig.engine.view().position) == ([("MissedFill", "Booked")], 3)
    assert rig.replayed().snapshot() == rig.engine.snapshot()


def test_a_fill_that_the_stream_has_told_of_first_is_not_missed() -> None:
    rig = trading()
    fill(rig, "a", missed=False)
    assert told(fill(rig, "a", missed=True)) == []
    assert (found(rig), rig.engine.view().position) == ([], 3)


def test_an_unknown_order_is_listed_once() -> None:
    rig = trading()
    rig.report("web_1", OrderState.OPEN)
    rig.report("web_1", OrderState.OPEN)
    assert found(rig) == [("UnknownOrder", "Ignored")]


def test_a_larger_position_that_stays_is_somebody_elses_and_told_once() -> None:
    rig = trading()
    assert position(rig, 7) == []
    rig.wait(6 * SECOND)
    assert position(rig, 7) == []  # every order is looked up first
    rig.settle()
    assert position(rig, 7) == ["ForeignPosition"]
    rig.wait(60 * SECOND)
    assert position(rig, 7) == []
    assert found(rig) == [("ForeignPosition", "Ignored")]


def test_a_larger_position_that_comes_and_goes_is_told_once_an_hour() -> None:
    rig = trading()
    for lots, seconds, expected in ((7, 6, 1), (0, 6, 1), (9, 6, 1), (0, 3600, 1), (4, 6, 2)):
        position(rig, lots)
        rig.wait(seconds * SECOND)
        position(rig, lots)
        rig.settle()
        position(rig, lots)
        assert len(found(rig)) == expected


def test_a_smaller_position_opens_the_breaker_and_is_listed() -> None:
    rig = trading()
    rig.fill(rig.entry(1000))
    rig.settle()
    position(rig, 4)
    rig.settle()
    rig.wait(6 * SECOND)
    assert position(rig, 4) == ["BreakerOpened"]
    assert found(rig) == [("PositionDivergence", "BreakerOpened")]


def test_the_newest_eight_are_kept_and_all_are_counted() -> None:
    rig = trading()
    for number in range(11):
        rig.report(f"web_{number}", OrderState.OPEN)
    view = rig.engine.view()
    assert [one.what.rpartition("_")[2] for one in view.discrepancies] == [str(number) for number in range(3, 11)]
    assert view.discrepancy_counts == (("UnknownOrder", 11),)
    restored = rig.engine.restore(rig.market, "uid", rig.engine.snapshot())
    assert replace(restored.view(), time=0).discrepancies == view.discrepancies
