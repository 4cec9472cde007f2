"""The CRDs and their reference pages, generated from the resource models: `python -m opensqt.api.crd [--check]`."""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from opensqt.api import GROUP, VERSION
from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBot
from opensqt.api.meta import ObjectMeta
from opensqt.api.reference import explained, reference_page

CATEGORY = "opensqt"
RESOURCES: tuple[type[GridBot] | type[ExchangeConnector], ...] = (GridBot, ExchangeConnector)

_TYPE_META = {
    "apiVersion": "Version of the schema of this object.",
    "kind": "What this object is.",
}


def custom_resource_definition(resource: type[GridBot] | type[ExchangeConnector]) -> dict[str, Any]:
    """The CustomResourceDefinition (apiextensions.k8s.io/v1) of a resource model."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": resource.kind_name,
                "listKind": f"{resource.kind_name}List",
                "plural": resource.plural,
                "singular": resource.kind_name.lower(),
                "shortNames": list(resource.short_names),
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {
                            "name": column.name,
                            "type": column.type,
                            "jsonPath": column.path,
                            "description": column.description,
                            "priority": column.priority,
                        }
                        for column in resource.columns
                    ],
                    "schema": {"openAPIV3Schema": _root_schema(resource)},
                }
            ],
        },
    }


def _root_schema(resource: type[GridBot] | type[ExchangeConnector]) -> dict[str, Any]:
    root = structural_schema(resource)
    spec, status = root["properties"]["spec"], _without_defaults(root["properties"]["status"])
    return {
        "description": root["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            **{name: {"type": "string", "description": text} for name, text in _TYPE_META.items()},
            "metadata": {
                "type": "object",
                "properties": {"name": structural_schema(ObjectMeta)["properties"]["name"]},
            },
            "spec": spec,
            "status": status,
        },
    }


def _without_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """For status: it is what was reported, and nothing that the API server made up."""
    schema = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in schema:
        schema["properties"] = {name: _without_defaults(field) for name, field in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = _without_defaults(schema["items"])
    return schema


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema in the form that Kubernetes calls structural: no references, no alternatives."""
    schema = model.model_json_schema(by_alias=True)
    return _Rewriter(schema.pop("$defs", {})).rewrite(schema)


def _beyond_inner_defaults(value: Any, schema: dict[str, Any]) -> Any:
    """What of an object's default its fields' own defaults do not give already."""
    if not isinstance(value, dict):
        return value
    fields = schema["properties"]
    reduced = {name: _beyond_inner_defaults(field, fields[name]) for name, field in value.items()}
    return {
        name: field for name, field in reduced.items() if field is not None and field != fields[name].get("default")
    }


class _Rewriter:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions

    def rewrite(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema without `$ref`, `anyOf`, `const`, titles and nulls."""
        schema = self._resolve(schema)
        if "const" in schema:
            schema["enum"] = [schema.pop("const")]
        schema.pop("title", None)
        schema.pop("additionalProperties", None)
        if "description" in schema:
            schema["description"] = " ".join(schema["description"].split())
        if schema.get("default", ...) is None:
            del schema["default"]
        if "properties" in schema:
            schema["properties"] = {name: self.rewrite(field) for name, field in schema["properties"].items()}
            if "default" in schema:
                schema["default"] = _beyond_inner_defaults(schema["default"], schema)
        if "items" in schema:
            schema["items"] = self.rewrite(schema["items"])
        return schema

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What the schema refers to, with what the referring place says laid over it."""
        schema = dict(schema)
        if reference := schema.pop("$ref", None):
            return self._resolve(self._definitions[reference.removeprefix("#/$defs/")]) | schema
        if alternatives := schema.pop("anyOf", None):
            (given,) = [alternative for alternative in alternatives if alternative != {"type": "null"}]
            return self._resolve(given) | schema
        return schema


def generated_files() -> dict[Path, str]:
    """All that is generated here, by path from the root of the repository."""
    files = {}
    for resource in RESOURCES:
        definition = custom_resource_definition(resource)
        page = reference_page(definition)
        version = definition["spec"]["versions"][0]
        schema = version["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"] = explained(schema["properties"]["spec"])
        body = yaml.safe_dump(definition, sort_keys=False, width=120, allow_unicode=True)
        files[Path("crds", f"{GROUP}_{resource.plural}.yaml")] = f"# Generated by python -m opensqt.api.crd\n{body}"
        files[Path("docs/reference", f"{resource.kind_name.lower()}.md")] = page
    return files


def _stale(root: Path, files: dict[Path, str]) -> list[str]:
    differences: list[str] = []
    for path, text in files.items():
        target = root / path
        present = target.read_text() if target.exists() else ""
        differences += difflib.unified_diff(
            present.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{path} (generated)"
        )
    return differences


def main(arguments: list[str] | None = None) -> int:
    """Writes the files, or with `--check` says how they differ; the exit code is 1 where they do."""
    parser = argparse.ArgumentParser(prog="python -m opensqt.api.crd", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; show what would change")
    parser.add_argument("--root", type=Path, default=Path(), help="root of the repository")
    options = parser.parse_args(arguments)
    files = generated_files()
    if options.check:
        differences = _stale(options.root, files)
        sys.stderr.writelines(differences)
        return 1 if differences else 0
    for path, text in files.items():
        target = options.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
