"""OKX's refusals. okx.com/docs-v5, error code: REST API and WebSocket."""

from tests.venues.refusals import Reason

CODES: dict[Reason, tuple[int, str, str]] = {
    Reason.BAD_KEY: (401, "50111", "Invalid OK-ACCESS-KEY"),
    Reason.BAD_SIGNATURE: (401, "50113", "Invalid Sign"),
    Reason.BAD_PASSPHRASE: (401, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect."),
    Reason.MISSING_PERMISSION: (
        401,
        "50120",
        "This API key doesn't have permission to use this function",
    ),
    Reason.ADDRESS_NOT_ALLOWED: (
        401,
        "50110",
        "Your IP 127.0.0.1 is not included in your API key's IP whitelist.",
    ),
    Reason.CLOCK_SKEW: (401, "50102", "Timestamp request expired"),
    Reason.EXPIRED: (400, "50036", "The expTime can't be earlier than the current system time."),
    Reason.INSUFFICIENT_MARGIN: (200, "51008", "Order failed. Insufficient USDT margin in account"),
    Reason.MIN_NOTIONAL: (200, "51020", "Your order should meet or exceed the minimum order amount."),
    Reason.MIN_QUANTITY: (200, "51020", "Your order should meet or exceed the minimum order amount."),
    Reason.PRICE_PRECISION: (200, "51000", "Parameter px error"),
    Reason.QUANTITY_PRECISION: (200, "51121", "Order quantity must be a multiple of the lot size."),
    Reason.DUPLICATE: (200, "51016", "Duplicated client order ID"),
    Reason.UNKNOWN_ORDER: (200, "51603", "Order does not exist"),
    Reason.NOT_CANCELLABLE: (
        200,
        "51400",
        "Cancellation failed as the order has been filled, canceled or does not exist.",
    ),
    Reason.REDUCE_ONLY: (
        200,
        "51169",
        "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
    ),
    Reason.UNKNOWN_SYMBOL: (200, "51001", "Instrument ID doesn't exist."),
    Reason.BAD_PARAMETER: (400, "51000", "Parameter error"),
    Reason.BATCH_TOO_LONG: (400, "51000", "Parameter error: too many orders"),
    Reason.POSITION_MODE: (200, "51000", "Parameter posSide error"),
    Reason.LEVERAGE: (200, "59102", "Leverage exceeds the maximum limit. Please lower the leverage."),
    Reason.LEVERAGE_UNCHANGED: (200, "0", ""),
    Reason.RATE_LIMIT: (
        429,
        "50011",
        "Rate limit reached. Please refer to API documentation and throttle requests accordingly",
    ),
    Reason.BAN: (429, "50040", "Too frequent operations. Please try again later."),
    Reason.MAINTENANCE: (503, "50001", "Service temporarily unavailable. Try again later."),
    Reason.BUSY: (
        400,
        "50004",
        "API endpoint request timeout (does not indicate success or failure of order, please check order status)",
    ),
}

OF_AN_ORDER = frozenset(
    {
        Reason.INSUFFICIENT_MARGIN,
        Reason.MIN_NOTIONAL,
        Reason.MIN_QUANTITY,
        Reason.PRICE_PRECISION,
        Reason.QUANTITY_PRECISION,
        Reason.DUPLICATE,
        Reason.NOT_CANCELLABLE,
        Reason.REDUCE_ONLY,
        Reason.UNKNOWN_SYMBOL,
        Reason.POSITION_MODE,
    }
)
"""Told as `sCode` of the item, under a code for the whole."""
