"""Which fields of a GridBot's spec restart its bot; all others reach it while it runs. Operator and bot read this list.

A field is here because the process takes it at its start (what it is made of, what it sets at the exchange, what it
subscribes to), or because the orders in the market are made of it.
"""

from typing import Any

from opensqt.api.gridbot import GridBotSpec

FIXED_FIELDS = frozenset(
    {
        "connectorRef",
        "symbol",
        "side",
        "leverage",
        "grid.spacing",
        "order",
        "marketMonitor",
        "journal",
        "resources",
        "image",
    }
)


def fixed_part(spec: GridBotSpec) -> dict[str, Any]:
    """What cannot change live, by path, as JSON: a bot with another one must be started again.

    Without what is as by default, so that a field that a later version adds restarts no bot.
    """
    document = spec.set_part()
    return {path: _at(document, path) for path in sorted(FIXED_FIELDS)}


def fixed_differences(old: GridBotSpec, new: GridBotSpec) -> list[str]:
    """Paths of the fields that differ and cannot change live, e.g. `spec.grid.spacing`."""
    before, after = fixed_part(old), fixed_part(new)
    return sorted(difference for path in before for difference in _differences(before[path], after[path], path))


def _at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _differences(old: Any, new: Any, path: str) -> list[str]:
    """The fields of a section one by one, anything else as a whole."""
    if old == new:
        return []
    if "." in path or not isinstance(old, dict) or not isinstance(new, dict):
        return [f"spec.{path}"]
    return [f"spec.{path}.{name}" for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
