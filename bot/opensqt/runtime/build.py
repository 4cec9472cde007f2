"""Which engine decides: noted in the log at each start, so that a replay knows when it is not the same one."""

import hashlib
from functools import cache
from importlib.resources import files


@cache
def engine_build() -> str:
    """A short hash of the engine's source: two builds with the same one decide the same."""
    digest = hashlib.sha256()
    for file in sorted(files("opensqt.engine").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
