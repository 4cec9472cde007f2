"""Bybit's refusals. bybit-exchange.github.io/docs/v5/error; rate-limit; enum (rejectReason)."""

from tests.venues.refusals import Reason

CODES: dict[Reason, tuple[int, int, str]] = {
    Reason.BAD_KEY: (200, 10003, "API key is invalid."),
    Reason.BAD_SIGNATURE: (200, 10004, "error sign! origin_string[]"),
    Reason.BAD_PASSPHRASE: (200, 10004, "error sign! origin_string[]"),
    Reason.MISSING_PERMISSION: (200, 10005, "Permission denied, please check your API key permissions."),
    Reason.ADDRESS_NOT_ALLOWED: (200, 10010, "Unmatched IP, please check your API key's bound IP addresses."),
    Reason.CLOCK_SKEW: (
        200,
        10002,
        "invalid request, please check your server timestamp or recv_window param.",
    ),
    Reason.INSUFFICIENT_MARGIN: (200, 110007, "ab not enough for new order"),
    Reason.MIN_NOTIONAL: (200, 110094, "Order does not meet minimum order value 5USDT"),
    Reason.MIN_QUANTITY: (200, 10001, "The number of contracts exceeds minimum limit allowed"),
    Reason.PRICE_PRECISION: (200, 10001, "Price invalid"),
    Reason.QUANTITY_PRECISION: (200, 10001, "Qty invalid"),
    Reason.DUPLICATE: (200, 110072, "OrderLinkedID is duplicate"),
    Reason.UNKNOWN_ORDER: (200, 110001, "order not exists or too late to cancel"),
    Reason.NOT_CANCELLABLE: (200, 110001, "order not exists or too late to cancel"),
    Reason.REDUCE_ONLY: (200, 110017, "current position is zero, cannot fix reduce-only order qty"),
    Reason.UNKNOWN_SYMBOL: (200, 10001, "params error: symbol invalid"),
    Reason.BAD_PARAMETER: (200, 10001, "Request parameter error."),
    Reason.BATCH_TOO_LONG: (200, 10001, "params error: too many orders in a batch"),
    Reason.POSITION_MODE: (200, 10001, "position idx not match position mode"),
    Reason.LEVERAGE: (200, 110013, "Cannot set leverage due to risk limit level"),
    Reason.LEVERAGE_UNCHANGED: (200, 110043, "leverage not modified"),
    Reason.RATE_LIMIT: (200, 10006, "Too many visits. Exceeded the API Rate Limit."),
    Reason.BAN: (403, 10018, "Exceeded the IP Rate Limit."),
    Reason.MAINTENANCE: (200, 110066, "Trading is currently not allowed."),
    Reason.BUSY: (200, 10000, "Server Timeout"),
}
SPOT_CODES = CODES | {
    Reason.INSUFFICIENT_MARGIN: (200, 170131, "Insufficient balance."),
    Reason.MIN_NOTIONAL: (200, 170140, "Order value exceeded lower limit."),
    Reason.MIN_QUANTITY: (200, 170136, "Order quantity exceeded lower limit."),
    Reason.PRICE_PRECISION: (200, 170134, "Order price has too many decimals."),
    Reason.QUANTITY_PRECISION: (200, 170137, "Order quantity has too many decimals."),
    Reason.DUPLICATE: (200, 170141, "Duplicate clientOrderId."),
    Reason.UNKNOWN_ORDER: (200, 170213, "Order does not exist."),
    Reason.NOT_CANCELLABLE: (200, 170213, "Order does not exist."),
    Reason.UNKNOWN_SYMBOL: (200, 170121, "Invalid symbol."),
    Reason.BUSY: (200, 170007, "Timeout waiting for response from backend server."),
}
"""Where spot has codes of its own."""
