"""The pytest plugin that says how many tests run at once, and in which order: no worker is left alone with a long one.

Tests on the cluster wait most of the time, and the others need the processors: they are mixed.
"""

import os

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than there are processors, for `-n auto`; PYTEST_XDIST_AUTO_NUM_WORKERS has the last word."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what is marked `long`; then the others, with the cluster's among the first half of them."""
    first = [item for item in items if item.get_closest_marker("long")]
    waiting = [item for item in items if item.get_closest_marker("kind") and item not in first]
    others = [item for item in items if item not in first and item not in waiting]
    between = max(1, len(others) // 2 // max(1, len(waiting)))
    mixed: list[pytest.Item] = []
    for number, item in enumerate(others):
        if number % between == 0 and waiting:
            mixed.append(waiting.pop(0))
        mixed.append(item)
    items[:] = [*first, *mixed, *waiting]
