"""What each exchange tells of an API key, and which keys are taken. Live mode: demo environments tell less."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Exchange, Mode
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.ccxt_venue import session as session_module
from opensqt.connector.venue import Venue
from tests.connector_ccxt.answers import Answers
from tests.connector_ccxt.conftest import KEY, PASSPHRASE, SECRET
from tests.connector_ccxt.five import Documented
from tests.connector_ccxt.test_ccxt_session import healthy

Write = Callable[..., Path]
Rights = Callable[[bool, bool, bool], dict[str, Any]]


def _binance(trade: bool, withdraw: bool, bound: bool) -> dict[str, Any]:
    """developers.binance.com, wallet, account, API key permission."""
    told = {"ipRestrict": bound, "enableReading": True, "enableWithdrawals": withdraw, "enableFutures": trade}
    return {"/sapi/v1/account/apiRestrictions": told}


def _bitget(trade: bool, withdraw: bool, bound: bool) -> dict[str, Any]:
    rights = ["coor", *(["coow"] if trade else []), *(["wwow"] if withdraw else [])]
    data = {"userId": "1", "authorities": rights, "ips": "127.0.0.1" if bound else ""}
    return {"/api/v2/spot/account/info": {"code": "00000", "msg": "success", "requestTime": 1, "data": data}}


def _gate(trade: bool, withdraw: bool, bound: bool) -> dict[str, Any]:
    """gate.com/docs/developers/apiv4, query all main account key information."""
    other = {"key": "another*****", "perms": [{"name": "withdraw", "read_only": False}], "ip_whitelist": []}
    perms = [{"name": "account", "read_only": True}, {"name": "futures", "read_only": not trade}]
    perms += [{"name": "withdraw", "read_only": False}] if withdraw else []
    ours = {"key": f"{KEY[:6]}*****", "perms": perms, "ip_whitelist": ["127.0.0.1"] if bound else []}
    return {"/api/v4/account/main_keys": [other, ours]}


def _okx(trade: bool, withdraw: bool, bound: bool) -> dict[str, Any]:
    perm = ",".join(["read_only", *(["trade"] if trade else []), *(["withdraw"] if withdraw else [])])
    config = {"acctLv": "2", "posMode": "net_mode", "perm": perm, "ip": "127.0.0.1" if bound else ""}
    return {"/api/v5/account/config": {"code": "0", "msg": "", "data": [config]}}


def _bybit(trade: bool, withdraw: bool, bound: bool) -> dict[str, Any]:
    """bybit-exchange.github.io/docs/v5/user/apikey-info."""
    result = {
        "readOnly": 0 if trade else 1,
        "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": ["Withdraw"] if withdraw else []},
        "ips": ["127.0.0.1"] if bound else ["*"],
    }
    return {"/v5/user/query-api": {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1}}


RIGHTS: dict[Exchange, Rights] = {
    Exchange.BINANCE: _binance,
    Exchange.BITGET: _bitget,
    Exchange.GATE: _gate,
    Exchange.OKX: _okx,
    Exchange.BYBIT: _bybit,
}


@pytest.fixture
async def make(
    documented: Documented, answers: Answers, write_credentials: Write
) -> AsyncIterator[Callable[..., Venue]]:
    made: list[Venue] = []

    def create_live(**spec: Any) -> Venue:
        resource = ExchangeConnectorSpec(
            exchange=documented.exchange,
            mode=Mode.LIVE,
            acknowledge_live_trading=True,
            credentials_secret_ref=SecretRef(name="keys"),
            **spec,
        )
        folder = write_credentials(apiKey=KEY, apiSecret=SECRET, passphrase=PASSPHRASE)
        made.append(create(resource, folder, endpoint=answers.url))
        return made[-1]

    yield create_live
    for venue in made:
        await venue.close()


@pytest.mark.parametrize(
    ("trade", "withdraw", "reason"),
    [(True, False, "Ready"), (False, False, "MissingPermission"), (True, True, "WithdrawalPermission")],
)
async def test_a_key_is_taken_that_may_trade_and_not_withdraw(
    make: Callable[..., Venue], answers: Answers, documented: Documented, trade: bool, withdraw: bool, reason: str
) -> None:
    answers.bodies |= RIGHTS[documented.exchange](trade, withdraw, True)
    venue = make()
    await venue.open()
    assert (venue.health().ready, venue.health().reason) == (reason == "Ready", reason), venue.health()
    assert not any("withdraw" in weakness for weakness in venue.capabilities.weaknesses) or withdraw


async def test_a_key_that_may_withdraw_is_taken_where_the_spec_says_so(
    make: Callable[..., Venue], answers: Answers, documented: Documented
) -> None:
    answers.bodies |= RIGHTS[documented.exchange](True, True, False)
    venue = make(allow_withdrawal_permission=True)
    await venue.open()
    assert venue.health().ready, venue.health()
    shown = " ".join(venue.capabilities.weaknesses)
    assert "may withdraw" in shown
    assert "from any address" in shown


async def test_rights_that_were_taken_away_show_and_heal_without_a_restart(
    make: Callable[..., Venue], answers: Answers, documented: Documented, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "RIGHTS_SECONDS", 0.0)
    monkeypatch.setattr(session_module, "CHECK_SECONDS", 0.1)
    rights = RIGHTS[documented.exchange]
    answers.bodies |= rights(True, False, True)
    venue = make()
    await venue.open()
    assert venue.health().ready, venue.health()
    answers.bodies |= rights(True, True, True)
    await healthy(venue, "WithdrawalPermission")
    answers.bodies |= rights(True, False, True)
    await healthy(venue, "Ready")


REFUSED_ADDRESS: dict[Exchange, tuple[int, dict[str, Any]]] = {
    Exchange.BINANCE: (400, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}),
    Exchange.BITGET: (400, {"code": "40018", "msg": "Invalid IP", "requestTime": 1, "data": None}),
    Exchange.GATE: (403, {"label": "IP_FORBIDDEN", "message": "IP not in the whitelist"}),
    Exchange.OKX: (401, {"code": "50110", "msg": "Your IP is not included in your API key's IP whitelist", "data": []}),
    Exchange.BYBIT: (200, {"retCode": 10010, "retMsg": "Unmatched IP", "result": {}, "retExtInfo": {}, "time": 1}),
}
"""Binance has one code for all three."""


async def test_an_address_that_is_not_on_the_list_is_named(
    make: Callable[..., Venue], answers: Answers, documented: Documented
) -> None:
    status, body = REFUSED_ADDRESS[documented.exchange]
    answers.status[documented.balance], answers.bodies[documented.balance] = status, body
    venue = make()
    await venue.open()
    expected = "WrongCredentials" if documented.exchange is Exchange.BINANCE else "AddressNotAllowed"
    assert (venue.health().ready, venue.health().reason) == (False, expected), venue.health()
