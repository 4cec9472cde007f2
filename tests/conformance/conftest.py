"""The subject of each test: every face and the paper exchange, or what the environment names.

`make conformance` runs the whole suite; `EXCHANGE=bybit` that exchange's face alone; and `make conformance
EXCHANGE=bybit MODE=demo CREDENTIALS=folder` runs against the exchange's own demo account: the folder holds the files
apiKey, apiSecret and, where the exchange has one, passphrase. Tests in which the exchange must fail, or fill in parts,
are left out there. Orders are worth 250 USDT at most, and are cancelled, and positions closed, after each test.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from opensqt.api.connector import Exchange, ExchangeConnectorSpec, Mode
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.venue import Gap, Price, Venue
from tests.conformance.paper import paper_subject
from tests.conformance.subject import SYMBOL, Following, Subject
from tests.venues.faces import FACES
from tests.venues.keys import TRADER
from tests.venues.server import Face

EXCHANGE = os.environ.get("OPENSQT_CONFORMANCE_EXCHANGE", "")
MODE = os.environ.get("OPENSQT_CONFORMANCE_MODE", "simulated")
CREDENTIALS = os.environ.get("OPENSQT_CONFORMANCE_CREDENTIALS", "")
SIMULATED = tuple(FACES)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exchange" not in metafunc.fixturenames:
        return
    if MODE not in {"simulated", "demo"} or (MODE == "demo" and not EXCHANGE):
        raise pytest.UsageError("MODE is simulated or demo, and demo needs EXCHANGE and CREDENTIALS")
    every = list(SIMULATED) if "face" in metafunc.fixturenames else [*SIMULATED, Exchange.PAPER]
    only = getattr(metafunc.module, "ONLY", None)
    every = [only] if only is not None else every
    exchanges = [exchange for exchange in every if exchange.value == EXCHANGE] if EXCHANGE else every
    metafunc.parametrize("exchange", exchanges, ids=lambda exchange: exchange.value)


@pytest_asyncio.fixture
async def face(exchange: Exchange) -> AsyncIterator[Face]:
    if MODE == "demo":
        pytest.skip("needs a simulator: the exchange itself must fail, or fill, as the test wants")
    face = FACES[exchange]()
    await face.start()
    try:
        yield face
    finally:
        await face.stop()


@pytest.fixture
def write_credentials(tmp_path: Path) -> Callable[..., Path]:
    """Writes a mounted Secret."""

    def write(api_key: str = TRADER.api_key, secret: str = TRADER.secret, passphrase: str = TRADER.passphrase) -> Path:
        folder = tmp_path / "credentials"
        folder.mkdir(exist_ok=True)
        for name, value in (("apiKey", api_key), ("apiSecret", secret), ("passphrase", passphrase)):
            (folder / name).write_text(value)
        return folder

    return write


@pytest_asyncio.fixture
async def unopened(exchange: Exchange, face: Face, write_credentials: Callable[..., Path]) -> AsyncIterator[Venue]:
    """A venue before the simulator of the exchange."""
    venue = create(spec_of(exchange), write_credentials(), endpoint=face.url)
    try:
        yield venue
    finally:
        await venue.close()


@pytest_asyncio.fixture
async def simulated(exchange: Exchange, face: Face, unopened: Venue) -> Subject:
    return await _opened(exchange.value, unopened, face, face.core.last(face.btc))


@pytest_asyncio.fixture
async def subject(
    exchange: Exchange, write_credentials: Callable[..., Path], request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Subject]:
    """A simulator, the paper exchange, or the demo account of the exchange that is named; cleaned up afterwards."""
    async with AsyncExitStack() as stack:
        if exchange is Exchange.PAPER:
            server = request.getfixturevalue("postgres_server")
            subject = await stack.enter_async_context(paper_subject(server, tmp_path))
        elif MODE == "demo":
            venue = create(spec_of(exchange), Path(CREDENTIALS))
            stack.push_async_callback(venue.close)
            subject = await _opened(exchange.value, venue, None, None)
            (held,) = await venue.positions([SYMBOL])
            if held.quantity:
                pytest.fail(f"the account holds {held.quantity} {SYMBOL}, which the suite would close: close it first")
        else:
            face = FACES[exchange]()
            await face.start()
            stack.push_async_callback(face.stop)
            venue = create(spec_of(exchange), write_credentials(), endpoint=face.url)
            stack.push_async_callback(venue.close)
            subject = await _opened(exchange.value, venue, face, face.core.last(face.btc))
        stack.push_async_callback(subject.clean_up)
        yield subject


@pytest_asyncio.fixture
async def following() -> AsyncIterator[Callable[[AsyncIterator[object]], Following]]:
    """Reads a stream in the background; all are stopped at the end."""
    streams: list[Following] = []

    def follow(stream: AsyncIterator[object]) -> Following:
        streams.append(Following(stream))
        return streams[-1]

    yield follow
    for stream in streams:
        await stream.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, late fills and dead connections are noticed in parts of a second; must be asked for before the venue."""
    monkeypatch.setattr("opensqt.connector.ccxt_venue.streams.AUDIT_SECONDS", 0.3)
    monkeypatch.setattr("opensqt.connector.ccxt_venue.streams.LATE_US", 100_000)
    monkeypatch.setattr("opensqt.connector.ccxt_venue.loader.KEEP_ALIVE_MS", 300)
    for dialect in DIALECTS.values():
        monkeypatch.setattr(dialect, "profile", replace(dialect.profile, silence=1.0))


def spec_of(exchange: Exchange) -> ExchangeConnectorSpec:
    return ExchangeConnectorSpec(
        exchange=exchange, mode=Mode.DEMO, credentials_secret_ref=SecretRef(name="conformance")
    )


async def _opened(name: str, venue: Venue, face: Face | None, last: Decimal | None) -> Subject:
    await venue.open()
    assert venue.health().ready, venue.health()
    (rules,) = await venue.symbols([SYMBOL])
    return Subject(name, venue, face, rules, last or await _last(venue))


async def _last(venue: Venue) -> Decimal:
    prices = Following(venue.watch_prices([SYMBOL]))
    await prices.until(lambda items: any(not isinstance(item, Gap) for item in items))
    (price, *_) = prices.of(Price)
    await prices.stop()
    return price.last
