"""`opensqt postgres`: the trial database of the chart and of compose, and what `opensqt run` starts without a DSN."""

import asyncio
import signal
from pathlib import Path

import click
import structlog

from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.errors import PostgresUnavailable

log = structlog.get_logger(__name__)


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, int]:
    host, separator, port = value.rpartition(":")
    if not (separator and host and port.isdecimal() and 0 < int(port) < 2**16):
        raise click.BadParameter(f"{value!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


@click.command("postgres")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="The database's folder.")
@click.option(
    "--listen",
    callback=_address,
    metavar="HOST:PORT",
    default="127.0.0.1:5432",
    show_default=True,
    help="Where to listen.",
)
@click.option("--user", default="opensqt", show_default=True, help="The role that owns the database.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="A file with the role's password, which is set at each start.",
)
@click.option("--database", default="opensqt", show_default=True, help="The database, made where it is missing.")
@click.option("--max-connections", type=click.IntRange(10, 10_000), default=200, show_default=True)
def postgres(
    *, data: Path, listen: tuple[str, int], user: str, password_file: Path, database: str, max_connections: int
) -> None:
    """Run a PostgreSQL for trials, until SIGTERM.

    One server, one folder, no replica and no backup: the journal is as durable as the disk under --data.
    """
    password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    if not password:
        raise click.BadParameter(f"{password_file} is empty", param_hint="--password-file")
    server = EmbeddedPostgres(
        data,
        user=user,
        database=database,
        password=password,
        listen=listen,
        settings={"max_connections": str(max_connections)},
        log_to_stderr=True,
    )
    try:
        asyncio.run(_serve(server, listen))
    except PostgresUnavailable as error:
        raise click.ClickException(str(error)) from error


async def _serve(server: EmbeddedPostgres, listen: tuple[str, int]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    start = asyncio.create_task(server.start())
    stop = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait((start, stop), return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            log.info("postgres.listening", host=listen[0], port=listen[1])
            await stop
            await server.stop()
        else:
            start.cancel()
            await asyncio.wait((start,))
    finally:
        stop.cancel()
