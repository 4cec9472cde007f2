"""The Secret's keys, where signed requests may go, and what is never shown; the rest is in tests/conformance."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Exchange
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import ENDPOINT_ENV, create
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.errors import clean
from opensqt.connector.venue import Venue, VenueError
from opensqt.engine.events import Remedy
from tests.connector_ccxt.conftest import SPEC

Write = Callable[..., Path]
OKX = ExchangeConnectorSpec(exchange=Exchange.OKX, credentials_secret_ref=SecretRef(name="okx"))
NOWHERE = "http://127.0.0.1:1"


async def healthy(venue: Venue, reason: str, seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while venue.health().reason != reason:
            await venue.health_changed()


@pytest.mark.parametrize(
    ("spec", "values", "named"),
    [
        (SPEC, {"apiKey": "k"}, "apiSecret is missing"),
        (SPEC, {"apiSecret": "s"}, "apiKey is missing"),
        (SPEC, {"apiKey": "k", "apiSecret": "\n"}, "apiSecret is empty"),
        (SPEC, {"apikey": "k", "apiSecret": "s"}, "apiKey is missing; it has the keys apiSecret, apikey"),
        (OKX, {"apiKey": "k", "apiSecret": "s"}, "passphrase is missing"),
        (SPEC, {}, "spec.credentialsSecretRef: there is no such Secret"),
        (OKX, {}, "make it with the keys apiKey, apiSecret, passphrase"),
    ],
)
async def test_a_missing_key_of_the_secret_is_named(
    write_credentials: Write, spec: ExchangeConnectorSpec, values: dict[str, str], named: str
) -> None:
    venue = create(spec, write_credentials(**values), endpoint=NOWHERE)
    await venue.open()
    health = venue.health()
    assert (health.ready, health.reason) == (False, "WrongCredentials")
    assert named in health.message
    with pytest.raises(VenueError) as error:
        await venue.account()
    assert error.value.failure.remedy is Remedy.FIX_CREDENTIALS
    await venue.close()


def test_credentials_do_not_show_themselves() -> None:
    credentials = Credentials("key-value", "secret-value", "phrase-value")
    assert "value" not in repr(credentials)
    assert clean("a key-value b secret-value c phrase-value", credentials) == "a *** b *** c ***"
    assert clean('GET https://x/y?apiKey=1&signature=2 "sign":"3"', credentials) == 'GET https://x/y "sign":"***"'
    assert clean("Signature for this request is not valid.", credentials) == "Signature for this request is not valid."


@pytest.mark.parametrize(
    "endpoint", ["https://fapi.binance.com", "http://10.0.0.1:80", "http://localhost.evil:1", "ftp://127.0.0.1"]
)
def test_signed_requests_go_to_a_simulator_on_loopback_alone(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        create(SPEC, tmp_path, endpoint=endpoint)
    monkeypatch.setenv(ENDPOINT_ENV, endpoint)
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        create(SPEC, tmp_path)
