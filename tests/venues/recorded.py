"""Recorded truth: which fields the exchanges' own answers have, and of which JSON type.

The facts are those of the recorded answers that ccxt 4.5.90 shows beside its parsers, in the functions that each
record names; only fields of linear perpetuals in one-way mode are listed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """Names of fields, by the type of their values: JSON strings, numbers, and booleans; `absent` there are not."""

    source: str
    texts: str = ""
    numbers: str = ""
    flags: str = ""
    absent: str = ""

    def types(self) -> dict[str, tuple[type, ...]]:
        kinds: list[tuple[str, tuple[type, ...]]] = [(self.texts, (str,)), (self.numbers, (int, float))]
        kinds.append((self.flags, (bool,)))
        return {name: types for names, types in kinds for name in names.split()}


RECORDS: dict[tuple[str, str], Record] = {
    ("bybit", "order"): Record(
        "bybit.parse_order",
        texts=(
            "avgPrice blockTradeId cancelType createType createdTime cumExecFee cumExecQty cumExecValue "
            "isLeverage lastPriceOnCreated leavesQty leavesValue orderId orderIv orderLinkId orderStatus "
            "orderType placeType price qty rejectReason side slTriggerBy smpOrderId smpType stopLoss "
            "stopOrderType symbol takeProfit timeInForce tpTriggerBy tpslMode triggerBy triggerPrice "
            "updatedTime"
        ),
        numbers="positionIdx smpGroup triggerDirection",
        flags="closeOnTrigger reduceOnly",
    ),
    ("bybit", "execution"): Record(
        "bybit.parse_trade",
        texts=(
            "blockTradeId closedSize createType execFee execId execPrice execQty execTime execType execValue "
            "feeRate indexPrice leavesQty markIv markPrice orderId orderLinkId orderPrice orderQty orderType "
            "side stopOrderType symbol tradeIv underlyingPrice"
        ),
        numbers="seq",
        flags="isMaker",
    ),
    ("bybit", "position"): Record(
        "bybit.fetch_positions",
        texts=(
            "cumRealisedPnl leverage markPrice positionIM positionMM positionStatus positionValue side size "
            "stopLoss symbol takeProfit tpslMode trailingStop unrealisedPnl"
        ),
        numbers="positionIdx riskId",
    ),
    ("bybit", "ticker"): Record(
        "pro.bybit.handle_ticker",
        texts=(
            "ask1Price ask1Size bid1Price bid1Size fundingRate highPrice24h indexPrice lastPrice lowPrice24h "
            "markPrice nextFundingTime openInterest openInterestValue prevPrice1h prevPrice24h price24hPcnt "
            "symbol tickDirection turnover24h volume24h"
        ),
    ),
    ("bybit", "kline_push"): Record(
        "pro.bybit.handle_ohlcv",
        texts="close high interval low open turnover volume",
        numbers="end start timestamp",
        flags="confirm",
    ),
    ("bybit", "wallet"): Record(
        "bybit.parse_balance",
        texts=(
            "accountIMRate accountLTV accountMMRate accountType accruedInterest availableToBorrow "
            "availableToWithdraw bonus borrowAmount cumRealisedPnl equity totalAvailableBalance totalEquity "
            "totalInitialMargin totalMaintenanceMargin totalMarginBalance totalOrderIM totalPerpUPL "
            "totalPositionIM totalPositionMM totalWalletBalance unrealisedPnl usdValue walletBalance"
        ),
    ),
    ("okx", "order_push"): Record(
        "okx.parse_order",
        texts=(
            "algoClOrdId algoId amendResult attachAlgoClOrdId cTime cancelSource cancelSourceReason category "
            "ccy clOrdId code feeCcy instId instType isTpLimit lastPx lever msg ordId ordType posSide px "
            "pxType pxUsd pxVol quickMgnType rebate rebateCcy reduceOnly reqId side slOrdPx slTriggerPx "
            "slTriggerPxType source stpId stpMode sz tag tdMode tgtCcy tpOrdPx tpTriggerPx tpTriggerPxType "
            "uTime"
        ),
    ),
    ("okx", "order"): Record(
        "okx.fetch_order",
        texts=(
            "accFillSz avgPx cTime category ccy clOrdId fee feeCcy fillPx fillSz fillTime instId instType "
            "lever ordId ordType pnl posSide px rebate rebateCcy side slOrdPx slTriggerPx state sz tag tdMode "
            "tpOrdPx tpTriggerPx tradeId uTime"
        ),
    ),
    ("okx", "fill"): Record(
        "okx.parse_trade",
        texts=("billId clOrdId execType fee feeCcy fillPx fillSz instId instType ordId posSide side tag tradeId ts"),
    ),
    ("okx", "position"): Record(
        "okx.parse_position",
        texts=(
            "adl availPos avgPx cTime ccy fee fundingFee imr instId instType interest last lever liqPenalty "
            "liqPx margin markPx mgnMode mgnRatio mmr notionalUsd pnl pos posCcy posId posSide realizedPnl "
            "tradeId uTime upl uplRatio"
        ),
    ),
    ("okx", "balance"): Record(
        "okx.fetch_balance",
        texts=(
            "adjEq availBal availEq cashBal ccy crossLiab disEq eq eqUsd frozenBal imr interest isoEq liab "
            "maxLoan mgnRatio mmr notionalLever notionalUsd ordFroz ordFrozen totalEq uTime upl"
        ),
    ),
    ("okx", "instrument"): Record(
        "okx.parse_market",
        texts=(
            "alias baseCcy category ctMult ctType ctVal ctValCcy expTime instId instType lever listTime lotSz "
            "minSz optType quoteCcy settleCcy state stk tickSz uly"
        ),
    ),
    ("okx", "ticker"): Record(
        "pro.okx.handle_ticker",
        texts=(
            "askPx askSz bidPx bidSz high24h instId instType last lastSz low24h open24h sodUtc0 sodUtc8 ts "
            "vol24h volCcy24h"
        ),
    ),
    ("gate", "order"): Record(
        "gate.parse_order",
        texts="contract fill_price mkfr price status text tif tkfr",
        numbers="create_time iceberg id left refu size user",
        flags="is_close is_liq is_reduce_only",
    ),
    ("gate", "trade"): Record(
        "gate.fetch_my_trades",
        texts="fee order_id point_fee price role",
    ),
    ("gate", "trade_push"): Record(
        "pro.gate.handle_my_trades",
        texts="contract id order_id price role",
        numbers="create_time create_time_ms",
    ),
    ("gate", "position_push"): Record(
        "pro.gate.handle_positions",
        texts="contract mode user",
        numbers=(
            "cross_leverage_limit entry_price history_pnl history_point last_close_pnl leverage leverage_max "
            "liq_price maintenance_rate margin realised_pnl realised_point risk_limit time time_ms update_id"
        ),
    ),
    ("gate", "position"): Record(
        "gate.parse_position",
        texts=(
            "contract cross_leverage_limit entry_price history_pnl history_point initial_margin "
            "last_close_pnl leverage leverage_max liq_price maintenance_margin maintenance_rate margin "
            "mark_price mode realised_pnl realised_point risk_limit unrealised_pnl value"
        ),
        numbers="adl_ranking open_time pending_orders size update_time user",
    ),
    ("gate", "account"): Record(
        "gate.fetch_balance",
        texts="available bonus currency order_margin point position_margin total unrealised_pnl",
        flags="in_dual_mode",
    ),
    ("gate", "contract"): Record(
        "gate.parse_contract_market",
        texts=(
            "funding_cap_ratio funding_rate index_price last_price leverage_max leverage_min maintenance_rate "
            "maker_fee_rate mark_price mark_price_round mark_type name order_price_deviate order_price_round "
            "quanto_multiplier ref_discount_rate ref_rebate_rate status taker_fee_rate type"
        ),
        numbers=(
            "config_change_time create_time order_size_max order_size_min orderbook_id orders_limit "
            "position_size trade_id trade_size"
        ),
        flags="enable_bonus enable_credit enable_decimal in_delisting",
    ),
    ("gate", "candle_push"): Record(
        "pro.gate.handle_ohlcv",
        texts="c h l n o",
    ),
    ("gate", "balance_push"): Record(
        "pro.gate.handle_balance",
        texts="text type user",
        numbers="balance change time time_ms",
    ),
    ("bitget", "order"): Record(
        "bitget.parse_order",
        texts=(
            "baseVolume cTime clientOid enterPointSource fee force leverage marginCoin marginMode orderId "
            "orderSource orderType posMode posSide presetStopLossPrice presetStopSurplusPrice price priceAvg "
            "quoteVolume reduceOnly side size state symbol totalProfits tradeSide uTime"
        ),
    ),
    ("bitget", "fill"): Record(
        "bitget.parse_trade",
        texts=(
            "baseVolume cTime enterPointSource orderId posMode price profit quoteVolume side symbol tradeId "
            "tradeScope tradeSide"
        ),
    ),
    ("bitget", "position"): Record(
        "bitget.parse_position",
        texts=(
            "achievedProfits available cTime holdSide keepMarginRate leverage liquidationPrice locked "
            "marginCoin marginMode marginRatio marginSize markPrice openDelegateSize openPriceAvg posMode "
            "symbol total unrealizedPL"
        ),
    ),
    ("bitget", "account"): Record(
        "bitget.parse_balance",
        texts=(
            "accountEquity available btcEquity coupon crossedMaxAvailable crossedRiskRate crossedUnrealizedPL "
            "isolatedMaxAvailable isolatedUnrealizedPL locked marginCoin maxTransferOut unrealizedPL "
            "usdtEquity"
        ),
    ),
    ("bitget", "contract"): Record(
        "bitget.fetch_default_markets",
        texts=(
            "baseCoin buyLimitPriceRatio deliveryStartTime deliveryTime feeRateUpRatio fundInterval "
            "launchTime limitOpenTime maintainTime makerFeeRate maxLever maxPositionNum maxProductOrderNum "
            "maxSymbolOrderNum minLever minTradeNum minTradeUSDT offTime openCostUpRatio posLimit "
            "priceEndStep pricePlace quoteCoin sellLimitPriceRatio sizeMultiplier symbol symbolStatus "
            "symbolType takerFeeRate volumePlace"
        ),
    ),
    ("bitget", "order_push"): Record(
        "pro.bitget.parse_ws_order",
        texts=(
            "accBaseVolume baseVolume cTime clientOid enterPointSource fillFee fillFeeCoin fillNotionalUsd "
            "fillPrice fillTime force instId leverage marginCoin marginMode notionalUsd orderId orderType pnl "
            "posMode posSide price priceAvg reduceOnly side size status tradeId tradeScope tradeSide uTime"
        ),
    ),
    ("bitget", "fill_push"): Record(
        "pro.bitget.parse_ws_trade",
        texts=(
            "baseVolume cTime orderId orderType posMode price profit quoteVolume side symbol tradeId "
            "tradeScope tradeSide uTime"
        ),
    ),
    ("bitget", "position_push"): Record(
        "pro.bitget.parse_ws_position",
        texts=(
            "achievedProfits autoMargin available cTime frozen holdSide instId keepMarginRate "
            "liquidationPrice marginCoin marginMode marginRate marginSize openPriceAvg posId posMode total "
            "uTime unrealizedPL unrealizedPLR"
        ),
        numbers="leverage",
    ),
    ("bitget", "ticker"): Record(
        "pro.bitget.handle_ticker",
        texts=(
            "askPr askSz baseVolume bidPr bidSz change24h changeUtc24h high24h lastPr low24h open24h openUtc "
            "quoteVolume ts"
        ),
    ),
    ("binance", "order"): Record(
        "binance.parse_order",
        texts=(
            "avgPrice clientOrderId cumQuote executedQty origQty origType positionSide price priceMatch "
            "selfTradePreventionMode side status stopPrice symbol timeInForce type workingType"
        ),
        numbers="goodTillDate orderId time updateTime",
        flags="closePosition priceProtect reduceOnly",
    ),
    ("binance", "trade"): Record(
        "binance.parse_trade",
        texts="commission commissionAsset positionSide price qty quoteQty realizedPnl side symbol",
        numbers="id orderId time",
        flags="buyer maker",
    ),
    ("binance", "position"): Record(
        "binance.parse_position_risk",
        texts=(
            "breakEvenPrice entryPrice isAutoAddMargin isolatedMargin isolatedWallet leverage "
            "liquidationPrice marginType markPrice maxNotionalValue notional positionAmt positionSide symbol "
            "unRealizedProfit"
        ),
    ),
    ("binance", "account"): Record(
        "binance.fetch_balance",
        texts=(
            "asset availableBalance crossUnPnl crossWalletBalance initialMargin maintMargin marginBalance "
            "maxWithdrawAmount openOrderInitialMargin positionInitialMargin totalInitialMargin "
            "totalMaintMargin totalMarginBalance totalUnrealizedProfit totalWalletBalance unrealizedProfit "
            "walletBalance"
        ),
        numbers="updateTime",
    ),
    ("binance", "instrument"): Record(
        "binance.fetch_markets",
        texts=("baseAsset contractType maintMarginPercent marginAsset pair quoteAsset requiredMarginPercent symbol"),
        numbers="baseAssetPrecision deliveryDate onboardDate pricePrecision quantityPrecision quotePrecision",
    ),
    ("binance", "order_event"): Record(
        "pro.binance.parse_ws_order",
        texts="L N S X a ap b c f l n o ot p ps q rp s sp wt x z",
        numbers="T i t",
        flags="R cp m",
    ),
    ("binance", "kline_event"): Record(
        "pro.binance.handle_ohlcv",
        texts="B Q V c h i l o q s v",
        numbers="L T f n t",
        flags="x",
    ),
}
