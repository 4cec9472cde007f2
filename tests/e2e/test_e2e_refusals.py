"""What cannot be right is refused: by the API server with the field's name, or in a condition that names the cause."""

import base64
import gzip
import json
from typing import Any

import pytest

from tests.e2e.lab import MODEL, Lab, Object, bot, condition, connector, eventually

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]


BAD_BOTS: list[tuple[dict[str, Any], str]] = [
    ({"order": {"quoteSize": "0"}}, "spec.order.quoteSize"),
    ({"order": {"quoteSize": "-5"}}, "spec.order.quoteSize"),
    ({"grid": {"spacing": {"arithmetic": "10"}, "buyWindow": 0}}, "spec.grid.buyWindow"),
    ({"grid": {"spacing": {"arithmetic": "10"}, "lower": "200", "upper": "100"}}, "spec.grid.upper"),
    ({"grid": {"spacing": {"arithmetic": "10", "geometric": "1"}}}, "spec.grid.spacing"),
    ({"grid": {"spacing": {}}}, "spec.grid.spacing"),
    ({"leverage": 20, "riskLimits": {"maxLeverage": 10}}, "spec.leverage"),
    ({"symbol": "btcusdt"}, "spec.symbol"),
    ({"connectorRef": {}}, "spec.connectorRef.name"),
    ({"state": "Sleeping"}, "spec.state"),
]
BAD_CONNECTORS: list[tuple[dict[str, Any], str]] = [
    ({"exchange": "nasdaq"}, "spec.exchange"),
    ({"exchange": "binance"}, "spec.credentialsSecretRef"),
    ({"exchange": "paper"}, "spec.paper"),
    ({"exchange": "okx", "mode": "Live", "credentialsSecretRef": {"name": "keys"}}, "spec.acknowledgeLiveTrading"),
]


def test_the_api_server_refuses_what_is_bad(lab: Lab) -> None:
    """The message about each names its field."""
    named: dict[str, str] = {}
    documents: list[Object] = []
    for number, (spec, field) in enumerate(BAD_BOTS):
        documents.append(bot(f"bot-{number}", **spec))
        named[f"bot-{number}"] = field
    for number, (spec, field) in enumerate(BAD_CONNECTORS):
        name = f"connector-{number}"
        documents.append(connector() | {"metadata": {"name": name}, "spec": spec})
        named[name] = field
    said = lab.refusals(*documents)
    assert {name: message for name, message in said.items() if named[name] not in message} == {}
    assert said.keys() == named.keys()


def test_immutable_fields_stay(lab: Lab) -> None:
    """symbol, side and connectorRef of a bot cannot change."""
    lab.apply(bot())
    for change in ({"symbol": "ETH/USDT:USDT"}, {"connectorRef": {"name": "other"}}):
        refused = lab.run("apply", "-f", "-", stdin=json.dumps(bot(**change)), check=False)
        assert refused.returncode
        assert "immutable" in refused.stderr
        assert f"spec.{next(iter(change))}" in refused.stderr


def test_a_missing_connector_is_named(lab: Lab) -> None:
    """Until it is there; then the bot starts by itself."""
    lab.apply(bot())
    _until_says(lab, "gridbot", "grid", "ConnectorReady", "paper")
    lab.apply(connector(MODEL))
    lab.until_ready("grid")


def test_a_missing_journal_secret_is_named(lab: Lab) -> None:
    """So is a Secret without the key; once it is right the bot starts by itself."""
    right = lab.get("secret", "opensqt-journal")
    assert right
    lab.run("delete", "secret", "opensqt-journal")
    lab.apply(connector(MODEL), bot())
    _until_says(lab, "gridbot", "grid", "Ready", "opensqt-journal")
    lab.apply(_secret({"wrong": "x"}))
    _until_says(lab, "gridbot", "grid", "Ready", "dsn")
    lab.apply({**_secret({}), "data": right["data"]})
    lab.until_ready("grid")


def test_an_unreachable_database_is_named(lab: Lab) -> None:
    """The condition says which database, and never its password."""
    lab.apply(
        connector(MODEL),
        _secret({"dsn": "postgresql://grid:swordfish@127.0.0.1:1/none"}, "elsewhere"),
        # It can never wind down.
        bot(journal={"dsnSecretRef": {"name": "elsewhere"}}, deletionTimeoutSeconds=10),
    )
    _until_says(lab, "gridbot", "grid", "Ready", "127.0.0.1")
    assert "swordfish" not in lab.run("get", "gridbots,events,pods", "-o", "yaml").stdout


def test_an_unknown_symbol_is_named(lab: Lab) -> None:
    """A symbol that the exchange does not have."""
    lab.apply(connector(MODEL), bot(symbol="XYZ/USDT:USDT"))
    _until_says(lab, "gridbot", "grid", "Ready", "XYZ/USDT:USDT")


_HEAD = "timestamp,open,high,low,close,volume\n"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (_HEAD + "2022-01-01 00:01:00,1,2,1,2,5\n2022-01-01 00:00:00,1,2,1,2,5\n", "order"),
        (_HEAD + "2022-01-01 00:00:00,1,2,1,abc,5\n", "abc"),
        ("not,candles\n1,2\n", "column"),
    ],
    ids=["out of order", "unreadable", "no candles"],
)
def test_bad_candles_are_named(lab: Lab, content: str, named: str) -> None:
    """The connector says what is wrong with the file, and where."""
    data = base64.b64encode(gzip.compress(content.encode())).decode()
    files: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "btc"},
        "binaryData": {"c.csv.gz": data},
    }
    market = {"symbol": "BTC/USDT:USDT", "candles": {"configMapRef": {"name": "btc", "key": "c.csv.gz"}}}
    lab.apply(files, connector(market))
    _until_says(lab, "exchangeconnector", "paper", "Ready", named)


def _until_says(lab: Lab, kind: str, name: str, what: str, words: str) -> None:
    def says() -> bool:
        found = condition(lab.get(kind, name) or {}, what)
        return found["status"] != "True" and words in found["message"]

    try:
        eventually(f"{kind} {name}: {what} says {words!r}", says)
    except AssertionError as error:
        error.add_note(lab.story())
        raise


def _secret(data: dict[str, str], name: str = "opensqt-journal") -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
