"""The command group: lazy, and clear about mistakes."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from opensqt.cli.main import COMMANDS, main
from tests.cli.conftest import ENVIRONMENT, Opensqt


def test_help_lists_the_commands_without_importing_them() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from opensqt.cli.main import main\n"
        "print(CliRunner().invoke(main, ['--help']).output)\n"
        "loaded = {'grpc', 'asyncpg', 'ccxt', 'pydantic', 'yaml'} & sys.modules.keys()\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=60
    )
    for command in COMMANDS:
        assert f"  {command} " in done.stdout


def test_a_bot_loads_nothing_of_what_run_needs() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from opensqt.cli.main import main\n"
        "done = CliRunner().invoke(main, ['bot', '--help'])\n"
        "assert done.exit_code == 0, done.output\n"
        "loaded = {name for name in sys.modules if name.startswith(('ccxt', 'yaml', 'opensqt.cli.run'))}\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_object_and_help(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {command}")


def test_an_unknown_command_is_bad_input(opensqt: Opensqt) -> None:
    done = opensqt("trade")
    assert done.returncode == 2
    assert "No such command 'trade'" in done.stderr
