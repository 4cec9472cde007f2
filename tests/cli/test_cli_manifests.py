"""Manifests: what kubectl takes is taken, what is wrong is said with file, document and field."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from opensqt.cli.run.checks import check
from opensqt.cli.run.manifests import ManifestError, read_manifests
from tests.cli.conftest import MANIFEST, ROOT

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "m.yaml"
        path.write_text(text)
        return path

    return to_file


def _refusal(path: Path) -> str:
    with pytest.raises(ManifestError) as refused:
        check(read_manifests([path]))
    return str(refused.value)


def test_the_example_is_taken() -> None:
    manifests = read_manifests([ROOT / "examples" / "gridbot.yaml"])
    check(manifests)
    assert list(manifests.bots) == [("default", "btc-grid")]
    assert list(manifests.connectors) == [("default", "paper")]


def test_lists_comments_and_empty_documents_are_taken(write: Write) -> None:
    connector, bot = (part.replace("\n", "\n    ") for part in MANIFEST.split("---\n"))
    path = write(f"---\n# nothing\n---\nkind: List\napiVersion: v1\nitems:\n  - {connector}\n  - {bot}\n")
    assert list(read_manifests([path]).bots) == [("default", "grid")]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('quoteSize: "200"', "quoteSize: 200", 'spec.order.quoteSize: must be a decimal in quotes: "200"'),
        ('quoteSize: "200"', 'quoteSize: "0"', "spec.order.quoteSize: must be greater than 0"),
        ('quoteSize: "200"', 'quoteSize: "-2"', "spec.order.quoteSize: '-2' is not allowed"),
        ('{arithmetic: "50"}', "{}", "spec.grid.spacing: set exactly one of arithmetic, geometric and atr"),
        ("  order: ", "  orders: ", "spec.orders: is no field of this resource"),
        ("  symbol: BTC", "  sumbol: BTC", "spec.symbol: is required"),
        ("v1alpha1\nkind: GridBot", "v1\nkind: GridBot", "apiVersion: must be opensqt.io/v1alpha1"),
        ("connectorRef: {name: paper}", "connectorRef: {name: other}", "spec.connectorRef.name: there is no"),
        (
            "  symbol: BTC/USDT:USDT\n  grid",
            "  symbol: ETH/USDT:USDT\n  grid",
            "spec.symbol: ETH/USDT:USDT is no",
        ),
        ("metadata: {name: grid}", "metadata: {name: Grid}", "metadata.name: String should match"),
        ("metadata: {name: grid}", "metadata: {}", "metadata.name: is required"),
    ],
)
def test_mistakes_name_document_and_field(write: Write, old: str, new: str, says: str) -> None:
    assert old in MANIFEST
    refusal = _refusal(write(MANIFEST.replace(old, new)))
    assert ", document 2 (GridBot" in refusal
    assert says in refusal


def test_everything_wrong_is_said_at_once(write: Write) -> None:
    refusal = _refusal(write(MANIFEST.replace('"200"', "200").replace("speed: 3000", "speed: fast")))
    assert "document 1 (ExchangeConnector paper): spec.paper.speed" in refusal
    assert "document 2 (GridBot grid): spec.order.quoteSize" in refusal


def test_a_field_that_is_there_twice_is_refused(write: Write) -> None:
    """YAML would take the last one: a limit that a person reads would not be the one in force."""
    refusal = _refusal(write(MANIFEST + "  leverage: 1\n  leverage: 10\n"))
    assert "the field 'leverage' is there twice" in refusal
    assert "line 21" in refusal


def test_other_kinds_are_left_to_kubectl(write: Write) -> None:
    refusal = _refusal(write(MANIFEST + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"))
    assert "document 3 (Deployment web): opensqt run takes GridBot" in refusal


def test_two_of_one_name_are_refused(write: Write) -> None:
    refusal = _refusal(write(MANIFEST + "---\n" + MANIFEST))
    assert "document 3 (ExchangeConnector paper): is already in" in refusal


def test_no_bot_is_no_run(write: Write) -> None:
    assert "there is no GridBot" in _refusal(write(MANIFEST.split("---")[0]))


@pytest.mark.parametrize("text", ["{", "a: b: c", "- 1\n", "\x00"])
def test_what_is_no_manifest_is_refused(write: Write, text: str) -> None:
    assert "m.yaml" in _refusal(write(text))


def test_missing_and_binary_files(tmp_path: Path) -> None:
    assert "no.yaml: cannot be read: No such file" in _refusal(tmp_path / "no.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert "b.yaml: is not UTF-8" in _refusal(tmp_path / "b.yaml")


REAL = """\
apiVersion: opensqt.io/v1alpha1
kind: ExchangeConnector
metadata: {name: okx}
spec: {exchange: okx, credentialsSecretRef: {name: keys}}
---
""" + MANIFEST.split("---\n")[1].replace("name: paper", "name: okx")


def _secret(**values: str) -> str:
    encoded = "".join(f"  {key}: {base64.b64encode(value.encode()).decode()}\n" for key, value in values.items())
    return f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\ndata:\n{encoded}"


def test_credentials_must_be_in_the_files(write: Write) -> None:
    refusal = _refusal(write(REAL))
    assert "spec.credentialsSecretRef.name: there is no Secret 'keys'" in refusal
    assert "apiKey, apiSecret, passphrase" in refusal


def test_a_secret_must_have_the_keys_of_its_exchange(write: Write) -> None:
    refusal = _refusal(write(REAL + _secret(apiKey="k", secret="hush")))  # noqa: S106
    assert "(Secret keys): lacks the key apiSecret, passphrase that okx needs (there: apiKey, secret)" in refusal
    assert "hush" not in refusal


def test_a_whole_secret_is_taken_and_never_shown(write: Write) -> None:
    manifests = read_manifests([write(REAL + _secret(apiKey="k", apiSecret="hush", passphrase="p"))])  # noqa: S106
    check(manifests)
    assert manifests.secrets["default", "keys"]["apiSecret"] == b"hush"
    assert "hush" not in repr(manifests)


def test_a_secret_in_plain_text_is_not_echoed(write: Write) -> None:
    text = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {apiKey: 'not base64!'}\n"
    refusal = _refusal(write(REAL + text))
    assert "data.apiKey: is not base64: plain text goes into stringData" in refusal
    assert "not base64!" not in refusal


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("volume: {claimName: data, path: a.csv}", "candles.volume: there are no volumes on this machine"),
        ("configMapRef: {name: data, key: a.csv}", "candles.configMapRef.name: there is no ConfigMap 'data'"),
    ],
)
def test_candles_must_be_within_reach(write: Write, source: str, says: str) -> None:
    assert says in _refusal(write(MANIFEST.replace("model: {seed: 7, days: 3}", f"candles: {{{source}}}")))
