"""What ccxt's requests to Binance look like: request/binance.json."""

from tests.venues.requested import (
    CLIENT_ID,
    IOC,
    PAIR,
    PAIRS,
    POST_ONLY,
    REDUCE_ONLY,
    SWAP,
    SWAPS,
    Requested,
    batch,
)

_SYMBOL = {"symbol": "BTCUSDT"}
_AMOUNT = _SYMBOL | {"quantity": "0.01"}
_BUY = _AMOUNT | {"side": "BUY", "type": "LIMIT", "price": "45000", "timeInForce": "GTC", "newOrderRespType": "RESULT"}
_BUY_SPOT = _BUY | {"newOrderRespType": "FULL"}
_AT_MARKET = _AMOUNT | {"side": "BUY", "type": "MARKET", "newOrderRespType": "RESULT"}
_MAKER = _AMOUNT | {"side": "BUY", "type": "LIMIT_MAKER", "price": "45000", "newOrderRespType": "FULL"}
_CLIENT_ID = {"newClientOrderId": "mycustomid"}
_MINUTES, _SINCE = {"interval": "1m", "limit": "500"}, {"interval": "1m", "limit": "5", "startTime": "{since}"}
_PLACE, _ORDER, _BATCH = "POST /fapi/v1/order", "/fapi/v1/order", "/fapi/v1/batchOrders"
_PLACE_SPOT, _ORDER_SPOT = "POST /api/v3/order", "/api/v3/order"

PERPETUAL = (
    Requested("createOrder: Swap limit buy order", (SWAP, "limit", "buy", 0.01, 45_000), _PLACE, _BUY),
    Requested("createOrder: Swap limit sell", (SWAP, "limit", "sell", 0.01, 55_000), _PLACE,
              _BUY | {"side": "SELL", "price": "55000"}),
    Requested("createOrder: Swap market buy order", (SWAP, "market", "buy", 0.01), _PLACE, _AT_MARKET),
    Requested("createOrder: Swap limit buy with reduce only (closing short position)",
              (SWAP, "limit", "buy", 0.01, 45_000, REDUCE_ONLY), _PLACE, _BUY | {"reduceOnly": "true"}),
    Requested("createOrder: Swap limit buy with postOnly", (SWAP, "limit", "buy", 0.01, 45_000, POST_ONLY), _PLACE,
              _BUY | {"timeInForce": "GTX"}),
    Requested("code createOrder: IOC", (SWAP, "limit", "buy", 0.01, 45_000, IOC), _PLACE,
              _BUY | {"timeInForce": "IOC"}),
    Requested("code createOrder: client id", (SWAP, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE,
              _BUY | _CLIENT_ID),
    Requested("createOrders: Swap createOrders", batch(SWAP, 0.01), f"POST {_BATCH}",
              {"batchOrders": [_BUY, _BUY | {"price": "45001"}]}),
    Requested("cancelOrder: Swap cancelOrder", ("{id1}", SWAP), f"DELETE {_ORDER}", _SYMBOL | {"orderId": "{id1}"}),
    Requested("cancelOrder: cancel swap order with clientOrderId", ("", SWAP, {"clientOrderId": "id1"}),
              f"DELETE {_ORDER}", _SYMBOL | {"origClientOrderId": "id1"}),
    Requested("cancelOrderWithClientOrderId: cancel order with clientOrderId", ("id1", SWAP), f"DELETE {_ORDER}",
              _SYMBOL | {"origClientOrderId": "id1"}),
    Requested("cancelOrders: cancelOrders with clientOrderIds", ([], SWAP, {"clientOrderIds": ["id1", "id2"]}),
              f"DELETE {_BATCH}", _SYMBOL | {"origclientorderidlist": ["id1", "id2"]}),
    Requested("cancelOrders: Swap cancelOrders", (["{id1}"], SWAP), f"DELETE {_BATCH}",
              _SYMBOL | {"orderidlist": ["{id1}"]}),
    Requested("cancelAllOrders: Swap cancelAllOrders", (SWAP,), "DELETE /fapi/v1/allOpenOrders", _SYMBOL),
    Requested("fetchOrder: Swap fetchOrder", ("{id1}", SWAP), f"GET {_ORDER}", _SYMBOL | {"orderId": "{id1}"}),
    Requested("fetchOrderWithClientOrderId: fetch order with clientOrderId", ("id1", SWAP), f"GET {_ORDER}",
              _SYMBOL | {"origClientOrderId": "id1"}),
    Requested("fetchOpenOrders: Swap open orders", (SWAP,), "GET /fapi/v1/openOrders", _SYMBOL),
    Requested("fetchMyTrades: Swap fetchMyTrades", (SWAP,), "GET /fapi/v1/userTrades", _SYMBOL),
    Requested("fetchBalance: Swap fetchBalance", ({"type": "swap"},), "GET /fapi/v3/account"),
    Requested("fetchPositions: fetch default positions", (None, {"useV2": False}), "GET /fapi/v3/positionRisk"),
    Requested("fetchPositions: fetchPositions using v2 endpoint", ([SWAP], {"useV2": True}),
              "GET /fapi/v2/positionRisk"),
    Requested("fetchPositionMode: test with a linear symbol", (SWAP,), "GET /fapi/v1/positionSide/dual"),
    Requested("setLeverage: Swap linear setLeverage", (5, SWAP), "POST /fapi/v1/leverage",
              _SYMBOL | {"leverage": "5"}),
    Requested("setMarginMode: Set margin mode to cross", ("CROSS", SWAP), "POST /fapi/v1/marginType",
              _SYMBOL | {"marginType": "CROSSED"}),
    Requested("fetchTicker: Swap ticker", (SWAP,), "GET /fapi/v1/ticker/24hr", _SYMBOL),
    Requested("fetchTickers: swap tickers", (SWAPS,), "GET /fapi/v1/ticker/24hr"),
    Requested("fetchOHLCV: Fetch OHLCV - linear", (SWAP, "1m", "{since}", 5), "GET /fapi/v1/klines", _SYMBOL | _SINCE),
    Requested("fetchOHLCV: swap ohlcv", (SWAP,), "GET /fapi/v1/klines", _SYMBOL | _MINUTES),
    Requested("fetchTradingFee: Linear swap fetch trading fee", (SWAP,), "GET /fapi/v1/commissionRate", _SYMBOL),
    Requested("fetchFundingHistory: Fetch Funding History - linear", (SWAP,), "GET /fapi/v1/income",
              _SYMBOL | {"incomeType": "FUNDING_FEE"}),
)  # fmt: skip

SPOT = (
    Requested("createOrder: Spot limit buy order", (PAIR, "limit", "buy", 0.01, 45_000), _PLACE_SPOT, _BUY_SPOT),
    Requested("createOrder: Spot limit buy with postOnly", (PAIR, "limit", "buy", 0.01, 45_000, POST_ONLY), _PLACE_SPOT,
              _MAKER),
    Requested("code createOrder: market sell", (PAIR, "market", "sell", 0.01), _PLACE_SPOT,
              _AT_MARKET | {"side": "SELL", "newOrderRespType": "FULL"}),
    Requested("code createOrder: IOC", (PAIR, "limit", "buy", 0.01, 45_000, IOC), _PLACE_SPOT,
              _BUY_SPOT | {"timeInForce": "IOC"}),
    Requested("code createOrder: client id", (PAIR, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE_SPOT,
              _BUY_SPOT | _CLIENT_ID),
    Requested("cancelOrder: Spot cancelOrder", ("{id1}", PAIR), f"DELETE {_ORDER_SPOT}",
              _SYMBOL | {"orderId": "{id1}"}),
    Requested("cancelAllOrders: Spot cancelAllOrders", (PAIR,), "DELETE /api/v3/openOrders", _SYMBOL),
    Requested("fetchOrder: Spot fetchOrder", ("{id1}", PAIR), f"GET {_ORDER_SPOT}", _SYMBOL | {"orderId": "{id1}"}),
    Requested("fetchOpenOrders: Spot one orders", (PAIR,), "GET /api/v3/openOrders", _SYMBOL),
    Requested("fetchMyTrades: Spot fetchMyTrades", (PAIR,), "GET /api/v3/myTrades", _SYMBOL),
    Requested("fetchOrderTrades: spot order trades", ("{held}", PAIR), "GET /api/v3/myTrades",
              _SYMBOL | {"orderId": "{held}"}),
    Requested("fetchBalance: Spot fetch balance", (), "GET /api/v3/account"),
    Requested("fetchTicker: spot ticker", (PAIR,), "GET /api/v3/ticker/24hr", _SYMBOL),
    Requested("fetchTickers: spot tickers", (PAIRS,), "GET /api/v3/ticker/24hr", {"symbols": ["BTCUSDT", "ETHUSDT"]}),
    Requested("fetchOHLCV: Fetch OHLCV - spot", (PAIR, "1m", "{since}", 5), "GET /api/v3/klines", _SYMBOL | _SINCE),
    Requested("fetchOHLCV: spot ohlcv", (PAIR,), "GET /api/v3/klines", _SYMBOL | _MINUTES),
    Requested("fetchTime: fetchTime", (), "GET /api/v3/time"),
)  # fmt: skip
