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
from tests.venues.requested_calls import REQUESTED_CALLS, Effect, RequestedCall
from tests.venues.routes import Call
from tests.venues.server import Face


@asynccontextmanager
async def plain_ccxt(requested: Requested | RequestedCall, face: Face) -> AsyncIterator[Any]:
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
    """The fields that are sent, wherever they are; of several orders those of the first."""
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


def filled_in(what: Any, words: dict[str, str]) -> Any:
    """With what stands for ids and symbols replaced."""
    if isinstance(what, str):
        for word, meaning in words.items():
            what = what.replace(word, meaning)
        return what
    if isinstance(what, dict):
        return {name: filled_in(value, words) for name, value in what.items()}
    return [filled_in(each, words) for each in what] if isinstance(what, list | tuple) else what


def client_id(answer: dict[str, Any]) -> str:
    """Gate's own begin with t-."""
    return str(answer["clientOrderId"]).removeprefix("t-")


def came_of_it(effect: Effect, face: Face, answer: Any) -> Any:
    """What `effect` is about, now."""
    match effect:
        case Effect.LEVERAGE:
            return face.core.holding(face.btc).leverage
        case Effect.TOLD:
            told = [answer] if isinstance(answer, dict) else answer
            return {client_id(each) for each in told}
        case Effect.TRADES:
            return [Decimal(each["price"]) for each in answer]
        case Effect.RESTING:
            return [order.intent.price for order in face.core.orders.values() if order.open]


@pytest.mark.parametrize(
    "requested", REQUESTED_CALLS, ids=lambda each: f"{each.exchange.value} {each.market.value} {each.record}"
)
async def test_a_recorded_call_has_its_effect(requested: RequestedCall) -> None:
    face = face_of(requested.exchange, requested.market)
    face.core.set_balance(Decimal(1_000_000))
    await face.start()
    try:
        hold(face)
        for name in ("mine1", "mine2"):
            face.core.place(face.intent(name, Decimal(45_000), Decimal("0.01")))
        face.core.take_changes()
        async with plain_ccxt(requested, face) as client:
            resting = await client.fetch_open_orders(face.btc.symbol)
            ids = {client_id(each): str(each["id"]) for each in resting}
            words = {"{symbol}": face.btc.symbol, "{id}": ids["mine1"], "{other}": ids["mine2"]}
            face.calls.clear()
            answer = await getattr(client, requested.call)(*filled_in(requested.args, words))
        (call,) = [call for call in face.calls if (call.method, call.path) == (requested.method, requested.path)]
        sent = body(call)
        fields, item = filled_in(requested.fields, words), filled_in(requested.item, words)
        assert fields.items() <= sent.items()
        first = sent["request"][0] if "request" in sent else sent
        assert item is None or item.items() <= first.items()
        assert came_of_it(requested.effect, face, answer) == requested.value
    finally:
        await face.stop()
