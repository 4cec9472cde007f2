"""What a caller sends, checked: wrong fields become FIX_REQUEST failures that name them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from opensqt.connector.venue import Failure, NewOrder, VenueError
from opensqt.connector.wire import SIDE_FROM_PROTO, TIME_IN_FORCE_FROM_PROTO
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb

_plain_decimal = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?").fullmatch
_LIMIT, _MARKET = pb.ORDER_TYPE_LIMIT, pb.ORDER_TYPE_MARKET
T = TypeVar("T")

MAX_CLIENT_ID = 28
"""Letters and digits of a client id that all exchanges take."""


def parse_new_order(order: pb.NewOrder) -> NewOrder | Failure:
    """The order asked for, or what is wrong with it. Tick, lot and minimum are the venue's to judge."""
    try:
        require_client_id(order.client_id)
        require("symbol", order.symbol)
        return NewOrder(
            symbol=order.symbol,
            client_id=order.client_id,
            side=_one_of(SIDE_FROM_PROTO, "side", order.side, "SIDE_BUY or SIDE_SELL"),
            price=_price(order),
            quantity=_positive("quantity", order.quantity),
            reduce_only=order.reduce_only,
            time_in_force=_one_of(
                TIME_IN_FORCE_FROM_PROTO, "time_in_force", order.time_in_force, "GTC, POST_ONLY or IOC"
            ),
        )
    except VenueError as error:
        return error.failure


def check_client_id(client_id: str) -> Failure | None:
    """What is wrong with a client id that is asked for; None where nothing is."""
    if 1 <= len(client_id) <= MAX_CLIENT_ID and client_id.isascii() and client_id.isalnum():
        return None
    return _wrong("client_id", client_id, "must be 1 to 28 of A-Z, a-z, 0-9")


def require_client_id(client_id: str) -> None:
    """Raises `VenueError` (FIX_REQUEST) where the client id is none that all exchanges take."""
    if failure := check_client_id(client_id):
        raise VenueError(failure)


def require(field: str, value: str | int) -> None:
    """Raises `VenueError` (FIX_REQUEST) where a field that a call cannot do without is empty or zero."""
    if not value:
        raise VenueError(Failure(Remedy.FIX_REQUEST, f"{field}: must be set"))


def _price(order: pb.NewOrder) -> Decimal | None:
    if order.type == _LIMIT:
        return _positive("price", order.price)
    if order.type != _MARKET:
        raise VenueError(_wrong("type", str(order.type), "must be ORDER_TYPE_LIMIT or ORDER_TYPE_MARKET"))
    if order.price:
        raise VenueError(_wrong("price", order.price, "must be empty for a market order"))
    return None


def _positive(field: str, text: str) -> Decimal:
    if not _plain_decimal(text):
        raise VenueError(_wrong(field, text, 'must be a plain positive decimal such as "0.5"'))
    value = Decimal(text)
    if not value:
        raise VenueError(_wrong(field, text, "must be greater than zero"))
    return value


def _one_of(values: Mapping[Any, T], field: str, value: int, allowed: str) -> T:
    known = values.get(value)
    if known is None:
        raise VenueError(_wrong(field, str(value), f"must be {allowed}"))
    return known


def _wrong(field: str, value: str, rule: str) -> Failure:
    shown = f" {value[:40]!r}" if value else ""
    return Failure(Remedy.FIX_REQUEST, f"{field}:{shown} {rule}")
