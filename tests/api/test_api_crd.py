"""The generator: structural schemas, and files in the repository that are those of the models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opensqt.api.connector import ExchangeConnector
from opensqt.api.crd import custom_resource_definition, generated_files, main
from opensqt.api.gridbot import GridBot

ROOT = Path(__file__).parents[2]
RESOURCES = (GridBot, ExchangeConnector)


def _root(resource: Any) -> dict[str, Any]:
    version = custom_resource_definition(resource)["spec"]["versions"][0]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def _schemas(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _schemas(field, f"{path}.{name}")
    if "items" in schema:
        yield from _schemas(schema["items"], f"{path}[]")


def test_the_files_in_the_repository_are_the_generated_ones() -> None:
    assert main(["--check", "--root", str(ROOT)]) == 0


def test_check_fails_and_shows_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    edited = tmp_path / "crds" / "opensqt.io_gridbots.yaml"
    edited.write_text(edited.read_text().replace("maximum: 500", "maximum: 501"))
    assert main(["--check", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "-                    maximum: 501" in said
    assert "+                    maximum: 500" in said


@pytest.mark.parametrize("resource", RESOURCES)
def test_schemas_are_structural(resource: Any) -> None:
    """Every level has one type, and nothing that Kubernetes refuses or does not understand is left."""
    foreign = {"$ref", "$defs", "anyOf", "allOf", "oneOf", "const", "title", "additionalProperties"}
    for path, schema in _schemas(_root(resource)):
        assert isinstance(schema.get("type"), str), path
        assert not foreign & schema.keys(), path
        assert "x-kubernetes-preserve-unknown-fields" not in schema, path
        assert schema.get("default", ...) is not None, path


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_string_list_and_integer_of_the_spec_is_bounded(resource: Any) -> None:
    """CEL's cost estimate, and etcd, want to know how large an object can be."""
    for path, schema in _schemas(_root(resource)["properties"]["spec"]):
        if schema["type"] == "string":
            assert "maxLength" in schema or "enum" in schema, path
        if schema["type"] == "array":
            assert "maxItems" in schema, path
        if schema["type"] == "integer":
            assert {"minimum", "maximum"} <= schema.keys(), path


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_field_of_the_spec_is_described(resource: Any) -> None:
    for path, schema in _schemas(_root(resource)["properties"]["spec"]):
        if not path.endswith("[]"):
            assert schema.get("description"), path


@pytest.mark.parametrize("resource", RESOURCES)
def test_status_has_no_defaults(resource: Any) -> None:
    """What nobody reported is not there."""
    for path, schema in _schemas(_root(resource)["properties"]["status"]):
        assert "default" not in schema, path


def test_money_is_a_bounded_decimal_string() -> None:
    size = _root(GridBot)["properties"]["spec"]["properties"]["order"]["properties"]["quoteSize"]
    assert size["type"] == "string"
    assert size["maxLength"] == 32
    assert size["x-kubernetes-validations"] == [{"rule": "double(self) > 0.0", "message": "must be greater than 0"}]


def test_defaults_say_only_what_the_fields_inside_do_not() -> None:
    spec = _root(GridBot)["properties"]["spec"]["properties"]
    assert spec["riskLimits"]["default"] == {}
    assert spec["riskLimits"]["properties"]["maxLeverage"]["default"] == 10
    assert spec["resources"]["properties"]["limits"]["default"] == {"memory": "192Mi"}
    assert spec["journal"]["properties"]["dsnSecretRef"]["default"] == {"name": "opensqt-journal"}
    paper = _root(ExchangeConnector)["properties"]["spec"]["properties"]["paper"]["properties"]
    assert paper["balance"]["default"] == "10000"


def test_the_reference_lists_every_field() -> None:
    page = generated_files()[Path("docs/reference/gridbot.md")]
    assert "| `grid.spacing.arithmetic` | decimal string, greater than 0 |" in page
    assert "| `grid.buyWindow` | integer, 1 to 500 | `10` |" in page
    assert "- `spec.symbol`: symbol is immutable: delete the bot and create another" in page
    assert "| PNL |" in page
