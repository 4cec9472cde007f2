"""Recorded truth: how ccxt asks about orders, cancels them, sends several at once and changes settings.

As in `requested.py`, after ccxt's static request fixtures. In arguments and fields `{id}` and `{other}` stand for the
exchange's ids of two orders that rest.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from opensqt.api.exchange import Exchange, MarketKind
from tests.venues.requested import PERPETUAL, SPOT

BTC = "{symbol}"
OURS = "mine1"
"""The first order's client id."""
OTHER = "mine2"
NONE: list[int] = []
ONE, FOUR = [45_000], [45_000, 45_000, 44_000, 44_100]


class Effect(Enum):
    """What the call is to change or to tell."""

    RESTING = auto()
    """The prices of open orders; the two that were there rest at 45,000."""
    LEVERAGE = auto()
    TOLD = auto()
    """Client ids of orders."""
    TRADES = auto()
    """Prices of trades."""


@dataclass(frozen=True)
class RequestedCall:
    """`call` with `args` is sent with `method` to `path`; `item` has fields of the first of several in a body."""

    exchange: Exchange
    market: MarketKind
    record: str
    call: str
    args: tuple[Any, ...]
    method: str
    path: str
    fields: dict[str, Any]
    effect: Effect
    value: Any
    item: dict[str, Any] | None = None


def _two(amount: float) -> list[dict[str, Any]]:
    order = {"symbol": BTC, "amount": amount, "side": "buy", "type": "limit"}
    return [order | {"price": 44_000}, order | {"price": 44_100}]


def _binance() -> list[RequestedCall]:
    path, ours = "/fapi/v1/order", {"symbol": "BTCUSDT", "origClientOrderId": OURS}
    return [
        RequestedCall(
            *(Exchange.BINANCE, PERPETUAL, "cancel order with clientOrderId", "cancel_order_with_client_order_id"),
            args=(OURS, BTC),
            method="DELETE",
            path=path,
            fields=ours,
            effect=Effect.RESTING,
            value=ONE,
        ),
        RequestedCall(
            *(Exchange.BINANCE, PERPETUAL, "fetch order with clientOrderId", "fetch_order_with_client_order_id"),
            args=(OURS, BTC),
            method="GET",
            path=path,
            fields=ours,
            effect=Effect.TOLD,
            value={OURS},
        ),
    ]


def _bybit() -> list[RequestedCall]:
    linear, spot = {"category": "linear"}, {"category": "spot"}
    symbol = {"symbol": "BTCUSDT"}
    first = symbol | {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "44000"}
    return [
        RequestedCall(
            *(Exchange.BYBIT, PERPETUAL, "Swap cancelOrder", "cancel_order", ("{id}", BTC), "POST", "/v5/order/cancel"),
            *(symbol | linear | {"orderId": "{id}"}, Effect.RESTING, ONE),
        ),
        RequestedCall(
            *(Exchange.BYBIT, SPOT, "Spot cancelOrder", "cancel_order", ("{id}", BTC), "POST", "/v5/order/cancel"),
            *(symbol | spot | {"orderId": "{id}", "orderFilter": "Order"}, Effect.RESTING, ONE),
        ),
        RequestedCall(
            *(Exchange.BYBIT, PERPETUAL, "cancelOrders by clientOrderId", "cancel_orders"),
            args=([], BTC, {"clientOrderIds": [OURS]}),
            method="POST",
            path="/v5/order/cancel-batch",
            fields=linear,
            effect=Effect.RESTING,
            value=ONE,
            item=symbol | {"orderLinkId": OURS},
        ),
        RequestedCall(
            *(Exchange.BYBIT, PERPETUAL, "Swap cancel all open orders", "cancel_all_orders", (BTC,)),
            *("POST", "/v5/order/cancel-all", symbol | linear, Effect.RESTING, NONE),
        ),
        RequestedCall(
            *(Exchange.BYBIT, PERPETUAL, "Swap create orders", "create_orders", (_two(0.01),)),
            *("POST", "/v5/order/create-batch", linear, Effect.RESTING, FOUR),
            item=first,
        ),
        RequestedCall(
            *(Exchange.BYBIT, SPOT, "Spot create orders", "create_orders", (_two(0.01),)),
            *("POST", "/v5/order/create-batch", spot, Effect.RESTING, FOUR),
            item=first,
        ),
        RequestedCall(
            *(Exchange.BYBIT, PERPETUAL, "Set leverage swap linear", "set_leverage", (6, BTC), "POST"),
            *("/v5/position/set-leverage", symbol | linear | {"buyLeverage": "6", "sellLeverage": "6"}),
            Effect.LEVERAGE,
            6,
        ),
        RequestedCall(
            *(Exchange.BYBIT, SPOT, "Spot fetchOpenOrders", "fetch_open_orders", (BTC,), "GET", "/v5/order/realtime"),
            *(symbol | spot, Effect.TOLD, {OURS, OTHER}),
        ),
        RequestedCall(
            *(Exchange.BYBIT, PERPETUAL, "Swap fetchMyTrades", "fetch_my_trades", (BTC,), "GET", "/v5/execution/list"),
            *(symbol | linear | {"execType": "Trade"}, Effect.TRADES, [45_000]),
        ),
    ]


def _okx() -> list[RequestedCall]:
    trade, swap, spot = "/api/v5/trade/", {"instId": "BTC-USDT-SWAP"}, {"instId": "BTC-USDT"}
    first = {"side": "buy", "ordType": "limit", "px": "44000"}
    return [
        RequestedCall(
            *(Exchange.OKX, market, f"{word} cancel order", "cancel_order", ("{id}", BTC), "POST"),
            *(f"{trade}cancel-order", instrument | {"ordId": "{id}"}, Effect.RESTING, ONE),
        )
        for market, word, instrument in ((PERPETUAL, "Swap", swap), (SPOT, "Spot", spot))
    ] + [
        RequestedCall(
            *(Exchange.OKX, PERPETUAL, "Cancel multiple swap orders", "cancel_orders", (["{id}", "{other}"], BTC)),
            *("POST", f"{trade}cancel-batch-orders", {}, Effect.RESTING, NONE),
            item=swap | {"ordId": "{id}"},
        ),
        RequestedCall(
            *(Exchange.OKX, SPOT, "Create multiple spot orders at the same time", "create_orders", (_two(0.01),)),
            *("POST", f"{trade}batch-orders", {}, Effect.RESTING, FOUR),
            item=spot | first | {"sz": "0.01", "tdMode": "cash"},
        ),
        RequestedCall(
            *(Exchange.OKX, PERPETUAL, "Swap fetch open orders", "fetch_open_orders", (BTC,), "GET"),
            *(f"{trade}orders-pending", swap, Effect.TOLD, {OURS, OTHER}),
        ),
    ]


def _gate() -> list[RequestedCall]:
    futures, spot = "/api/v4/futures/usdt/", "/api/v4/spot/"
    pair = {"currency_pair": "BTC_USDT", "account": "spot"}
    return [
        RequestedCall(
            *(Exchange.GATE, PERPETUAL, "Cancel swap orders", "cancel_all_orders", (BTC,), "DELETE"),
            *(f"{futures}orders", {"contract": "BTC_USDT"}, Effect.RESTING, NONE),
        ),
        RequestedCall(
            *(Exchange.GATE, SPOT, "Cancel spot orders", "cancel_all_orders", (BTC,), "DELETE"),
            *(f"{spot}orders", pair, Effect.RESTING, NONE),
        ),
        RequestedCall(
            *(Exchange.GATE, PERPETUAL, "create swap orders", "create_orders", (_two(100),), "POST"),
            *(f"{futures}batch_orders", {}, Effect.RESTING, FOUR),
            item={"contract": "BTC_USDT", "size": 100, "price": "44000"},
        ),
        RequestedCall(
            *(Exchange.GATE, SPOT, "create spot orders", "create_orders", (_two(0.01),), "POST"),
            *(f"{spot}batch_orders", {}, Effect.RESTING, FOUR),
            item=pair | {"type": "limit", "side": "buy", "amount": "0.01", "price": "44000"},
        ),
    ]


REQUESTED_CALLS = [*_binance(), *_bybit(), *_okx(), *_gate()]
