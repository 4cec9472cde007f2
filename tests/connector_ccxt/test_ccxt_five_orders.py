"""What the five exchanges say of orders, fills and positions, as the venue hands it on."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from opensqt.connector.venue import Venue, VenueError
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from tests.connector_ccxt.answers import Answers
from tests.connector_ccxt.five import Documented
from tests.connector_ccxt.five_orders import CREATED, ENDED, FILLED, RECORDED, Recorded

Json = dict[str, Any]
SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
def recorded(documented: Documented) -> Recorded:
    return RECORDED[documented.exchange]


async def test_an_order_with_its_fills(five: Venue, answers: Answers, recorded: Recorded) -> None:
    answers.bodies |= recorded.order
    order, fills = await five.order(SYMBOL, "o1")
    assert (order.symbol, order.client_id, order.side) == (SYMBOL, "o1", OrderSide.BUY)
    assert (order.price, order.quantity, order.filled) == (Decimal(49000), Decimal("0.01"), Decimal("0.004"))
    assert (order.state, order.time_in_force, order.reduce_only) == (
        OrderState.CANCELLED,
        TimeInForce.POST_ONLY,
        False,
    )
    assert order.time_us in {CREATED * 1000, FILLED * 1000, ENDED * 1000}
    assert order.failure is None
    (fill,) = fills
    assert (fill.client_id, fill.trade_id, fill.side, fill.maker) == ("o1", "9001", OrderSide.BUY, True)
    assert (fill.price, fill.quantity, fill.fee) == (Decimal(49000), Decimal("0.004"), Decimal(recorded.fee))
    assert (fill.fee_currency, fill.time_us) == ("USDT", FILLED * 1000)


async def test_an_order_that_would_have_taken(five: Venue, answers: Answers, recorded: Recorded) -> None:
    answers.bodies |= recorded.crossed
    order, fills = await five.order(SYMBOL, "o1")
    assert order.state in {OrderState.CANCELLED, OrderState.EXPIRED}
    assert (order.filled, fills) == (Decimal(0), [])
    assert order.failure is not None
    assert order.failure.remedy is Remedy.WOULD_CROSS


async def test_open_orders(five: Venue, answers: Answers, recorded: Recorded) -> None:
    answers.bodies |= recorded.open_orders
    (order,) = await five.open_orders(SYMBOL)
    assert (order.client_id, order.state, order.filled) == ("o1", OrderState.OPEN, Decimal("0.004"))
    assert order.quantity == Decimal("0.01")


def _pages(body: Any, path: str) -> Callable[[Json], Any]:
    """130 open orders in the exchange's own pages, newest first."""
    template = _items(body)[0]
    id_name = next(name for name in ("orderId", "ordId", "id") if name in template)
    text_name = next(
        name for name in ("clientOrderId", "clientOid", "clOrdId", "orderLinkId", "text") if name in template
    )
    prefix = "t-" if text_name == "text" else ""
    every = [template | {id_name: str(number), text_name: f"{prefix}o{number}"} for number in range(1130, 1000, -1)]

    def page(query: Json) -> Any:
        limit = int(query.get("limit", 130))
        before = int(query.get("after") or query.get("idLessThan") or 99_999)
        start = int(query.get("offset") or query.get("cursor") or 0)
        chosen = [order for order in every if int(order[id_name]) < before][start : start + limit]
        answer = copy.deepcopy(body)
        _items(answer)[:] = chosen
        if path == "/v5/order/realtime" and start + limit < 130:
            answer["result"]["nextPageCursor"] = str(start + limit)
        return answer

    return page


def _items(body: Any) -> list[Json]:
    if isinstance(body, list):
        return body
    data = body.get("data", body.get("result"))
    items = data if isinstance(data, list) else data.get("entrustedList", data.get("list"))
    assert isinstance(items, list)
    return items


async def test_all_pages_of_the_open_orders(five: Venue, answers: Answers, recorded: Recorded) -> None:
    ((path, body),) = recorded.open_orders.items()
    answers.bodies[path] = _pages(body, path)
    orders = await five.open_orders(SYMBOL)
    assert {order.client_id for order in orders} == {f"o{number}" for number in range(1001, 1131)}


async def test_a_short_position_in_base_currency(five: Venue, answers: Answers, recorded: Recorded) -> None:
    answers.bodies |= recorded.positions
    (position,) = await five.positions([SYMBOL])
    assert (position.symbol, position.quantity) == (SYMBOL, Decimal("-0.02"))
    assert (position.entry_price, position.unrealised_pnl, position.leverage) == (Decimal(49000), Decimal("-1.5"), 5)


async def test_prepare_refuses_hedge_mode(five: Venue, answers: Answers, recorded: Recorded) -> None:
    answers.bodies |= recorded.hedged
    with pytest.raises(VenueError, match="hedge mode") as error:
        await five.prepare(SYMBOL, 5)
    assert error.value.failure.remedy is Remedy.FIX_REQUEST
    assert answers.of(recorded.set_leverage) == []


async def test_prepare_sets_the_leverage(five: Venue, answers: Answers, recorded: Recorded) -> None:
    """Bybit's answer is the error that nothing has changed, which is no error."""
    answers.bodies |= recorded.one_way
    await five.prepare(SYMBOL, 5)
    (asked,) = answers.of(recorded.set_leverage)
    assert "5" in str(asked.body) + str(asked.query)
