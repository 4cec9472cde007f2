"""Mutation testing with mutmut, at low priority; afterwards the score by module, and what survived (docs/mutation.md).

Usage: python -m tests.mutants [engine] [journal] [module …] [--keep]; without names all of both. `--keep` goes on
with what the last run has found out. mutmut knows src/ but not bot/, so it works on a copy, which it leaves there.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from opensqt.journal.embedded import EmbeddedPostgres
from tests.conftest import POSTGRES_FOLDER

TREE = Path(__file__).parents[1]
COPIES = Path(tempfile.gettempdir()) / "opensqt-mutants"
NOTICED = ("killed", "timeout", "suspicious", "segfault")


@dataclass(frozen=True)
class Part:
    """A package, which of its modules are changed, and the quick tests that must notice."""

    package: str
    modules: list[str]
    tests: list[str]
    too_slow: list[str] = field(default_factory=list)
    """Files, and beginnings of names of tests, that take seconds: a mutant that survives meets all that reach it."""
    postgres: bool = False


PARTS = {
    "engine": Part(
        "engine",
        [
            *("accounting", "settlement", "breaker", "lifecycle", "refusals", "planner", "gate", "adoption"),
            *("winding_down", "sizing", "inventory", "spacing", "volatility", "ladder", "layout", "grid", "slots"),
            *("orders", "side", "trigger", "prices", "barriers", "safety", "existing_position", "specification"),
            *("profitability", "reconciliation", "discrepancies", "funding", "alarms", "monitor", "quiet"),
            *("client_id", "codec", "json_form", "market", "replay", "engine"),
        ],
        ["tests/engine"],
        [
            "tests/engine/test_engine_candles.py",
            "tests/engine/test_engine_stateful.py",
        ],
    ),
    "journal": Part(
        "journal",
        ["journal", "reader", "rows", "statements", "postgres", "migrate"],
        [
            "tests/journal/test_journal_log.py",
            "tests/journal/test_journal_fencing.py",
            "tests/journal/test_journal_doubt.py",
            "tests/journal/test_journal_docs.py",
            "tests/journal/test_journal_migrate.py",
            "tests/journal/test_journal_postgres.py",
        ],
        postgres=True,
    ),
}


def settings(part: Part, modules: list[str]) -> str:
    """mutmut's, as a part of pyproject.toml."""
    # Without the two plugins that collect garbage after each session a mutant takes a fifth of the time.
    plugins = ["cacheprovider", "xdist", "timeout", "unraisableexception", "threadexception", "tests.cluster.fixtures"]
    arguments = ["-q", *(word for plugin in plugins for word in ("-p", f"no:{plugin}"))]
    values = {
        "source_paths": ["src"],
        "only_mutate": [f"src/opensqt/{part.package}/{module}.py" for module in modules],
        "also_copy": ["tests", "operator", "docs"],
        "timeout_constant": 20.0,
        "timeout_multiplier": 3.0,
        "track_dependencies": False,
        "use_git_change_detection": False,
        "pytest_add_cli_args": [
            *arguments,
            *(f"--{'deselect' if '::' in name else 'ignore'}={name}" for name in part.too_slow),
        ],
        "pytest_add_cli_args_test_selection": part.tests,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(["", "[tool.mutmut]", *lines, ""])


def copy_tree(copy: Path, part: Part, modules: list[str]) -> None:
    copy.mkdir(parents=True, exist_ok=True)
    for folder, name in (("bot", "src"), ("tests", "tests"), ("operator", "operator"), ("docs", "docs")):
        shutil.rmtree(copy / name, ignore_errors=True)
        shutil.copytree(TREE / folder, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    project = (TREE / "pyproject.toml").read_text().replace('pythonpath = ["bot",', 'pythonpath = ["src",')
    project = project.replace("\ntimeout = ", "\n# timeout = ")
    (copy / "pyproject.toml").write_text(project + settings(part, modules))


async def mutate(copy: Path, part: Part) -> None:
    """Runs mutmut, with one PostgreSQL for all its forks where the tests want one."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "2"]
    with tempfile.TemporaryDirectory(prefix="opensqt-") as folder:
        server = EmbeddedPostgres(Path(folder), settings={"fsync": "off"})
        if part.postgres:
            await server.start()
        try:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=copy, env={**environment, POSTGRES_FOLDER: folder} if part.postgres else environment
            )
            await process.wait()
        finally:
            if part.postgres:
                await server.stop()


def report(copy: Path) -> None:
    """What survived, and by module of the mutants that a selected test reaches how many it has noticed."""
    mutmut = Path(sys.executable).with_name("mutmut")
    listed = subprocess.run([mutmut, "results", "--all", "true"], cwd=copy, check=True, capture_output=True, text=True)
    found = [
        (name, status.strip())
        for name, _, status in (line.strip().partition(":") for line in listed.stdout.splitlines())
    ]
    by_module: dict[str, Counter[str]] = {}
    for name, status in found:
        by_module.setdefault(name.rpartition(".")[0], Counter())[status] += 1
        if status not in NOTICED:
            print(f"{name}: {status}")
    print(f"To see one: cd {copy} && {mutmut} show NAME\n")
    print(f"{'module':36}{'mutants':>8}{'noticed':>8}{'survived':>9}{'not reached':>12}{'score':>7}")
    for module, counts in by_module.items():
        print_row(module, counts)
    print_row("together", sum(by_module.values(), Counter()))


def print_row(name: str, counts: Counter[str]) -> None:
    noticed, survived = sum(counts[status] for status in NOTICED), counts["survived"]
    score = f"{100 * noticed / (noticed + survived):.0f} %" if noticed + survived else "-"
    print(f"{name:36}{counts.total():8}{noticed:8}{survived:9}{counts['no tests']:12}{score:>7}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="engine, journal, or modules of them")
    parser.add_argument("--keep", action="store_true", help="go on with what the last run has found out")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {name for key, part in PARTS.items() for name in (key, *part.modules)}
    if unknown:
        parser.error(f"no such part or module: {', '.join(sorted(unknown))}")
    os.nice(19)
    for key, part in PARTS.items():
        whole = key in arguments.names or not arguments.names
        modules = [module for module in part.modules if whole or module in arguments.names]
        if not modules:
            continue
        copy = COPIES / key
        if not arguments.keep:
            shutil.rmtree(copy, ignore_errors=True)
        copy_tree(copy, part, modules)
        asyncio.run(mutate(copy, part))
        report(copy)


if __name__ == "__main__":
    main()
