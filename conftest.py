"""Plugins of the whole tree; pytest takes them from the root's conftest alone."""

pytest_plugins = ["tests.cluster.fixtures"]
