"""The same order, fill and position as each of the five exchanges documents them.

A post-only buy of 0.01 BTC at 49000 with the client id o1, cancelled after 0.004 were filled by one trade, 9001, as
maker; and a short position of 0.02 BTC from 49000 with 5x leverage and a loss of 1.5 USDT.
"""

from dataclasses import dataclass
from typing import Any

from opensqt.api.exchange import Exchange
from tests.connector_ccxt.five import _bitget, _bybit

Json = dict[str, Any]
CREATED, FILLED, ENDED = 1_700_000_000_000, 1_700_000_000_500, 1_700_000_001_000


@dataclass(frozen=True)
class Recorded:
    """Bodies by path; `crossed` are those of the same order ended at once because it would have taken."""

    order: dict[str, Any]
    crossed: dict[str, Any]
    positions: dict[str, Any]
    open_orders: dict[str, Any]
    hedged: dict[str, Any]
    one_way: dict[str, Any]
    set_leverage: str
    fee: str = "0.0392"


def _binance(**changes: Any) -> Json:
    order = {
        "orderId": 77, "symbol": "BTCUSDT", "status": "CANCELED", "clientOrderId": "o1", "price": "49000.00",
        "avgPrice": "49000", "origQty": "0.010", "executedQty": "0.004", "cumQuote": "196", "timeInForce": "GTX",
        "type": "LIMIT", "reduceOnly": False, "closePosition": False, "side": "BUY", "positionSide": "BOTH",
        "stopPrice": "0", "origType": "LIMIT", "time": CREATED, "updateTime": ENDED,
    }  # fmt: skip
    return order | changes


_BINANCE = Recorded(
    order={
        "/fapi/v1/order": _binance(),
        "/fapi/v1/userTrades": [
            {
                "symbol": "BTCUSDT", "id": 9001, "orderId": 77, "side": "BUY", "price": "49000", "qty": "0.004",
                "realizedPnl": "0", "quoteQty": "196", "commission": "0.0392", "commissionAsset": "USDT",
                "time": FILLED, "positionSide": "BOTH", "buyer": True, "maker": True,
            }
        ],
    },
    crossed={"/fapi/v1/order": _binance(status="EXPIRED", executedQty="0")},
    positions={
        "/fapi/v2/positionRisk": [
            {
                "symbol": "BTCUSDT", "positionAmt": "-0.020", "entryPrice": "49000.0", "markPrice": "49075",
                "unRealizedProfit": "-1.5", "liquidationPrice": "0", "leverage": "5", "marginType": "cross",
                "isolatedMargin": "0", "positionSide": "BOTH", "notional": "-981.5", "updateTime": ENDED,
            }
        ],
        "/fapi/v1/leverageBracket": [],
    },
    open_orders={"/fapi/v1/openOrders": [_binance(status="PARTIALLY_FILLED")]},
    hedged={"/fapi/v1/positionSide/dual": {"dualSidePosition": True}},
    one_way={
        "/fapi/v1/positionSide/dual": {"dualSidePosition": False},
        "/fapi/v1/leverage": {"leverage": 5, "maxNotionalValue": "1", "symbol": "BTCUSDT"},
    },
    set_leverage="/fapi/v1/leverage",
)  # fmt: skip


def _bitget_order(**changes: Any) -> Json:
    order = {
        "symbol": "BTCUSDT", "size": "0.01", "orderId": "1211", "clientOid": "o1", "baseVolume": "0.004",
        "fee": "-0.0392", "price": "49000", "priceAvg": "49000", "state": "canceled", "status": "canceled",
        "side": "buy", "force": "post_only", "posSide": "net", "marginCoin": "USDT", "quoteVolume": "196",
        "orderType": "limit", "leverage": "5", "marginMode": "crossed", "reduceOnly": "NO", "tradeSide": "buy_single",
        "posMode": "one_way_mode", "cTime": str(CREATED), "uTime": str(ENDED), "cancelReason": "normal_cancel",
    }  # fmt: skip
    return order | changes


_BITGET = Recorded(
    order={
        "/api/v2/mix/order/detail": _bitget(_bitget_order()),
        "/api/v2/mix/order/fills": _bitget({"fillList": [
            {
                "tradeId": "9001", "symbol": "BTCUSDT", "orderId": "1211", "price": "49000", "baseVolume": "0.004",
                "feeDetail": [{"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "0", "totalFee": "-0.0392"}],
                "side": "buy", "quoteVolume": "196", "profit": "0", "tradeSide": "buy_single",
                "posMode": "one_way_mode", "tradeScope": "maker", "cTime": str(FILLED),
            }
        ], "endId": "9001"}),
    },
    crossed={"/api/v2/mix/order/detail": _bitget(_bitget_order(baseVolume="0", cancelReason="post_only_cancel"))},
    positions={
        "/api/v2/mix/position/all-position": _bitget([
            {
                "symbol": "BTCUSDT", "marginCoin": "USDT", "holdSide": "short", "openDelegateSize": "0",
                "marginSize": "196", "available": "0.02", "locked": "0", "total": "0.02", "leverage": "5",
                "openPriceAvg": "49000", "marginMode": "crossed", "posMode": "one_way_mode", "unrealizedPL": "-1.5",
                "markPrice": "49075", "liquidationPrice": "0", "cTime": str(CREATED), "uTime": str(ENDED),
            }
        ]),
    },
    open_orders={"/api/v2/mix/order/orders-pending": _bitget(
        {"entrustedList": [_bitget_order(status="partially_filled", state="partially_filled")], "endId": "1211"}
    )},
    hedged={"/api/v2/mix/account/account": _bitget({"marginCoin": "USDT", "posMode": "hedge_mode"})},
    one_way={
        "/api/v2/mix/account/account": _bitget({"marginCoin": "USDT", "posMode": "one_way_mode"}),
        "/api/v2/mix/account/set-leverage": _bitget({"symbol": "BTCUSDT", "crossMarginLeverage": "5"}),
    },
    set_leverage="/api/v2/mix/account/set-leverage",
)  # fmt: skip


def _gate_order(**changes: Any) -> Json:
    order = {
        "id": 15675394, "user": 1, "contract": "BTC_USDT", "create_time": CREATED / 1000, "finish_time": ENDED / 1000,
        "finish_as": "cancelled", "status": "finished", "size": 100, "left": 60, "price": "49000",
        "fill_price": "49000", "mkfr": "-0.0001", "tkfr": "0.00075", "tif": "poc", "is_reduce_only": False,
        "text": "t-o1", "is_close": False, "is_liq": False,
    }  # fmt: skip
    return order | changes


_GATE_OPEN = {key: value for key, value in _gate_order(status="open").items() if not key.startswith("finish")}
_GATE = Recorded(
    order={
        "/api/v4/futures/usdt/orders/t-o1": _gate_order(),
        "/api/v4/futures/usdt/my_trades": [
            {
                "id": 9001, "create_time": FILLED / 1000, "contract": "BTC_USDT", "order_id": "15675394", "size": 40,
                "price": "49000", "role": "maker", "text": "t-o1", "fee": "-0.0196", "point_fee": "0",
            }
        ],
    },
    crossed={"/api/v4/futures/usdt/orders/t-o1": _gate_order(finish_as="poc", left=100, fill_price="0")},
    positions={
        "/api/v4/futures/usdt/positions": [
            {
                "user": 1, "contract": "BTC_USDT", "size": -200, "leverage": "5", "cross_leverage_limit": "0",
                "risk_limit": "100", "maintenance_rate": "0.005", "value": "981.5", "margin": "196",
                "entry_price": "49000", "liq_price": "0", "mark_price": "49075", "unrealised_pnl": "-1.5",
                "realised_pnl": "0", "mode": "single", "update_time": ENDED // 1000, "open_time": CREATED // 1000,
            }
        ],
    },
    open_orders={"/api/v4/futures/usdt/orders": [_GATE_OPEN]},
    hedged={"/api/v4/futures/usdt/accounts": {"total": "1", "currency": "USDT", "in_dual_mode": True}},
    one_way={"/api/v4/futures/usdt/positions/BTC_USDT/leverage": {"leverage": "0", "cross_leverage_limit": "5"}},
    set_leverage="/api/v4/futures/usdt/positions/BTC_USDT/leverage",
    fee="-0.0196",
)  # fmt: skip


def _okx(*data: Json) -> Json:
    return {"code": "0", "msg": "", "data": list(data)}


def _okx_order(**changes: Any) -> Json:
    order = {
        "instType": "SWAP", "instId": "BTC-USDT-SWAP", "ordId": "312", "clOrdId": "o1", "px": "49000", "sz": "1",
        "ordType": "post_only", "side": "buy", "posSide": "net", "tdMode": "cross", "accFillSz": "0.4",
        "fillPx": "49000", "tradeId": "9001", "fillSz": "0.4", "fillTime": str(FILLED), "state": "canceled",
        "avgPx": "49000", "lever": "5", "feeCcy": "USDT", "fee": "-0.0392", "cancelSource": "1",
        "reduceOnly": "false", "uTime": str(ENDED), "cTime": str(CREATED),
    }  # fmt: skip
    return order | changes


_OKX = Recorded(
    order={
        "/api/v5/trade/order": _okx(_okx_order()),
        "/api/v5/trade/fills": _okx({
            "instType": "SWAP", "instId": "BTC-USDT-SWAP", "tradeId": "9001", "ordId": "312", "clOrdId": "o1",
            "billId": "1", "fillPx": "49000", "fillSz": "0.4", "side": "buy", "posSide": "net", "execType": "M",
            "feeCcy": "USDT", "fee": "-0.0392", "ts": str(FILLED),
        }),
    },
    crossed={"/api/v5/trade/order": _okx(_okx_order(accFillSz="0", avgPx="", cancelSource="31"))},
    positions={
        "/api/v5/account/positions": _okx({
            "instType": "SWAP", "mgnMode": "cross", "posId": "1", "posSide": "net", "pos": "-2", "availPos": "",
            "ccy": "USDT", "avgPx": "49000", "upl": "-1.5", "lever": "5", "instId": "BTC-USDT-SWAP",
            "markPx": "49075", "notionalUsd": "981.5", "imr": "196", "mmr": "3", "mgnRatio": "10", "liqPx": "",
            "margin": "", "uTime": str(ENDED), "cTime": str(CREATED),
        }),
    },
    open_orders={"/api/v5/trade/orders-pending": _okx(_okx_order(state="partially_filled"))},
    hedged={"/api/v5/account/config": _okx({"posMode": "long_short_mode", "perm": "read_only,trade"})},
    one_way={"/api/v5/account/set-leverage": _okx({"lever": "5", "mgnMode": "cross", "instId": "BTC-USDT-SWAP"})},
    set_leverage="/api/v5/account/set-leverage",
)  # fmt: skip


def _bybit_order(**changes: Any) -> Json:
    order = {
        "orderId": "c6f", "orderLinkId": "o1", "symbol": "BTCUSDT", "price": "49000", "qty": "0.01", "side": "Buy",
        "positionIdx": 0, "orderStatus": "Cancelled", "cancelType": "CancelByUser", "rejectReason": "EC_NoError",
        "avgPrice": "49000", "leavesQty": "0", "leavesValue": "0", "cumExecQty": "0.004", "cumExecValue": "196",
        "cumExecFee": "0.0392", "timeInForce": "PostOnly", "orderType": "Limit", "reduceOnly": False,
        "createdTime": str(CREATED), "updatedTime": str(ENDED), "tpslMode": "",
    }  # fmt: skip
    return order | changes


def _bybit_list(*items: Json) -> Json:
    return _bybit({"list": list(items), "nextPageCursor": "", "category": "linear"})


_BYBIT_POSITION = {
    "positionIdx": 0, "symbol": "BTCUSDT", "side": "Sell", "size": "0.02", "avgPrice": "49000", "positionValue": "980",
    "unrealisedPnl": "-1.5", "leverage": "5", "markPrice": "49075", "liqPrice": "", "positionIM": "196",
    "positionMM": "3", "tradeMode": 0, "createdTime": str(CREATED), "updatedTime": str(ENDED), "seq": 1,
}  # fmt: skip
_BYBIT = Recorded(
    order={
        "/v5/order/realtime": _bybit_list(_bybit_order()),
        "/v5/execution/list": _bybit_list({
            "symbol": "BTCUSDT", "orderId": "c6f", "orderLinkId": "o1", "side": "Buy", "orderPrice": "49000",
            "orderQty": "0.01", "leavesQty": "0.006", "orderType": "Limit", "execFee": "0.0392", "execId": "9001",
            "execPrice": "49000", "execQty": "0.004", "execType": "Trade", "execValue": "196",
            "execTime": str(FILLED), "isMaker": True, "feeRate": "0.0002", "feeCurrency": "",
        }),
    },
    crossed={"/v5/order/realtime": _bybit_list(_bybit_order(
        cumExecQty="0", cumExecValue="0", avgPrice="", rejectReason="EC_PostOnlyWillTakeLiquidity",
    ))},
    positions={"/v5/position/list": _bybit_list(_BYBIT_POSITION)},
    open_orders={"/v5/order/realtime": _bybit_list(_bybit_order(orderStatus="PartiallyFilled", leavesQty="0.006"))},
    hedged={"/v5/position/list": _bybit_list(
        _BYBIT_POSITION | {"positionIdx": 1, "side": "Buy"}, _BYBIT_POSITION | {"positionIdx": 2}
    )},
    one_way={
        "/v5/position/list": _bybit_list(_BYBIT_POSITION),
        "/v5/position/set-leverage": _bybit({}, 110043, "Set leverage has not been modified."),
    },
    set_leverage="/v5/position/set-leverage",
)  # fmt: skip

RECORDED = {
    Exchange.BINANCE: _BINANCE,
    Exchange.BITGET: _BITGET,
    Exchange.GATE: _GATE,
    Exchange.OKX: _OKX,
    Exchange.BYBIT: _BYBIT,
}
