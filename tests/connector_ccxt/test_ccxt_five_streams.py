"""The streams, fed with messages as the exchanges' documentation has them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from opensqt.api.exchange import Exchange
from opensqt.connector.venue import Price, Venue, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState
from tests.connector_ccxt.answers import Answers
from tests.connector_ccxt.five import FIVE, Documented
from tests.connector_ccxt.five_orders import (
    CREATED,
    FILLED,
    RECORDED,
    _bitget_order,
    _bybit_order,
    _gate_order,
    _okx_order,
)

Json = dict[str, Any]
Item = TypeVar("Item")
SYMBOL = "BTC/USDT:USDT"


@dataclass(frozen=True)
class Pushed:
    """Two fills of an order of 0.01 BTC, 0.004 and then the rest; and a ticker. `waits` counts the subscriptions."""

    orders: Callable[[str, str, bool], Json]
    fills: Callable[[str, str, str], Json]
    ticker: Json
    rebate: bool = False


def _bitget_push(channel: str, data: list[Json], inst: str = "default") -> Json:
    return {
        "action": "snapshot",
        "arg": {"instType": "USDT-FUTURES", "channel": channel, "instId": inst},
        "data": data,
        "ts": CREATED,
    }


_BITGET = Pushed(
    orders=lambda total, last, done: _bitget_push(
        "orders",
        [
            _bitget_order(
                instId="BTCUSDT", accBaseVolume=total, baseVolume=last, status="filled" if done else "partially_filled"
            )
        ],
    ),
    fills=lambda trade_id, size, fee: _bitget_push(
        "fill",
        [
            {
                "orderId": "1211",
                "tradeId": trade_id,
                "symbol": "BTCUSDT",
                "orderType": "limit",
                "side": "buy",
                "priceAvg": "49000",
                "price": "49000",
                "baseVolume": size,
                "quoteVolume": "196",
                "profit": "0",
                "tradeSide": "buy_single",
                "posMode": "one_way_mode",
                "tradeScope": "maker",
                "cTime": str(FILLED),
                "uTime": str(FILLED),
                "feeDetail": [
                    {"feeCoin": "USDT", "deduction": "no", "totalDeductionFee": "0", "totalFee": str(-Decimal(fee))}
                ],
            }
        ],
    ),
    ticker=_bitget_push(
        "ticker",
        [{"instId": "BTCUSDT", "lastPr": "50000.5", "bidPr": "50000.4", "askPr": "50000.6", "ts": str(FILLED)}],
        "BTCUSDT",
    ),
)

_GATE = Pushed(
    orders=lambda total, last, done: {
        "time": 1,
        "channel": "futures.orders",
        "event": "update",
        "result": [
            _gate_order(
                left=100 - int(Decimal(total) * 10_000),
                status="finished" if done else "open",
                finish_as="filled" if done else "_update",
            )
        ],
    },
    fills=lambda trade_id, size, fee: {
        "time": 1,
        "channel": "futures.usertrades",
        "event": "update",
        "result": [
            {
                "id": trade_id,
                "create_time": FILLED // 1000,
                "create_time_ms": FILLED,
                "contract": "BTC_USDT",
                "order_id": "15675394",
                "size": int(Decimal(size) * 10_000),
                "price": "49000",
                "role": "maker",
                "text": "t-o1",
                "fee": float(fee),
                "point_fee": 0,
            }
        ],
    },
    ticker={
        "time": 1,
        "channel": "futures.tickers",
        "event": "update",
        "result": [
            {
                "contract": "BTC_USDT",
                "last": "50000.5",
                "highest_bid": "50000.4",
                "lowest_ask": "50000.6",
                "mark_price": "50000",
            }
        ],
    },
)

_OKX = Pushed(
    orders=lambda total, last, done: {
        "arg": {"channel": "orders", "instType": "SWAP", "instId": "BTC-USDT-SWAP", "uid": "1"},
        "data": [
            _okx_order(
                accFillSz=str(Decimal(total) * 100),
                fillSz=str(Decimal(last) * 100),
                state="filled" if done else "partially_filled",
                tradeId="9002" if done else "9001",
                fillFee="-0.0588" if done else "-0.0392",
                fillFeeCcy="USDT",
                execType="M",
            )
        ],
    },
    fills=lambda trade_id, size, fee: {"event": "nothing"},  # in the orders' messages
    ticker={
        "arg": {"channel": "tickers", "instId": "BTC-USDT-SWAP"},
        "data": [
            {
                "instType": "SWAP",
                "instId": "BTC-USDT-SWAP",
                "last": "50000.5",
                "bidPx": "50000.4",
                "askPx": "50000.6",
                "ts": str(FILLED),
            }
        ],
    },
)

_BYBIT = Pushed(
    orders=lambda total, last, done: {
        "topic": "order",
        "id": "1",
        "creationTime": FILLED,
        "data": [
            _bybit_order(
                category="linear",
                cumExecQty=total,
                leavesQty=str(Decimal("0.01") - Decimal(total)),
                orderStatus="Filled" if done else "PartiallyFilled",
            )
        ],
    },
    fills=lambda trade_id, size, fee: {
        "topic": "execution",
        "id": "2",
        "creationTime": FILLED,
        "data": [
            {
                "category": "linear",
                "symbol": "BTCUSDT",
                "execType": "Funding",
                "execId": f"f{trade_id}",
                "execQty": "7",
                "execFee": "1",
                "execPrice": "49000",
                "execTime": str(FILLED),
                "side": "Buy",
                "orderId": "",
                "orderLinkId": "",
                "isMaker": False,
            },
            {
                "category": "linear",
                "symbol": "BTCUSDT",
                "execFee": fee,
                "execId": trade_id,
                "execPrice": "49000",
                "execQty": size,
                "execType": "Trade",
                "execValue": "196",
                "feeRate": "0.0002",
                "orderId": "c6f",
                "orderLinkId": "o1",
                "orderType": "Limit",
                "side": "Buy",
                "execTime": str(FILLED),
                "isMaker": True,
            },
        ],
    },
    ticker={
        "topic": "tickers.BTCUSDT",
        "type": "snapshot",
        "ts": FILLED,
        "cs": 1,
        "data": {
            "symbol": "BTCUSDT",
            "lastPrice": "50000.5",
            "bid1Price": "50000.4",
            "ask1Price": "50000.6",
            "markPrice": "50000",
            "openInterest": "1",
            "openInterestValue": "50000",
        },
    },
)

PUSHED = {Exchange.BITGET: _BITGET, Exchange.GATE: _GATE, Exchange.OKX: _OKX, Exchange.BYBIT: _BYBIT}


@pytest.fixture(params=FIVE[1:], ids=lambda documented: documented.exchange.value)
def documented(request: pytest.FixtureRequest) -> Documented:
    assert isinstance(request.param, Documented)
    return request.param


@pytest.fixture
def pushed(documented: Documented) -> Pushed:
    return PUSHED[documented.exchange]


async def following(stream: AsyncIterator[Item], seconds: float = 60.0) -> Item:
    async with asyncio.timeout(seconds):
        return await anext(stream)


async def test_prices(five: Venue, answers: Answers, pushed: Pushed) -> None:
    stream = five.watch_prices([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    await answers.until(lambda: any("ticker" in str(command) for command in answers.commands))
    await answers.push(pushed.ticker)
    price = await first
    assert isinstance(price, Price), price
    assert (price.symbol, price.last) == (SYMBOL, Decimal("50000.5"))
    assert price.bid <= price.last <= price.ask
    await stream.aclose()  # type: ignore[attr-defined]


async def test_orders_and_fills(five: Venue, answers: Answers, documented: Documented, pushed: Pushed) -> None:
    """Two fills at once: both come, each with its sign, and the order's total is their sum."""
    answers.bodies |= RECORDED[documented.exchange].order
    # Bitget's fills name no client id: the order is looked up by its number.
    stream = five.watch_orders([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    subscriptions = 2
    await answers.until(lambda: sum("subscribe" in command.values() for command in answers.commands) >= subscriptions)
    for total, last, trade_id, fee, done in (
        ("0.004", "0.004", "9001", "0.0392", False),
        ("0.01", "0.006", "9002", "0.0588", True),
    ):
        await answers.push(pushed.orders(total, last, done))
        await answers.push(pushed.fills(trade_id, last, fee))
    got = [await first]
    while not (len(fills(got)) == 2 and any(item.state is OrderState.FILLED for item in orders(got))):
        got.append(await following(stream))
    assert [(fill.client_id, fill.trade_id, fill.quantity, fill.fee) for fill in fills(got)] == [
        ("o1", "9001", Decimal("0.004"), Decimal("0.0392")),
        ("o1", "9002", Decimal("0.006"), Decimal("0.0588")),
    ]
    assert all((fill.side, fill.maker, fill.fee_currency) == (OrderSide.BUY, True, "USDT") for fill in fills(got))
    last_order = orders(got)[-1]
    assert (last_order.client_id, last_order.filled, last_order.quantity) == ("o1", Decimal("0.01"), Decimal("0.01"))
    assert last_order.time_in_force is TimeInForce.POST_ONLY
    await stream.aclose()  # type: ignore[attr-defined]


def fills(items: list[Any]) -> list[VenueFill]:
    return [item for item in items if isinstance(item, VenueFill)]


def orders(items: list[Any]) -> list[VenueOrder]:
    return [item for item in items if isinstance(item, VenueOrder)]
