"""The dead-man switch of each exchange, before its simulator: kept from firing while the connector lives, then not."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.api.connector import DeadManSwitch, ExchangeConnectorSpec
from opensqt.api.exchange import Exchange
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create, dead_man_switch
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.ccxt_venue.profile import Guard
from opensqt.connector.venue import NewOrder, Venue, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from tests.conformance.subject import Following
from tests.venues.bybit.face import BybitFace
from tests.venues.faces import FACES
from tests.venues.faults import Fault, Operation
from tests.venues.keys import TRADER
from tests.venues.server import Face

SYMBOL = "BTC/USDT:USDT"
PACE = 2.5
"""The simulators' count-down of 10 seconds takes 4."""
GUARDED = [exchange for exchange, dialect in DIALECTS.items() if dialect.profile.guard is not Guard.NONE]
Make = Callable[..., Venue]


@pytest.fixture(params=GUARDED, ids=lambda exchange: exchange.value)
def exchange(request: pytest.FixtureRequest) -> Exchange:
    return Exchange(request.param)


@pytest.fixture
async def simulator(exchange: Exchange) -> AsyncIterator[Face]:
    face = FACES[exchange]()
    face.dead_man.pace = PACE
    await face.start()
    yield face
    await face.stop()


@pytest.fixture
async def make(write_credentials: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr(dead_man_switch, "RENEWALS", 40)  # of 10 seconds: every 0.25 s
    async with AsyncExitStack() as stack:

        def made(face: Face, *, enabled: bool = True) -> Venue:
            spec = ExchangeConnectorSpec(
                exchange=face.exchange,
                credentials_secret_ref=SecretRef(name="keys"),
                dead_man_switch=DeadManSwitch(enabled=enabled, timeout_seconds=10),
            )
            folder = write_credentials(apiKey=TRADER.api_key, apiSecret=TRADER.secret, passphrase=TRADER.passphrase)
            venue = create(spec, folder, endpoint=face.url)
            stack.push_async_callback(venue.close)
            return venue

        yield made


async def resting(venue: Venue, face: Face, client_id: str) -> None:
    price = face.core.last(face.btc) * Decimal("0.9")
    (placed,) = await venue.place(
        [NewOrder(SYMBOL, client_id, OrderSide.BUY, price, Decimal("0.01"), False, TimeInForce.POST_ONLY)]
    )
    assert isinstance(placed, VenueOrder), placed


async def test_orders_stay_while_the_connector_lives_and_go_when_it_is_gone(simulator: Face, make: Make) -> None:
    venue = make(simulator)
    await venue.open()
    await resting(venue, simulator, "o1")
    await simulator.until(lambda: venue.capabilities.dead_man_switch)
    assert not any("dead-man" in weakness for weakness in venue.capabilities.weaknesses)
    if simulator.exchange is Exchange.BYBIT:
        await simulator.until(lambda: simulator.subscribed("dcp.future"))
    renewed = len(simulator.sent(Operation.DEAD_MAN))
    more = 5 if simulator.exchange is Exchange.OKX else 20  # which may be asked every 2 s only
    await simulator.until(lambda: len(simulator.sent(Operation.DEAD_MAN)) > renewed + more, 90)  # a time-out and more
    assert simulator.order("o1").open
    await venue.close()
    assert simulator.order("o1").open, "a restart in time must not lose the orders"
    await simulator.until(lambda: not simulator.order("o1").open)


async def test_a_connector_that_comes_back_in_time_keeps_the_orders(simulator: Face, make: Make) -> None:
    first = make(simulator)
    await first.open()
    await resting(first, simulator, "o1")
    await simulator.until(lambda: first.capabilities.dead_man_switch)
    simulator.dead_man.pace = 1.0
    await first.close()
    second = make(simulator)
    await second.open()
    orders = Following(second.watch_orders([SYMBOL]))  # as bots do first of all
    renewed = len(simulator.sent(Operation.DEAD_MAN))
    await simulator.until(lambda: len(simulator.sent(Operation.DEAD_MAN)) > renewed + 2)
    assert simulator.order("o1").open
    await orders.stop()


async def test_what_an_earlier_instance_armed_is_disarmed_where_it_is_off(simulator: Face, make: Make) -> None:
    first = make(simulator)
    await first.open()
    await resting(first, simulator, "o1")
    await simulator.until(lambda: first.capabilities.dead_man_switch)
    await first.close()
    second = make(simulator, enabled=False)
    await second.open()
    await resting(second, simulator, "o2")
    assert not second.capabilities.dead_man_switch
    assert any("the dead-man switch is off" in weakness for weakness in second.capabilities.weaknesses)
    if simulator.exchange is not Exchange.BYBIT:  # there it counts from the connection's end, whatever is set
        await simulator.until(lambda: set(simulator.dead_man.set_to.values()) == {0})


async def test_a_switch_that_cannot_be_armed_shows(simulator: Face, make: Make) -> None:
    refused = [Fault(Operation.DEAD_MAN, status=404, body="not found") for _ in range(3)]
    simulator.faults.next(*refused)
    venue = make(simulator)
    await venue.open()
    await resting(venue, simulator, "o1")
    assert any("the dead-man switch is not armed" in weakness for weakness in venue.capabilities.weaknesses)
    await simulator.until(lambda: venue.capabilities.dead_man_switch)


async def test_bybit_has_to_switch_it_on_for_the_account(make: Make) -> None:
    face = BybitFace()
    face.dcp_enabled = False
    await face.start()
    venue = make(face)
    await venue.open()
    await face.until(lambda: any("on request only" in weakness for weakness in venue.capabilities.weaknesses))
    assert not venue.capabilities.dead_man_switch
    await venue.close()
    await face.stop()


async def test_an_exchange_without_one_says_so(make: Make) -> None:
    face = FACES[Exchange.BITGET]()
    await face.start()
    venue = make(face)
    await venue.open()
    assert not venue.capabilities.dead_man_switch
    assert any("no dead-man switch" in weakness for weakness in venue.capabilities.weaknesses)
    await venue.close()
    await face.stop()
