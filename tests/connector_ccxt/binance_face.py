"""A small Binance USDⓈ-M futures on loopback, written from its documentation (developers.binance.com, derivatives).

It checks keys, signatures and timestamps, knows the exchange's own error codes, and fills only when a test says so.
Every request is kept in `requests`; `faults` are answered, or done, instead of the next matching request.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

API_KEY = "the-api-key-0123456789"
API_SECRET = "the-api-secret-9876543210"  # noqa: S105 - of the simulator
RECEIVE_WINDOW_MS = 10_000

Json = dict[str, Any]
Answer = web.StreamResponse


@dataclass
class Order:
    id: int
    client_id: str
    symbol: str
    side: str
    type: str
    price: Decimal
    quantity: Decimal
    force: str
    reduce_only: bool
    status: str = "NEW"
    filled: Decimal = Decimal(0)
    time: int = field(default_factory=lambda: int(time.time() * 1000))


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    params: dict[str, str]


@dataclass
class Fault:
    """Instead of one request of this method and path: an answer, or, after the request was carried out, `then`."""

    method: str
    path: str
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    carry_out: bool = False
    hang_up: bool = False


class RefusalError(Exception):
    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class BinanceFace:
    """`bid` and `ask` decide what a post-only order would take; `margin` what an order may cost."""

    def __init__(self) -> None:
        self.bid, self.ask = Decimal("49999.9"), Decimal("50000.1")
        self.margin = Decimal(10_000)
        self.skew_ms = 0
        self.can_trade = True
        self.hedged = False
        self.keys = {API_KEY: API_SECRET}
        self.orders: dict[int, Order] = {}
        self.trades: list[Json] = []
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.leverage: dict[str, int] = {}
        self.private: list[web.WebSocketResponse] = []
        self.public: dict[web.WebSocketResponse, list[str]] = {}
        self.mute = False
        self._ids = itertools.count(1001)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        await self.hang_up()
        if self._runner is not None:
            await self._runner.cleanup()

    async def hang_up(self) -> None:
        """Breaks every WebSocket."""
        for socket in [*self.private, *self.public]:
            await socket.close()

    def sent(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]

    def by_client_id(self, client_id: str) -> Order:
        return next(order for order in self.orders.values() if order.client_id == client_id)

    async def fill(self, client_id: str, quantity: str, *, tell: bool = True) -> None:
        """Fills part of an order at its price; `tell` on the user stream."""
        order = self.by_client_id(client_id)
        amount = Decimal(quantity)
        order.filled += amount
        order.status = "FILLED" if order.filled == order.quantity else "PARTIALLY_FILLED"
        trade = {
            "symbol": order.symbol,
            "id": next(self._ids),
            "orderId": order.id,
            "side": order.side,
            "price": str(order.price),
            "qty": str(amount),
            "realizedPnl": "0",
            "quoteQty": str(order.price * amount),
            "commission": str(order.price * amount * Decimal("0.0002")),
            "commissionAsset": "USDT",
            "time": self._now(),
            "positionSide": "BOTH",
            "buyer": order.side == "BUY",
            "maker": True,
        }
        self.trades.append(trade)
        if tell:
            await self._tell(order, "TRADE", trade)

    async def tick(self, price: str) -> None:
        """A mini ticker to every public subscriber."""
        event = {
            "e": "24hrMiniTicker",
            "E": self._now(),
            "s": "BTCUSDT",
            "c": price,
            "o": price,
            "h": price,
            "l": price,
            "v": "1",
            "q": "1",
        }
        for socket in self.public:
            await socket.send_json(event)

    async def candle(self, open_time_ms: int, close: str, *, closed: bool) -> None:
        kline = {
            "t": open_time_ms,
            "T": open_time_ms + 59_999,
            "s": "BTCUSDT",
            "i": "1m",
            "f": 1,
            "L": 2,
            "o": "50000",
            "c": close,
            "h": "50100",
            "l": "49900",
            "v": "1.5",
            "n": 2,
            "x": closed,
            "q": "75000",
            "V": "1",
            "Q": "1",
        }
        for socket in self.public:
            await socket.send_json({"e": "kline", "E": self._now(), "s": "BTCUSDT", "k": kline})

    def _now(self) -> int:
        return int(time.time() * 1000) + self.skew_ms

    async def _handle(self, request: web.Request) -> Answer:
        path = request.path
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        body = await request.text()
        params = dict(parse_qsl(request.rel_url.raw_query_string or body))
        self.requests.append(Request(request.method, path, params))
        fault = next((fault for fault in self.faults if (fault.method, fault.path) == (request.method, path)), None)
        if fault is not None:
            self.faults.remove(fault)
        if fault is not None and not fault.carry_out:
            return await self._faulty(request, fault)
        try:
            answer = await self._answer(request.method, path, params, request.rel_url.raw_query_string or body, request)
        except RefusalError as refusal:
            answer = web.json_response({"code": refusal.code, "msg": refusal.message}, status=refusal.status)
        return answer if fault is None else await self._faulty(request, fault)

    async def _faulty(self, request: web.Request, fault: Fault) -> Answer:
        if fault.hang_up:
            assert request.transport is not None
            request.transport.abort()
        if isinstance(fault.body, str):
            return web.Response(text=fault.body, status=fault.status, headers=fault.headers)
        return web.json_response(fault.body, status=fault.status, headers=fault.headers)

    async def _answer(
        self, method: str, path: str, params: dict[str, str], signed: str, request: web.Request
    ) -> Answer:
        public: dict[str, Callable[[], Any]] = {
            "/fapi/v1/time": lambda: {"serverTime": self._now()},
            "/fapi/v1/exchangeInfo": lambda: EXCHANGE_INFO,
        }
        if path in public:
            return web.json_response(public[path]())
        self._check_key(request)
        if path == "/fapi/v1/listenKey":
            return web.json_response({"listenKey": "the-listen-key"})
        self._check_signature(params, signed, request)
        handlers: dict[tuple[str, str], Callable[[dict[str, str]], Awaitable[Any]]] = {
            ("GET", "/fapi/v3/account"): self._account,
            ("GET", "/fapi/v1/accountConfig"): self._account_config,
            ("GET", "/fapi/v1/positionSide/dual"): self._position_mode,
            ("GET", "/fapi/v2/positionRisk"): self._positions,
            ("GET", "/fapi/v1/leverageBracket"): self._brackets,
            ("POST", "/fapi/v1/leverage"): self._set_leverage,
            ("POST", "/fapi/v1/order"): self._place,
            ("GET", "/fapi/v1/order"): self._get,
            ("DELETE", "/fapi/v1/order"): self._cancel,
            ("POST", "/fapi/v1/batchOrders"): self._place_batch,
            ("DELETE", "/fapi/v1/batchOrders"): self._cancel_batch,
            ("GET", "/fapi/v1/openOrders"): self._open_orders,
            ("GET", "/fapi/v1/userTrades"): self._user_trades,
        }
        handler = handlers.get((method, path))
        if handler is None:
            return web.Response(text=f"the simulator has no {method} {path}", status=404)
        return web.json_response(await handler(params))

    def _check_key(self, request: web.Request) -> None:
        key = request.headers.get("X-MBX-APIKEY", "")
        if not key:
            raise RefusalError(-2014, "API-key format invalid.", 401)
        if key not in self.keys:
            raise RefusalError(-2015, "Invalid API-key, IP, or permissions for action", 401)

    def _check_signature(self, params: dict[str, str], signed: str, request: web.Request) -> None:
        payload, _, signature = signed.rpartition("&signature=")
        secret = self.keys[request.headers["X-MBX-APIKEY"]]
        expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, expected):
            raise RefusalError(-1022, "Signature for this request is not valid.")
        stamp = int(params["timestamp"])
        window = int(params.get("recvWindow", "5000"))
        if stamp > self._now() + 1000 or stamp < self._now() - window:
            raise RefusalError(-1021, "Timestamp for this request is outside of the recvWindow.")

    async def _account(self, _: dict[str, str]) -> Json:
        return {
            "totalWalletBalance": "10000.5",
            "totalMarginBalance": "10002.5",
            "availableBalance": "9000.25",
            "assets": [
                {
                    "asset": "USDT",
                    "walletBalance": "10000.5",
                    "unrealizedProfit": "2.0",
                    "marginBalance": "10002.5",
                    "maintMargin": "0",
                    "initialMargin": "1000",
                    "availableBalance": "9000.25",
                    "maxWithdrawAmount": "9000",
                    "crossWalletBalance": "10000.5",
                    "crossUnPnl": "2.0",
                    "updateTime": self._now(),
                }
            ],
            "positions": [],
        }

    async def _account_config(self, _: dict[str, str]) -> Json:
        return {"feeTier": 0, "canTrade": self.can_trade, "dualSidePosition": self.hedged, "multiAssetsMargin": False}

    async def _position_mode(self, _: dict[str, str]) -> Json:
        return {"dualSidePosition": self.hedged}

    async def _positions(self, _: dict[str, str]) -> list[Json]:
        signed = sum(
            (Decimal(trade["qty"]) * (1 if trade["side"] == "BUY" else -1) for trade in self.trades), Decimal(0)
        )
        notional = signed * self.bid
        return [
            {
                "symbol": "BTCUSDT",
                "positionAmt": str(signed),
                "entryPrice": "49000.0" if signed else "0.0",
                "markPrice": str(self.bid),
                "unRealizedProfit": "1.25",
                "liquidationPrice": "0",
                "leverage": "5",
                "marginType": "cross",
                "isolatedMargin": "0",
                "positionSide": "BOTH",
                "notional": str(notional),
                "isolatedWallet": "0",
                "updateTime": self._now(),
            }
        ]

    async def _brackets(self, _: dict[str, str]) -> list[Json]:
        brackets = [
            {
                "bracket": 1,
                "initialLeverage": 125,
                "notionalCap": 50000,
                "notionalFloor": 0,
                "maintMarginRatio": 0.004,
                "cum": 0.0,
            }
        ]
        return [{"symbol": "BTCUSDT", "brackets": brackets}]

    async def _set_leverage(self, params: dict[str, str]) -> Json:
        self.leverage[params["symbol"]] = int(params["leverage"])
        return {"symbol": params["symbol"], "leverage": int(params["leverage"]), "maxNotionalValue": "1000000"}

    async def _place(self, params: dict[str, str]) -> Json:
        order = self._accept(params)
        await self._tell(order, "NEW")
        return self._order_json(order)

    async def _place_batch(self, params: dict[str, str]) -> list[Json]:
        answers = []
        items = json.loads(params["batchOrders"])
        if len(items) > 5:
            raise RefusalError(-4082, "Invalid number of batch place orders.")
        for item in items:
            try:
                order = self._accept({key: str(value) for key, value in item.items()})
            except RefusalError as refusal:
                answers.append({"code": refusal.code, "msg": refusal.message})
            else:
                answers.append(self._order_json(order))
                await self._tell(order, "NEW")
        return answers

    def _accept(self, params: dict[str, str]) -> Order:
        price, quantity = Decimal(params.get("price", "0")), Decimal(params["quantity"])
        force, side = params.get("timeInForce", "GTC"), params["side"]
        reduce_only = params.get("reduceOnly", "").lower() == "true"
        if quantity % Decimal("0.001") or price % Decimal("0.1"):
            raise RefusalError(-1111, "Precision is over the maximum defined for this asset.")
        live = {order.client_id for order in self.orders.values() if order.status in {"NEW", "PARTIALLY_FILLED"}}
        if params["newClientOrderId"] in live:
            raise RefusalError(-4116, "ClientOrderId is duplicated.")
        if price * quantity < 5 and not reduce_only and params["type"] == "LIMIT":
            raise RefusalError(-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only).")
        if force == "GTX" and (price >= self.ask if side == "BUY" else price <= self.bid):
            raise RefusalError(
                -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."
            )
        if price * quantity > self.margin and not reduce_only:
            raise RefusalError(-2019, "Margin is insufficient.")
        order = Order(
            next(self._ids),
            params["newClientOrderId"],
            params["symbol"],
            side,
            params["type"],
            price,
            quantity,
            force,
            reduce_only,
        )
        self.orders[order.id] = order
        return order

    async def _get(self, params: dict[str, str]) -> Json:
        return self._order_json(self._find(params, RefusalError(-2013, "Order does not exist.")))

    async def _cancel(self, params: dict[str, str]) -> Json:
        order = self._find(params, RefusalError(-2011, "Unknown order sent."))
        if order.status not in {"NEW", "PARTIALLY_FILLED"}:
            raise RefusalError(-2011, "Unknown order sent.")
        order.status = "CANCELED"
        await self._tell(order, "CANCELED")
        return self._order_json(order)

    async def _cancel_batch(self, params: dict[str, str]) -> list[Json]:
        answers = []
        for client_id in json.loads(params["origclientorderidlist"]):
            try:
                answers.append(await self._cancel({"origClientOrderId": client_id}))
            except RefusalError as refusal:
                answers.append({"code": refusal.code, "msg": refusal.message})
        return answers

    async def _open_orders(self, params: dict[str, str]) -> list[Json]:
        live = (order for order in self.orders.values() if order.status in {"NEW", "PARTIALLY_FILLED"})
        return [self._order_json(order) for order in live if order.symbol == params["symbol"]]

    async def _user_trades(self, params: dict[str, str]) -> list[Json]:
        start, end = int(params.get("startTime", "0")), int(params.get("endTime", "99999999999999"))
        if "startTime" in params and end - start > 7 * 24 * 3600 * 1000:
            raise RefusalError(-4166, "Search window is restricted to recent 90 days only.")
        chosen = [trade for trade in self.trades if start <= trade["time"] <= end]
        if "orderId" in params:
            chosen = [trade for trade in chosen if str(trade["orderId"]) == params["orderId"]]
        return chosen[: int(params.get("limit", "500"))]

    def _find(self, params: dict[str, str], missing: RefusalError) -> Order:
        for order in self.orders.values():
            if params.get("origClientOrderId") == order.client_id or params.get("orderId") == str(order.id):
                return order
        raise missing

    def _order_json(self, order: Order) -> Json:
        return {
            "orderId": order.id,
            "symbol": order.symbol,
            "status": order.status,
            "clientOrderId": order.client_id,
            "price": str(order.price),
            "avgPrice": str(order.price if order.filled else 0),
            "origQty": str(order.quantity),
            "executedQty": str(order.filled),
            "cumQuote": str(order.filled * order.price),
            "timeInForce": order.force,
            "type": order.type,
            "reduceOnly": order.reduce_only,
            "closePosition": False,
            "side": order.side,
            "positionSide": "BOTH",
            "stopPrice": "0",
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "origType": order.type,
            "time": order.time,
            "updateTime": order.time,
        }

    async def _tell(self, order: Order, kind: str, trade: Json | None = None) -> None:
        event: Json = {
            "s": order.symbol,
            "c": order.client_id,
            "S": order.side,
            "o": order.type,
            "f": order.force,
            "q": str(order.quantity),
            "p": str(order.price),
            "ap": "0",
            "sp": "0",
            "x": kind,
            "X": order.status,
            "i": order.id,
            "l": "0",
            "z": str(order.filled),
            "L": "0",
            "T": self._now(),
            "t": 0,
            "b": "0",
            "a": "0",
            "m": False,
            "R": order.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": order.type,
            "ps": "BOTH",
            "cp": False,
            "rp": "0",
        }
        if trade is not None:
            event |= {
                "l": trade["qty"],
                "L": trade["price"],
                "t": trade["id"],
                "m": True,
                "n": trade["commission"],
                "N": "USDT",
            }
        if self.mute:
            return
        for socket in self.private:
            await socket.send_json({"e": "ORDER_TRADE_UPDATE", "E": self._now(), "T": self._now(), "o": event})

    async def _serve_socket(self, request: web.Request) -> Answer:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        listen_key = request.query.get("listenKey")
        if listen_key is not None and listen_key != "the-listen-key":
            await socket.close()
            return socket
        if listen_key is not None:
            self.private.append(socket)
        else:
            self.public[socket] = []
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    command = json.loads(message.data)
                    self.public.setdefault(socket, []).extend(command.get("params", []))
                    await socket.send_json({"result": None, "id": command.get("id")})
        finally:
            if socket in self.private:
                self.private.remove(socket)
            self.public.pop(socket, None)
        return socket

    async def until(self, holds: Callable[[], bool], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - several conditions of several tests
                await asyncio.sleep(0.01)


def _symbol(base: str, tick: str, step: str, quote: str = "USDT", contract: str = "PERPETUAL") -> Json:
    return {
        "symbol": f"{base}{quote}",
        "pair": f"{base}{quote}",
        "contractType": contract,
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000", "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "120", "stepSize": step},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


EXCHANGE_INFO = {"timezone": "UTC", "symbols": [_symbol("BTC", "0.10", "0.001"), _symbol("ETH", "0.01", "0.001")]}
