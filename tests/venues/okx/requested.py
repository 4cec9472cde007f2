"""What ccxt's requests to OKX look like: request/okx.json."""

from tests.venues.requested import CLIENT_ID, IOC, PAIR, POST_ONLY, REDUCE_ONLY, SWAP, SWAPS, Requested, batch

_SWAP, _PAIR = {"instId": "BTC-USDT-SWAP"}, {"instId": "BTC-USDT"}
_BUY = _SWAP | {"side": "buy", "ordType": "limit", "sz": "100", "tdMode": "cross", "px": "45000"}
_BUY_SPOT = _PAIR | {"side": "buy", "ordType": "limit", "sz": "0.01", "tdMode": "cash", "tgtCcy": "base_ccy",
                     "px": "45000"}  # fmt: skip
_TRADE, _ACCOUNT, _MARKET = "/api/v5/trade", "/api/v5/account", "/api/v5/market"
_PLACE, _CANCEL, _CANCEL_BATCH = (
    f"POST {_TRADE}/{name}" for name in ("batch-orders", "cancel-order", "cancel-batch-orders")
)
_HISTORY, _LEVERAGE = f"GET {_TRADE}/orders-history", f"POST {_ACCOUNT}/set-leverage"
_FILLED, _CANCELED = {"state": "filled"}, {"state": "canceled"}
_OF_SWAP, _OF_PAIR = _SWAP | {"instType": "SWAP"}, _PAIR | {"instType": "SPOT"}

PERPETUAL = (
    Requested("createOrder: Create a one-way-mode order with position side set to net",
              (SWAP, "limit", "buy", 100, 45_000, {"posSide": "net"}), _PLACE, [_BUY | {"posSide": "net"}]),
    Requested("createOrder: Create a swap postOnly limit order with tp + sl attached (type 3)",
              (SWAP, "limit", "buy", 100, 45_000, POST_ONLY), _PLACE, [_BUY | {"ordType": "post_only"}]),
    Requested("createOrder: Close an inverse swap position with a market reduceOnly order",
              (SWAP, "market", "sell", 10, None, REDUCE_ONLY), _PLACE,
              [_SWAP | {"side": "sell", "ordType": "market", "sz": "10", "tdMode": "cross", "reduceOnly": True}]),
    Requested("code createOrder: IOC", (SWAP, "limit", "buy", 100, 45_000, IOC), _PLACE, [_BUY | {"ordType": "ioc"}]),
    Requested("code createOrder: client id", (SWAP, "limit", "buy", 100, 45_000, CLIENT_ID), _PLACE,
              [_BUY | {"clOrdId": "mycustomid"}]),
    Requested("createOrders: Create multiple swap orders at the same time", batch(SWAP, 100), _PLACE,
              [_BUY, _BUY | {"px": "45001"}]),
    Requested("cancelOrder: Swap cancel order", ("{id1}", SWAP), _CANCEL, _SWAP | {"ordId": "{id1}"}),
    Requested("cancelOrders: Cancel multiple swap orders", (["{id1}", "{id2}"], SWAP), _CANCEL_BATCH,
              [_SWAP | {"ordId": "{id1}"}, _SWAP | {"ordId": "{id2}"}]),
    Requested("cancelOrdersForSymbols: cancelOrdersForSymbols", ([{"id": "{id1}", "symbol": SWAP}],), _CANCEL_BATCH,
              [_SWAP | {"ordId": "{id1}"}]),
    Requested("cancelAllOrdersAfter: Cancel orders after", (10_000,), f"POST {_TRADE}/cancel-all-after",
              {"timeOut": 10}),
    Requested("cancelAllOrdersAfter: Close cancel orders after", (0,), f"POST {_TRADE}/cancel-all-after",
              {"timeOut": 0}),
    Requested("fetchOrder: Swap fetch order", ("{id1}", SWAP), f"GET {_TRADE}/order", _SWAP | {"ordId": "{id1}"}),
    Requested("fetchOpenOrders: Fetch open orders with no arguments", (), f"GET {_TRADE}/orders-pending"),
    Requested("fetchOpenOrders: Swap fetch open orders", (SWAP,), f"GET {_TRADE}/orders-pending", _SWAP),
    Requested("fetchCanceledOrders: Swap fetch canceled orders", (SWAP,), _HISTORY, _OF_SWAP | _CANCELED),
    Requested("fetchClosedOrders: Swap fetch closed orders", (SWAP,), _HISTORY, _OF_SWAP | _FILLED),
    Requested("fetchMyTrades: Swap fetch my trades", (SWAP,), f"GET {_TRADE}/fills-history", _OF_SWAP),
    Requested("fetchPosition: Swap fetch position", (SWAP,), f"GET {_ACCOUNT}/positions", _OF_SWAP),
    Requested("fetchPositions: Fetch positions with no arguments", (), f"GET {_ACCOUNT}/positions"),
    Requested("fetchPositions: Fetch positions with a symbols argument", (SWAPS,), f"GET {_ACCOUNT}/positions",
              {"instId": "BTC-USDT-SWAP,ETH-USDT-SWAP"}),
    Requested("fetchPositionMode: Fetch position mode", (), f"GET {_ACCOUNT}/config"),
    Requested("fetchBalance: spot balance", ({"type": "swap"},), f"GET {_ACCOUNT}/balance"),
    Requested("setLeverage: set leverage", (5, SWAP), _LEVERAGE, _SWAP | {"lever": 5, "mgnMode": "cross"}),
    Requested("setMarginMode: set margin mode isolated", ("isolated", SWAP, {"leverage": 10}), _LEVERAGE,
              _SWAP | {"lever": 10, "mgnMode": "isolated"}),
    Requested("setMarginMode: set margin mode cross", ("cross", SWAP, {"leverage": 10}), _LEVERAGE,
              _SWAP | {"lever": 10, "mgnMode": "cross"}),
    Requested("fetchTicker: swap fetch ticker", (SWAP,), f"GET {_MARKET}/ticker", _SWAP),
    Requested("fetchTickers: swap tickers", ([SWAP],), f"GET {_MARKET}/tickers", {"instType": "SWAP"}),
    Requested("fetchOHLCV: market history should use limit=300", (SWAP, "1m", None, None, {"type": "HistoryCandles"}),
              f"GET {_MARKET}/history-candles", _SWAP | {"bar": "1m", "limit": "300"}),
    Requested("fetchTime: fetchTime", (), "GET /api/v5/public/time"),
)  # fmt: skip

SPOT = (
    Requested("createOrder: Spot limit buy order", (PAIR, "limit", "buy", 0.01, 45_000), _PLACE, [_BUY_SPOT]),
    Requested("createOrder: Spot market buy order", (PAIR, "market", "buy", 0.01), _PLACE,
              [{name: value for name, value in _BUY_SPOT.items() if name != "px"} | {"ordType": "market"}]),
    Requested("createOrder: spot order with clientOrderid", (PAIR, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE,
              [_BUY_SPOT | {"clOrdId": "mycustomid"}]),
    Requested("code createOrder: postOnly", (PAIR, "limit", "buy", 0.01, 45_000, POST_ONLY), _PLACE,
              [_BUY_SPOT | {"ordType": "post_only"}]),
    Requested("code createOrder: IOC", (PAIR, "limit", "buy", 0.01, 45_000, IOC), _PLACE,
              [_BUY_SPOT | {"ordType": "ioc"}]),
    Requested("createOrders: Create multiple spot orders at the same time", batch(PAIR, 0.01), _PLACE,
              [_BUY_SPOT, _BUY_SPOT | {"px": "45001"}]),
    Requested("cancelOrder: Spot cancel order", ("{id1}", PAIR), _CANCEL, _PAIR | {"ordId": "{id1}"}),
    Requested("cancelOrders: Cancel multiple spot orders", (["{id1}", "{id2}"], PAIR), _CANCEL_BATCH,
              [_PAIR | {"ordId": "{id1}"}, _PAIR | {"ordId": "{id2}"}]),
    Requested("fetchOrder: Spot fetch order", ("{id1}", PAIR), f"GET {_TRADE}/order", _PAIR | {"ordId": "{id1}"}),
    Requested("fetchOpenOrders: Spot fetch open orders", (PAIR,), f"GET {_TRADE}/orders-pending", _PAIR),
    Requested("fetchCanceledOrders: Fetch canceled orders with no arguments", (), _HISTORY,
              {"instType": "SPOT"} | _CANCELED),
    Requested("fetchCanceledOrders: Spot fetch canceled orders", (PAIR,), _HISTORY, _OF_PAIR | _CANCELED),
    Requested("fetchClosedOrders: Fetch closed orders with no arguments", (), _HISTORY, {"instType": "SPOT"} | _FILLED),
    Requested("fetchClosedOrders: Spot fetch closed orders", (PAIR,), _HISTORY, _OF_PAIR | _FILLED),
    Requested("fetchMyTrades: Spot fetch my trades with no arguments", (), f"GET {_TRADE}/fills-history",
              {"instType": "SPOT"}),
    Requested("fetchMyTrades: Spot fetch my trades with a defined symbol", (PAIR,), f"GET {_TRADE}/fills-history",
              _OF_PAIR),
    Requested("fetchBalance: spot balance", (), f"GET {_ACCOUNT}/balance"),
    Requested("fetchTicker: spot ticker", (PAIR,), f"GET {_MARKET}/ticker", _PAIR),
    Requested("fetchTickers: spot tickers", ([PAIR],), f"GET {_MARKET}/tickers", {"instType": "SPOT"}),
    Requested("fetchOHLCV: spot ohlcv", (PAIR,), f"GET {_MARKET}/candles", _PAIR | {"bar": "1m", "limit": "100"}),
    Requested("fetchTradingFee: Spot trading fee", (PAIR,), f"GET {_ACCOUNT}/trade-fee", _OF_PAIR),
)  # fmt: skip
