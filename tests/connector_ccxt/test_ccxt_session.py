"""The credentials, the clock, the health that follows the exchange, and what is never shown."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from opensqt.api.connector import Exchange, ExchangeConnectorSpec
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import ENDPOINT_ENV, create
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.errors import clean
from opensqt.connector.venue import Failure, Gap, Price, Venue, VenueError
from opensqt.engine.events import Remedy
from tests.connector_ccxt.binance_face import API_KEY, API_SECRET, BinanceFace, Fault
from tests.connector_ccxt.conftest import SPEC
from tests.connector_ccxt.test_ccxt_binance import SYMBOL, following, order

Write = Callable[..., Path]
OKX = ExchangeConnectorSpec(exchange=Exchange.OKX, credentials_secret_ref=SecretRef(name="okx"))
NOWHERE = "http://127.0.0.1:1"


async def opened(venue: Venue) -> Venue:
    await venue.open()
    return venue


async def healthy(venue: Venue, reason: str, seconds: float = 20.0) -> None:
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
        (SPEC, {}, "nothing is mounted|no keys"),
    ],
)
async def test_a_missing_key_of_the_secret_is_named(
    write_credentials: Write, spec: ExchangeConnectorSpec, values: dict[str, str], named: str
) -> None:
    venue = await opened(create(spec, write_credentials(**values), endpoint=NOWHERE))
    health = venue.health()
    assert (health.ready, health.reason) == (False, "WrongCredentials")
    assert any(part in health.message for part in named.split("|")), health.message
    (result,) = await placed(venue)
    assert result.remedy is Remedy.FIX_CREDENTIALS
    await venue.close()


async def placed(venue: Venue) -> list[Failure]:
    try:
        results = await venue.place([order("o1")])
    except VenueError as error:
        return [error.failure]
    return [result for result in results if isinstance(result, Failure)]


async def test_a_wrong_secret_is_a_wrong_signature(face: BinanceFace, write_credentials: Write) -> None:
    venue = await opened(create(SPEC, write_credentials(apiKey=API_KEY, apiSecret="wrong"), endpoint=face.url))
    assert (venue.health().ready, venue.health().reason) == (False, "WrongCredentials")
    assert "-1022" in venue.health().message
    await venue.close()


async def test_a_key_that_may_not_trade(unopened: Venue, face: BinanceFace) -> None:
    face.can_trade = False
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "MissingPermission")


async def test_a_small_clock_skew_is_corrected_and_a_big_one_told(unopened: Venue, face: BinanceFace) -> None:
    face.skew_ms = -3_000
    await unopened.open()
    assert unopened.health().ready, "timestamps were corrected, or Binance would have refused them"
    assert 2_000_000 < unopened.health().clock_skew_us < 4_000_000
    assert not await placed(unopened)


async def test_a_wrong_clock_is_named(unopened: Venue, face: BinanceFace) -> None:
    face.skew_ms = 60_000
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "ClockSkew")
    assert "clock" in unopened.health().message


async def test_opens_by_itself_when_the_exchange_comes_back(unopened: Venue, face: BinanceFace) -> None:
    face.faults.extend(Fault("GET", "/fapi/v1/time", 502, "<html></html>") for _ in range(2))
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "VenueUnreachable")
    (result,) = await placed(unopened)
    assert (result.remedy, result.retry_after_ms) == (Remedy.RETRY, 1000), "nothing was sent"
    await healthy(unopened, "Ready")


async def test_maintenance_is_told(unopened: Venue, face: BinanceFace) -> None:
    maintenance = {"code": -1016, "msg": "This service is no longer available."}
    face.faults.append(Fault("GET", "/fapi/v3/account", 503, maintenance))
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "TradingHalted")
    await healthy(unopened, "Ready")


async def test_a_rotated_secret_is_taken_up_without_a_restart(
    venue: Venue, face: BinanceFace, write_credentials: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.session.FILES_SECONDS", 0.05)
    stream = venue.watch_orders([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    await face.until(lambda: bool(face.private))
    face.keys = {"the-next-key": "the-next-secret"}
    write_credentials(apiKey="the-next-key", apiSecret="the-next-secret")
    assert isinstance(await first, Gap), "the stream was logged in with the old key"
    await face.until(lambda: bool(face.private))
    assert not await placed(venue)
    assert venue.health().ready
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_revoked_key_shows_soon(venue: Venue, face: BinanceFace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.session.RECHECK_SECONDS", 0.0)
    face.keys = {"another": "key"}
    (result,) = await placed(venue)
    assert result.remedy is Remedy.FIX_CREDENTIALS
    await healthy(venue, "WrongCredentials")


async def test_streams_wait_for_an_exchange_that_is_not_there_yet(unopened: Venue, face: BinanceFace) -> None:
    face.faults.extend(Fault("GET", "/fapi/v1/time", 502, "<html></html>") for _ in range(2))
    stream = unopened.watch_prices([SYMBOL])
    first = asyncio.ensure_future(following(stream))
    await unopened.open()
    await face.until(lambda: any("btcusdt@miniTicker" in names for names in face.public.values()), 20)
    await face.tick("50000")
    assert isinstance(await first, Price)
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """All that any logger writes, at its most talkative."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as entries:
        yield lambda: caplog.text + repr(entries)


async def test_no_credential_is_in_any_log_error_or_health(
    unopened: Venue, face: BinanceFace, everything_logged: Callable[[], str]
) -> None:
    echo = f"bad request: X-MBX-APIKEY={API_KEY} secret {API_SECRET} ?timestamp=1&signature=0123abcd"
    await unopened.open()
    shown: list[str] = []
    for fault in (
        Fault("POST", "/fapi/v1/order", 400, {"code": -1100, "msg": echo}),
        Fault("POST", "/fapi/v1/order", 502, echo),
        Fault("POST", "/fapi/v1/order", hang_up=True),
    ):
        face.faults.append(fault)
        shown += [failure.message for failure in await placed(unopened)]
    face.faults.extend(Fault("GET", "/fapi/v1/order", 400, {"code": -1100, "msg": echo}) for _ in range(3))
    with pytest.raises(VenueError) as error:
        await unopened.order(SYMBOL, "o1")
    shown += [str(error.value), repr(error.value.__cause__), repr(error.value.failure), unopened.health().message]
    await face.stop()
    shown += [failure.message for failure in await placed(unopened)]
    text = " ".join(shown) + everything_logged()
    assert len(shown) >= 8
    for secret in (API_KEY, API_SECRET, "0123abcd", "signature="):
        assert secret not in text, f"{secret} is shown"


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
