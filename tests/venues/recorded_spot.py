"""Recorded truth of spot: fields of the exchanges' own answers, and of which JSON type; see `recorded.py`.

The facts are those of the exchanges' documents that each record names, and of the recorded answers that ccxt 4.5.90
shows beside its parsers. `absent` are fields that perpetuals have and spot has not.
"""

from tests.venues.recorded import Record

_BITGET_ORDER = (
    "userId symbol orderId clientOid size orderType side status priceAvg baseVolume quoteVolume enterPointSource "
    "orderSource cTime uTime"
)
_GATE_ORDER = (
    "id text create_time update_time currency_pair type account side amount price time_in_force left filled_amount "
    "filled_total avg_deal_price fee fee_currency point_fee gt_fee rebated_fee rebated_fee_currency stp_act finish_as "
    "amend_text"
)

SPOT_RECORDS: dict[tuple[str, str], Record] = {
    ("binance", "order"): Record(
        "rest-api, query order",
        texts=(
            "symbol clientOrderId price origQty executedQty cummulativeQuoteQty status timeInForce type side stopPrice "
            "icebergQty origQuoteOrderQty selfTradePreventionMode"
        ),
        numbers="orderId orderListId time updateTime workingTime",
        flags="isWorking",
        absent="avgPrice reduceOnly positionSide cumQuote",
    ),
    ("binance", "cancelled"): Record(
        "rest-api, cancel order",
        texts=(
            "symbol origClientOrderId clientOrderId price origQty executedQty cummulativeQuoteQty status timeInForce "
            "type side selfTradePreventionMode"
        ),
        numbers="orderId orderListId transactTime",
    ),
    ("binance", "trade"): Record(
        "rest-api, account trade list",
        texts="symbol price qty quoteQty commission commissionAsset",
        numbers="id orderId orderListId time",
        flags="isBuyer isMaker isBestMatch",
        absent="clientOrderId side realizedPnl",
    ),
    ("binance", "account"): Record(
        "rest-api, account information",
        texts="accountType asset free locked",
        numbers="makerCommission takerCommission buyerCommission sellerCommission updateTime uid",
        flags="canTrade canWithdraw canDeposit brokered requireSelfTradePrevention preventSor",
    ),
    ("binance", "order_event"): Record(
        "user-data-stream, order update",
        texts="e s c S o f q p P F C x X r l z L n N Z Y Q V",
        numbers="E g i T t I O W",
        flags="w m M",
    ),
    ("bitget", "order"): Record(
        "spot/trade/Get-Order-Info", texts=f"{_BITGET_ORDER} price feeDetail cancelReason", absent="force posSide"
    ),
    ("bitget", "unfilled"): Record("bitget.parse_order", texts=f"{_BITGET_ORDER} basePrice", absent="price force"),
    ("bitget", "order_push"): Record(
        "pro.bitget.parse_ws_order",
        texts=(
            "instId orderId price clientOid notional newSize size orderType force side accBaseVolume priceAvg status "
            "cTime uTime enterPointSource fillPrice tradeId baseVolume fillTime fillFee fillFeeCoin tradeScope"
        ),
        absent="posMode posSide reduceOnly",
    ),
    ("bitget", "fill"): Record(
        "bitget.parse_trade",
        texts="userId symbol orderId tradeId orderType side priceAvg size amount tradeScope cTime uTime",
        absent="clientOid baseVolume price",
    ),
    ("bitget", "fill_push"): Record(
        "pro.bitget.handle_my_trades",
        texts="orderId tradeId symbol orderType side priceAvg size amount tradeScope cTime uTime",
        absent="clientOid",
    ),
    ("bitget", "symbol"): Record(
        "bitget.parse_market",
        texts=(
            "symbol baseCoin quoteCoin minTradeAmount maxTradeAmount takerFeeRate makerFeeRate pricePrecision "
            "quantityPrecision quotePrecision status minTradeUSDT buyLimitPriceRatio sellLimitPriceRatio"
        ),
    ),
    ("bitget", "asset"): Record(
        "bitget.parse_balance", texts="coin available limitAvailable frozen locked uTime", absent="marginCoin"
    ),
    ("gate", "order"): Record(
        "gateapi-python, Order",
        texts=f"{_GATE_ORDER} status iceberg fill_price",
        numbers="create_time_ms update_time_ms stp_id",
        flags="gt_discount",
        absent="contract size tif",
    ),
    ("gate", "order_push"): Record(
        "pro.gate.handle_order",
        texts=f"{_GATE_ORDER} create_time_ms update_time_ms event biz_info",
        numbers="user stp_id",
        absent="status",
    ),
    ("gate", "trade"): Record(
        "gateapi-python, Trade",
        texts=(
            "id create_time create_time_ms currency_pair side role amount price order_id fee fee_currency point_fee "
            "gt_fee amend_text sequence_id text"
        ),
        absent="contract size",
    ),
    ("gate", "currency_pair"): Record(
        "gateapi-python, CurrencyPair",
        texts="id base base_name quote quote_name fee min_base_amount min_quote_amount trade_status type",
        numbers="amount_precision precision sell_start buy_start delisting_time",
        flags="st_tag",
    ),
    ("gate", "account"): Record("gateapi-python, SpotAccount", texts="currency available locked", numbers="update_id"),
    ("gate", "balance_push"): Record(
        "pro.gate.handle_balance",
        texts="timestamp timestamp_ms user currency change total available freeze freeze_change change_type",
    ),
    ("gate", "candle_push"): Record("pro.gate.handle_ohlcv", texts="t v c h l o n a", flags="w"),
    ("okx", "order_push"): Record(
        "pro.okx.handle_orders",
        texts=(
            "accFillSz amendResult avgPx cTime category ccy clOrdId code execType fee feeCcy fillFee fillFeeCcy "
            "fillNotionalUsd fillPx fillSz fillTime instId instType lever msg ordId ordType pnl posSide px rebate "
            "rebateCcy reqId side slOrdPx slTriggerPx state sz tag tdMode tgtCcy tpOrdPx tradeId uTime"
        ),
    ),
    ("okx", "fill"): Record(
        "okx.parse_trade",
        texts="side fillSz fillPx fee ordId instType instId clOrdId posSide billId tag execType tradeId feeCcy ts",
    ),
    ("okx", "balance"): Record(
        "okx.fetch_balance",
        texts="adjEq totalEq uTime availBal availEq cashBal ccy disEq eq eqUsd frozenBal ordFrozen upl",
    ),
    ("okx", "instrument"): Record(
        "okx.parse_market",
        texts=(
            "alias baseCcy category ctMult ctType ctVal ctValCcy expTime instId instType lever listTime lotSz "
            "maxIcebergSz maxLmtSz maxMktSz maxTriggerSz maxTwapSz minSz optType quoteCcy settleCcy state stk tickSz "
            "uly"
        ),
    ),
    ("bybit", "order"): Record(
        "v5/order/open-order",
        texts=(
            "avgPrice basePrice blockTradeId cancelType createdTime cumExecQty cumExecValue isLeverage leavesQty "
            "leavesValue marketUnit ocoTriggerBy orderId orderIv orderLinkId orderStatus orderType placeType price qty "
            "rejectReason side slTriggerBy smpOrderId smpType stopLoss stopOrderType symbol takeProfit timeInForce "
            "tpTriggerBy triggerBy triggerPrice updatedTime"
        ),
        numbers="positionIdx smpGroup triggerDirection",
        flags="closeOnTrigger reduceOnly",
        absent="tpslMode createType lastPriceOnCreated",
    ),
    ("bybit", "execution"): Record(
        "v5/websocket/private/execution",
        texts=(
            "symbol isLeverage orderId orderLinkId side orderPrice orderQty leavesQty orderType stopOrderType execFee "
            "execId execPrice execQty execType execValue execTime feeRate tradeIv markIv markPrice indexPrice "
            "underlyingPrice blockTradeId closedSize extraFees feeCurrency"
        ),
        numbers="seq",
        flags="isMaker",
        absent="createType",
    ),
    ("bybit", "instrument"): Record(
        "bybit.fetch_spot_markets",
        texts=(
            "symbol baseCoin quoteCoin innovation status marginTrading basePrecision quotePrecision minOrderQty "
            "maxOrderQty minOrderAmt maxOrderAmt tickSize"
        ),
        absent="qtyStep contractType settleCoin",
    ),
    ("bybit", "ticker_push"): Record(
        "v5/websocket/public/ticker",
        texts=(
            "symbol lastPrice highPrice24h lowPrice24h prevPrice24h volume24h turnover24h price24hPcnt usdIndexPrice"
        ),
        absent="bid1Price ask1Price markPrice",
    ),
    ("bybit", "wallet"): Record(
        "v5/account/wallet-balance",
        texts=(
            "accountType accountIMRate accountMMRate totalEquity totalWalletBalance totalMarginBalance "
            "totalAvailableBalance coin equity usdValue walletBalance locked free spotHedgingQty borrowAmount "
            "availableToWithdraw accruedInterest totalOrderIM totalPositionIM totalPositionMM unrealisedPnl "
            "cumRealisedPnl bonus availableToBorrow spotBorrow"
        ),
        flags="marginCollateral collateralSwitch",
    ),
}
