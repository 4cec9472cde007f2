"""What differs on spot beyond a bot's day: codes, keys, the dead-man switch, past candles, and what is refused."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Exchange, MarketKind, Mode
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import ENDPOINT_ENV, create
from opensqt.connector.ccxt_venue.exchanges import SPOT_DIALECTS
from opensqt.connector.ccxt_venue.history import History
from opensqt.connector.ccxt_venue.profile import Guard
from opensqt.connector.venue import Failure, NewOrder, Venue, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import Remedy
from tests.conformance.subject import Following
from tests.connector_ccxt.five import FIVE
from tests.venues.bybit import records as bybit_records
from tests.venues.bybit.face import BybitFace
from tests.venues.faces import SPOT_FACES
from tests.venues.faults import Fault, Operation
from tests.venues.keys import TRADER
from tests.venues.server import Face

SYMBOL = "BTC/USDT"
ERRORS = {documented.exchange: documented.error for documented in FIVE}
Make = Callable[..., Venue]


@pytest.fixture(params=SPOT_FACES, ids=lambda exchange: exchange.value)
def exchange(request: pytest.FixtureRequest) -> Exchange:
    return Exchange(request.param)


@pytest.fixture
async def face(exchange: Exchange) -> AsyncIterator[Face]:
    face = SPOT_FACES[exchange]()
    await face.start()
    yield face
    await face.stop()


@pytest.fixture
async def make(face: Face, write_credentials: Callable[..., Path]) -> AsyncIterator[Make]:
    async with AsyncExitStack() as stack:

        def made(mode: Mode = Mode.DEMO) -> Venue:
            spec = ExchangeConnectorSpec(
                exchange=face.exchange,
                market=MarketKind.SPOT,
                mode=mode,
                acknowledge_live_trading=True,
                credentials_secret_ref=SecretRef(name="keys"),
            )
            folder = write_credentials(apiKey=TRADER.api_key, apiSecret=TRADER.secret, passphrase=TRADER.passphrase)
            venue = create(spec, folder, endpoint=face.url)
            stack.push_async_callback(venue.close)
            return venue

        yield made


def buy(face: Face, client_id: str = "o1") -> NewOrder:
    price = face.core.last(face.btc) * Decimal("0.9")
    return NewOrder(SYMBOL, client_id, OrderSide.BUY, price, Decimal("0.001"), False, TimeInForce.POST_ONLY)


def refusal(exchange: Exchange, code: str) -> tuple[int, Any]:
    """Binance's matching engine has one code for all, and words."""
    number, _, words = code.partition(" ")
    status, body = ERRORS[exchange](number)
    return status, body | {"msg": f"Account or order: {words}."} if words else body


async def test_every_code_means_what_the_table_says(face: Face, make: Make, exchange: Exchange) -> None:
    venue = make()
    await venue.open()
    wrong: dict[str, Remedy] = {}
    for code, remedy in SPOT_DIALECTS[exchange].profile.codes.items():
        status, body = refusal(exchange, code)
        face.faults.next(Fault(Operation.PLACE, status=status, body=body))
        venue._session.budget._held_until = 0.0  # type: ignore[attr-defined] # a rate limit of the code before
        venue._trading._sent.clear()  # type: ignore[attr-defined] # Gate has it looked up before it is sent again
        (result,) = await venue.place([buy(face)])
        assert isinstance(result, Failure), (code, result)
        if (result.remedy, result.venue_code) != (remedy, code):
            wrong[code] = result.remedy
    assert wrong == {}
    assert face.core.orders == {}


@pytest.mark.parametrize(
    ("trade", "withdraw", "reason"),
    [(True, False, "Ready"), (False, False, "MissingPermission"), (True, True, "WithdrawalPermission")],
)
async def test_a_key_is_taken_that_may_trade_spot_and_not_withdraw(
    face: Face, make: Make, trade: bool, withdraw: bool, reason: str
) -> None:
    face.key_becomes(TRADER, may_trade=trade, may_withdraw=withdraw)
    venue = make(Mode.LIVE)
    await venue.open()
    assert (venue.health().ready, venue.health().reason) == (reason == "Ready", reason), venue.health()


async def test_orders_go_when_nobody_renews_the_dead_man_switch(face: Face, make: Make, exchange: Exchange) -> None:
    face.dead_man.pace = 60.0  # its minute is a second
    venue = make()
    await venue.open()
    guard = SPOT_DIALECTS[exchange].profile.guard
    if guard is Guard.NONE:
        assert not venue.capabilities.dead_man_switch
        assert any("no dead-man switch" in weakness for weakness in venue.capabilities.weaknesses)
        return
    await face.until(lambda: venue.capabilities.dead_man_switch)
    (placed,) = await venue.place([buy(face)])
    assert isinstance(placed, VenueOrder), placed
    if guard is Guard.CONNECTION:
        await face.until(lambda: face.subscribed("dcp.spot"))
        await venue.close()
    await face.until(lambda: not face.core.open_orders())


@pytest.mark.parametrize("exchange", [Exchange.BYBIT], ids=lambda exchange: exchange.value)
async def test_perpetuals_of_the_same_name_are_not_told(face: Face, make: Make) -> None:
    """Bybit's private streams are of all categories, and BTCUSDT is in two."""
    venue = make()
    await venue.open()
    stream = Following(venue.watch_orders([SYMBOL]))
    try:
        await face.until(lambda: face.subscribed("order") and face.subscribed("execution"))
        perpetual = core_of_perpetuals()
        (connection,) = face.private[:1]
        for topic, record in perpetual.items():
            data = [record | {"category": "linear"}]
            await connection.push({"id": "1", "topic": topic, "creationTime": face.core.now_ms(), "data": data})
        (placed,) = await venue.place([buy(face, "ours")])
        assert isinstance(placed, VenueOrder), placed
        await face.fill("ours", "0.001")
        await stream.until(lambda _: bool(stream.of(VenueFill)))
        assert {getattr(item, "client_id", "") for item in stream.items} == {"ours"}, stream.items
    finally:
        await stream.stop()


def core_of_perpetuals() -> dict[str, dict[str, Any]]:
    """What the streams tell of a perpetual's order that is filled."""
    perpetual = BybitFace()
    order = perpetual.core.place(perpetual.intent("theirs", Decimal(49_000), Decimal("0.01")))
    trade = perpetual.core.fill(order, order.quantity)
    return {"order": bybit_records.order(order, trade), "execution": bybit_records.execution(trade)}


async def test_past_candles_of_spot_are_read_page_by_page(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT_ENV, face.url)
    history = History(face.exchange, SYMBOL, "1m")
    try:
        await history.open()
        rows = face.core.candles[face.btc.id]
        candles = [candle async for _, page in history.pages(rows[0].open_ms, rows[-1].open_ms) for candle in page]
    finally:
        await history.close()
    assert [(candle.time_ms, candle.close, candle.volume) for candle in candles] == [
        (row.open_ms, row.close, row.volume) for row in rows[:-1]
    ]
