"""The models refuse what the API server refuses."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBot, GridBotSpec
from opensqt.api.schema import broken_immutables

SPEC: dict[str, Any] = {
    "connectorRef": {"name": "paper"},
    "symbol": "BTC/USDT:USDT",
    "grid": {"spacing": {"arithmetic": "100"}},
    "order": {"quoteSize": "200"},
}


def _spec(**changes: Any) -> GridBotSpec:
    return GridBotSpec.model_validate({**SPEC, **changes})


def test_defaults() -> None:
    spec = _spec()
    assert (spec.side, spec.state, spec.deletion_policy) == ("Long", "Running", "CancelOrders")
    assert (spec.grid.buy_window, spec.leverage, spec.risk_limits.max_leverage) == (10, 1, 10)
    assert spec.order.quote_size == Decimal(200)


def test_json_and_back_is_the_same() -> None:
    spec = _spec(grid={"spacing": {"geometric": "0.5"}, "lower": "0.00000001", "upper": "123456789012345"})
    assert spec.to_json_object()["grid"]["lower"] == "0.00000001"
    assert GridBotSpec.model_validate(spec.to_json_object()) == spec


@pytest.mark.parametrize(
    "bad", [200, 0.5, True, "", "-5", "0", "0.000", "1e3", "Infinity", "NaN", ".5", "1 ", "٣", "9" * 16]
)
def test_money_must_be_a_plain_positive_decimal_in_quotes(bad: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        _spec(order={"quoteSize": bad})
    assert refused.value.errors()[0]["loc"] == ("order", "quoteSize")


@given(st.decimals(min_value="0.000000000001", max_value="999999999999999", allow_nan=False, places=12))
def test_every_plain_positive_decimal_is_taken_as_it_is(number: Decimal) -> None:
    if number < 10**15:
        assert _spec(order={"quoteSize": f"{number:f}"}).order.quote_size == number


@pytest.mark.parametrize("bad", ["10", 10.0, True, 0, 501])
def test_windows_are_integers_within_bounds(bad: Any) -> None:
    with pytest.raises(ValidationError):
        _spec(grid={"spacing": {"arithmetic": "1"}, "buyWindow": bad})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grid": {"spacing": {"arithmetic": "1"}, "lower": "5", "upper": "5"}}, "upper must be greater than lower"),
        ({"grid": {"spacing": {}}}, "exactly one of arithmetic, geometric and atr"),
        ({"grid": {"spacing": {"arithmetic": "1", "geometric": "1"}}}, "exactly one of arithmetic, geometric and atr"),
        ({"grid": {"spacing": {"arithmetic": "1", "atr": {}}}}, "exactly one of arithmetic, geometric and atr"),
        ({"grid": {"spacing": {"atr": {"multiple": "101"}}}}, "must be at most 100"),
        ({"grid": {"spacing": {"atr": {"period": 1}}}}, "greater than or equal to 2"),
        (
            {"grid": {"spacing": {"arithmetic": "1"}, "inventorySkew": "1.1"}, "riskLimits": {"maxPosition": "1"}},
            "must be at most 1",
        ),
        ({"grid": {"spacing": {"arithmetic": "1"}, "inventorySkew": "0.5"}}, "set that too"),
        ({"leverage": 11}, "leverage must not exceed riskLimits.maxLeverage"),
        ({"unknown": 1}, "Extra inputs are not permitted"),
    ],
)
def test_rules_between_fields(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _spec(**changes)


@pytest.mark.parametrize("name", ["", "A", "1a", "a.b", "-a", "a-", "a" * 51])
def test_names_leave_room_for_their_suffixes(name: str) -> None:
    with pytest.raises(ValidationError):
        GridBot.model_validate(
            {"apiVersion": "opensqt.io/v1alpha1", "kind": "GridBot", "metadata": {"name": name}, "spec": SPEC}
        )


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"exchange": "okx"}, "credentialsSecretRef is required"),
        ({"exchange": "paper"}, "paper must be set"),
        (
            {"exchange": "okx", "credentialsSecretRef": {"name": "a"}, "mode": "Live"},
            "set acknowledgeLiveTrading to true",
        ),
        ({"exchange": "paper", "paper": {"markets": []}}, "at least 1 item"),
        ({"exchange": "paper", "market": "Spot", "paper": {"markets": [{"symbol": "A/BCD"}]}}, "plays both"),
        (
            {"exchange": "paper", "paper": {"markets": [{"symbol": "A/BCD"}, {"symbol": "A/BCD"}]}},
            "A/BCD is there twice",
        ),
        (
            {"exchange": "paper", "paper": {"markets": [{"symbol": "A/BCD", "candles": {}}]}},
            "exactly one of configMapRef",
        ),
    ],
)
def test_connectors(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ExchangeConnector.model_validate(
            {"apiVersion": "opensqt.io/v1alpha1", "kind": "ExchangeConnector", "metadata": {"name": "x"}, "spec": spec}
        )


def test_immutables() -> None:
    old = _spec()
    new = _spec(symbol="ETH/USDT:USDT", leverage=2).to_json_object()
    assert broken_immutables(old, new) == [".symbol: symbol is immutable: delete the bot and create another"]
    assert broken_immutables(old, old.to_json_object()) == []
