"""What each face produces is what the exchange produces: the same fields, of the same types."""

import importlib
from decimal import Decimal
from typing import Any

import pytest

from opensqt.api.exchange import Exchange
from tests.venues.faces import FACES, SPOT_FACES
from tests.venues.recorded import RECORDS, Record
from tests.venues.recorded_spot import SPOT_RECORDS
from tests.venues.server import Face


def produced(face: Face) -> dict[str, Any]:
    """Every kind of record, of an order that is half filled."""
    records = importlib.import_module(f"tests.venues.{face.exchange.value}.records")
    core, listing, now_ms = face.core, face.btc, face.core.now_ms()
    order = core.place(face.intent("o1", Decimal(49_000), max(listing.lot, listing.min_quantity) * 2))
    trade = core.fill(order, order.quantity / 2)
    position, candle = core.position(listing), core.candles[listing.id][-1]
    match face.exchange:
        case Exchange.BINANCE:
            account = records.account(core)
            return {
                "order": records.order(order),
                "trade": records.trade(trade),
                "position": records.position(position, now_ms),
                "account": account | account["assets"][0],
                "instrument": records.instrument(listing),
                "order_event": records.order_event(order, trade, now_ms)["o"],
                "kline_event": records.kline_event(listing, candle, now_ms)["k"],
            }
        case Exchange.BYBIT:
            wallet = records.wallet(core)
            return {
                "order": records.order(order),
                "execution": records.execution(trade),
                "position": records.position(position, now_ms),
                "wallet": wallet | wallet["coin"][0],
                "ticker": records.ticker(core, listing),
                "kline_push": records.kline_push(candle, now_ms),
            }
        case Exchange.OKX:
            balance = records.balance(core)
            return {
                "order": records.order(order),
                "order_push": records.order_push(order, trade),
                "fill": records.fill(trade),
                "position": records.position(position, now_ms),
                "balance": balance | balance["details"][0],
                "instrument": records.instrument(listing),
                "ticker": records.ticker(core, listing),
            }
        case Exchange.GATE:
            return {
                "order": records.order(order, sizes_as_text=False),
                "trade": records.trade(trade, sizes_as_text=False),
                "trade_push": records.trade_push(trade),
                "position": records.position(position, now_ms, sizes_as_text=False),
                "position_push": records.position_push(position, now_ms),
                "account": records.account(core),
                "contract": records.contract(listing),
                "candle_push": records.candle_push(candle, listing),
                "balance_push": records.balance_push(core),
            }
        case _:
            return {
                "order": records.order(order, detail=True),
                "order_push": records.order_push(order, trade),
                "fill": records.fill(trade),
                "fill_push": records.fill_push(trade),
                "position": records.position(position, now_ms),
                "position_push": records.position_push(position, now_ms),
                "account": records.account(core),
                "contract": records.contract(listing),
                "ticker": records.ticker(core, listing),
            }


def produced_on_spot(face: Face) -> dict[str, Any]:
    """Every kind of record, of an order that is half filled."""
    core, listing, now_ms = face.core, face.btc, face.core.now_ms()
    quantity = max(listing.lot, listing.min_quantity) * 1000
    order = core.place(face.intent("o1", Decimal(49_000), quantity))
    trade, candle = core.fill(order, quantity / 2), core.candles[listing.id][-1]
    if face.exchange in {Exchange.OKX, Exchange.BYBIT}:
        records = importlib.import_module(f"tests.venues.{face.exchange.value}.records")
    else:
        records = importlib.import_module(f"tests.venues.{face.exchange.value}.spot_records")
    match face.exchange:
        case Exchange.BINANCE:
            account = records.account(core, can_trade=True)
            return {
                "order": records.order(order),
                "cancelled": records.cancelled(order),
                "trade": records.trade(trade),
                "account": account | account["balances"][0],
                "order_event": records.order_event(order, trade, now_ms),
            }
        case Exchange.BITGET:
            return {
                "order": records.order(order),
                "unfilled": records.unfilled(order),
                "order_push": records.order_push(order, trade),
                "fill": records.fill(trade),
                "fill_push": records.fill_push(trade),
                "symbol": records.symbol(listing),
                "asset": records.assets(core)[0],
            }
        case Exchange.GATE:
            return {
                "order": records.order(order),
                "order_push": records.order_push(order, trade),
                "trade": records.trade(trade),
                "currency_pair": records.currency_pair(listing),
                "account": records.accounts(core)[0],
                "balance_push": records.balances_push(core)[0],
                "candle_push": records.candle_push(candle, listing),
            }
        case Exchange.OKX:
            balance = records.balance(core, spot=True)
            return {
                "order_push": records.order_push(order, trade),
                "fill": records.fill(trade),
                "balance": balance | balance["details"][0],
                "instrument": records.instrument(listing),
            }
        case _:
            wallet, instrument = records.wallet(core, spot=True), records.instrument(listing)
            return {
                "order": records.order(order),
                "execution": records.execution(trade),
                "instrument": instrument | instrument["lotSizeFilter"] | instrument["priceFilter"],
                "ticker_push": records.spot_ticker(core, listing),
                "wallet": wallet | wallet["coin"][0],
            }


@pytest.mark.parametrize("exchange", SPOT_FACES, ids=lambda exchange: exchange.value)
def test_a_face_produces_the_fields_of_spot(exchange: Exchange) -> None:
    check(exchange, produced_on_spot(SPOT_FACES[exchange]()), SPOT_RECORDS)


@pytest.mark.parametrize("exchange", FACES, ids=lambda exchange: exchange.value)
def test_a_face_produces_the_fields_that_the_exchange_does(exchange: Exchange) -> None:
    check(exchange, produced(FACES[exchange]()), RECORDS)


def check(exchange: Exchange, made: dict[str, Any], records: dict[tuple[str, str], Record]) -> None:
    listed = {name for of, name in records if of == exchange.value}
    assert listed == made.keys()
    for name, record in made.items():
        expected = records[exchange.value, name]
        assert not record.keys() & set(expected.absent.split()), name
        for field, types in expected.types().items():
            assert field in record, f"{name}: {field} is left out"
            value = record[field]
            assert value is None or isinstance(value, types), f"{name}: {field} is {value!r}"
            assert isinstance(value, bool) is (types == (bool,)) or value is None, f"{name}: {field} is {value!r}"
