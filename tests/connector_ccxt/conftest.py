"""A simulated Binance on loopback, and the venue that talks to it through real ccxt."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from opensqt.api.connector import Exchange, ExchangeConnectorSpec
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.venue import Venue
from tests.connector_ccxt.binance_face import API_KEY, API_SECRET, BinanceFace

SPEC = ExchangeConnectorSpec(exchange=Exchange.BINANCE, credentials_secret_ref=SecretRef(name="binance"))


@pytest.fixture
async def face() -> AsyncIterator[BinanceFace]:
    face = BinanceFace()
    await face.start()
    try:
        yield face
    finally:
        await face.stop()


@pytest.fixture
def write_credentials(tmp_path: Path) -> Callable[..., Path]:
    """Writes a mounted Secret; keys that are None are left out."""

    def write(**values: str | None) -> Path:
        folder = tmp_path / "credentials"
        folder.mkdir(exist_ok=True)
        for name, value in values.items():
            if value is None:
                (folder / name).unlink(missing_ok=True)
            else:
                (folder / name).write_text(value)
        return folder

    return write


@pytest.fixture
async def unopened(face: BinanceFace, write_credentials: Callable[..., Path]) -> AsyncIterator[Venue]:
    venue = create(SPEC, write_credentials(apiKey=API_KEY, apiSecret=API_SECRET), endpoint=face.url)
    try:
        yield venue
    finally:
        await venue.close()


@pytest.fixture
async def venue(unopened: Venue) -> Venue:
    await unopened.open()
    assert unopened.health().ready, unopened.health()
    return unopened
