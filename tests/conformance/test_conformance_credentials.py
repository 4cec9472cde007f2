"""The key: what is wrong with it is named, it is rotated without a restart, and nothing of it is shown."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Exchange, MarketKind, Mode
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.venue import Gap, Venue, VenueError
from opensqt.engine.events import Remedy
from tests.conformance.subject import SYMBOL, SYMBOLS, Follow, Subject, placed, refused
from tests.venues.faults import Fault, Operation
from tests.venues.keys import NEXT, TRADER
from tests.venues.refusals import Reason
from tests.venues.server import Face

Write = Callable[..., Path]
SECRETS = (TRADER.api_key, TRADER.secret, TRADER.passphrase)


async def healthy(venue: Venue, reason: str, seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while venue.health().reason != reason:
            await venue.health_changed()


async def test_a_good_key_is_ready(subject: Subject) -> None:
    assert (subject.venue.health().ready, subject.venue.health().reason) == (True, "Ready")


@pytest.mark.parametrize("wrong", ["api_key", "secret"])
async def test_a_wrong_key_is_named_and_a_new_one_taken_without_a_restart(
    unopened: Venue, write_credentials: Write, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _wrong_at_first(unopened, write_credentials, wrong, monkeypatch)


@pytest.mark.exchanges(Exchange.OKX, Exchange.BITGET)
async def test_a_wrong_passphrase_is_named_and_a_new_one_taken_without_a_restart(
    unopened: Venue, write_credentials: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _wrong_at_first(unopened, write_credentials, "passphrase", monkeypatch)


async def _wrong_at_first(
    unopened: Venue, write_credentials: Write, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.session.FILES_SECONDS", 0.05)
    write_credentials(**{wrong: "something-else"})
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "WrongCredentials"), unopened.health()
    write_credentials()
    await healthy(unopened, "Ready")


@pytest.mark.spot
async def test_a_key_that_may_not_trade(unopened: Venue, face: Face, market: MarketKind) -> None:
    face.key_becomes(TRADER, may_trade=False)
    await unopened.open()
    health = unopened.health()
    if face.exchange.value in {"gate", "bybit"}:
        assert health.ready, "in its demo it is known only when it trades"
    else:
        assert (health.ready, health.reason) == (False, "MissingPermission"), health
    (rules,) = await unopened.symbols([SYMBOLS[market]])
    subject = Subject(unopened.name, unopened, face, rules, face.core.last(face.btc))
    assert refused(await unopened.place([subject.order()])).remedy is Remedy.FIX_CREDENTIALS
    assert face.core.orders == {}


async def test_a_key_that_is_bound_to_another_address(unopened: Venue, face: Face) -> None:
    face.key_becomes(TRADER, addresses=("203.0.113.7",))
    await unopened.open()
    reasons = {"AddressNotAllowed"} if face.exchange.value != "binance" else {"WrongCredentials"}
    assert unopened.health().reason in reasons, unopened.health()


async def test_a_small_clock_skew_is_corrected(unopened: Venue, face: Face) -> None:
    face.core.skew_ms = -3_000
    await unopened.open()
    assert unopened.health().ready, unopened.health()
    assert 2_000_000 < unopened.health().clock_skew_us < 4_000_000
    (position,) = await unopened.positions([SYMBOL])
    assert position.quantity == 0, "timestamps were corrected, or it would have been refused"


async def test_a_clock_that_is_far_off_is_named(unopened: Venue, face: Face) -> None:
    face.core.skew_ms = 90_000
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "ClockSkew"), unopened.health()


async def test_maintenance_is_told_and_waited_out(unopened: Venue, face: Face) -> None:
    face.refuse_next(Operation.BALANCE, Reason.MAINTENANCE)
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "TradingHalted"), unopened.health()
    await healthy(unopened, "Ready")


async def test_opens_by_itself_when_the_exchange_comes_back(unopened: Venue, face: Face) -> None:
    face.faults.next(*(Fault(Operation.TIME, status=502, body="<html></html>") for _ in range(2)))
    await unopened.open()
    assert (unopened.health().ready, unopened.health().reason) == (False, "VenueUnreachable"), unopened.health()
    await healthy(unopened, "Ready")


async def test_a_rotated_secret_is_taken_up_by_calls_and_streams(
    simulated: Subject, write_credentials: Write, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.session.FILES_SECONDS", 0.05)
    face = simulated.face
    stream = following(simulated.venue.watch_orders([SYMBOL]))
    await simulated.following_orders()
    face.key_becomes(NEXT)
    write_credentials(NEXT.api_key, NEXT.secret, NEXT.passphrase)
    await stream.until(lambda _: bool(stream.of(Gap)))
    await face.until(lambda: bool(face.private) and all(other.key == NEXT for other in face.private))
    placed(await simulated.venue.place([simulated.order()]))
    assert simulated.venue.health().ready


async def test_a_revoked_key_shows_soon(simulated: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.session.RECHECK_SECONDS", 0.0)
    simulated.face.key_becomes(NEXT)
    assert refused(await simulated.venue.place([simulated.order()])).remedy is Remedy.FIX_CREDENTIALS
    await healthy(simulated.venue, "WrongCredentials")


async def test_nothing_of_the_key_is_in_any_log_error_or_health(
    unopened: Venue, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"bad request: key={TRADER.api_key} secret {TRADER.secret} phrase {TRADER.passphrase} ?signature=0123abcd"
    shown: list[str] = []
    with structlog.testing.capture_logs() as entries:
        subject = await opened(unopened, face)
        for fault in (
            Fault(Operation.PLACE, status=400, body=echo),
            Fault(Operation.PLACE, status=502, body=echo),
            Fault(Operation.PLACE, hang_up=True),
        ):
            face.faults.next(fault)
            shown.append(refused(await unopened.place([subject.order()])).message)
        face.faults.next(*(Fault(Operation.ORDER, status=400, body=echo) for _ in range(3)))
        with pytest.raises(VenueError) as error:
            await unopened.order(SYMBOL, "o1")
        shown += [str(error.value), repr(error.value.failure), unopened.health().message]
        face.key_becomes(NEXT)
        shown.append(refused(await unopened.place([subject.order()])).message)
    text = " ".join(shown) + caplog.text + repr(entries)
    assert len(shown) == 7
    for secret in (*SECRETS, "0123abcd"):
        assert secret not in text, f"{secret} is shown"


async def opened(venue: Venue, face: Face) -> Subject:
    await venue.open()
    (rules,) = await venue.symbols([SYMBOL])
    return Subject(venue.name, venue, face, rules, face.core.last(face.btc))


async def test_a_live_key_that_may_withdraw_is_refused_unless_that_is_allowed(
    exchange: Exchange, face: Face, write_credentials: Write
) -> None:
    face.key_becomes(TRADER, may_withdraw=True)
    for allowed in (False, True):
        spec = ExchangeConnectorSpec(
            exchange=exchange,
            mode=Mode.LIVE,
            acknowledge_live_trading=True,
            allow_withdrawal_permission=allowed,
            credentials_secret_ref=SecretRef(name="conformance"),
        )
        venue = create(spec, write_credentials(), endpoint=face.url)
        await venue.open()
        tells = exchange is not Exchange.GATE
        assert venue.health().reason == ("Ready" if allowed or not tells else "WithdrawalPermission"), venue.health()
        await venue.close()
