"""What spot alone has: base currency is held, fees are taken in it, and nothing is sold that is not there."""

from decimal import Decimal

import pytest

from opensqt.api.exchange import MarketKind
from opensqt.connector.ccxt_venue.exchanges import SPOT_DIALECTS
from opensqt.connector.venue import Account, Position, VenueError, VenueFill
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from tests.conformance.subject import Follow, Subject, placed, refused
from tests.venues.faults import Operation
from tests.venues.refusals import Reason

KINDS = [MarketKind.SPOT]
REFUSALS = {
    Reason.INSUFFICIENT_MARGIN: Remedy.INSUFFICIENT_MARGIN,
    Reason.MIN_NOTIONAL: Remedy.FIX_REQUEST,
    Reason.MIN_QUANTITY: Remedy.FIX_REQUEST,
    Reason.PRICE_PRECISION: Remedy.FIX_REQUEST,
    Reason.QUANTITY_PRECISION: Remedy.FIX_REQUEST,
    Reason.UNKNOWN_SYMBOL: Remedy.FIX_REQUEST,
    Reason.BAD_PARAMETER: Remedy.FIX_REQUEST,
    Reason.BUSY: Remedy.LOOK_UP,
    Reason.MISSING_PERMISSION: Remedy.FIX_CREDENTIALS,
    Reason.MAINTENANCE: Remedy.HALT,
}


async def test_what_is_bought_is_held_less_its_fee_and_sold_again(subject: Subject) -> None:
    (before,) = await subject.venue.positions([subject.symbol])
    buying = subject.taking(quantity=subject.quantity * 2)
    placed(await subject.venue.place([buying]))
    done, fills = await subject.settled(buying.client_id)
    assert (done.state, done.filled) == (OrderState.FILLED, buying.quantity)
    assert {fill.fee_currency for fill in fills} == {subject.rules.base}
    taken = sum((fill.fee for fill in fills), Decimal(0))
    assert taken == buying.quantity * subject.rules.taker_fee
    (held,) = await subject.venue.positions([subject.symbol])
    assert held.quantity - before.quantity == buying.quantity - taken
    assert abs(held.entry_price - subject.last) < subject.last / 50, "what it is worth"

    selling = subject.order(None, side=OrderSide.SELL)
    placed(await subject.venue.place([selling]))
    sold, fills = await subject.settled(selling.client_id)
    assert (sold.state, sold.filled, sold.price) == (OrderState.FILLED, selling.quantity, None)
    assert {(fill.fee_currency, fill.side) for fill in fills} == {(subject.rules.quote, OrderSide.SELL)}
    assert all(fill.fee > 0 for fill in fills)
    (left,) = await subject.venue.positions([subject.symbol])
    assert left.quantity == held.quantity - selling.quantity


async def test_more_than_there_is_is_not_sold(simulated: Subject) -> None:
    """A whole lot less the fee is no lot; what is in open orders is not free."""
    buying = simulated.taking(quantity=simulated.quantity * 2)
    placed(await simulated.venue.place([buying]))
    whole = simulated.order("1.02", side=OrderSide.SELL, quantity=buying.quantity)
    assert refused(await simulated.venue.place([whole])).remedy is Remedy.INSUFFICIENT_MARGIN
    resting = simulated.order("1.02", side=OrderSide.SELL)
    placed(await simulated.venue.place([resting]))
    (position,) = await simulated.venue.positions([simulated.symbol])
    assert position.quantity > simulated.quantity, "what is in an open order is still held"
    again = simulated.order("1.03", side=OrderSide.SELL)
    assert refused(await simulated.venue.place([again])).remedy is Remedy.INSUFFICIENT_MARGIN
    assert [order.client_id for order in simulated.face.core.open_orders()] == [resting.client_id]


async def test_no_more_is_bought_than_there_is_money_for(simulated: Subject) -> None:
    too_much = simulated.face.core.wallet * 2 / simulated.last // simulated.rules.lot_size * simulated.rules.lot_size
    small, huge = simulated.order(), simulated.order(quantity=too_much)
    results = await simulated.venue.place([small, huge])
    assert placed(results[:1]).client_id == small.client_id
    assert refused(results[1:]).remedy is Remedy.INSUFFICIENT_MARGIN


async def test_there_is_neither_reduce_only_nor_leverage(subject: Subject) -> None:
    order = subject.order("1.02", side=OrderSide.SELL, reduce_only=True)
    assert refused(await subject.venue.place([order])).remedy is Remedy.FIX_REQUEST
    await subject.venue.prepare(subject.symbol, 1)
    if subject.simulator is None:
        return
    assert subject.face.sent(Operation.PLACE) == []
    with pytest.raises(VenueError, match="leverage"):
        await subject.venue.prepare(subject.symbol, 2)
    with pytest.raises(VenueError, match="market: Spot"):
        await subject.venue.symbols(["BTC/USDT:USDT"])
    assert await subject.venue.funding(subject.symbol, 0) == []


async def test_exits_go_before_entries_in_requests_of_their_own(simulated: Subject) -> None:
    """On spot what is sold is an exit."""
    placed(await simulated.venue.place([simulated.taking(quantity=simulated.quantity * 3)]))
    before = len(simulated.face.sent(Operation.PLACE))
    sells = [simulated.order(factor, side=OrderSide.SELL) for factor in ("1.02", "1.03")]
    buys = [simulated.order(factor) for factor in ("0.97", "0.96")]
    results = await simulated.venue.place([buys[0], sells[0], buys[1], sells[1]])
    assert [getattr(result, "client_id", result) for result in results] == [
        order.client_id for order in (buys[0], sells[0], buys[1], sells[1])
    ]
    batches = SPOT_DIALECTS[simulated.face.exchange].profile.place_batch > 1
    assert len(simulated.face.sent(Operation.PLACE)) - before == (2 if batches else 4)


async def test_the_streams_of_what_is_held_and_of_the_account_follow(
    impatient: None, simulated: Subject, following: Follow
) -> None:
    positions = following(simulated.venue.watch_positions([simulated.symbol]))
    account = following(simulated.venue.watch_account())
    await simulated.following_account()
    await positions.until(lambda _: bool(positions.of(Position)))
    first = positions.of(Position)[-1]
    buying = simulated.taking()
    placed(await simulated.venue.place([buying]))
    expected = first.quantity + buying.quantity * (1 - simulated.rules.taker_fee)
    await positions.until(lambda _: positions.of(Position)[-1].quantity == expected)
    coins = simulated.face.core.coins()
    await account.until(lambda _: account.of(Account)[-1].available == coins["USDT"].free)
    assert account.of(Account)[-1].equity == coins["USDT"].total


async def test_a_sale_is_told_with_its_fee_in_quote(simulated: Subject, following: Follow) -> None:
    placed(await simulated.venue.place([simulated.taking(quantity=simulated.quantity * 2)]))
    stream = following(simulated.venue.watch_orders([simulated.symbol]))
    await simulated.following_orders()
    order = simulated.order("1.01", side=OrderSide.SELL, force=TimeInForce.GTC)
    placed(await simulated.venue.place([order]))
    await simulated.face.fill(order.client_id, order.quantity)
    await stream.until(lambda _: any(fill.client_id == order.client_id for fill in stream.of(VenueFill)))
    assert order.price is not None
    (fill,) = [fill for fill in stream.of(VenueFill) if fill.client_id == order.client_id]
    assert (fill.fee, fill.fee_currency) == (
        order.price * order.quantity * simulated.rules.maker_fee,
        simulated.rules.quote,
    )


async def test_each_refusal_says_what_to_do(simulated: Subject) -> None:
    face = simulated.face
    for reason, remedy in REFUSALS.items():
        before = len(face.sent(Operation.PLACE))
        face.refuse_next(Operation.PLACE, reason)
        failure = refused(await simulated.venue.place([simulated.order()]))
        assert (reason, failure.remedy) == (reason, remedy), failure
        assert len(face.sent(Operation.PLACE)) - before == 1, reason
