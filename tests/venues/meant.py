"""What a face has to make of each of ccxt's calls, and what ccxt has to make of its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.api.exchange import Exchange
from tests.venues.listing import Force
from tests.venues.requested import Requested
from tests.venues.server import Face

HELD, PAID = Decimal("0.5"), Decimal("0.25")
"""The position, and the funding paid on it."""


@dataclass(frozen=True)
class Scene:
    """What was called, what ccxt answered, and when: `between` are the exchange's times before and after."""

    face: Face
    requested: Requested
    args: tuple[Any, ...]
    answer: Any
    between: tuple[int, int]

    @property
    def symbol(self) -> bool:
        """Whether the request is about one symbol."""
        return bool(self.args) and self.args[0] is not None

    @property
    def open(self) -> set[str]:
        return {order.client_id for order in self.face.core.open_orders()}

    def same_quantity(self, contracts: Any, quantity: Decimal) -> bool:
        return Decimal(str(contracts)) * self.face.btc.contract == quantity


def placed(scene: Scene) -> None:
    names = ("symbol", "type", "side", "amount", "price", "params")
    many = scene.requested.method == "createOrders"
    wanted = scene.args[0] if many else [dict(zip(names, scene.args, strict=False))]
    answers = scene.answer if many else [scene.answer]
    orders = list(scene.face.core.orders.values())[-len(wanted) :]
    for each, order, answer in zip(wanted, orders, answers, strict=True):
        assert answer["id"]
        intent, price, params = order.intent, each.get("price"), each.get("params", {})
        force = Force.POST_ONLY if "postOnly" in params else Force.IOC if "timeInForce" in params else Force.GTC
        assert (intent.listing, intent.buy) == (scene.face.btc, each["side"] == "buy")
        assert intent.price == (None if price is None else Decimal(price))
        assert scene.same_quantity(each["amount"], intent.quantity)
        assert (intent.force, intent.reduce_only) == (force, "reduceOnly" in params)
        assert order.open is (price is not None and force is not Force.IOC)
        assert intent.client_id == params.get("clientOrderId", intent.client_id)


def cancelled(scene: Scene) -> None:
    named = {name for name in ("id1", "id2") if name in repr(scene.requested.args)}
    assert named
    assert scene.open == {"id1", "id2", "elsewhere"} - named


def cancelled_all(scene: Scene) -> None:
    assert scene.open == {"elsewhere"}


def counted_down(scene: Scene) -> None:
    assert scene.face.dead_man.set_to == {"account": scene.args[0] / 1000}


def one_order(scene: Scene) -> None:
    name = "held" if "held" in repr(scene.requested.args) else "id1"
    order, answer = scene.face.order(name), scene.answer
    assert client_id(answer) == name
    assert (answer["status"], answer["side"]) == ("open" if order.open else "closed", "buy")
    assert Decimal(str(answer["price"])) == order.intent.price
    assert scene.same_quantity(answer["amount"], order.quantity)


def orders(*names: str) -> Callable[[Scene], None]:
    def check(scene: Scene) -> None:
        expected = set(names)
        if scene.face.exchange is Exchange.GATE and "held" in expected:
            expected |= {"gone"}  # Gate, and so ccxt, lists all that are finished
        if "id1" in expected and not scene.symbol:
            expected |= {"elsewhere"}
        assert {client_id(order) for order in scene.answer} == expected

    return check


def client_id(order: dict[str, Any]) -> str:
    return str(order["clientOrderId"]).removeprefix("t-")


def trades(scene: Scene) -> None:
    (trade,) = scene.answer
    assert (Decimal(str(trade["price"])), trade["side"]) == (Decimal(45_000), "buy")
    assert scene.same_quantity(trade["amount"], HELD)


def balance(scene: Scene) -> None:
    core, answer = scene.face.core, scene.answer
    assert Decimal(str(answer["USDT"]["total"])) in {core.wallet, core.equity}
    if scene.face.btc.spot:
        assert Decimal(str(answer["BTC"]["total"])) == core.coins()["BTC"].total


def position(scene: Scene) -> None:
    held = scene.answer if isinstance(scene.answer, list) else [scene.answer]
    (of_btc,) = [each for each in held if each["symbol"] == scene.face.btc.symbol]
    assert of_btc["side"] == "long"
    assert scene.same_quantity(of_btc["contracts"], HELD)


def leverage_set(scene: Scene) -> None:
    assert scene.face.core.position(scene.face.btc).leverage == scene.args[0]
    if scene.face.exchange is Exchange.GATE:  # whose leverage is that of isolated margin
        assert scene.answer["leverage"] == str(scene.args[0])


def leverage(scene: Scene) -> None:
    assert Decimal(str(scene.answer["longLeverage"])) == scene.face.core.position(scene.face.btc).leverage


def margin_mode(scene: Scene) -> None:
    """It was the other one before. OKX sets the mode with its leverage."""
    core = scene.face.core
    assert core.isolated is (scene.args[0] == "isolated")
    if scene.face.exchange is Exchange.OKX:
        (told,) = scene.answer["data"]
        assert (told["mgnMode"], told["lever"]) == (scene.args[0], "10")


def position_mode(scene: Scene) -> None:
    assert scene.answer["hedged"] is True


def ticker(scene: Scene) -> None:
    assert Decimal(str(scene.answer["last"])) == scene.face.core.last(scene.face.btc)


def tickers(scene: Scene) -> None:
    for listing in scene.face.core.listings.values():
        if {listing.symbol, listing.id} & set(scene.args[0]):
            assert Decimal(str(scene.answer[listing.symbol]["last"])) == scene.face.core.last(listing)
    assert len(scene.answer) == len(scene.args[0])


def candles(scene: Scene) -> None:
    assert isinstance(scene.requested.fields, dict)
    limit, since = int(scene.requested.fields["limit"]), scene.args[2] if len(scene.args) > 2 else None
    times = [row.open_ms for row in scene.face.core.candles[scene.face.btc.id] if row.open_ms >= (since or 0)]
    assert [row[0] for row in scene.answer] == (times[:limit] if since else times[-limit:])


def time(scene: Scene) -> None:
    assert scene.between[0] <= scene.answer <= scene.between[1]


def fees(scene: Scene) -> None:
    rates = [Decimal(str(scene.answer[name])) for name in ("maker", "taker")]
    assert rates == [scene.face.btc.maker_fee, scene.face.btc.taker_fee]


def funding(scene: Scene) -> None:
    amount = PAID if scene.face.exchange is Exchange.BYBIT else -PAID  # of Bybit ccxt passes on what was paid
    assert [Decimal(str(payment["amount"])) for payment in scene.answer] == [amount]


CHECKS: dict[str, Callable[[Scene], None]] = {
    "createOrder": placed, "createOrders": placed, "cancelOrder": cancelled, "cancelOrders": cancelled,
    "cancelOrderWithClientOrderId": cancelled, "cancelOrdersForSymbols": cancelled, "cancelAllOrders": cancelled_all,
    "cancelAllOrdersAfter": counted_down, "fetchOrder": one_order, "fetchOrderWithClientOrderId": one_order,
    "fetchOpenOrder": one_order, "fetchClosedOrder": one_order, "fetchOpenOrders": orders("id1", "id2"),
    "fetchClosedOrders": orders("held"), "fetchCanceledOrders": orders("gone"),
    "fetchCanceledAndClosedOrders": orders("held", "gone"), "fetchMyTrades": trades, "fetchOrderTrades": trades,
    "fetchBalance": balance, "fetchPosition": position, "fetchPositions": position, "setLeverage": leverage_set,
    "fetchLeverage": leverage, "setMarginMode": margin_mode, "fetchPositionMode": position_mode,
    "fetchTicker": ticker, "fetchTickers": tickers, "fetchOHLCV": candles, "fetchTime": time, "fetchTradingFee": fees,
    "fetchFundingHistory": funding,
}  # fmt: skip
