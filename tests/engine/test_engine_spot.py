"""Spot: fees taken in base are kept to the last part of a lot, nothing is sold that is not there, dust merges."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.engine.accounting import Holding, Ledger
from opensqt.engine.actions import OrderSide, Place
from opensqt.engine.events import Goal, OrderFilled, OrderState, PriceChanged
from opensqt.engine.market import DUST
from opensqt.engine.side import Side
from tests.engine.rig import CONFIG, MARKET, Rig, money, of_kind, trading

SPOT = replace(MARKET, symbol="BTC/USDT", min_notional=money(5))
SPOT_CONFIG = replace(CONFIG, max_leverage=1)


def buy(rig: Rig, client_id: str, lots: int | None = None, *, ppm: int = 1000) -> None:
    """A fill of which the fee takes `ppm` parts in a million, in base."""
    place = rig.places[client_id]
    lots, price = lots or place.lots, place.price
    assert price is not None
    rig._trades += 1
    taken = lots * DUST * ppm // 10**6
    worth = rig.market.notional(price, lots) * ppm // 10**6
    rig.feed(OrderFilled(rig.now, client_id, f"t{rig._trades}", price, lots, worth, maker=True, taken=taken))


def test_complaint_10_what_the_fee_took_is_not_sold() -> None:
    rig = trading(SPOT_CONFIG, market=SPOT)
    buy(rig, rig.entry(1000))
    exit_order = rig.places[rig.exit(1010)]
    assert (exit_order.lots, exit_order.reduce_only) == (9, False)
    view = rig.engine.view()
    assert (view.position, view.dust) == (9, 990_000_000_000)
    assert view.realised == 0
    assert view.unrealised == money("0.0999") * 1004 - money(100)
    assert view.fees == money("0.1")


def test_the_dust_of_all_levels_counts_for_the_position_limit() -> None:
    """Three levels hold 9.9 lots each, 9 whole ones: 29.7 together, and not 27."""
    rig = trading(replace(SPOT_CONFIG, max_position=37), market=SPOT)
    for price in (1000, 990, 980):
        rig.price(price)
        rig.settle()
        buy(rig, rig.entry(price), ppm=10_000)
        rig.settle()
    view = rig.engine.view()
    assert (view.position, view.dust) == (29, 700_000_000_000)
    buys = sum(rig.places[i].lots for i in rig.engine.live_orders() if rig.places[i].side is OrderSide.BUY)
    assert 30 + buys <= 37


def test_complaint_10_dust_is_sold_with_what_is_bought_to_it() -> None:
    rig = trading(SPOT_CONFIG, market=SPOT)
    held = 0
    for _ in range(12):
        rig.settle()
        buy(rig, rig.entry(1000))
        held += 10 * DUST * 999 // 1000
        lots = rig.places[rig.exit(1010)].lots
        assert lots == held // DUST
        rig.opened(rig.exit(1010))
        rig.fill(rig.exit(1010), fee=0)
        held -= lots * DUST
    view = rig.engine.view()
    assert (view.position, view.dust) == (0, held)
    assert view.cycles == 12
    assert rig.replayed().view() == view


def test_the_dust_of_forgotten_levels_is_sold_with_the_next_one() -> None:
    rig = trading(SPOT_CONFIG, market=SPOT)
    for price in (1000, 990):
        buy(rig, rig.entry(price), ppm=30_000)  # 9.7 lots
        rig.settle()
        rig.fill(rig.exit(price + 10), fee=0)
        rig.settle()
    state, left = rig.engine._state, 2 * 7 * DUST // 10
    rig.configure(goal=Goal.PAUSE)
    rig.settle()
    for price in (1000, 990):  # as when the price has gone far away
        state.slots.forget(state.slots.by_level[Side.LONG, price])
    assert state.slots.closing.holding.amount == left == state.ledger.total.amount
    rig.configure()
    rig.settle()
    buy(rig, rig.entry(980))
    assert rig.places[rig.exit(990)].lots == (10 * DUST * 999 // 1000 + left) // DUST == 11
    assert state.slots.closing.holding.amount == 0


def test_a_close_sells_the_whole_lots_that_dust_makes_up() -> None:
    rig = trading(SPOT_CONFIG, market=SPOT)
    for price in (1000, 990, 980):
        buy(rig, rig.entry(price), ppm=50_000)  # 9.5 lots of each
        rig.settle()
    actions = rig.configure(goal=Goal.CLOSE)
    for client_id in list(rig.engine.live_orders()):
        actions += rig.report(client_id, OrderState.CANCELLED)
    closing = of_kind(Place, actions)[-1]
    total = sum(10 * DUST * 95 // 100 if rig.places[rig.entry(p)].lots == 10 else 0 for p in (1000, 990, 980))
    assert closing.price is None
    assert not closing.reduce_only
    assert closing.lots == total // DUST == 28
    rig.fill(closing.client_id, price=990)
    view = rig.engine.view()
    assert (view.position, view.dust) == (0, total - 28 * DUST)
    left = rig.engine._state.slots.closing.holding
    assert (left.lots, left.dust) == (0, total - 28 * DUST), "levels keep what has been sold"
    assert rig.engine.wound_down


def test_an_entry_that_is_filled_in_part_stays_where_it_is() -> None:
    rig = trading(SPOT_CONFIG, market=SPOT)
    buy(rig, rig.entry(1000), 4)
    rig.price(1003)
    rig.settle()
    assert 1000 in rig.live(OrderSide.BUY)


def test_complaint_06_what_is_worth_too_little_is_kept() -> None:
    rig = trading(SPOT_CONFIG, market=replace(SPOT, min_notional=money(60)))
    entry = rig.entry(1000)
    buy(rig, entry, 3)
    rig.configure(step=20)
    rig.settle()
    assert rig.live(OrderSide.SELL) == [], "the exchange would refuse 3 lots"


AMOUNTS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 50), st.integers(1, 10**6), st.integers(0, DUST)), max_size=30
)


@settings(deadline=None)
@given(AMOUNTS, st.integers(1, 10**6))
def test_every_part_of_a_lot_is_accounted_for(trades: list[tuple[bool, int, int, int]], price: int) -> None:
    ledger, holding = Ledger(), Holding()
    cash = amount = 0
    for buying, size, at, taken in trades:
        lots = size if buying else min(size, holding.lots)
        if not lots:
            continue
        notional, worth = lots * at * 10**6, taken * at * 10**6 // DUST
        ledger.book(holding, lots if buying else -lots, notional, worth if buying else 0, taken if buying else 0)
        cash -= notional if buying else -notional
        amount += lots * DUST - taken if buying else -lots * DUST
    assert ledger.total.amount == holding.amount == amount
    assert 0 <= holding.dust < DUST
    assert ledger.realised + ledger.unrealised(price) == cash + amount * price // DUST


@settings(deadline=None)
@given(st.lists(st.integers(960, 1040), min_size=1, max_size=25), st.integers(100, 5000))
def test_never_more_on_sale_than_there_is(prices: list[int], ppm: int) -> None:
    rig = Rig(SPOT_CONFIG, market=SPOT)
    bought = sold = 0
    for price in prices:
        rig.feed(PriceChanged(rig.now, price))
        rig.settle()
        for client_id in list(rig.engine.live_orders()):
            place = rig.places[client_id]
            assert place.price is not None
            if place.side is OrderSide.BUY and place.price >= price:
                buy(rig, client_id, ppm=ppm)
                bought += place.lots * DUST - place.lots * DUST * ppm // 10**6
            elif place.side is OrderSide.SELL and place.price <= price:
                rig.fill(client_id, fee=0)
                sold += place.lots * DUST
        rig.settle()
        selling = sum(rig.places[i].lots for i in rig.engine.live_orders() if rig.places[i].side is OrderSide.SELL)
        assert bought - sold >= selling * DUST
    view = rig.engine.view()
    assert view.position * DUST + view.dust == bought - sold
    assert Decimal(view.dust) < DUST
