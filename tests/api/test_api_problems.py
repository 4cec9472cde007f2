"""What is wrong with a resource is said by field, whatever kind of rule it breaks."""

from typing import Any

import pytest
from pydantic import ValidationError

from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBotSpec
from opensqt.api.problems import problems


def _said(model: Any, document: dict[str, Any], root: str = "") -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document)
    return [str(problem) for problem in problems(caught.value, root)]


def test_a_rule_of_several_fields_names_the_one_to_mend() -> None:
    spec = {
        "connectorRef": {"name": "paper"},
        "symbol": "BTC/USDT:USDT",
        "grid": {"spacing": {"arithmetic": "100"}},
        "order": {"quoteSize": "200"},
        "leverage": 20,
    }
    assert _said(GridBotSpec, spec, "spec") == ["spec.leverage: leverage must not exceed riskLimits.maxLeverage"]


def test_items_of_lists_are_counted_in_brackets() -> None:
    markets = [{"symbol": "BTC/USDT:USDT"}, {"symbol": "ETH/USDT:USDT", "tickSize": "-1"}]
    document = {"metadata": {"name": "paper"}, "spec": {"exchange": "paper", "paper": {"markets": markets}}}
    (said,) = _said(ExchangeConnector, document)
    assert said.startswith("spec.paper.markets[1].tickSize: ")
