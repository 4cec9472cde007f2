"""Which fields of a GridBot's spec reach a running bot, and which restart it: the one list for operator and bot."""

from typing import Any

from opensqt.api.gridbot import GridBotSpec

LIVE_FIELDS = frozenset(
    {
        "state",
        "deletionPolicy",
        "deletionTimeoutSeconds",
        "riskLimits",
        "circuitBreaker",
        "grid.buyWindow",
        "grid.sellWindow",
    }
)


def fixed_part(spec: GridBotSpec) -> dict[str, Any]:
    """The spec as JSON without what can change live: a bot with another one must be started again."""
    fixed = spec.to_json_object()
    for path in LIVE_FIELDS:
        *parents, name = path.split(".")
        target = fixed
        for parent in parents:
            target = target[parent]
        target.pop(name, None)
    return fixed


def fixed_differences(old: GridBotSpec, new: GridBotSpec) -> list[str]:
    """Paths of the fields that differ and cannot change live, e.g. `spec.grid.spacing`."""
    return sorted(_differences(fixed_part(old), fixed_part(new), "spec"))


def _differences(old: dict[str, Any], new: dict[str, Any], path: str) -> list[str]:
    differences: list[str] = []
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if path == "spec" and isinstance(before, dict) and isinstance(after, dict):
            differences += _differences(before, after, f"{path}.{name}")
        elif before != after:
            differences.append(f"{path}.{name}")
    return differences
