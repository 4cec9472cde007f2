"""Nobody gets in who would not get in at the exchange: keys, signatures, timestamps, log-ins."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.ccxt_venue import loader
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from tests.venues.faces import FACES, face_of
from tests.venues.faults import Operation
from tests.venues.keys import TRADER
from tests.venues.refusals import Reason, RefusalError
from tests.venues.routes import Call
from tests.venues.server import Face

Json = dict[str, Any]
PLACING: dict[Exchange, tuple[str, list[str], Json]] = {
    Exchange.BINANCE: (
        "order",
        ["fapiPrivate"],
        {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "49000",
         "quantity": "0.010", "newClientOrderId": "o1"},
    ),
    Exchange.BYBIT: (
        "v5/order/create",
        ["private"],
        {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "49000",
         "qty": "0.010", "orderLinkId": "o1"},
    ),
    Exchange.OKX: (
        "trade/order",
        ["private"],
        {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "px": "49000", "sz": "1",
         "clOrdId": "o1"},
    ),
    Exchange.GATE: (
        "{settle}/orders",
        ["private", "futures"],
        {"settle": "usdt", "contract": "BTC_USDT", "size": 100, "price": "49000", "tif": "gtc", "text": "t-o1"},
    ),
    Exchange.BITGET: (
        "v2/mix/order/place-order",
        ["private", "mix"],
        {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT",
         "size": "0.01", "price": "49000", "side": "buy", "orderType": "limit", "force": "gtc", "clientOid": "o1"},
    ),
}  # fmt: skip
"""A limit buy of 0.01 BTC at 49000, as each exchange's documentation has it, and ccxt's name of its address."""

PRIVATE: dict[Exchange, tuple[str, Json]] = {
    Exchange.BYBIT: ("/v5/private", {"op": "subscribe", "args": ["order"]}),
    Exchange.OKX: ("/ws/v5/private", {"op": "subscribe", "args": [{"channel": "orders", "instType": "SWAP"}]}),
    Exchange.GATE: ("/v4/ws/usdt", {"time": 1, "channel": "futures.orders", "event": "subscribe", "payload": ["1666"]}),
    Exchange.BITGET: (
        "/v2/ws/private",
        {"op": "subscribe", "args": [{"instType": "USDT-FUTURES", "channel": "orders", "instId": "default"}]},
    ),
}


WITH_PASSPHRASE = [exchange for exchange in FACES if DIALECTS[exchange].profile.passphrase]


@pytest.fixture(params=FACES, ids=lambda exchange: exchange.value)
async def face(request: pytest.FixtureRequest) -> AsyncIterator[Face]:
    face = FACES[request.param]()
    await face.start()
    yield face
    await face.stop()


def words(face: Face, reason: Reason) -> tuple[int, str]:
    """The status and the code with which a face refuses for that reason."""
    call = Call(Operation.BALANCE, "", "", "", "", {}, {}, [], {}, "")
    status, body = face.refusal(call, RefusalError(reason))
    return status, code_of(body)


def code_of(body: Any) -> str:
    return next((str(body[name]) for name in ("code", "retCode", "label") if name in body), "")


async def answered(session: aiohttp.ClientSession, signed: Json) -> tuple[int, str]:
    async with session.request(
        signed["method"], signed["url"], data=signed["body"], headers=signed["headers"]
    ) as response:
        body = await response.json()
        return response.status, code_of(body) if isinstance(body, dict) else ""


def signed_placement(face: Face, **wrong: str) -> Json:
    """As ccxt signs it with the trader's key, but for what is wrong."""
    values = {"api_key": TRADER.api_key, "api_secret": TRADER.secret, "passphrase": TRADER.passphrase} | wrong
    exchange = loader.connection(DIALECTS[face.exchange].profile, Credentials(**values), live=True, endpoint=face.url)
    exchange.options["timeDifference"] = 0
    path, api, params = PLACING[face.exchange]
    signed: Json = exchange.sign(path, api, "POST", params)
    return signed


async def test_a_request_that_is_signed_as_documented_is_taken(face: Face) -> None:
    async with aiohttp.ClientSession() as session:
        status, code = await answered(session, signed_placement(face))
    assert status == 200, code
    (order,) = face.core.open_orders()
    assert (order.client_id, order.quantity, order.intent.price) == ("o1", Decimal("0.01"), Decimal(49_000))


@pytest.mark.parametrize("market", MarketKind, ids=lambda market: market.value)
@pytest.mark.parametrize("exchange", FACES, ids=lambda exchange: exchange.value)
async def test_no_signed_address_answers_without_a_key(exchange: Exchange, market: MarketKind) -> None:
    face = face_of(exchange, market)
    await face.start()
    routes = [route for route in face._routes if route.signed]
    async with aiohttp.ClientSession() as session:
        for route in routes:
            url = face.url + route.path.replace("{contract}", "BTC_USDT").replace("{order_id}", "t-o1")
            async with session.request(route.method, url) as response:
                answer = response.status, code_of(await response.json())
            assert answer == words(face, Reason.BAD_KEY), (route.method, route.path)
    await face.stop()
    assert len(routes) >= 9


@pytest.mark.parametrize("wrong", ["api_key", "api_secret"])
async def test_a_wrong_key_is_refused(face: Face, wrong: str) -> None:
    await _refused(face, wrong)


@pytest.mark.parametrize("face", WITH_PASSPHRASE, ids=lambda exchange: exchange.value, indirect=True)
async def test_a_wrong_passphrase_is_refused(face: Face) -> None:
    await _refused(face, "passphrase")


async def _refused(face: Face, wrong: str) -> None:
    reasons = {"api_key": Reason.BAD_KEY, "api_secret": Reason.BAD_SIGNATURE, "passphrase": Reason.BAD_PASSPHRASE}
    async with aiohttp.ClientSession() as session:
        answer = await answered(session, signed_placement(face, **{wrong: "wrong"}))
    assert answer == words(face, reasons[wrong])
    assert face.core.orders == {}


async def test_a_request_that_was_changed_on_its_way_is_refused(face: Face) -> None:
    signed = signed_placement(face)
    for part in ("url", "body"):
        if isinstance(signed[part], str):
            signed[part] = signed[part].replace("49000", "59000")
    async with aiohttp.ClientSession() as session:
        answer = await answered(session, signed)
    assert answer == words(face, Reason.BAD_SIGNATURE)
    assert face.core.orders == {}


@pytest.mark.parametrize("late_ms", [120_000, -120_000])
async def test_a_request_of_another_time_is_refused(face: Face, late_ms: int) -> None:
    signed = signed_placement(face)
    face.core.skew_ms = late_ms
    async with aiohttp.ClientSession() as session:
        answer = await answered(session, signed)
    assert answer == words(face, Reason.CLOCK_SKEW)
    assert face.core.orders == {}


async def test_a_private_stream_tells_nothing_without_a_log_in(face: Face) -> None:
    path, command = PRIVATE.get(face.exchange, ("/private/ws?listenKey=nobodys-key", {}))
    async with aiohttp.ClientSession() as session, session.ws_connect(face.url + path) as socket:
        if command:
            await socket.send_json(command)
            refused = json.loads((await socket.receive()).data)
            assert refused.get("success") is False or refused.get("event") == "error" or refused.get("error")
        else:
            await face.until(lambda: bool(face.connections))
        face.core.place(face.intent("o1", face.core.last(face.btc) - 1000, face.btc.lot * 100))
        await face.tell()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await socket.receive()
