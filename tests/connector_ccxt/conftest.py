"""Laid-out answers of all five exchanges, and venues that talk to them through real ccxt."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Exchange
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.venue import Venue
from tests.connector_ccxt.answers import Answers
from tests.connector_ccxt.five import FIVE, Documented

KEY, SECRET, PASSPHRASE = "key-5e1a0c", "secret-77d1f2", "phrase-90ab3c"
SPEC = ExchangeConnectorSpec(exchange=Exchange.BINANCE, credentials_secret_ref=SecretRef(name="binance"))


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


@pytest.fixture(params=FIVE, ids=lambda documented: documented.exchange.value)
def documented(request: pytest.FixtureRequest) -> Documented:
    assert isinstance(request.param, Documented)
    return request.param


@pytest.fixture
async def answers(documented: Documented) -> AsyncIterator[Answers]:
    answers = Answers(bodies=dict(documented.opening))
    await answers.start()
    try:
        yield answers
    finally:
        await answers.stop()


@pytest.fixture
async def five_unopened(
    documented: Documented, answers: Answers, write_credentials: Callable[..., Path]
) -> AsyncIterator[Venue]:
    spec = ExchangeConnectorSpec(exchange=documented.exchange, credentials_secret_ref=SecretRef(name="keys"))
    folder = write_credentials(apiKey=KEY, apiSecret=SECRET, passphrase=PASSPHRASE)
    venue = create(spec, folder, endpoint=answers.url)
    try:
        yield venue
    finally:
        await venue.close()


@pytest.fixture
async def five(five_unopened: Venue) -> Venue:
    await five_unopened.open()
    assert five_unopened.health().ready, five_unopened.health()
    return five_unopened
