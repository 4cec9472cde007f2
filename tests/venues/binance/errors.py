"""Binance's refusals. developers.binance.com: derivatives, USDⓈ-M futures, error code; general info, limits."""

from collections.abc import Mapping

from tests.venues.refusals import Reason, RefusalError

CODES: dict[Reason, tuple[int, int, str]] = {
    Reason.BAD_KEY: (401, -2015, "Invalid API-key, IP, or permissions for action"),
    Reason.BAD_SIGNATURE: (400, -1022, "Signature for this request is not valid."),
    Reason.BAD_PASSPHRASE: (400, -1022, "Signature for this request is not valid."),
    Reason.MISSING_PERMISSION: (401, -2015, "Invalid API-key, IP, or permissions for action"),
    Reason.ADDRESS_NOT_ALLOWED: (401, -2015, "Invalid API-key, IP, or permissions for action, request ip: 127.0.0.1"),
    Reason.CLOCK_SKEW: (400, -1021, "Timestamp for this request is outside of the recvWindow."),
    Reason.WOULD_CROSS: (
        400,
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    Reason.INSUFFICIENT_MARGIN: (400, -2019, "Margin is insufficient."),
    Reason.MIN_NOTIONAL: (400, -4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
    Reason.MIN_QUANTITY: (400, -4003, "Quantity less than or equal to zero."),
    Reason.PRICE_PRECISION: (400, -4014, "Price not increased by tick size."),
    Reason.QUANTITY_PRECISION: (400, -1111, "Precision is over the maximum defined for this asset."),
    Reason.DUPLICATE: (400, -4116, "ClientOrderId is duplicated."),
    Reason.UNKNOWN_ORDER: (400, -2013, "Order does not exist."),
    Reason.NOT_CANCELLABLE: (400, -2011, "Unknown order sent."),
    Reason.REDUCE_ONLY: (400, -2022, "ReduceOnly Order is rejected."),
    Reason.UNKNOWN_SYMBOL: (400, -1121, "Invalid symbol."),
    Reason.BAD_PARAMETER: (400, -1102, "Mandatory parameter was not sent, was empty/null, or malformed."),
    Reason.BATCH_TOO_LONG: (400, -4082, "Invalid number of batch place orders."),
    Reason.POSITION_MODE: (400, -4061, "Order's position side does not match user's setting."),
    Reason.LEVERAGE: (400, -4028, "Leverage is not valid"),
    Reason.LEVERAGE_UNCHANGED: (200, 200, "success"),
    Reason.RATE_LIMIT: (429, -1003, "Too many requests; current limit is 2400 requests per minute."),
    Reason.BAN: (418, -1003, "Way too many requests; IP banned until {until}. Please use the websocket."),
    Reason.MAINTENANCE: (503, -1016, "This service is no longer available."),
    Reason.BUSY: (
        503,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
}


SPOT_CODES = CODES | {
    Reason.WOULD_CROSS: (400, -2010, "Order would immediately match and take."),
    Reason.INSUFFICIENT_MARGIN: (400, -2010, "Account has insufficient balance for requested action."),
    Reason.DUPLICATE: (400, -2010, "Duplicate order sent."),
    Reason.MIN_NOTIONAL: (400, -1013, "Filter failure: NOTIONAL"),
    Reason.MIN_QUANTITY: (400, -1013, "Filter failure: LOT_SIZE"),
    Reason.PRICE_PRECISION: (400, -1013, "Filter failure: PRICE_FILTER"),
    Reason.QUANTITY_PRECISION: (400, -1013, "Filter failure: LOT_SIZE"),
    Reason.RATE_LIMIT: (
        429,
        -1003,
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
    ),
    Reason.BAN: (
        418,
        -1003,
        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams.",
    ),
}
"""Where spot has codes, or words, of its own. github.com/binance/binance-spot-api-docs, errors."""


def form(refusal: RefusalError, codes: Mapping[Reason, tuple[int, int, str]] = CODES) -> tuple[int, dict[str, object]]:
    status, code, message = codes[refusal.reason]
    return status, {"code": code, "msg": message.format(**refusal.values) if refusal.values else message}
