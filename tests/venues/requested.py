"""Recorded truth: what ccxt's own requests look like, which each simulator must take as they are meant.

The facts are in `tests/venues/<exchange>/requested.py`. They are those of ccxt's static request fixtures
(`ts/src/test/static/request/<exchange>.json`); `record` names the method and the description of the one that is
followed. Where it begins with "code" there is no fixture, and the facts are those of the installed ccxt's own
`create_order_request` and its like. Symbols, prices, sizes, times and one-minute candles are those that our simulators
have; what belongs to hedge mode, to inverse contracts or to attached triggers is left out.

Prices of 45,000 rest below the market, those of 55,000 above. `{id1}` and `{id2}` are the exchange's ids of two resting
orders with these client ids, `{held}` that of a filled one; `{since}` is a while ago, `{since_s}` in seconds.
"""

from dataclasses import dataclass, field
from typing import Any

from opensqt.api.exchange import Exchange

Fields = dict[str, Any] | list[Any]
SWAP, SWAPS = "BTC/USDT:USDT", ["BTC/USDT:USDT", "ETH/USDT:USDT"]
PAIR, PAIRS = "BTC/USDT", ["BTC/USDT", "ETH/USDT"]
POST_ONLY, REDUCE_ONLY, IOC = {"postOnly": True}, {"reduceOnly": True}, {"timeInForce": "IOC"}
CLIENT_ID = {"clientOrderId": "mycustomid"}

NOT_COMPARED: dict[Exchange, set[str]] = {
    Exchange.BINANCE: {"signature", "timestamp", "recvWindow", "newClientOrderId"},
    Exchange.BYBIT: set(),
    Exchange.OKX: {"clOrdId", "tag"},
    Exchange.GATE: {"text"},
    Exchange.BITGET: set(),
}
"""Fields that differ from request to request, as the fixtures name them in `skipKeys`."""


@dataclass(frozen=True)
class Requested:
    """ccxt's method with `args` is sent as `sent`, method and path, with these `fields` and no others."""

    record: str
    args: tuple[Any, ...]
    sent: str
    fields: Fields = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.record.removeprefix("code ").partition(":")[0]


def batch(symbol: str, amount: float) -> tuple[list[dict[str, Any]]]:
    """Two limit buys, as every fixture of `createOrders` has them."""
    common = {"symbol": symbol, "type": "limit", "side": "buy", "amount": amount}
    return ([common | {"price": 45_000}, common | {"price": 45_001}],)
