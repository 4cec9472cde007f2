"""What the five exchanges' documentation says that they answer, in our own numbers: one BTC perpetual each.

Binance: developers.binance.com, USDⓈ-M futures. Bitget: bitget.com/api-doc/contract.
Gate: gate.com/docs/developers/apiv4. OKX: okx.com/docs-v5. Bybit: bybit-exchange.github.io/docs/v5.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opensqt.api.exchange import Exchange
from tests.venues.binance import records
from tests.venues.binance.face import LISTINGS

Json = dict[str, Any]


def _now() -> int:
    return int(time.time() * 1000)


@dataclass(frozen=True)
class Documented:
    """`error` makes the body of an error with its HTTP status; `accepted` that of a placement, by client ids.

    `mixed` makes the answer to a batch in which the items with a code were refused.
    """

    exchange: Exchange
    opening: dict[str, Any]
    place: str
    place_batch: str
    accepted: Callable[[str], Any]
    error: Callable[[str], tuple[int, Any]]
    mixed: Callable[[list[tuple[str, str]]], Any]
    balance: str
    key_header: str
    wrong_key: str
    lot: str = "0.001"
    tick: str = "0.1"


# --- Binance ---------------------------------------------------------------------------------------------------------


def _binance_order(client_id: str) -> Json:
    return {
        "orderId": 22542179, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": client_id, "price": "49000",
        "avgPrice": "0.00", "origQty": "0.010", "executedQty": "0", "cumQuote": "0", "timeInForce": "GTX",
        "type": "LIMIT", "reduceOnly": False, "side": "BUY", "positionSide": "BOTH", "updateTime": 1566818724722,
    }  # fmt: skip


BINANCE = Documented(
    exchange=Exchange.BINANCE,
    opening={
        "/fapi/v1/time": lambda _: {"serverTime": _now()},
        "/fapi/v1/exchangeInfo": {"symbols": [records.instrument(listing) for listing in LISTINGS]},
        "/fapi/v3/account": {
            "assets": [
                {
                    "asset": "USDT",
                    "walletBalance": "1000.5",
                    "marginBalance": "1010.5",
                    "availableBalance": "900.25",
                    "initialMargin": "100",
                    "maintMargin": "0",
                    "crossWalletBalance": "1000.5",
                }
            ],
            "positions": [],
        },
        "/fapi/v1/accountConfig": {"canTrade": True, "dualSidePosition": False},
    },
    place="/fapi/v1/order",
    place_batch="/fapi/v1/batchOrders",
    accepted=_binance_order,
    error=lambda code: (400, {"code": int(code), "msg": "in the exchange's words"}),
    mixed=lambda items: [
        {"code": int(code), "msg": "in the exchange's words"} if code else _binance_order(client_id)
        for client_id, code in items
    ],
    balance="/fapi/v3/account",
    key_header="X-MBX-APIKEY",
    wrong_key="-2015",
)

# --- Bitget ----------------------------------------------------------------------------------------------------------


def _bitget(data: Any, code: str = "00000", message: str = "success") -> Json:
    return {"code": code, "msg": message, "requestTime": _now(), "data": data}


_BITGET_CONTRACT = {
    "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "makerFeeRate": "0.0002", "takerFeeRate": "0.0006",
    "supportMarginCoins": ["USDT"], "minTradeNum": "0.001", "priceEndStep": "1", "volumePlace": "3", "pricePlace": "1",
    "sizeMultiplier": "0.001", "symbolType": "perpetual", "minTradeUSDT": "5", "symbolStatus": "normal",
    "offTime": "-1", "limitOpenTime": "-1", "deliveryTime": "", "launchTime": "", "minLever": "1", "maxLever": "125",
}  # fmt: skip

BITGET = Documented(
    exchange=Exchange.BITGET,
    opening={
        "/api/v2/public/time": lambda _: _bitget({"serverTime": str(_now())}),
        "/api/v2/mix/market/contracts": lambda query: _bitget(
            [_BITGET_CONTRACT] if query.get("productType") == "USDT-FUTURES" else []
        ),
        "/api/v2/mix/account/accounts": _bitget(
            [
                {
                    "marginCoin": "USDT",
                    "locked": "0",
                    "available": "950",
                    "crossedMaxAvailable": "900.25",
                    "isolatedMaxAvailable": "900.25",
                    "maxTransferOut": "900.25",
                    "accountEquity": "1010.5",
                    "usdtEquity": "1010.5",
                    "unrealizedPL": "10",
                }
            ]
        ),
        "/api/v2/spot/account/info": _bitget({"userId": "1", "authorities": ["coow", "coor"], "ips": ""}),
    },
    place="/api/v2/mix/order/place-order",
    place_batch="/api/v2/mix/order/batch-place-order",
    accepted=lambda client_id: _bitget({"orderId": "1211", "clientOid": client_id}),
    error=lambda code: (400, _bitget(None, code, "in the exchange's words")),
    mixed=lambda items: _bitget(
        {
            "successList": [{"orderId": "1211", "clientOid": client_id} for client_id, code in items if not code],
            "failureList": [
                {"orderId": "", "clientOid": client_id, "errorMsg": "in the exchange's words", "errorCode": code}
                for client_id, code in items
                if code
            ],
        }
    ),
    balance="/api/v2/mix/account/accounts",
    key_header="ACCESS-KEY",
    wrong_key="40006",
)

# --- Gate ------------------------------------------------------------------------------------------------------------


def _gate_order(client_id: str) -> Json:
    return {
        "id": 15675394, "user": 100000, "contract": "BTC_USDT", "create_time": 1546569968.0, "size": 100, "left": 100,
        "price": "49000", "fill_price": "0", "mkfr": "-0.0001", "tkfr": "0.00075", "tif": "poc",
        "is_reduce_only": False, "text": f"t-{client_id}", "status": "open", "is_close": False, "is_liq": False,
    }  # fmt: skip


GATE = Documented(
    exchange=Exchange.GATE,
    opening={
        "/api/v4/spot/time": lambda _: {"server_time": _now()},
        "/api/v4/futures/usdt/contracts": [
            {
                "name": "BTC_USDT", "type": "direct", "quanto_multiplier": "0.0001", "leverage_min": "1",
                "leverage_max": "100", "maintenance_rate": "0.005", "mark_price": "50000", "last_price": "50000",
                "maker_fee_rate": "-0.0001", "taker_fee_rate": "0.00075", "order_price_round": "0.1",
                "mark_price_round": "0.01", "order_size_min": 1, "order_size_max": 1000000, "in_delisting": False,
                "order_price_deviate": "0.2", "create_time": 1546905600,
            }
        ],
        "/api/v4/futures/usdt/accounts": {
            "user": 1666, "total": "1000.5", "unrealised_pnl": "10", "available": "900.25", "position_margin": "0",
            "order_margin": "0", "currency": "USDT", "in_dual_mode": False,
        },
    },
    place="/api/v4/futures/usdt/orders",
    place_batch="/api/v4/futures/usdt/batch_orders",
    accepted=_gate_order,
    error=lambda code: (400, {"label": code, "message": "in the exchange's words"}),
    mixed=lambda items: [
        {"succeeded": False, "label": code, "detail": "in the exchange's words"}
        if code
        else {"succeeded": True, **_gate_order(client_id)}
        for client_id, code in items
    ],
    balance="/api/v4/futures/usdt/accounts",
    key_header="KEY",
    wrong_key="INVALID_KEY",
    lot="0.0001",
)  # fmt: skip

# --- OKX -------------------------------------------------------------------------------------------------------------


def _okx_item(client_id: str, code: str = "0") -> Json:
    message = "" if code == "0" else "in the exchange's words"
    return {"clOrdId": client_id, "ordId": "" if message else "312269865356374016", "sCode": code, "sMsg": message}


def _okx_refused(code: str) -> tuple[int, Json]:
    if code.startswith("50"):  # of the request as a whole
        return 400 if code != "50011" else 429, {"code": code, "msg": "in the exchange's words", "data": []}
    return 200, {"code": "1", "msg": "All operations failed", "data": [_okx_item("o1", code)]}


OKX = Documented(
    exchange=Exchange.OKX,
    opening={
        "/api/v5/public/time": lambda _: {"code": "0", "msg": "", "data": [{"ts": str(_now())}]},
        "/api/v5/public/instruments": {
            "code": "0", "msg": "", "data": [{
                "instType": "SWAP", "instId": "BTC-USDT-SWAP", "instFamily": "BTC-USDT", "uly": "BTC-USDT",
                "baseCcy": "", "quoteCcy": "", "settleCcy": "USDT", "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC",
                "listTime": "1611916828000", "expTime": "", "lever": "100", "tickSz": "0.1", "lotSz": "0.01",
                "minSz": "0.01", "ctType": "linear", "state": "live", "maxLmtSz": "100000000",
            }],
        },
        "/api/v5/account/balance": {
            "code": "0", "msg": "", "data": [{
                "uTime": "1614846244194", "totalEq": "1010.5",
                "details": [{"ccy": "USDT", "eq": "1010.5", "cashBal": "1000.5", "availEq": "900.25",
                             "availBal": "900.25", "frozenBal": "110"}],
            }],
        },
        "/api/v5/account/config": {
            "code": "0", "msg": "",
            "data": [{"acctLv": "2", "posMode": "net_mode", "perm": "read_only,trade", "ip": ""}],
        },
    },
    place="/api/v5/trade/order",
    place_batch="/api/v5/trade/batch-orders",
    accepted=lambda client_id: {"code": "0", "msg": "", "data": [_okx_item(client_id)]},
    error=_okx_refused,
    mixed=lambda items: {
        "code": "1" if all(code for _, code in items) else "2" if any(code for _, code in items) else "0", "msg": "",
        "data": [_okx_item(client_id, code or "0") for client_id, code in items],
    },
    balance="/api/v5/account/balance",
    key_header="OK-ACCESS-KEY",
    wrong_key="50111",
    lot="0.0001",
)  # fmt: skip

# --- Bybit -----------------------------------------------------------------------------------------------------------


def _bybit(result: Any, code: int = 0, message: str = "OK", extra: Any = None) -> Json:
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": extra or {}, "time": _now()}


BYBIT = Documented(
    exchange=Exchange.BYBIT,
    opening={
        "/v5/market/time": lambda _: _bybit({"timeSecond": str(_now() // 1000), "timeNano": str(_now() * 1_000_000)}),
        "/v5/market/instruments-info": _bybit({
            "category": "linear", "nextPageCursor": "", "list": [{
                "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
                "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0",
                "priceScale": "2",
                "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
                "lotSizeFilter": {"maxOrderQty": "1190", "minOrderQty": "0.001", "qtyStep": "0.001",
                                  "minNotionalValue": "5"},
            }],
        }),
        "/v5/account/wallet-balance": _bybit({"list": [{
            "accountType": "UNIFIED", "totalEquity": "1010.5", "totalAvailableBalance": "900.25",
            "coin": [{"coin": "USDT", "equity": "1010.5", "walletBalance": "1000.5", "unrealisedPnl": "10",
                      "totalPositionIM": "0", "totalOrderIM": "100", "locked": "0"}],
        }]}),
    },
    place="/v5/order/create",
    place_batch="/v5/order/create-batch",
    accepted=lambda client_id: _bybit({"orderId": "c6f055d9-7f21", "orderLinkId": client_id}),
    error=lambda code: (200, _bybit({}, int(code), "in the exchange's words")),
    mixed=lambda items: _bybit(
        {"list": [{"category": "linear", "symbol": "BTCUSDT", "orderId": "" if code else "c6f055d9",
                   "orderLinkId": client_id, "createAt": ""} for client_id, code in items]},
        extra={"list": [{"code": int(code or 0), "msg": "in the exchange's words" if code else "OK"}
                        for _, code in items]},
    ),
    balance="/v5/account/wallet-balance",
    key_header="X-BAPI-API-KEY",
    wrong_key="10003",
)  # fmt: skip

FIVE = (BINANCE, BITGET, GATE, OKX, BYBIT)
