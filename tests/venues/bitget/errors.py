"""Bitget's refusals. bitget.com/api-doc/common/error-code/restapi; contract/websocket error codes."""

from tests.venues.refusals import Reason

CODES: dict[Reason, tuple[int, str, str]] = {
    Reason.BAD_KEY: (400, "40037", "Apikey does not exist"),
    Reason.BAD_SIGNATURE: (400, "40009", "sign signature error"),
    Reason.BAD_PASSPHRASE: (400, "40012", "apikey/password is incorrect"),
    Reason.MISSING_PERMISSION: (400, "40014", "Incorrect permissions, need future order write permissions"),
    Reason.ADDRESS_NOT_ALLOWED: (400, "40018", "Invalid IP"),
    Reason.CLOCK_SKEW: (400, "40008", "Request timestamp expired"),
    Reason.INSUFFICIENT_MARGIN: (400, "40762", "The order amount exceeds the balance"),
    Reason.MIN_NOTIONAL: (400, "45110", "less than the minimum amount 5 USDT"),
    Reason.MIN_QUANTITY: (400, "45111", "less than the minimum order quantity"),
    Reason.PRICE_PRECISION: (400, "45115", "The price you enter should be a multiple of 0.1"),
    Reason.QUANTITY_PRECISION: (400, "40808", "Parameter verification exception size checkBDScale error"),
    Reason.DUPLICATE: (400, "40786", "Duplicate clientOid"),
    Reason.UNKNOWN_ORDER: (400, "40109", "The data of the order cannot be found, please confirm the order number"),
    Reason.NOT_CANCELLABLE: (400, "40768", "Order does not exist"),
    Reason.REDUCE_ONLY: (400, "22002", "No position to close"),
    Reason.UNKNOWN_SYMBOL: (400, "40034", "Parameter symbol does not exist"),
    Reason.BAD_PARAMETER: (400, "40017", "Parameter verification failed"),
    Reason.BATCH_TOO_LONG: (400, "40017", "Parameter verification failed orderList"),
    Reason.POSITION_MODE: (
        400,
        "40774",
        "The order type for unilateral position must also be the unilateral position type.",
    ),
    Reason.LEVERAGE: (400, "40797", "Exceeded the maximum settable leverage"),
    Reason.RATE_LIMIT: (429, "429", "Too Many Requests"),
    Reason.BAN: (403, "403", "Forbidden"),
    Reason.MAINTENANCE: (400, "40200", "Server upgrade, please try again later"),
    Reason.BUSY: (400, "40010", "Request timed out"),
}

SPOT_CODES = CODES | {
    Reason.MISSING_PERMISSION: (400, "40014", "Incorrect permissions, need spot trade write permissions"),
    Reason.INSUFFICIENT_MARGIN: (400, "43012", "Insufficient balance"),
    Reason.MIN_NOTIONAL: (400, "45110", "less than the minimum amount 1 USDT"),
    Reason.MIN_QUANTITY: (400, "43006", "less than the minimum order quantity"),
    Reason.PRICE_PRECISION: (400, "40808", "Parameter verification exception price checkBDScale error"),
    Reason.DUPLICATE: (400, "43118", "clientOrderId duplicate"),
    Reason.NOT_CANCELLABLE: (400, "43001", "The order does not exist"),
}
"""Where spot has codes of its own."""
