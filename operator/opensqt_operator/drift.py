"""Whether a live object still is what we want: compared over what we set, so that nothing is written in vain.

What others added beside it (defaults, injected sidecars, their labels) is theirs.
"""

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

_LIST_KEYS = ("uid", "mountPath", "containerPort", "name", "port", "key")
_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>m|k|M|G|Ki|Mi|Gi)?")
_UNITS = {
    None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
}  # fmt: skip
_WHOLE = {"selector"}
"""Maps to which nobody else can add: each further label makes another selection of them."""
_QUANTITY_FIELDS = {"cpu", "memory", "sizeLimit", "ephemeral-storage"}


def first_difference(desired: Any, live: Any, path: str = "") -> str | None:
    """The path of the first field that we set and that differs in `live`; None where there is none."""
    if isinstance(desired, dict):
        if not isinstance(live, dict) or (path.rpartition(".")[2] in _WHOLE and live.keys() - desired.keys()):
            return path or "/"
        return _first(
            first_difference(value, live.get(name), f"{path}.{name}" if path else name)
            for name, value in desired.items()
        )
    if isinstance(desired, list):
        return _list_difference(desired, live, path)
    if path.rpartition(".")[2] in _QUANTITY_FIELDS:
        return None if _quantity(desired) == _quantity(live) else path
    return None if desired == live else path


def _list_difference(desired: list[Any], live: Any, path: str) -> str | None:
    if not isinstance(live, list):
        return path if desired else None
    if not all(isinstance(item, dict) for item in desired):
        return None if desired == live else path
    key = next((key for key in _LIST_KEYS if all(key in item for item in desired)), None)
    if key is None:
        if len(desired) != len(live):
            return path
        pairs = list(zip(desired, live, strict=True))
    else:
        by_key = {item.get(key): item for item in live}
        pairs = [(item, by_key.get(item[key])) for item in desired]
    return _first(first_difference(want, have, f"{path}[{index}]") for index, (want, have) in enumerate(pairs))


def _first(differences: Any) -> str | None:
    return next((difference for difference in differences if difference is not None), None)


def _quantity(value: Any) -> Any:
    """A quantity's value: the API server writes "0.5" as "500m"."""
    match = _QUANTITY.fullmatch(str(value))
    return Decimal(match["number"]) * _UNITS[match["unit"]] if match else value


def digest(document: Any) -> str:
    """A short hash of a JSON document, the same wherever it is computed."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
