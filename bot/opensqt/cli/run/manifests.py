"""Reads what `kubectl apply -f` takes: GridBots, ExchangeConnectors, and the Secrets and ConfigMaps that they use."""

import base64
import binascii
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from opensqt.api import API_VERSION
from opensqt.api.connector import ExchangeConnector
from opensqt.api.gridbot import GridBot
from opensqt.api.problems import problems

_PLAIN_WORDS = {"missing": "is required", "extra_forbidden": "is no field of this resource"}


class ManifestError(Exception):
    """The manifests cannot be run; each line of the message names file, document and field, and what to do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource is written."""

    file: str
    document: int
    title: str

    def __str__(self) -> str:
        return f"{self.file}, document {self.document} ({self.title})"


@dataclass(slots=True)
class Manifests:
    """Resources by (namespace, name); Secrets and ConfigMaps as bytes by key."""

    bots: dict[tuple[str, str], GridBot] = field(default_factory=dict)
    connectors: dict[tuple[str, str], ExchangeConnector] = field(default_factory=dict)
    secrets: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict, repr=False)
    config_maps: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    origins: dict[tuple[str, str, str], Origin] = field(default_factory=dict)
    """By (kind, namespace, name)."""

    def origin(self, resource: GridBot | ExchangeConnector) -> Origin:
        return self.origins[resource.kind, resource.metadata.namespace, resource.metadata.name]


def read_manifests(files: Sequence[Path]) -> Manifests:
    """All documents of all files. Raises ManifestError with everything that is wrong."""
    manifests = Manifests()
    wrong: list[str] = []
    for file in files:
        try:
            documents = list(_documents(file))
        except ManifestError as error:
            wrong.append(str(error))
            continue
        for number, document in documents:
            try:
                _add(manifests, document, str(file), number)
            except ManifestError as error:
                wrong.append(str(error))
    if wrong:
        raise ManifestError("\n".join(wrong))
    return manifests


def _documents(file: Path) -> Iterator[tuple[int, Any]]:
    """The documents that are not empty, numbered from 1."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{file}: is not UTF-8 text") from None
    try:
        for number, document in enumerate(yaml.load_all(text, Loader=_StrictLoader), 1):
            if document is not None:
                yield number, document
    except yaml.YAMLError as error:
        where = " ".join(str(error).split()).replace('in "<unicode string>", ', "in ")
        raise ManifestError(f"{file}: is not valid YAML: {where}") from None


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is there twice, as the API server does: YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the field {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _add(manifests: Manifests, document: Any, file: str, number: int) -> None:
    where = f"{file}, document {number}"
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise ManifestError(f"{where}: is no resource: it needs apiVersion, kind and metadata")
    kind, metadata = document["kind"], document.get("metadata")
    if kind == "List" and isinstance(document.get("items"), list):
        for item in document["items"]:
            _add(manifests, item, file, number)
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ManifestError(f"{where} ({kind}): metadata.name: is required")
    origin = Origin(file, number, f"{kind} {metadata['name']}")
    key = (str(metadata.get("namespace") or "default"), metadata["name"])
    if (kind, *key) in manifests.origins:
        raise ManifestError(f"{origin}: is already in {manifests.origins[kind, *key]}: give it another name")
    manifests.origins[kind, *key] = origin
    match kind:
        case "GridBot":
            manifests.bots[key] = _resource(GridBot, document, origin)
        case "ExchangeConnector":
            manifests.connectors[key] = _resource(ExchangeConnector, document, origin)
        case "Secret":
            manifests.secrets[key] = _contents(document, "data", "stringData", origin)
        case "ConfigMap":
            manifests.config_maps[key] = _contents(document, "binaryData", "data", origin)
        case _:
            raise ManifestError(
                f"{origin}: opensqt run takes GridBot, ExchangeConnector, Secret and ConfigMap: "
                "leave this document to kubectl"
            )


def _resource(model: Any, document: dict[str, Any], origin: Origin) -> Any:
    if document.get("apiVersion") != API_VERSION:
        raise ManifestError(f"{origin}: apiVersion: must be {API_VERSION}, not {document.get('apiVersion')}")
    document = {key: value for key, value in document.items() if key != "status"}
    try:
        return model.model_validate(_without_nulls(document))
    except ValidationError as error:
        raise ManifestError("\n".join(f"{origin}: {line}" for line in field_errors(error))) from None


def _without_nulls(value: Any) -> Any:
    """As the API server, to which null is a field that is not set."""
    if isinstance(value, dict):
        return {key: _without_nulls(field) for key, field in value.items() if field is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def field_errors(error: ValidationError) -> list[str]:
    """`path: what is wrong`, with paths as `kubectl explain` takes them, list indices in brackets."""
    return [f"{one.path}: {_PLAIN_WORDS.get(one.kind, one.message)}" for one in problems(error)]


def _contents(document: dict[str, Any], encoded: str, plain: str, origin: Origin) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for part in (encoded, plain):
        values = document.get(part) or {}
        if not isinstance(values, dict):
            raise ManifestError(f"{origin}: {part}: must be a mapping of keys to strings")
        for key, value in values.items():
            if not isinstance(value, str):
                raise ManifestError(f"{origin}: {part}.{key}: must be a string: put it in quotes")
            try:
                contents[str(key)] = base64.b64decode(value, validate=True) if part == encoded else value.encode()
            except binascii.Error:
                # Never quote it: it may be a key that somebody forgot to encode.
                hint = f": plain text goes into {plain}" if plain == "stringData" else ""
                raise ManifestError(f"{origin}: {part}.{key}: is not base64{hint}") from None
    return contents
