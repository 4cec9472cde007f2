"""What each exchange's own refusals mean: the same remedy, whatever the exchange's words for it are."""

from decimal import Decimal

import pytest

from opensqt.api.exchange import Exchange
from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import Remedy
from tests.conformance.subject import SYMBOL, Subject, placed, refused
from tests.venues.faults import Operation
from tests.venues.refusals import Reason

PLACING = {
    Reason.BAD_KEY: Remedy.FIX_CREDENTIALS,
    Reason.BAD_SIGNATURE: Remedy.FIX_CREDENTIALS,
    Reason.BAD_PASSPHRASE: Remedy.FIX_CREDENTIALS,
    Reason.MISSING_PERMISSION: Remedy.FIX_CREDENTIALS,
    Reason.ADDRESS_NOT_ALLOWED: Remedy.FIX_CREDENTIALS,
    Reason.CLOCK_SKEW: Remedy.RETRY,
    Reason.INSUFFICIENT_MARGIN: Remedy.INSUFFICIENT_MARGIN,
    Reason.MIN_NOTIONAL: Remedy.FIX_REQUEST,
    Reason.MIN_QUANTITY: Remedy.FIX_REQUEST,
    Reason.PRICE_PRECISION: Remedy.FIX_REQUEST,
    Reason.QUANTITY_PRECISION: Remedy.FIX_REQUEST,
    Reason.REDUCE_ONLY: Remedy.FIX_REQUEST,
    Reason.UNKNOWN_SYMBOL: Remedy.FIX_REQUEST,
    Reason.BAD_PARAMETER: Remedy.FIX_REQUEST,
    Reason.BATCH_TOO_LONG: Remedy.FIX_REQUEST,
    Reason.POSITION_MODE: Remedy.FIX_REQUEST,
    Reason.RATE_LIMIT: Remedy.BACK_OFF,
    Reason.BAN: Remedy.BACK_OFF,
    Reason.MAINTENANCE: Remedy.HALT,
    Reason.BUSY: Remedy.LOOK_UP,
}
"""Reasons that an exchange may have for refusing a placement, and what must be done about each."""


@pytest.mark.parametrize("reason", PLACING, ids=lambda reason: reason.name.lower())
async def test_a_refused_placement(simulated: Subject, reason: Reason) -> None:
    face = simulated.face
    face.refuse_next(Operation.PLACE, reason, until=face.core.now_ms() + 90_000)
    failure = refused(await simulated.venue.place([simulated.order()]))
    assert failure.remedy is PLACING[reason], failure
    assert failure.message
    assert len(face.sent(Operation.PLACE)) == 1, "a placement is never repeated"


async def test_too_little_margin(simulated: Subject) -> None:
    simulated.face.core.set_balance(Decimal("0.1"))
    await simulated.face.tell()
    failure = refused(await simulated.venue.place([simulated.order()]))
    assert failure.remedy is Remedy.INSUFFICIENT_MARGIN


@pytest.mark.spot
@pytest.mark.exchanges(Exchange.BINANCE, Exchange.BITGET, Exchange.BYBIT)  # elsewhere the least quantity is all
async def test_too_little_value(simulated: Subject) -> None:
    lot = simulated.rules.lot_size
    order = simulated.order("0.05", quantity=max(lot, simulated.rules.min_quantity))
    assert order.price is not None
    assert order.price * order.quantity < simulated.rules.min_notional
    failure = refused(await simulated.venue.place([order]))
    assert failure.remedy is Remedy.FIX_REQUEST
    assert failure.venue_code, "it was the exchange that refused"


async def test_orders_off_the_tick_or_the_lot_are_never_sent(simulated: Subject) -> None:
    order, rules = simulated.order(), simulated.rules
    assert order.price is not None
    wrong = [
        simulated.with_changes(order, price=order.price + rules.tick_size / 2),
        simulated.with_changes(order, quantity=order.quantity + rules.lot_size / 2),
        simulated.with_changes(order, quantity=Decimal(0)),
        simulated.with_changes(order, client_id="not-portable"),
    ]
    results = await simulated.venue.place(wrong)
    assert [result.remedy for result in results if isinstance(result, Failure)] == [Remedy.FIX_REQUEST] * 4
    assert simulated.face.sent(Operation.PLACE) == []


async def test_an_order_of_a_margin_reject_does_not_spoil_its_neighbours(simulated: Subject) -> None:
    lot = simulated.rules.lot_size
    too_much = simulated.face.core.equity * 20 / simulated.last // lot * lot  # at a leverage of 10
    small, huge, last = simulated.order(), simulated.order(quantity=too_much), simulated.order("0.96")
    results = await simulated.venue.place([small, huge, last])
    assert [getattr(result, "client_id", None) for result in results] == [small.client_id, None, last.client_id]
    assert refused(results[1:2]).remedy is Remedy.INSUFFICIENT_MARGIN
    assert len(simulated.face.core.open_orders()) == 2


async def test_more_orders_than_fit_are_refused_before_they_are_sent(simulated: Subject) -> None:
    limit = simulated.venue.capabilities.place_batch_limit
    with pytest.raises(VenueError, match=f"at most {limit}"):
        await simulated.venue.place([simulated.order() for _ in range(limit + 1)])
    assert simulated.face.sent(Operation.PLACE) == []


@pytest.mark.spot
async def test_the_largest_batch_is_taken(simulated: Subject) -> None:
    limit = simulated.venue.capabilities.place_batch_limit
    orders = [simulated.order() for _ in range(limit)]
    results = await simulated.venue.place(orders)
    assert [getattr(result, "client_id", result) for result in results] == [order.client_id for order in orders]
    assert len(await simulated.venue.open_orders(simulated.symbol)) == limit
    most = simulated.venue.capabilities.cancel_batch_limit
    cancelled = await simulated.venue.cancel(simulated.symbol, [order.client_id for order in orders[:most]])
    assert not [result for result in cancelled if isinstance(result, Failure)]
    assert len(simulated.face.core.open_orders()) == max(0, limit - most)


@pytest.mark.spot
async def test_every_open_order_is_listed_whatever_the_pages_are(simulated: Subject) -> None:
    face = simulated.face
    for number in range(130):
        face.core.place(face.intent(f"o{number}", simulated.near("0.9"), simulated.quantity))
    face.core.take_changes()
    listed = await simulated.venue.open_orders(simulated.symbol)
    assert {order.client_id for order in listed} == {f"o{number}" for number in range(130)}


@pytest.mark.spot
async def test_every_fill_is_read_whatever_the_pages_are(simulated: Subject) -> None:
    face, count = simulated.face, 230
    order = simulated.order(quantity=simulated.quantity * count)
    placed(await simulated.venue.place([order]))
    for _ in range(count):
        await face.fill(order.client_id, simulated.quantity, tell=False)
    day_ms = 24 * 3600 * 1000
    face.core.spread_trades(12 * day_ms)
    since_us = (face.core.now_ms() - 13 * day_ms) * 1000
    fills = await simulated.venue.fills(simulated.symbol, since_us)
    assert len({fill.trade_id for fill in fills}) == count
    assert [fill.time_us for fill in fills] == sorted(fill.time_us for fill in fills)
    assert {fill.client_id for fill in fills} == {order.client_id}


@pytest.mark.spot
async def test_an_order_comes_with_every_fill_whatever_the_pages_are(simulated: Subject) -> None:
    """What sweeps the book is filled hundreds of times at once: no span of time tells its pages apart."""
    face, count = simulated.face, 230
    order = simulated.order(quantity=simulated.quantity * count)
    placed(await simulated.venue.place([order]))
    for _ in range(count):
        await face.fill(order.client_id, simulated.quantity, tell=False)
    face.core.spread_trades(0)
    found, fills = await simulated.venue.order(simulated.symbol, order.client_id)
    assert found.filled == sum(fill.quantity for fill in fills) == order.quantity
    assert len({fill.trade_id for fill in fills}) == count


@pytest.mark.spot
async def test_fills_of_orders_that_an_earlier_process_has_placed(simulated: Subject) -> None:
    """Some exchanges' trades carry no client id: the order is looked up by its number."""
    order = simulated.order()
    placed(await simulated.venue.place([order]))
    trade = await simulated.face.fill(order.client_id, order.quantity, tell=False)
    simulated.venue._fills._client_ids.clear()  # type: ignore[attr-defined] # what a new process knows
    (fill,) = await simulated.venue.fills(simulated.symbol, trade.time_ms * 1000)
    assert fill.client_id == order.client_id


async def test_exits_and_entries_of_one_call_go_in_requests_of_their_own(simulated: Subject) -> None:
    """So that the rate budget can tell them apart."""
    placed(await simulated.venue.place([simulated.order(None, quantity=simulated.quantity * 2)]))
    before = len(simulated.face.sent(Operation.PLACE))
    exits = [simulated.order("1.02", side=OrderSide.SELL, reduce_only=True) for _ in range(2)]
    entries = [simulated.order() for _ in range(2)]
    results = await simulated.venue.place([entries[0], exits[0], entries[1], exits[1]])
    assert [getattr(result, "client_id", result) for result in results] == [
        order.client_id for order in (entries[0], exits[0], entries[1], exits[1])
    ]
    assert len(simulated.face.sent(Operation.PLACE)) - before == 2


@pytest.mark.parametrize("seconds", [2, 40])
async def test_a_rate_limit_holds_everybody_back_for_as_long_as_the_exchange_says(
    simulated: Subject, seconds: int
) -> None:
    face = simulated.face
    face.refuse_next(Operation.PLACE, Reason.RATE_LIMIT, seconds=seconds)
    failure = refused(await simulated.venue.place([simulated.order()]))
    assert failure.remedy is Remedy.BACK_OFF
    if face.exchange in {Exchange.OKX, Exchange.BITGET}:
        assert failure.retry_after_ms == 1000, "it does not say for how long"
    else:
        assert (seconds - 1.5) * 1000 < failure.retry_after_ms <= (seconds + 1) * 1000
    health = simulated.venue.health()
    assert (health.ready, health.reason) == (False, "RateLimited")
    if failure.retry_after_ms > 5000:
        blocked = refused(await simulated.venue.cancel(SYMBOL, [simulated.new_id()]))
        assert blocked.remedy is Remedy.BACK_OFF
        assert face.sent(Operation.CANCEL) == [], "nothing was sent"


async def test_a_ban_is_waited_out(simulated: Subject) -> None:
    face = simulated.face
    face.refuse_next(Operation.PLACE, Reason.BAN, until=face.core.now_ms() + 90_000)
    failure = refused(await simulated.venue.place([simulated.order(side=OrderSide.BUY)]))
    assert failure.remedy is Remedy.BACK_OFF
    if face.exchange is Exchange.BINANCE:
        assert 80_000 < failure.retry_after_ms <= 90_000, "it says until when"
    elif face.exchange is not Exchange.OKX:
        assert failure.retry_after_ms == (600_000 if face.exchange is Exchange.BYBIT else 120_000)
    assert simulated.venue.health().reason == "RateLimited"
