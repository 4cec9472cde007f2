"""What stays on disk from run to run: the state folder, who uses it, and what was applied last."""

import fcntl
import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

_VERSION = 1
_FILE = "state.json"
REPRODUCIBLE = uuid.UUID("6f70656e-7371-5400-8000-000000000000")
"""The identity of throw-away states: with it, the same data and manifests give the same client ids."""


class StateError(Exception):
    """The state folder cannot be used; the message says why and what to do."""


@dataclass(slots=True)
class Applied:
    """A resource as it was applied last: `generation` grows by one with each application."""

    generation: int
    spec: dict[str, Any]


@dataclass(slots=True)
class State:
    """`identity` makes the uids: another state, another identity, so that no client id is used for two orders."""

    folder: Path
    identity: uuid.UUID
    applied: dict[str, Applied] = field(default_factory=dict)
    _lock: IO[str] | None = None

    @classmethod
    def open(cls, folder: Path, *, identity: uuid.UUID | None = None) -> Self:
        """The state in `folder`, made where it is missing, and ours alone until `close`. Raises StateError."""
        folder = folder.absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (folder / "run.lock").open("a+", encoding="ascii")
        except OSError as error:
            raise StateError(f"{folder}: cannot be used as state folder: {error.strerror}: see --state-dir") from None
        _take(lock, folder)
        try:
            state = cls(folder, identity or uuid.uuid4())
            state._load()
            state.save()
        except BaseException:
            lock.close()
            raise
        state._lock = lock
        return state

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def uid(self, kind: str, namespace: str, name: str) -> str:
        """The same for the same resource, as long as the state is kept."""
        return str(uuid.uuid5(self.identity, f"{kind}/{namespace}/{name}"))

    def credentials(self, namespace: str, name: str) -> Path:
        """The folder with the credentials of a connector, while it runs."""
        return self.folder / "credentials" / namespace / name

    def log(self, process: str) -> Path:
        """The log of a process by its name."""
        return self.folder / "logs" / f"{process.replace(' ', '-')}.log"

    def apply(self, key: str, spec: dict[str, Any]) -> int:
        """Notes that the resource `key` has `spec` now; returns its new generation. `save` makes it last."""
        generation = self.applied[key].generation + 1 if key in self.applied else 1
        self.applied[key] = Applied(generation, spec)
        return generation

    def save(self) -> None:
        document = {
            "version": _VERSION,
            "identity": str(self.identity),
            "applied": {key: {"generation": one.generation, "spec": one.spec} for key, one in self.applied.items()},
        }
        new = self.folder / f"{_FILE}.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.folder / _FILE)

    def wipe(self) -> None:
        """Forgets everything: journal, books, logs. The next uids are new. Raises StateError."""
        for path in self.folder.iterdir():
            if path.name == "run.lock":
                continue
            try:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            except OSError as error:
                raise StateError(f"{path}: cannot be removed: {error.strerror}") from None
        self.identity, self.applied = uuid.uuid4(), {}
        self.save()

    def _load(self) -> None:
        path = self.folder / _FILE
        if not path.exists():
            if foreign := sorted(entry.name for entry in self.folder.iterdir() if entry.name != "run.lock"):
                raise StateError(f"{self.folder}: is not empty and no state of opensqt run ({foreign[0]} …)")
            return
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["version"] != _VERSION:
                raise StateError(f"{path}: is of version {document['version']}, this release knows {_VERSION}")
            self.identity = uuid.UUID(document["identity"])
            self.applied = {key: Applied(**one) for key, one in document["applied"].items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path}: is damaged ({error}): put it back, or remove the folder to start over") from None


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise StateError(
            f"{folder}: process {holder} runs with it: end that one, or take another --state-dir"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
