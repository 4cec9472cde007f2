from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.accounting import Holding, Ledger
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import OrderState
from tests.engine.rig import money, trading

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["trade", "trade", "take", "offset", "fund"]),
        st.permutations(range(3)),
        st.integers(-50, 50).filter(bool),
        st.integers(1, 10**6),
        st.integers(-(10**6), 10**6),
    ),
    max_size=30,
)


@given(STEPS, st.integers(1, 10**6))
def test_every_unit_of_money_is_accounted_for(steps: list[tuple[str, list[int], int, int, int]], price: int) -> None:
    """Whatever is traded on, moved between and set off against each other by three holdings, and paid as funding."""
    ledger, holdings = Ledger(), [Holding(), Holding(), Holding()]
    cash = lots = fees = funding = volume = 0
    for what, (first, second, _), size, at, amount in steps:
        one, other = holdings[first], holdings[second]
        if what == "trade":
            ledger.book(one, size, abs(size) * at, amount)
            cash -= size * at + amount
            lots, fees, volume = lots + size, fees + amount, volume + abs(size) * at
        elif what == "take":
            one.take(other)
            assert (other.amount, other.cost, other.fees) == (0, 0, 0)
        elif what == "fund":
            ledger.fund(amount)
            cash, funding = cash - amount, funding + amount
        elif one.lots > 0 > other.lots:
            both = min(one.lots, -other.lots)
            ledger.offset(one, other, both, both * at)
    assert ledger.total.lots == lots == sum(holding.lots for holding in holdings)
    assert ledger.total.cost == sum(holding.cost for holding in holdings)
    assert ledger.total.fees == sum(holding.fees for holding in holdings)
    assert ledger.pnl(price) == ledger.realised + ledger.unrealised(price) == cash + lots * price
    assert (ledger.fees, ledger.funding, ledger.volume) == (fees, funding, volume)


@given(st.integers(1, 50), st.integers(1, 10**9), st.lists(st.integers(1, 10), max_size=20))
def test_a_holding_sold_in_parts_keeps_no_money_behind(lots: int, paid: int, parts: list[int]) -> None:
    holding = Holding()
    holding.trade(lots, paid, 7)
    realised = 0
    for count, part in enumerate(parts, start=1):
        size = min(part, holding.lots)
        if size:
            share = Fraction(paid * size, lots)
            won = holding.trade(-size, 0, 0)
            assert abs(-won - share - Fraction(7 * size, lots)) <= 2 * count
            realised += won
    if holding.lots:
        realised += holding.trade(-holding.lots, 0, 0)
    assert (holding.lots, holding.cost, holding.fees) == (0, 0, 0)
    assert realised == -paid - 7


def test_a_short_holding_wins_when_the_price_falls() -> None:
    holding = Holding()
    assert holding.trade(-10, 1000, 1) == 0
    assert holding.trade(10, 900, 1) == 98


def test_the_worked_example_of_the_documentation() -> None:
    """docs/engine.md tells this very cycle."""
    rig = trading()
    entry = rig.entry(1000)
    rig.fill(entry, 4, fee=money("0.008"))
    rig.fill(entry, 6, fee=money("0.012"))
    view = rig.engine.view()
    assert (view.position, view.entry_cost, view.fees) == (10, money(100), money("0.02"))
    assert view.realised == 0
    assert view.unrealised == money("100.4") - money("100.02")

    rig.opened(rig.exit(1010))
    rig.fill(rig.exit(1010), 3, fee=money("0.00606"))
    assert rig.engine.view().realised == money("30.3") - money("0.00606") - money(30) - money("0.006")
    rig.fill(rig.exit(1010), 7, fee=money("0.01414"))
    view = rig.engine.view()
    assert (view.position, view.entry_cost, view.unrealised) == (0, 0, 0)
    assert view.realised == money("0.9598")  # 101 - 100 - 0.02 - 0.0202
    assert view.fees == money("0.0402")
    assert view.volume == money(201)
    assert (view.fills, view.cycles) == (4, 1)


def test_a_rebate_adds_to_the_profit() -> None:
    rig = trading()
    rig.fill(rig.entry(1000), fee=-money("0.02"))
    rig.fill(rig.exit(1010), fee=-money("0.02"))
    view = rig.engine.view()
    assert (view.realised, view.fees) == (money("1.04"), -money("0.04"))


def test_a_fill_counts_once_however_often_it_is_told() -> None:
    rig = trading()
    entry = rig.entry(1000)
    for _ in range(3):
        rig._trades = 0
        rig.fill(entry, 4)
    assert rig.engine.view().position == 4
    rig._trades = 1
    rig.fill(entry, 6)
    rig.report(entry, OrderState.FILLED, 10)
    rig._trades = 1
    rig.fill(entry, 6)
    assert (rig.engine.view().position, rig.engine.view().fills) == (10, 2)
    assert rig.live(OrderSide.SELL) == [1010]
