"""What a real request of ccxt looks like each face takes, and understands as it is meant."""

import importlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.ccxt_venue import loader
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.exchanges import dialect_of
from tests.venues.faces import FACES, face_of
from tests.venues.keys import TRADER
from tests.venues.listing import Order
from tests.venues.meant import CHECKS, HELD, PAID, Scene, client_id
from tests.venues.requested import NOT_COMPARED, Requested
from tests.venues.routes import Call
from tests.venues.server import Face

A_WHILE_MS = 600_000
BRACKETS = "/fapi/v1/leverageBracket"
"""Which ccxt reads before its first positions on Binance; the fixtures have them in their options."""
Names = dict[str, Any]


def recorded() -> Iterator[Any]:
    for exchange in FACES:
        records = importlib.import_module(f"tests.venues.{exchange.value}.requested")
        for market, requests in ((MarketKind.PERPETUAL, records.PERPETUAL), (MarketKind.SPOT, records.SPOT)):
            for requested in requests:
                name = f"{exchange.value} {market.value} {requested.record}"
                yield pytest.param(exchange, market, requested, id=name)


@asynccontextmanager
async def plain_ccxt(face: Face, market: MarketKind) -> AsyncIterator[Any]:
    """As its users have it: with none of our settings for the exchange's orders."""
    profile = dialect_of(face.exchange, market).profile
    client = loader.connection(
        profile, Credentials(TRADER.api_key, TRADER.secret, TRADER.passphrase), live=False, endpoint=face.url
    )
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def set_the_scene(face: Face, requested: Requested) -> None:
    """Orders that rest, here and elsewhere, a cancelled one, and a filled one: what others can reduce or sell."""
    core = face.core
    core.set_balance(Decimal(1_000_000))
    short = requested.args[2:3] == ("buy",) and "reduceOnly" in repr(requested.args)
    held = replace(face.intent("held", Decimal(55_000 if short else 45_000), HELD), buy=not short)
    core.fill(core.place(held), HELD)
    core.cancel(place(face, "gone", 40_000))
    for name, price in (("id1", 44_000), ("id2", 43_000)):
        place(face, name, price)
    _, another = core.listings.values()
    core.place(replace(face.intent("elsewhere", Decimal(2000), Decimal(1)), listing=another))
    if not face.btc.spot:
        core.fund(face.btc, PAID)
    core.hedged = requested.method == "fetchPositionMode"
    core.isolated = requested.method == "setMarginMode" and requested.args[0] != "isolated"
    core.take_changes()


def place(face: Face, name: str, price: int) -> Order:
    return face.core.place(face.intent(name, Decimal(price), Decimal("0.02")))


async def names_of(face: Face, client: Any) -> Names:
    """What stands for what in the records."""
    since = face.core.now_ms() // 60_000 * 60_000 - A_WHILE_MS
    names: Names = {"{since}": since, "{since_s}": since // 1000, "{until}": since + A_WHILE_MS}
    for order in await client.fetch_open_orders(face.btc.symbol):
        names[f"{{{client_id(order)}}}"] = order["id"]
    (trade,) = await client.fetch_my_trades(face.btc.symbol)
    return names | {"{held}": trade["order"]}


def filled_in(value: Any, names: Names) -> Any:
    if isinstance(value, dict):
        return {name: filled_in(each, names) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(filled_in(each, names) for each in value)
    return names.get(value, value) if isinstance(value, str) else value


def on_the_wire(requested: Requested, names: Names) -> tuple[str, Any]:
    """Method and path, and the fields, with texts for names."""
    text = json.dumps([requested.sent, requested.fields])
    for name, value in names.items():
        text = text.replace(name, str(value))
    sent, fields = json.loads(text)
    return sent, fields


def body(call: Call) -> Any:
    """What was sent as JSON, as a form or as a query; Binance has JSON within them."""
    if call.text[:1] in {"{", "["}:
        return json.loads(call.text)
    sent = dict(parse_qsl(call.text or call.query))
    return {name: json.loads(value, parse_int=str) if value.startswith("[") else value for name, value in sent.items()}


def compared(sent: Any, ignored: set[str]) -> Any:
    if isinstance(sent, dict):
        return {name: compared(value, ignored) for name, value in sent.items() if name not in ignored}
    return [compared(each, ignored) for each in sent] if isinstance(sent, list) else sent


@pytest.mark.parametrize(("exchange", "market", "requested"), list(recorded()))
async def test_a_recorded_request_is_taken_as_it_is_meant(
    exchange: Exchange, market: MarketKind, requested: Requested
) -> None:
    face = face_of(exchange, market)
    set_the_scene(face, requested)
    await face.start()
    try:
        async with plain_ccxt(face, market) as client:
            names = await names_of(face, client) if "{" in repr(requested.args) else {}
            args, before, began = filled_in(requested.args, names), len(face.calls), face.core.now_ms()
            answer = await getattr(client, requested.method)(*args)
            between = (began, face.core.now_ms())
        *others, call = face.calls[before:]
        assert {each.path for each in others} <= {BRACKETS}
        sent, fields = on_the_wire(requested, names)
        ignored = {name for name in NOT_COMPARED[exchange] if repr(name) not in repr(fields)}
        assert f"{call.method} {call.path}" == sent
        assert compared(body(call), ignored) == fields
        CHECKS[requested.method](Scene(face, requested, args, answer, between))
    finally:
        await face.stop()
