"""What ccxt's requests to Bitget look like, of classic accounts: request/bitget.json."""

from tests.venues.requested import CLIENT_ID, IOC, PAIR, PAIRS, POST_ONLY, REDUCE_ONLY, SWAP, SWAPS, Requested, batch

_MIX, _SPOT = "/api/v2/mix", "/api/v2/spot"
_FUTURES, _USDT, _SYMBOL = {"productType": "USDT-FUTURES"}, {"marginCoin": "USDT"}, {"symbol": "BTCUSDT"}
_SWAP = _FUTURES | _SYMBOL
_MARGIN = _SWAP | _USDT | {"marginMode": "crossed"}
_LIMIT = {"orderType": "limit", "price": "45000", "side": "buy", "size": "0.01"}
_GTC = {"force": "GTC"}
_BUY, _BUY_SPOT = _MARGIN | _LIMIT | _GTC, _SYMBOL | _LIMIT | _GTC
_AT_MARKET = _GTC | {"orderType": "market", "side": "sell", "size": "0.01"}
_CROSS, _ONE_WAY = {"marginMode": "cross"}, {"marginMode": "isolated", "oneWayMode": True}
_PLACE, _CANCEL, _CANCEL_BATCH = (
    f"POST {_MIX}/order/{name}" for name in ("place-order", "cancel-order", "batch-cancel-orders")
)
_HISTORY, _HISTORY_SPOT = f"GET {_MIX}/order/orders-history", f"GET {_SPOT}/trade/history-orders"
_PLACE_SPOT, _INFO = f"POST {_SPOT}/trade/place-order", f"GET {_SPOT}/trade/orderInfo"

PERPETUAL = (
    Requested("createOrder: Swap cross limit buy", (SWAP, "limit", "buy", 0.01, "45000", _CROSS), _PLACE, _BUY),
    Requested("createOrder: Swap limit sell order with postOnly and reduceOnly",
              (SWAP, "limit", "sell", 0.01, "55000", POST_ONLY | REDUCE_ONLY | _CROSS), _PLACE,
              _BUY | {"side": "sell", "price": "55000", "force": "post_only", "reduceOnly": "YES"}),
    Requested("createOrder: Swap oneWayMode market sell order with reduceOnly",
              (SWAP, "market", "sell", 0.01, None, _ONE_WAY | REDUCE_ONLY), _PLACE,
              _MARGIN | _AT_MARKET | {"marginMode": "isolated", "reduceOnly": "YES"}),
    Requested("createOrder: Swap oneWayMode limit buy order", (SWAP, "limit", "buy", 0.01, 45_000, _ONE_WAY), _PLACE,
              _BUY | {"marginMode": "isolated"}),
    Requested("code createOrder: IOC", (SWAP, "limit", "buy", 0.01, 45_000, IOC), _PLACE, _BUY | {"force": "IOC"}),
    Requested("code createOrder: client id", (SWAP, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE,
              _BUY | {"clientOid": "mycustomid"}),
    Requested("createOrders: Swap create multiple limit orders at once", batch(SWAP, 0.01),
              f"POST {_MIX}/order/batch-place-order",
              _MARGIN | {"orderList": [_BUY, _BUY | {"price": "45001"}]}),
    Requested("cancelOrder: Swap cancel order", ("{id1}", SWAP), _CANCEL, _SWAP | {"orderId": "{id1}"}),
    Requested("cancelOrder: cancel linear swap order by clientOrderId", ("", SWAP, {"clientOrderId": "id1"}), _CANCEL,
              _SWAP | {"clientOid": "id1"}),
    Requested("cancelOrders: Swap cancel multiple orders at once", (["{id1}", "{id2}"], SWAP), _CANCEL_BATCH,
              _SWAP | {"orderIdList": [{"orderId": "{id1}"}, {"orderId": "{id2}"}]}),
    Requested("cancelAllOrders: Swap cancel all orders", (SWAP,), _CANCEL_BATCH, _SWAP),
    Requested("fetchOrder: Fetch swap order", ("{id1}", SWAP), f"GET {_MIX}/order/detail",
              _SWAP | {"orderId": "{id1}"}),
    Requested("fetchOpenOrders: Swap open orders", (SWAP,), f"GET {_MIX}/order/orders-pending", _SWAP),
    Requested("fetchClosedOrders: swap closed orders without symbol", (None, None, None, {"type": "swap"}), _HISTORY,
              _FUTURES),
    Requested("fetchClosedOrders: Swap closed orders", (SWAP,), _HISTORY, _SWAP),
    Requested("fetchCanceledOrders: swap canceled orders with symbol", (SWAP,), _HISTORY, _SWAP),
    Requested("fetchCanceledAndClosedOrders: swap canceled and closed orders", (SWAP,), _HISTORY, _SWAP),
    Requested("fetchMyTrades: Swap fetch private trades", (SWAP, "{since}", 3), f"GET {_MIX}/order/fills",
              _SWAP | {"limit": "3", "startTime": "{since}"}),
    Requested("fetchBalance: Fetch linear swap balance", ({"type": "swap", "productType": "USDT-FUTURES"},),
              f"GET {_MIX}/account/accounts", _FUTURES),
    Requested("fetchPosition: Fetch a linear position", (SWAP,), f"GET {_MIX}/position/single-position", _SWAP | _USDT),
    Requested("fetchPositions: Fetch linear positions", ([SWAP],), f"GET {_MIX}/position/all-position",
              _FUTURES | _USDT),
    Requested("setLeverage: Set linear leverage", (15, SWAP), f"POST {_MIX}/account/set-leverage",
              _SWAP | _USDT | {"leverage": "15"}),
    Requested("fetchLeverage: Swap fetch set leverage", (SWAP,), f"GET {_MIX}/account/account", _SWAP | _USDT),
    Requested("fetchTradingFee: swap trading fee", (SWAP,), "GET /api/v2/common/trade-rate",
              _SYMBOL | {"businessType": "mix"}),
    Requested("fetchTicker: Swap ticker", (SWAP,), f"GET {_MIX}/market/ticker", _SWAP),
    Requested("fetchTickers: swap tickers", (SWAPS,), f"GET {_MIX}/market/tickers", _FUTURES),
    Requested("fetchOHLCV: swap ohlcv should retrieve 1000 candles", (SWAP, "1m"), f"GET {_MIX}/market/candles",
              _SWAP | {"granularity": "1m", "limit": "1000"}),
    Requested("fetchFundingHistory: fetch funding history", (SWAP,), f"GET {_MIX}/account/bill",
              _SWAP | _USDT | {"businessType": "contract_settle_fee"}),
    Requested("fetchTime: fetchTime", (), "GET /api/v2/public/time"),
)  # fmt: skip

SPOT = (
    Requested("createOrder: Spot limit buy", (PAIR, "limit", "buy", 0.01, "45000"), _PLACE_SPOT, _BUY_SPOT),
    Requested("createOrder: Spot limit buy with post only", (PAIR, "limit", "buy", 0.01, "45000", POST_ONLY),
              _PLACE_SPOT, _BUY_SPOT | {"force": "post_only"}),
    Requested("createOrder: Spot market sell", (PAIR, "market", "sell", 0.01), _PLACE_SPOT, _SYMBOL | _AT_MARKET),
    Requested("code createOrder: IOC", (PAIR, "limit", "buy", 0.01, 45_000, IOC), _PLACE_SPOT,
              _BUY_SPOT | {"force": "IOC"}),
    Requested("code createOrder: client id", (PAIR, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE_SPOT,
              _BUY_SPOT | {"clientOid": "mycustomid"}),
    Requested("createOrders: Spot create multiple limit orders at once", batch(PAIR, 0.01),
              f"POST {_SPOT}/trade/batch-orders", _SYMBOL | {"orderList": [_BUY_SPOT, _BUY_SPOT | {"price": "45001"}]}),
    Requested("cancelOrder: Spot cancel order", ("{id1}", PAIR), f"POST {_SPOT}/trade/cancel-order",
              _SYMBOL | {"orderId": "{id1}"}),
    Requested("cancelOrders: Spot cancel multiple orders at once", (["{id1}", "{id2}"], PAIR),
              f"POST {_SPOT}/trade/batch-cancel-order",
              _SYMBOL | {"orderList": [{"orderId": "{id1}"}, {"orderId": "{id2}"}]}),
    Requested("cancelAllOrders: Spot cancel all plan orders", (PAIR,), f"POST {_SPOT}/trade/cancel-symbol-order",
              _SYMBOL),
    Requested("fetchOrder: fetching order with clientOrderId", ("", PAIR, {"clientOid": "id1"}), _INFO,
              {"clientOid": "id1"}),
    Requested("fetchOrder: Spot fetch order", ("{id1}", PAIR), _INFO, {"orderId": "{id1}"}),
    Requested("fetchOpenOrders: Spot open orders", (PAIR,), f"GET {_SPOT}/trade/unfilled-orders", _SYMBOL),
    Requested("fetchOpenOrders: Spot open orders without symbol", (), f"GET {_SPOT}/trade/unfilled-orders"),
    Requested("fetchClosedOrders: spot closed orders without symbol", (), _HISTORY_SPOT),
    Requested("fetchClosedOrders: Spot closed orders", (PAIR,), _HISTORY_SPOT, _SYMBOL),
    Requested("fetchCanceledOrders: spot canceled orders", (), _HISTORY_SPOT),
    Requested("fetchCanceledOrders: spot canceled orders with symbol", (PAIR,), _HISTORY_SPOT, _SYMBOL),
    Requested("fetchCanceledAndClosedOrders: spot canceled and closed orders", (PAIR,), _HISTORY_SPOT, _SYMBOL),
    Requested("fetchMyTrades: Spot fetch private trades", (PAIR, None, 3), f"GET {_SPOT}/trade/fills",
              _SYMBOL | {"limit": "3"}),
    Requested("fetchBalance: Fetch spot balance", ({"type": "spot"},), f"GET {_SPOT}/account/assets"),
    Requested("fetchTradingFee: fetch trading fee spot", (PAIR,), "GET /api/v2/common/trade-rate",
              _SYMBOL | {"businessType": "spot"}),
    Requested("fetchTicker: spot ticker", (PAIR,), f"GET {_SPOT}/market/tickers", _SYMBOL),
    Requested("fetchTickers: spot tickers", (PAIRS,), f"GET {_SPOT}/market/tickers"),
    Requested("fetchOHLCV: fetch 3min candles", (PAIR, "1m", None, 100), f"GET {_SPOT}/market/candles",
              _SYMBOL | {"granularity": "1min", "limit": "100"}),
    Requested("fetchTime: fetchTime", (), "GET /api/v2/public/time"),
)  # fmt: skip
