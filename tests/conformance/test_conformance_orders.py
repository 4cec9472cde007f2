"""Every call about orders, on every exchange: placing, looking up, cancelling, and what is refused."""

from decimal import Decimal

import pytest

from opensqt.connector.venue import Failure, VenueError, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from tests.conformance.subject import SYMBOL, Subject, placed, refused


@pytest.mark.spot
async def test_an_order_rests_is_looked_up_and_cancelled(subject: Subject) -> None:
    order = subject.order()
    first = placed(await subject.venue.place([order]))
    assert (first.state, first.filled, first.client_id) == (OrderState.OPEN, Decimal(0), order.client_id)
    found, fills = await subject.venue.order(subject.symbol, order.client_id)
    assert (found.client_id, found.venue_id, found.state) == (order.client_id, first.venue_id, OrderState.OPEN)
    assert (found.side, found.price, found.quantity) == (order.side, order.price, order.quantity)
    assert (found.time_in_force, found.reduce_only, fills) == (TimeInForce.POST_ONLY, False, [])
    assert order.client_id in {other.client_id for other in await subject.venue.open_orders(subject.symbol)}
    cancelled = placed(await subject.venue.cancel(subject.symbol, [order.client_id]))
    assert (cancelled.state, cancelled.filled) == (OrderState.CANCELLED, Decimal(0))
    assert order.client_id not in {other.client_id for other in await subject.venue.open_orders(subject.symbol)}
    again, _ = await subject.venue.order(subject.symbol, order.client_id)
    assert again.state is OrderState.CANCELLED


@pytest.mark.spot
async def test_an_unknown_order_is_unknown(subject: Subject) -> None:
    with pytest.raises(VenueError) as error:
        await subject.venue.order(subject.symbol, subject.new_id())
    assert error.value.failure.remedy is Remedy.UNKNOWN_ORDER
    assert refused(await subject.venue.cancel(subject.symbol, [subject.new_id()])).remedy is Remedy.UNKNOWN_ORDER


async def test_a_market_order_is_filled_and_its_fills_add_up(subject: Subject) -> None:
    before = (await subject.venue.account()).time_us
    order = subject.order(None)
    placed(await subject.venue.place([order]))
    done, fills = await subject.settled(order.client_id)
    assert (done.state, done.filled, done.price) == (OrderState.FILLED, order.quantity, None)
    assert all(fill.client_id == order.client_id and fill.side is OrderSide.BUY for fill in fills)
    assert all(fill.fee_currency == "USDT" and not fill.maker for fill in fills)
    assert {fill.trade_id for fill in fills} <= {
        fill.trade_id for fill in await subject.venue.fills(SYMBOL, before - 60_000_000)
    }
    (position,) = await subject.venue.positions([SYMBOL])
    assert position.quantity == order.quantity
    closing = subject.order(None, side=OrderSide.SELL, reduce_only=True)
    placed(await subject.venue.place([closing]))
    await subject.settled(closing.client_id)
    (flat,) = await subject.venue.positions([SYMBOL])
    assert flat.quantity == 0


@pytest.mark.spot
async def test_an_order_of_an_earlier_process_is_found_whatever_has_become_of_it(simulated: Subject) -> None:
    """Some exchanges look up by client id what is open, or what nothing is filled of, and no more."""
    core, price, quantity = simulated.face.core, simulated.near("0.97"), simulated.quantity * 2
    for name in ("open", "partly", "filled", "cancelled", "later"):
        core.place(simulated.face.intent(name, price, quantity))
    core.fill(simulated.face.order("partly"), simulated.quantity)
    core.fill(simulated.face.order("filled"), quantity)
    core.cancel(simulated.face.order("cancelled"))
    core.take_changes()
    expected = {
        "open": (OrderState.OPEN, Decimal(0)),
        "partly": (OrderState.OPEN, simulated.quantity),
        "filled": (OrderState.FILLED, quantity),
        "cancelled": (OrderState.CANCELLED, Decimal(0)),
    }
    for name, (state, filled) in expected.items():
        order, fills = await simulated.venue.order(simulated.symbol, name)
        assert (order.client_id, order.state, order.filled) == (name, state, filled)
        assert (order.price, order.quantity) == (price, quantity)
        assert sum(fill.quantity for fill in fills) == filled


@pytest.mark.spot
async def test_a_batch_is_answered_item_by_item(subject: Subject) -> None:
    limit = min(subject.venue.capabilities.place_batch_limit, 5)
    orders = [subject.order(f"0.9{number}") for number in range(limit - 1)]
    wrong = subject.order(quantity=subject.rules.lot_size * 1_000_000_000)
    results = await subject.venue.place([*orders[:1], wrong, *orders[1:]])
    assert isinstance(results[1], Failure), results[1]
    kept = [result for result in results if isinstance(result, VenueOrder)]
    assert [result.client_id for result in kept] == [order.client_id for order in orders]
    cancelled = await subject.venue.cancel(subject.symbol, [orders[0].client_id, subject.new_id(), orders[1].client_id])
    assert [getattr(result, "client_id", None) for result in cancelled] == [
        orders[0].client_id,
        None,
        orders[1].client_id,
    ]
    assert refused(cancelled[1:2]).remedy is Remedy.UNKNOWN_ORDER


@pytest.mark.spot
async def test_a_client_id_is_refused_while_its_order_is_open(subject: Subject) -> None:
    order = subject.order()
    placed(await subject.venue.place([order]))
    again = subject.order("0.96", client_id=order.client_id)
    assert refused(await subject.venue.place([again])).remedy is Remedy.DUPLICATE
    found, _ = await subject.venue.order(subject.symbol, order.client_id)
    assert found.price == order.price, "the first order is what it was"


@pytest.mark.spot
async def test_a_post_only_order_that_would_take_says_so(subject: Subject) -> None:
    """At once, or by an order that has been ended when it is looked up."""
    order = subject.order("1.01")
    (result,) = await subject.venue.place([order])
    if isinstance(result, Failure):
        assert result.remedy is Remedy.WOULD_CROSS
        return
    ended, fills = await subject.settled(order.client_id)
    assert fills == []
    assert ended.failure is not None
    assert ended.failure.remedy is Remedy.WOULD_CROSS


async def test_a_reduce_only_order_without_a_position_is_refused(subject: Subject) -> None:
    order = subject.order("1.02", side=OrderSide.SELL, reduce_only=True)
    assert refused(await subject.venue.place([order])).remedy is Remedy.FIX_REQUEST


@pytest.mark.spot
async def test_an_immediate_order_that_finds_nothing_ends(subject: Subject) -> None:
    order = subject.order(force=TimeInForce.IOC)
    (result,) = await subject.venue.place([order])
    assert isinstance(result, VenueOrder), result
    ended, fills = await subject.settled(order.client_id)
    assert (ended.filled, fills) == (Decimal(0), [])
    assert ended.state in {OrderState.CANCELLED, OrderState.EXPIRED}
