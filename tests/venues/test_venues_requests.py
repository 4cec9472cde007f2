"""What a real request of ccxt looks like each face takes, and understands as it is meant."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from opensqt.connector.ccxt_venue import loader
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.exchanges import dialect_of
from tests.venues.faces import face_of
from tests.venues.keys import TRADER
from tests.venues.listing import Force
from tests.venues.requested import PERPETUAL, REQUESTED, Requested
from tests.venues.routes import Call
from tests.venues.server import Face


@asynccontextmanager
async def plain_ccxt(requested: Requested, face: Face) -> AsyncIterator[Any]:
    """As its users have it: with none of our settings for the exchange's orders."""
    profile = dialect_of(requested.exchange, requested.market).profile
    client = loader.connection(
        profile, Credentials(TRADER.api_key, TRADER.secret, TRADER.passphrase), live=False, endpoint=face.url
    )
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def body(call: Call) -> dict[str, Any]:
    """The fields of one order, wherever they are sent."""
    sent = json.loads(call.text) if call.text[:1] in {"{", "["} else dict(parse_qsl(call.text or call.query))
    return sent[0] if isinstance(sent, list) else sent


def hold(face: Face) -> None:
    """Something that a reduce-only order can reduce, and a spot order can sell."""
    order = face.core.place(face.intent("held", Decimal(45_000), Decimal("0.5")))
    face.core.fill(order, order.quantity)
    face.core.take_changes()


@pytest.mark.parametrize(
    "requested", REQUESTED, ids=lambda each: f"{each.exchange.value} {each.market.value} {each.record}"
)
async def test_a_recorded_request_is_taken_as_it_is_meant(requested: Requested) -> None:
    face = face_of(requested.exchange, requested.market)
    face.core.set_balance(Decimal(1_000_000))
    await face.start()
    try:
        hold(face)
        async with plain_ccxt(requested, face) as client:
            symbol = face.btc.symbol
            kind, side, amount, *price = requested.order
            answer = await client.create_order(
                symbol, kind, side, amount, price[0] if price else None, requested.params
            )
        (sent,) = [body(call) for call in face.calls if call.method == "POST" and call.path == requested.path]
        assert requested.fields.items() <= sent.items()
        assert not set(requested.absent.split()) & set(sent)
        assert answer["id"]
        order = face.core.orders[max(face.core.orders)]
        intent = order.intent
        assert intent.buy is (side == "buy")
        assert intent.price == (Decimal(price[0]) if price else None)
        assert intent.quantity == Decimal(str(amount)) * (face.btc.contract if requested.market is PERPETUAL else 1)
        assert (intent.force is Force.POST_ONLY) is bool(requested.params.get("postOnly"))
        assert intent.reduce_only is bool(requested.params.get("reduceOnly"))
        assert order.open is bool(price)
        assert intent.client_id.endswith(requested.params.get("clientOrderId", ""))
    finally:
        await face.stop()
