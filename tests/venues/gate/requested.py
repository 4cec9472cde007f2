"""What ccxt's requests to Gate look like: request/gate.json.

`cancelOrders` is told in which coin the contract settles: by itself ccxt for Python writes it in capitals in the path,
unlike the fixture.
"""

from tests.venues.requested import CLIENT_ID, IOC, PAIR, PAIRS, POST_ONLY, REDUCE_ONLY, SWAP, SWAPS, Requested, batch

_FUTURES, _SPOT = "/api/v4/futures/usdt", "/api/v4/spot"
_CONTRACT, _PAIR = {"contract": "BTC_USDT"}, {"currency_pair": "BTC_USDT"}
_BUY = _CONTRACT | {"size": 100, "price": "45000"}
_SELL = _CONTRACT | {"size": -100, "price": "55000"}
_AT_MARKET = {"price": "0", "tif": "ioc"}
_OF_BATCH = _BUY | {"settle": "usdt", "textIsRequired": True}
_BUY_SPOT = _PAIR | {"type": "limit", "account": "spot", "side": "buy", "amount": "0.01", "price": "45000"}
_SELL_SPOT = _PAIR | {"type": "market", "account": "spot", "side": "sell", "amount": "0.01", "time_in_force": "ioc"}
_ACCOUNT = _PAIR | {"account": "spot"}
_PLACE, _PLACE_SPOT = f"POST {_FUTURES}/orders", f"POST {_SPOT}/orders"
_OPEN, _FINISHED, _MINUTES, _UTC = {"status": "open"}, {"status": "finished"}, {"interval": "1m"}, {"timezone": "utc0"}

PERPETUAL = (
    Requested("createOrder: Swap limit buy order", (SWAP, "limit", "buy", 100, 45_000), _PLACE, _BUY),
    Requested("createOrder: swap limit sell", (SWAP, "limit", "sell", 100, 55_000), _PLACE, _SELL),
    Requested("createOrder: swap market buy", (SWAP, "market", "buy", 100), _PLACE, _BUY | _AT_MARKET),
    Requested("createOrder: swap market sell", (SWAP, "market", "sell", 100), _PLACE, _SELL | _AT_MARKET),
    Requested("code createOrder: postOnly", (SWAP, "limit", "buy", 100, 45_000, POST_ONLY), _PLACE,
              _BUY | {"tif": "poc"}),
    Requested("code createOrder: reduceOnly", (SWAP, "limit", "sell", 100, 55_000, REDUCE_ONLY), _PLACE,
              _SELL | {"reduce_only": True}),
    Requested("code createOrder: IOC", (SWAP, "limit", "buy", 100, 45_000, IOC), _PLACE, _BUY | {"tif": "ioc"}),
    Requested("code createOrder: client id", (SWAP, "limit", "buy", 100, 45_000, CLIENT_ID), _PLACE,
              _BUY | {"text": "t-mycustomid"}),
    Requested("createOrders: create swap orders", batch(SWAP, 100), f"POST {_FUTURES}/batch_orders",
              [_OF_BATCH, _OF_BATCH | {"price": "45001"}]),
    Requested("cancelOrder: Cancel Order - swap", ("{id1}", SWAP), f"DELETE {_FUTURES}/orders/{{id1}}", _CONTRACT),
    Requested("cancelOrders: cancel swap orders", (["{id1}", "{id2}"], SWAP, {"settle": "usdt"}),
              f"POST {_FUTURES}/batch_cancel_orders", ["{id1}", "{id2}"]),
    Requested("cancelAllOrders: Cancel swap orders", (SWAP,), f"DELETE {_FUTURES}/orders", _CONTRACT),
    Requested("fetchOrder: Fetch Order - swap", ("{id1}", SWAP), f"GET {_FUTURES}/orders/{{id1}}", _CONTRACT),
    Requested("fetchOpenOrders: Swap open orders", (SWAP,), f"GET {_FUTURES}/orders", _CONTRACT | _OPEN),
    Requested("fetchClosedOrders: Swap closed orders", (SWAP,), f"GET {_FUTURES}/orders", _CONTRACT | _FINISHED),
    Requested("fetchMyTrades: Swap private trades", (SWAP, "{since}", 5), f"GET {_FUTURES}/my_trades_timerange",
              _CONTRACT | {"limit": "5", "from": "{since_s}"}),
    Requested("fetchPositions: Fetch positions without parameters (all usdt positions)", (),
              f"GET {_FUTURES}/positions"),
    Requested("fetchPositions: Fetch linear position", ([SWAP],), f"GET {_FUTURES}/positions"),
    Requested("fetchPosition: Fetch a linear swap position", (SWAP,), f"GET {_FUTURES}/positions/BTC_USDT"),
    Requested("fetchBalance: Fetch swap Balance", ({"type": "swap"},), f"GET {_FUTURES}/accounts"),
    Requested("setLeverage: Set linear leverage - swap", (5, SWAP), f"POST {_FUTURES}/positions/BTC_USDT/leverage",
              {"leverage": "5"}),
    Requested("fetchTicker: Fetch Ticker - swap", (SWAP,), f"GET {_FUTURES}/tickers", _CONTRACT),
    Requested("fetchTickers: swap tickers", (SWAPS,), f"GET {_FUTURES}/tickers", _UTC),
    Requested("fetchOHLCV: swap +1m", (SWAP, "1m"), f"GET {_FUTURES}/candlesticks",
              _CONTRACT | _MINUTES | {"limit": "1999"}),
    Requested("fetchFundingHistory: Fetch FundingHistory - swap", (SWAP, "{since}"), f"GET {_FUTURES}/account_book",
              _CONTRACT | {"type": "fund", "from": "{since_s}"}),
    Requested("fetchTime: fetch the current exchange server time", (), "GET /api/v4/spot/time"),
)  # fmt: skip

SPOT = (
    Requested("createOrder: Spot limit buy order", (PAIR, "limit", "buy", 0.01, 45_000), _PLACE_SPOT, _BUY_SPOT),
    Requested("createOrder: Spot limit sell order", (PAIR, "limit", "sell", 0.01, 55_000), _PLACE_SPOT,
              _BUY_SPOT | {"side": "sell", "price": "55000"}),
    Requested("createOrder: Spot market sell order", (PAIR, "market", "sell", 0.01, None), _PLACE_SPOT, _SELL_SPOT),
    Requested("code createOrder: postOnly", (PAIR, "limit", "buy", 0.01, 45_000, POST_ONLY), _PLACE_SPOT,
              _BUY_SPOT | {"time_in_force": "poc"}),
    Requested("code createOrder: IOC", (PAIR, "limit", "buy", 0.01, 45_000, IOC), _PLACE_SPOT,
              _BUY_SPOT | {"time_in_force": "ioc"}),
    Requested("code createOrder: client id", (PAIR, "limit", "buy", 0.01, 45_000, CLIENT_ID), _PLACE_SPOT,
              _BUY_SPOT | {"text": "t-mycustomid"}),
    Requested("createOrders: create spot orders", batch(PAIR, 0.01), f"POST {_SPOT}/batch_orders",
              [_BUY_SPOT | {"textIsRequired": True}, _BUY_SPOT | {"price": "45001", "textIsRequired": True}]),
    Requested("cancelOrder: Cancel Order - spot", ("{id1}", PAIR), f"DELETE {_SPOT}/orders/{{id1}}", _ACCOUNT),
    Requested("cancelAllOrders: Cancel spot orders", (PAIR,), f"DELETE {_SPOT}/orders", _ACCOUNT),
    Requested("fetchOrder: Fetch Order - spot", ("{id1}", PAIR), f"GET {_SPOT}/orders/{{id1}}", _ACCOUNT),
    Requested("fetchOpenOrders: Spot open orders", (PAIR,), f"GET {_SPOT}/open_orders", _ACCOUNT | _OPEN),
    Requested("fetchClosedOrders: Spot closed orders", (PAIR,), f"GET {_SPOT}/orders", _ACCOUNT | _FINISHED),
    Requested("fetchMyTrades: Spot private trades", (PAIR, "{since}", 5), f"GET {_SPOT}/my_trades",
              _ACCOUNT | {"limit": "5", "from": "{since_s}"}),
    Requested("fetchBalance: Fetch spot Balance", ({"type": "spot"},), f"GET {_SPOT}/accounts"),
    Requested("fetchTicker: Fetch Ticker - spot", (PAIR,), f"GET {_SPOT}/tickers", _PAIR),
    Requested("fetchTickers: spot tickers", (PAIRS,), f"GET {_SPOT}/tickers", _UTC),
    Requested("fetchOHLCV: spot +1m", (PAIR, "1m"), f"GET {_SPOT}/candlesticks", _PAIR | _MINUTES | {"limit": "1000"}),
    Requested("fetchTime: fetch the current exchange server time", (), f"GET {_SPOT}/time"),
)  # fmt: skip
