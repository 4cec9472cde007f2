"""`opensqt bot`: the process of one GridBot, in its Pod or under `opensqt run`."""

import os
import sys

import click

from opensqt.cli.logs import configure_logs
from opensqt.runtime.process import EXIT_MISCONFIGURED, run_bot
from opensqt.runtime.settings import SettingsError, read_settings


@click.command("bot")
@click.option("--connector", metavar="HOST:PORT", required=True, help="The connector of the bot's exchange account.")
@click.option("--listen", metavar="HOST:PORT", required=True, help="BotService, with health and reflection.")
@click.option("--health", metavar="HOST:PORT", required=True, help="Plaintext health for probes: liveness, readiness.")
@click.option("--metrics", metavar="HOST:PORT", required=True, help="Prometheus metrics.")
def bot(*, connector: str, listen: str, health: str, metrics: str) -> None:
    """Run one bot until SIGTERM; its orders stay in the market, and the next start goes on with them.

    The GridBot comes as JSON in OPENSQT_RESOURCE, the journal's DSN in OPENSQT_JOURNAL_DSN. Ends with 2 where these are
    wrong, with 3 when a newer instance of the bot has taken over.
    """
    configure_logs()
    try:
        settings = read_settings(os.environ, connector=connector, listen=listen, health=health, metrics=metrics)
        code = run_bot(settings)
    except SettingsError as error:
        click.echo(f"opensqt bot: {error}", err=True)
        code = EXIT_MISCONFIGURED
    sys.exit(code)
