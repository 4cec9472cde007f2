"""A paper exchange that is open as long as a test needs it, and what tests say to it and ask of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from opensqt.connector.paper.venue import PaperVenue
from opensqt.connector.venue import Failure, NewOrder, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from tests.connector.eventually import eventually
from tests.connector.paper_world import SYMBOL, World


@asynccontextmanager
async def opened(resource: Any, dsn: str) -> AsyncIterator[PaperVenue]:
    world = World(resource, dsn)
    await world.open()
    try:
        yield world.venue
    finally:
        await world.close()


def order(
    client_id: str, side: OrderSide = OrderSide.BUY, price: str | None = None, quantity: str = "1", **more: Any
) -> NewOrder:
    fields: dict[str, Any] = {"symbol": SYMBOL, "reduce_only": False, "time_in_force": TimeInForce.GTC} | more
    return NewOrder(
        client_id=client_id,
        side=side,
        price=None if price is None else Decimal(price),
        quantity=Decimal(quantity),
        **fields,
    )


def placed(outcome: VenueOrder | Failure) -> VenueOrder:
    assert isinstance(outcome, VenueOrder), outcome
    return outcome


def refused(outcome: VenueOrder | Failure) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


async def ended(venue: PaperVenue) -> None:
    await eventually(lambda: all(each.ended for each in venue.health().markets))
