"""Recorded truth: what ccxt's own requests look like, which each simulator must take.

The facts are those of ccxt's static request fixtures (`ts/src/test/static/request/<exchange>.json`); `record` names
the one that is followed. Symbols, prices and sizes are those that our simulators list. Prices of 45,000 rest below
the market, those of 55,000 above.
"""

from dataclasses import dataclass, field
from typing import Any

from opensqt.api.exchange import Exchange, MarketKind

PERPETUAL, SPOT = MarketKind.PERPETUAL, MarketKind.SPOT
LIMIT_BUY = ("limit", "buy", 0.01, 45_000)
LIMIT_SELL = ("limit", "sell", 0.01, 55_000)
MARKET_BUY = ("market", "buy", 0.01)
CONTRACT_BUY, CONTRACT_SELL = ("limit", "buy", 100, 45_000), ("limit", "sell", 100, 55_000)


@dataclass(frozen=True)
class Requested:
    """`create_order` with `order` and `params` is sent to `path` with these `fields`, and without `absent` ones."""

    exchange: Exchange
    market: MarketKind
    record: str
    order: tuple[Any, ...]
    path: str
    fields: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)
    absent: str = ""


def _binance() -> list[Requested]:
    perpetual, spot = "/fapi/v1/order", "/api/v3/order"
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "45000"}
    good_till_cancelled = limit | {"timeInForce": "GTC"}
    result, full = {"newOrderRespType": "RESULT"}, {"newOrderRespType": "FULL"}
    return [
        Requested(
            Exchange.BINANCE, PERPETUAL, "Swap limit buy order", LIMIT_BUY, perpetual, good_till_cancelled | result
        ),
        Requested(
            *(Exchange.BINANCE, PERPETUAL, "Swap market buy order", MARKET_BUY, perpetual),
            fields={"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"} | result,
            absent="price timeInForce",
        ),
        Requested(Exchange.BINANCE, SPOT, "Spot limit buy order", LIMIT_BUY, spot, good_till_cancelled | full),
        Requested(
            *(Exchange.BINANCE, SPOT, "Spot limit buy with postOnly", LIMIT_BUY, spot),
            fields=limit | {"type": "LIMIT_MAKER"} | full,
            params={"postOnly": True},
            absent="timeInForce",
        ),
    ]


def _bybit() -> list[Requested]:
    path = "/v5/order/create"
    buy = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "45000"}
    sell = buy | {"side": "Sell", "price": "55000"}
    return [
        Requested(Exchange.BYBIT, PERPETUAL, "Swap limit order", LIMIT_BUY, path, buy | {"category": "linear"}),
        Requested(
            *(Exchange.BYBIT, PERPETUAL, "Swap limit sell with reduceOnly and postOnly", LIMIT_SELL, path),
            fields=sell | {"category": "linear", "timeInForce": "PostOnly", "reduceOnly": True},
            params={"reduceOnly": True, "postOnly": True},
        ),
        Requested(Exchange.BYBIT, SPOT, "Spot limit order", LIMIT_BUY, path, buy | {"category": "spot"}),
        Requested(
            *(Exchange.BYBIT, SPOT, "Spot limit buy with postOnly", LIMIT_BUY, path),
            fields=buy | {"category": "spot", "timeInForce": "PostOnly"},
            params={"postOnly": True},
        ),
    ]


def _okx() -> list[Requested]:
    path = "/api/v5/trade/batch-orders"
    swap = {"instId": "BTC-USDT-SWAP", "side": "buy", "sz": "100", "tdMode": "cross", "px": "45000"}
    spot = {"instId": "BTC-USDT", "side": "buy", "sz": "0.01", "tdMode": "cash", "px": "45000", "ordType": "limit"}
    return [
        Requested(
            *(Exchange.OKX, PERPETUAL, "Create a one-way-mode order with position side set to net", CONTRACT_BUY, path),
            fields=swap | {"ordType": "limit", "posSide": "net"},
            params={"posSide": "net"},
        ),
        Requested(
            *(Exchange.OKX, PERPETUAL, "Create a swap postOnly limit order with tp + sl attached (type 3)"),
            *(CONTRACT_BUY, path),
            fields=swap | {"ordType": "post_only"},
            params={"postOnly": True},
        ),
        Requested(Exchange.OKX, SPOT, "Spot limit buy order", LIMIT_BUY, path, spot | {"tgtCcy": "base_ccy"}),
        Requested(
            *(Exchange.OKX, SPOT, "spot order with clientOrderid", LIMIT_BUY, path),
            fields=spot | {"clOrdId": "mycustomid"},
            params={"clientOrderId": "mycustomid"},
        ),
    ]


def _gate() -> list[Requested]:
    perpetual, spot = "/api/v4/futures/usdt/orders", "/api/v4/spot/orders"
    pair = {"currency_pair": "BTC_USDT", "type": "limit", "account": "spot", "amount": "0.01"}
    return [
        Requested(
            *(Exchange.GATE, PERPETUAL, "Swap limit buy order", CONTRACT_BUY, perpetual),
            fields={"contract": "BTC_USDT", "size": 100, "price": "45000"},
        ),
        Requested(
            *(Exchange.GATE, PERPETUAL, "swap limit sell", CONTRACT_SELL, perpetual),
            fields={"contract": "BTC_USDT", "size": -100, "price": "55000"},
        ),
        Requested(
            *(Exchange.GATE, PERPETUAL, "swap market buy", ("market", "buy", 100), perpetual),
            fields={"contract": "BTC_USDT", "size": 100, "price": "0", "tif": "ioc"},
        ),
        Requested(
            *(Exchange.GATE, SPOT, "Spot limit buy order", LIMIT_BUY, spot),
            fields=pair | {"side": "buy", "price": "45000"},
        ),
    ]


def _bitget() -> list[Requested]:
    perpetual, spot = "/api/v2/mix/order/place-order", "/api/v2/spot/trade/place-order"
    buy = {"symbol": "BTCUSDT", "orderType": "limit", "price": "45000", "side": "buy", "size": "0.01"}
    crossed = {"productType": "USDT-FUTURES", "marginCoin": "USDT", "marginMode": "crossed"}
    return [
        Requested(
            *(Exchange.BITGET, PERPETUAL, "Swap cross limit buy", LIMIT_BUY, perpetual),
            fields=buy | crossed | {"force": "GTC"},
            params={"marginMode": "cross"},
        ),
        Requested(
            *(Exchange.BITGET, PERPETUAL, "Swap limit sell order with postOnly and reduceOnly", LIMIT_SELL, perpetual),
            fields=buy | crossed | {"side": "sell", "price": "55000", "force": "post_only", "reduceOnly": "YES"},
            params={"postOnly": True, "reduceOnly": True, "marginMode": "cross"},
        ),
        Requested(Exchange.BITGET, SPOT, "Spot limit buy", LIMIT_BUY, spot, buy | {"force": "GTC"}),
        Requested(
            *(Exchange.BITGET, SPOT, "Spot limit buy with post only", LIMIT_BUY, spot),
            fields=buy | {"force": "post_only"},
            params={"postOnly": True},
        ),
    ]


REQUESTED = [*_binance(), *_bybit(), *_okx(), *_gate(), *_bitget()]
