"""`opensqt run`."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import structlog

from opensqt.api.connector import ExchangeConnector
from opensqt.api.exchange import Exchange
from opensqt.api.gridbot import GridBot
from opensqt.api.process import DSN_ENV
from opensqt.cli.run.checks import check
from opensqt.cli.run.inputs import Overrides, remove_credentials
from opensqt.cli.run.loopback import NoPortError
from opensqt.cli.run.manifests import ManifestError, Manifests, read_manifests
from opensqt.cli.run.plan import apply
from opensqt.cli.run.play import EXIT_INTERRUPTED, play
from opensqt.cli.run.screen import PlainScreen, Screen
from opensqt.cli.run.session import Ending
from opensqt.cli.run.state import REPRODUCIBLE, State, StateError
from opensqt.journal.errors import JournalError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
DEFAULT_STATE = Path(".opensqt")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    files: tuple[Path, ...]
    overrides: Overrides
    output: str
    fresh: bool
    dsn: str | None
    state_dir: Path | None

    @property
    def until_end(self) -> bool:
        return self.overrides.lockstep

    @property
    def throw_away(self) -> bool:
        """Whether the state is of this run alone."""
        return self.until_end and self.state_dir is None


@click.command("run")
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Manifests, as kubectl apply takes them; may be repeated.",
)
@click.option(
    "--candles",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="CSV",
    help="One-minute candles (CSV, plain or gzipped) for all paper markets, instead of what the manifests say.",
)
@click.option(
    "--until-end",
    is_flag=True,
    help="Play the data to its end as fast as the bots can answer, report, and end. Needs paper exchanges. "
    "Uses a state of its own that is thrown away, unless --state-dir names one.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "plain", "json"]),
    help="A live table, lines, or one JSON document at the end. The default is a table on a terminal, else lines.",
)
@click.option("--fresh", is_flag=True, help="Start over: forget journal, orders and positions of earlier runs.")
@click.option(
    "--dsn",
    metavar="DSN",
    envvar=DSN_ENV,
    show_envvar=True,
    help="A PostgreSQL database for the journal, instead of the embedded one.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where journal, logs and state are kept from run to run; .opensqt in the current directory by default.",
)
@click.option(
    "--speed", type=click.IntRange(1, 100_000), metavar="N", help="Market seconds in a second, for all paper markets."
)
def run(
    *,
    files: tuple[Path, ...],
    candles: Path | None,
    until_end: bool,
    output: str | None,
    fresh: bool,
    dsn: str | None,
    state_dir: Path | None,
    speed: int | None,
) -> None:
    """Run GridBots and ExchangeConnectors on this machine: the same manifests and processes as in a cluster.

    Ctrl-C winds down: all orders are cancelled, positions and journal are kept, and the next run goes on. A second
    Ctrl-C ends at once; the orders then stay at the exchange until the next run.
    """
    options = Options(
        files=files,
        overrides=Overrides(candles.absolute() if candles else None, speed, lockstep=until_end),
        output=output or ("table" if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else "plain"),
        fresh=fresh,
        dsn=dsn,
        state_dir=state_dir,
    )
    try:
        manifests = _read(options)
        with ExitStack() as stack:
            state = _state(options, stack)
            sys.exit(_run(options, manifests, state))
    except (ManifestError, StateError, NoPortError, JournalError) as error:
        for line in str(error).splitlines():
            click.echo(f"opensqt run: {line}", err=True)
        sys.exit(EXIT_FAILED if isinstance(error, JournalError) else EXIT_BAD_INPUT)


def _read(options: Options) -> Manifests:
    manifests = read_manifests(options.files)
    check(manifests)
    if options.until_end:
        real = [manifests.origin(each) for each in manifests.connectors.values() if each.spec.paper is None]
        if real:
            raise ManifestError(f"{real[0]}: spec.exchange: --until-end plays data: it needs the paper exchange")
    if (candles := options.overrides.candles) is not None and not os.access(candles, os.R_OK):
        raise ManifestError(f"--candles {candles}: {'cannot be read' if candles.exists() else 'there is no such file'}")
    return manifests


def _state(options: Options, stack: ExitStack) -> State:
    if options.throw_away:
        # A database of the caller's may hold an earlier run's journal: there, each run has uids of its own.
        identity = REPRODUCIBLE if options.dsn is None else None
        folder = Path(tempfile.mkdtemp(prefix="opensqt-run-"))
        stack.callback(_remove_all_but_logs, folder)
        state = State.open(folder, identity=identity)
    else:
        state = State.open(options.state_dir or DEFAULT_STATE)
    stack.callback(state.close)
    stack.callback(remove_credentials, state)
    if options.fresh and state.applied:
        _start_over(state)
    return state


def _remove_all_but_logs(folder: Path) -> None:
    """What is thrown away; the logs of a run that failed stay."""
    for path in folder.glob("*"):
        if path.is_dir() and path.name != "logs":
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file():
            path.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def _start_over(state: State) -> None:
    """Raises StateError where orders or positions at a real exchange would be forgotten."""
    real = [
        key
        for key, applied in state.applied.items()
        if key.startswith(f"{ExchangeConnector.kind_name}/") and applied.spec["exchange"] != Exchange.PAPER
    ]
    if real:
        raise StateError(
            f"--fresh: the journal in {state.folder} knows orders at a real exchange ({', '.join(real)}), "
            "which would be forgotten: look there first, then remove the folder by hand"
        )
    bots = ", ".join(key.rpartition("/")[2] for key in state.applied if key.startswith(f"{GridBot.kind_name}/"))
    click.echo(f"--fresh: forgetting journal, orders and positions of {bots} in {state.folder}", err=True)
    state.wipe()


def _screen(options: Options) -> Screen:
    if options.output == "table":
        from rich.console import Console  # noqa: PLC0415 - only a table needs it

        from opensqt.cli.run.live import LiveScreen  # noqa: PLC0415

        return LiveScreen(Console())
    return PlainScreen(sys.stderr, fills=False) if options.output == "json" else PlainScreen(sys.stdout)


def _run(options: Options, manifests: Manifests, state: State) -> int:
    """Returns the exit code."""
    # The processes are on this machine: gRPC must not go through anybody's proxy.
    os.environ["no_grpc_proxy"] = "127.0.0.0/8"  # noqa: SIM112 - gRPC knows it in lower case alone
    plan = apply(manifests, state, options.overrides)
    (state.folder / "logs").mkdir(exist_ok=True)
    screen = _screen(options)
    with (state.folder / "logs" / "run.log").open("a", encoding="utf-8") as log:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
                structlog.dev.ConsoleRenderer(colors=False),
            ],
            logger_factory=structlog.WriteLoggerFactory(log),
            cache_logger_on_first_use=False,
        )
        try:
            ending = asyncio.run(
                play(plan, state, screen, dsn=options.dsn, until_end=options.until_end, throw_away=options.throw_away)
            )
        finally:
            screen.close()
    return _tell(options, ending, state, screen)


def _tell(options: Options, ending: Ending, state: State, screen: Screen) -> int:
    if ending.document is not None:
        if options.output == "json":
            click.echo(json.dumps(ending.document, indent=2))
        else:
            screen.summary(ending.document)
    if ending.interrupted and options.until_end:
        click.echo("opensqt run: interrupted before the end of the data", err=True)
    for failure in ending.failures:
        click.echo(f"opensqt run: {failure}", err=True)
    if options.throw_away:
        if ending.failures:
            click.echo(f"opensqt run: the logs are kept in {state.folder / 'logs'}", err=True)
            return EXIT_FAILED
        shutil.rmtree(state.folder, ignore_errors=True)
    elif not ending.failures and not options.until_end:
        click.echo(f"The state is in {state.folder}: the next run goes on from there (--fresh starts over).", err=True)
    if ending.failures:
        return EXIT_FAILED
    return EXIT_INTERRUPTED if ending.interrupted and options.until_end else 0
