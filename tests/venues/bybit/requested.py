"""What ccxt's requests to Bybit look like: request/bybit.json.

The installed ccxt leaves the category out of a batch's items, and asks for 200 positions, which the fixtures do not.
"""

from tests.venues.requested import CLIENT_ID, IOC, PAIR, POST_ONLY, REDUCE_ONLY, SWAP, Requested, batch

_SYMBOL = {"symbol": "BTCUSDT"}
_LINEAR, _SPOT = {"category": "linear"}, {"category": "spot"}
_BUY = _SYMBOL | {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "45000"}
_AT_MARKET = _SYMBOL | {"orderType": "Market", "qty": "0.01"}
_PLACE, _CANCEL, _CANCEL_BATCH = "POST /v5/order/create", "POST /v5/order/cancel", "POST /v5/order/cancel-batch"
_REALTIME, _HISTORY, _EXECUTIONS = "GET /v5/order/realtime", "GET /v5/order/history", "GET /v5/execution/list"
_POSITIONS, _MODE, _KLINE = "GET /v5/position/list", "POST /v5/account/set-margin-mode", "GET /v5/market/kline"
_MINUTES = {"interval": "1"}

PERPETUAL = (
    Requested("createOrder: Swap limit order", (SWAP, "limit", "buy", 0.01, 45_000), _PLACE, _LINEAR | _BUY),
    Requested("createOrder: Swap limit sell with reduceOnly and postOnly",
              (SWAP, "limit", "sell", 0.01, 55_000, REDUCE_ONLY | POST_ONLY), _PLACE,
              _LINEAR | _BUY | {"side": "Sell", "price": "55000", "timeInForce": "PostOnly", "reduceOnly": True}),
    Requested("createOrder: Opening position with sl + tp attached (type 3)", (SWAP, "market", "buy", 0.01), _PLACE,
              _LINEAR | _AT_MARKET | {"side": "Buy"}),
    Requested("code createOrder: IOC", (SWAP, "limit", "buy", 0.01, 45_000, IOC), _PLACE,
              _LINEAR | _BUY | {"timeInForce": "IOC"}),
    Requested("code createOrder: client id", (SWAP, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE,
              _LINEAR | _BUY | {"orderLinkId": "mycustomid"}),
    Requested("createOrders: Swap create orders", batch(SWAP, 0.01), "POST /v5/order/create-batch",
              _LINEAR | {"request": [_BUY, _BUY | {"price": "45001"}]}),
    Requested("cancelOrder: Swap cancelOrder", ("{id1}", SWAP), _CANCEL, _LINEAR | _SYMBOL | {"orderId": "{id1}"}),
    Requested("cancelOrders: Swap cancelOrders", (["{id1}"], SWAP), _CANCEL_BATCH,
              _LINEAR | {"request": [_SYMBOL | {"orderId": "{id1}"}]}),
    Requested("cancelOrders: cancelOrders by clientOrderId", ([], SWAP, {"clientOrderIds": ["id1"]}), _CANCEL_BATCH,
              _LINEAR | {"request": [_SYMBOL | {"orderLinkId": "id1"}]}),
    Requested("cancelAllOrders: Swap cancel all open orders", (SWAP,), "POST /v5/order/cancel-all", _LINEAR | _SYMBOL),
    Requested("fetchOpenOrders: Swap fetchOpenOrders", (SWAP,), _REALTIME, _LINEAR | _SYMBOL),
    Requested("fetchOpenOrder: Swap fetch open order", ("{id1}", SWAP), _REALTIME,
              _LINEAR | _SYMBOL | {"orderId": "{id1}"}),
    Requested("fetchClosedOrders: Swap fetchClosedOrders", (), _HISTORY, _LINEAR | {"orderStatus": "Filled"}),
    Requested("fetchClosedOrder: Swap fetch closed order", ("{held}", SWAP), _HISTORY,
              _LINEAR | _SYMBOL | {"orderStatus": "Filled", "orderId": "{held}"}),
    Requested("fetchCanceledOrders: Spot fetchCanceledOrders", (), _HISTORY, _LINEAR | {"orderStatus": "Cancelled"}),
    Requested("fetchMyTrades: Swap fetchMyTrades", (SWAP,), _EXECUTIONS, _LINEAR | _SYMBOL | {"execType": "Trade"}),
    Requested("fetchPositions: Swap fetchPositions", (), _POSITIONS, _LINEAR | {"settleCoin": "USDT", "limit": "200"}),
    Requested("fetchLeverage: fetch leverage", (SWAP,), _POSITIONS, _LINEAR | _SYMBOL),
    Requested("fetchBalance: fetch default balance", (), "GET /v5/account/wallet-balance", {"accountType": "UNIFIED"}),
    Requested("setLeverage: Set leverage swap linear", (6, SWAP), "POST /v5/position/set-leverage",
              _LINEAR | _SYMBOL | {"buyLeverage": "6", "sellLeverage": "6"}),
    Requested("setMarginMode: set margin mode to isolated margin", ("isolated", SWAP), _MODE,
              {"setMarginMode": "ISOLATED_MARGIN"}),
    Requested("setMarginMode: Set margin mode to cross margin", ("cross", SWAP), _MODE,
              {"setMarginMode": "REGULAR_MARGIN"}),
    Requested("fetchTickers: Default conflicting id to swap", (["BTCUSDT"],), "GET /v5/market/tickers", _LINEAR),
    Requested("fetchTradingFee: linear trading fee", (SWAP,), "GET /v5/account/fee-rate", _LINEAR | _SYMBOL),
    Requested("fetchFundingHistory: funding history linear", (SWAP,), _EXECUTIONS,
              _LINEAR | _SYMBOL | {"execType": "Funding", "size": "100"}),
    Requested("fetchTime: fetchTime", (), "GET /v5/market/time"),
)  # fmt: skip

SPOT = (
    Requested("createOrder: Spot limit order", (PAIR, "limit", "buy", 0.01, 45_000), _PLACE, _SPOT | _BUY),
    Requested("createOrder: Spot limit buy with postOnly", (PAIR, "limit", "buy", 0.01, 45_000, POST_ONLY), _PLACE,
              _SPOT | _BUY | {"timeInForce": "PostOnly"}),
    Requested("createOrder: Create market buy with base amount (UTA only)", (PAIR, "market", "buy", 0.01), _PLACE,
              _SPOT | _AT_MARKET | {"side": "Buy", "marketUnit": "baseCoin"}),
    Requested("code createOrder: IOC", (PAIR, "limit", "buy", 0.01, 45_000, IOC), _PLACE,
              _SPOT | _BUY | {"timeInForce": "IOC"}),
    Requested("code createOrder: client id", (PAIR, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE,
              _SPOT | _BUY | {"orderLinkId": "mycustomid"}),
    Requested("createOrders: Spot create orders", batch(PAIR, 0.01), "POST /v5/order/create-batch",
              _SPOT | {"request": [_BUY, _BUY | {"price": "45001"}]}),
    Requested("cancelOrder: Spot cancelOrder", ("{id1}", PAIR), _CANCEL,
              _SPOT | _SYMBOL | {"orderId": "{id1}", "orderFilter": "Order"}),
    Requested("cancelOrders: Spot cancelOrders", (["{id1}"], PAIR), _CANCEL_BATCH,
              _SPOT | {"request": [_SYMBOL | {"orderId": "{id1}"}]}),
    Requested("fetchOpenOrders: Spot fetchOpenOrders", (PAIR, None, None), _REALTIME, _SPOT | _SYMBOL),
    Requested("fetchOpenOrder: Spot fetch open order", ("{id1}",), _REALTIME, _SPOT | {"orderId": "{id1}"}),
    Requested("fetchOpenOrder: spot open order with symbol", ("{id1}", PAIR), _REALTIME,
              _SPOT | _SYMBOL | {"orderId": "{id1}"}),
    Requested("fetchClosedOrder: Spot fetch closed order", ("{held}",), _HISTORY,
              _SPOT | {"orderStatus": "Filled", "orderId": "{held}"}),
    Requested("fetchClosedOrder: fetch closed order spot with symbol", ("{held}", PAIR), _HISTORY,
              _SPOT | _SYMBOL | {"orderStatus": "Filled", "orderId": "{held}"}),
    Requested("fetchMyTrades: Spot fetchMyTrades", (PAIR,), _EXECUTIONS, _SPOT | _SYMBOL | {"execType": "Trade"}),
    Requested("fetchTickers: Conflicting id with type in params", (["BTCUSDT"], {"type": "spot"}),
              "GET /v5/market/tickers", _SPOT),
    Requested("fetchOHLCV: basic call", (PAIR,), _KLINE, _SPOT | _SYMBOL | _MINUTES | {"limit": "200"}),
    Requested("fetchOHLCV: limit and interval set", (PAIR, "1m", None, 5), _KLINE,
              _SPOT | _SYMBOL | _MINUTES | {"limit": "5"}),
    Requested("fetchOHLCV: since and until set", (PAIR, "1m", "{since}", None, {"until": "{until}"}), _KLINE,
              _SPOT | _SYMBOL | _MINUTES | {"limit": "200", "start": "{since}", "end": "{until}"}),
    Requested("fetchTradingFee: spot trading fee", (PAIR,), "GET /v5/account/fee-rate", _SPOT | _SYMBOL),
)  # fmt: skip
