"""`opensqt`: a group whose commands are imported only when they are called: a bot loads only what a bot needs."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import click

COMMANDS = {
    "bot": ("opensqt.cli.bot", "The process of one GridBot."),
    "connector": ("opensqt.cli.connector", "The process of one ExchangeConnector."),
    "data": ("opensqt.cli.data", "Download candles."),
    "postgres": ("opensqt.cli.postgres", "A PostgreSQL for trials."),
    "replay": ("opensqt.cli.replay", "Decide all that a bot has decided once more, and compare."),
    "run": ("opensqt.cli.run.command", "Run manifests on this machine, without a cluster."),
}
"""Where each command is, and what it is in one line. The command's object has the command's name."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} in {COMMANDS[cmd_name][0]} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        try:
            click.echo(f"opensqt {version('opensqt')}")
        except PackageNotFoundError:
            click.echo("opensqt, not installed: run from its source")
        context.exit()


@click.group(cls=_LazyGroup)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Say which.")
def main() -> None:
    """Grid-trading bots: an engine that never places an order twice, and the door to the exchanges."""
