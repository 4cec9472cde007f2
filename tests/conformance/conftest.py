"""The subject of each test: every face and the paper exchange, or what the environment names.

`make conformance` runs the whole suite; `EXCHANGE=bybit` that exchange's face alone; and `make conformance
EXCHANGE=bybit MODE=demo CREDENTIALS=folder` runs against the exchange's own demo account: the folder holds the files
apiKey, apiSecret and, where the exchange has one, passphrase; MARKET=Spot is its spot. Tests in which the exchange must
fail, or fill in parts, are left out there. Orders are worth 250 USDT at most, and are cancelled, and positions closed,
after each test.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Exchange, MarketKind, Mode
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.ccxt_venue.exchanges import DIALECTS, SPOT_DIALECTS
from opensqt.connector.venue import Gap, Price, Venue
from tests.conformance.paper import paper_subject
from tests.conformance.subject import SYMBOL, SYMBOLS, Following, Subject
from tests.venues.faces import FACES, SPOT_FACES, face_of
from tests.venues.keys import TRADER
from tests.venues.server import Face

EXCHANGE = os.environ.get("OPENSQT_CONFORMANCE_EXCHANGE", "")
MODE = os.environ.get("OPENSQT_CONFORMANCE_MODE", "simulated")
MARKET = os.environ.get("OPENSQT_CONFORMANCE_MARKET", "")
CREDENTIALS = os.environ.get("OPENSQT_CONFORMANCE_CREDENTIALS", "")
SIMULATED = {MarketKind.PERPETUAL: FACES, MarketKind.SPOT: SPOT_FACES}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exchange" not in metafunc.fixturenames:
        return
    if MODE not in {"simulated", "demo"} or (MODE == "demo" and not EXCHANGE):
        raise pytest.UsageError("MODE is simulated or demo, and demo needs EXCHANGE and CREDENTIALS")
    every = {kind: list(faces) for kind, faces in SIMULATED.items()}
    if "face" not in metafunc.fixturenames:
        every = {kind: [*exchanges, Exchange.PAPER] for kind, exchanges in every.items()}
    only = metafunc.definition.get_closest_marker("exchanges")
    kinds = _kinds(metafunc)
    subjects = [
        (exchange, kind)
        for kind in kinds
        for exchange in every[kind]
        if (only is None or exchange in only.args) and EXCHANGE in {"", exchange.value}
    ]
    ids = [exchange.value + ("-spot" if kind is MarketKind.SPOT else "") for exchange, kind in subjects]
    metafunc.parametrize(("exchange", "market"), subjects, ids=ids)


def _kinds(metafunc: pytest.Metafunc) -> list[MarketKind]:
    """Of the markets that a test is for: perpetuals, spot as well where it is marked, or its module's own."""
    marked = any(mark.name == "spot" for mark in metafunc.definition.iter_markers())
    kinds = getattr(
        metafunc.module, "KINDS", [MarketKind.PERPETUAL, MarketKind.SPOT] if marked else [MarketKind.PERPETUAL]
    )
    wanted = MARKET or ("Perpetual" if MODE == "demo" else "")
    return [kind for kind in kinds if wanted in {"", kind.value}]


@pytest_asyncio.fixture
async def face(exchange: Exchange, market: MarketKind) -> AsyncIterator[Face]:
    if MODE == "demo":
        pytest.skip("needs a simulator: the exchange itself must fail, or fill, as the test wants")
    face = face_of(exchange, market)
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
async def unopened(
    exchange: Exchange, market: MarketKind, face: Face, write_credentials: Callable[..., Path]
) -> AsyncIterator[Venue]:
    """A venue before the simulator of the exchange."""
    venue = create(spec_of(exchange, market), write_credentials(), endpoint=face.url)
    try:
        yield venue
    finally:
        await venue.close()


@pytest_asyncio.fixture
async def simulated(exchange: Exchange, market: MarketKind, face: Face, unopened: Venue) -> Subject:
    return await _opened(exchange.value, market, unopened, face, face.core.last(face.btc))


@pytest_asyncio.fixture
async def subject(
    exchange: Exchange,
    market: MarketKind,
    write_credentials: Callable[..., Path],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> AsyncIterator[Subject]:
    """A simulator, the paper exchange, or the demo account of the exchange that is named; cleaned up afterwards."""
    async with AsyncExitStack() as stack:
        if exchange is Exchange.PAPER:
            server = request.getfixturevalue("postgres_server")
            subject = await stack.enter_async_context(paper_subject(server, tmp_path, SYMBOLS[market]))
        elif MODE == "demo":
            venue = create(spec_of(exchange, market), Path(CREDENTIALS))
            stack.push_async_callback(venue.close)
            subject = await _opened(exchange.value, market, venue, None, None)
            (held,) = await venue.positions([subject.symbol])
            if subject.spot:
                subject.held = held.quantity
            elif held.quantity:
                pytest.fail(f"the account holds {held.quantity} {SYMBOL}, which the suite would close: close it first")
        else:
            face = face_of(exchange, market)
            await face.start()
            stack.push_async_callback(face.stop)
            venue = create(spec_of(exchange, market), write_credentials(), endpoint=face.url)
            stack.push_async_callback(venue.close)
            subject = await _opened(exchange.value, market, venue, face, face.core.last(face.btc))
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
    monkeypatch.setattr("opensqt.connector.ccxt_venue.wallet.PAUSE", 0.05)
    for dialect in (*DIALECTS.values(), *SPOT_DIALECTS.values()):
        monkeypatch.setattr(dialect, "profile", replace(dialect.profile, silence=1.0))


def spec_of(exchange: Exchange, market: MarketKind) -> ExchangeConnectorSpec:
    return ExchangeConnectorSpec(
        exchange=exchange, market=market, mode=Mode.DEMO, credentials_secret_ref=SecretRef(name="conformance")
    )


async def _opened(name: str, market: MarketKind, venue: Venue, face: Face | None, last: Decimal | None) -> Subject:
    await venue.open()
    assert venue.health().ready, venue.health()
    (rules,) = await venue.symbols([SYMBOLS[market]])
    return Subject(name, venue, face, rules, last or await _last(venue, rules.symbol))


async def _last(venue: Venue, symbol: str) -> Decimal:
    prices = Following(venue.watch_prices([symbol]))
    await prices.until(lambda items: any(not isinstance(item, Gap) for item in items))
    (price, *_) = prices.of(Price)
    await prices.stop()
    return price.last
