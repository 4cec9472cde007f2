"""Gate's refusals. gate.com/docs/developers/apiv4: error handling, label list; futures."""

from tests.venues.refusals import Reason

LABELS: dict[Reason, tuple[int, str, str]] = {
    Reason.BAD_KEY: (401, "INVALID_KEY", "Invalid key provided"),
    Reason.BAD_SIGNATURE: (401, "INVALID_SIGNATURE", "Signature mismatch"),
    Reason.BAD_PASSPHRASE: (401, "INVALID_SIGNATURE", "Signature mismatch"),
    Reason.MISSING_PERMISSION: (403, "READ_ONLY", "API key is read-only"),
    Reason.ADDRESS_NOT_ALLOWED: (403, "IP_FORBIDDEN", "IP 127.0.0.1 not in whitelist"),
    Reason.CLOCK_SKEW: (
        403,
        "REQUEST_EXPIRED",
        "gap between request Timestamp and server time exceeds 60",
    ),
    Reason.EXPIRED: (400, "REQUEST_EXPIRED", "request expired"),
    Reason.WOULD_CROSS: (400, "ORDER_POC_IMMEDIATE", "order price would execute immediately"),
    Reason.INSUFFICIENT_MARGIN: (400, "INSUFFICIENT_AVAILABLE", "insufficient balance"),
    Reason.MIN_NOTIONAL: (400, "SIZE_TOO_SMALL", "order size too small"),
    Reason.MIN_QUANTITY: (400, "SIZE_TOO_SMALL", "order size too small"),
    Reason.PRICE_PRECISION: (400, "INVALID_PARAM_VALUE", "Invalid value for parameter: price"),
    Reason.QUANTITY_PRECISION: (400, "INVALID_PARAM_VALUE", "Invalid value for parameter: size"),
    Reason.UNKNOWN_ORDER: (404, "ORDER_NOT_FOUND", "order not found"),
    Reason.NOT_CANCELLABLE: (400, "ORDER_NOT_FOUND", "order not found"),
    Reason.REDUCE_ONLY: (400, "POSITION_EMPTY", "empty position"),
    Reason.UNKNOWN_SYMBOL: (400, "CONTRACT_NOT_FOUND", "contract not found"),
    Reason.BAD_PARAMETER: (400, "INVALID_PARAM_VALUE", "Invalid value for a parameter"),
    Reason.BATCH_TOO_LONG: (400, "TOO_MANY_ORDERS", "too many orders in one request"),
    Reason.POSITION_MODE: (400, "POSITION_DUAL_MODE", "position in dual mode"),
    Reason.LEVERAGE: (400, "LEVERAGE_TOO_HIGH", "leverage too high"),
    Reason.RATE_LIMIT: (429, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded"),
    Reason.MAINTENANCE: (400, "CONTRACT_IN_DELISTING", "contract in delisting"),
    Reason.BUSY: (500, "SERVER_ERROR", "server error"),
}
"""A duplicate client id has no label: none is documented, and the face takes it, which is the worse of the two."""

SPOT_LABELS = LABELS | {
    Reason.WOULD_CROSS: (400, "POC_FILL_IMMEDIATELY", "Order would match and take immediately so its cancelled"),
    Reason.INSUFFICIENT_MARGIN: (400, "BALANCE_NOT_ENOUGH", "Not enough balance"),
    Reason.MIN_NOTIONAL: (400, "INVALID_PARAM_VALUE", "Your order size 1 is too small. The minimum is 3 USDT"),
    Reason.MIN_QUANTITY: (400, "AMOUNT_TOO_LITTLE", "Order amount too little"),
    Reason.PRICE_PRECISION: (400, "INVALID_PRECISION", "Invalid precision of price"),
    Reason.QUANTITY_PRECISION: (400, "INVALID_PRECISION", "Invalid precision of amount"),
    Reason.UNKNOWN_ORDER: (404, "ORDER_NOT_FOUND", "Order with ID not found"),
    Reason.NOT_CANCELLABLE: (404, "ORDER_NOT_FOUND", "Order with ID not found"),
    Reason.UNKNOWN_SYMBOL: (400, "INVALID_CURRENCY_PAIR", "Invalid currency pair"),
    Reason.MAINTENANCE: (403, "TRADE_RESTRICTED", "trade is temporarily restricted"),
}
"""Where spot has labels of its own."""
