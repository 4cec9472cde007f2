"""Funding is counted once, whoever tells it how often; it is part of the PnL, and of all that watches the PnL."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.engine.events import FundingPaid
from tests.engine.rig import CONFIG, SECOND, Rig, money, told, trading


def holding(lots: int = 10) -> Rig:
    rig = trading()
    rig.fill(rig.entry(1000), lots)
    return rig


def fund(rig: Rig, funding_id: str, amount: str, lots: int = 0, *, ago: int = 0) -> None:
    rig.feed(FundingPaid(rig.now - ago, funding_id, money(amount), lots))


def test_complaint_11_funding_is_counted_once_and_with_its_sign() -> None:
    rig = holding()
    before = rig.engine.view()
    for _ in range(3):
        fund(rig, "1", "0.25")
    fund(rig, "2", "-0.10")
    view = rig.engine.view()
    assert view.funding == money("0.15")
    assert view.realised == before.realised - money("0.15")
    assert view.unrealised == before.unrealised
    assert view.fees == before.fees
    assert rig.replayed().view().funding == money("0.15")


def test_funding_is_remembered_by_a_snapshot() -> None:
    rig = holding()
    fund(rig, "1", "0.25")
    rig.restart()
    engine = rig.engine.restore(rig.market, "5f0c4a3e-0000-4000-8000-000000000001", rig.engine.snapshot())
    assert engine.funding_since == rig.now
    engine.on(FundingPaid(rig.now, "1", money("0.25")))
    assert engine.view().funding == money("0.25")


def test_nothing_is_asked_for_before_the_first_fill() -> None:
    rig = trading()
    assert rig.engine.funding_since == 0
    fund(rig, "1", "0.25")
    assert rig.engine.view().funding == 0
    rig.now += SECOND
    rig.fill(rig.entry(1000))
    assert rig.engine.funding_since == rig.now
    fund(rig, "2", "0.25", ago=SECOND)
    assert rig.engine.view().funding == 0, "of a time at which this bot held nothing"
    fund(rig, "3", "0.25")
    assert rig.engine.view().funding == money("0.25")


def test_bots_that_share_a_position_share_its_funding() -> None:
    rig = holding(10)
    fund(rig, "1", "0.40", 40)
    assert rig.engine.view().funding == money("0.10")
    fund(rig, "2", "0.40", 5)
    assert rig.engine.view().funding == money("0.50"), "never more than was paid"
    fund(rig, "3", "0.40", -40)
    assert rig.engine.view().funding == money("0.50"), "of a short position, which is not this bot's"


def test_of_a_payment_that_comes_after_later_fills_all_counts() -> None:
    rig = holding(10)
    rig.now += 10 * SECOND
    rig.fill(rig.exit(1010))
    fund(rig, "1", "0.40", 40, ago=5 * SECOND)
    assert rig.engine.view().funding == money("0.40")


def test_funding_that_costs_too_much_opens_the_breaker() -> None:
    rig = trading(replace(CONFIG, max_drawdown=money(2)))
    rig.fill(rig.entry(1000))
    rig.feed(FundingPaid(rig.now, "1", money(3)))
    assert rig.engine.view().breaker.open
    assert "BreakerOpened" in told(rig.actions[-1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-(10**12), 10**12)), max_size=40))
def test_money_adds_up_whatever_is_told(payments: list[tuple[int, int]]) -> None:
    rig = holding()
    start = rig.engine.view().realised
    known: dict[int, int] = {}
    for number, amount in payments:
        rig.feed(FundingPaid(rig.now, str(number), amount))
        known.setdefault(number, amount)
    assert rig.engine.view().funding == sum(known.values())
    assert rig.engine.view().realised == start - sum(known.values())
