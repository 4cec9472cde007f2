"""`opensqt connector`: the process of one ExchangeConnector, in its Pod or under `opensqt run`."""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import grpc
from pydantic import ValidationError

from opensqt.api.connector import ExchangeConnector
from opensqt.api.exchange import Exchange
from opensqt.api.problems import problems
from opensqt.api.process import CREDENTIALS_DIR, CREDENTIALS_DIR_ENV, DSN_ENV, RESOURCE_ENV
from opensqt.cli.logs import configure_logs
from opensqt.connector.process import ConnectorServer, ListenError, run
from opensqt.connector.venue import Venue

EXIT_CRASHED = 1
EXIT_MISCONFIGURED = 2


class SettingsError(Exception):
    """The connector cannot start as it was told to; the message names what is wrong."""


@click.command("connector")
@click.option("--listen", metavar="HOST:PORT", required=True, help="ExchangeService, with health and reflection.")
@click.option("--health", metavar="HOST:PORT", required=True, help="Plaintext health for probes: '' and liveness.")
@click.option("--metrics", metavar="HOST:PORT", required=True, help="Prometheus metrics.")
@click.option(
    "--lockstep", metavar="UID", multiple=True, help="A bot that the paper market waits for; may be repeated."
)
def connector(*, listen: str, health: str, metrics: str, lockstep: tuple[str, ...]) -> None:
    """Serve one exchange account until SIGTERM.

    The ExchangeConnector comes as JSON in OPENSQT_RESOURCE; for the paper exchange, the DSN of its books in
    OPENSQT_JOURNAL_DSN. Ends with 2 where these are wrong.
    """
    configure_logs()
    try:
        for option, address in {"--listen": listen, "--health": health, "--metrics": metrics}.items():
            _check_address(option, address)
        resource = read_connector(os.environ)
        code = asyncio.run(_serve(resource, lockstep, listen=listen, health=health, metrics=metrics))
    except (SettingsError, ListenError) as error:
        click.echo(f"opensqt connector: {error}", err=True)
        code = EXIT_MISCONFIGURED
    sys.exit(code)


def read_connector(env: Mapping[str, str]) -> ExchangeConnector:
    """The resource that the environment holds. Raises SettingsError, which names the field."""
    text = env.get(RESOURCE_ENV, "")
    if not text:
        raise SettingsError(f"{RESOURCE_ENV} is not set: it must hold the ExchangeConnector as JSON")
    try:
        resource = ExchangeConnector.model_validate(json.loads(text))
    except ValidationError as error:
        raise SettingsError(f"{RESOURCE_ENV}: {'; '.join(map(str, problems(error)))}") from None
    except ValueError as error:
        raise SettingsError(f"{RESOURCE_ENV} is not JSON: {error}") from None
    if not resource.metadata.uid:
        raise SettingsError(f"{RESOURCE_ENV}: metadata.uid: must be set, for the books are kept under it")
    return resource


async def _serve(
    resource: ExchangeConnector, lockstep: tuple[str, ...], *, listen: str, health: str, metrics: str
) -> int:
    ended = asyncio.Event()
    failures: list[str] = []

    def fatal(message: str) -> None:
        failures.append(message)
        ended.set()

    # By Python's own thresholds a fifth of the time of orders goes into looking for cycles. Each call of gRPC leaves
    # some, and each failed one its frames, with what the exchange has answered: that must not wait for long.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    venue, add_services = _venue(resource, lockstep, fatal)
    server = ConnectorServer(venue, add_services=add_services, fatal=fatal)
    await run(server, listen=listen, health=health, metrics=metrics, ended=ended)
    for message in failures:
        click.echo(f"opensqt connector: {message}", err=True)
    return EXIT_CRASHED if failures else 0


def _venue(
    resource: ExchangeConnector, lockstep: tuple[str, ...], fatal: Callable[[str], None]
) -> tuple[Venue, Callable[[grpc.aio.Server], tuple[str, ...]]]:
    """The venue, and what adds the services that it serves of its own. Each is imported only where it is wanted."""
    if resource.spec.exchange is Exchange.PAPER:
        return _paper_venue(resource, lockstep, fatal)
    if lockstep:
        raise SettingsError("--lockstep: only the paper exchange can wait for bots")
    from opensqt.connector import ccxt_venue  # noqa: PLC0415 - a hundred MiB that the paper exchange does without

    folder = os.environ.get(CREDENTIALS_DIR_ENV) or CREDENTIALS_DIR
    try:
        return ccxt_venue.create(resource.spec, Path(folder)), lambda _: ()
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _paper_venue(
    resource: ExchangeConnector, uids: tuple[str, ...], fatal: Callable[[str], None]
) -> tuple[Venue, Callable[[grpc.aio.Server], tuple[str, ...]]]:
    from opensqt.connector.faults import FaultyVenue, ScriptedFaults  # noqa: PLC0415
    from opensqt.connector.paper.lockstep import Lockstep, LockstepService  # noqa: PLC0415
    from opensqt.connector.paper.venue import PaperVenue  # noqa: PLC0415
    from opensqt.paper.v1 import paper_pb2, paper_pb2_grpc  # noqa: PLC0415

    dsn = os.environ.get(DSN_ENV, "")
    if not dsn:
        raise SettingsError(f"{DSN_ENV} is not set: the Secret of spec.journal.dsnSecretRef must hold a PostgreSQL DSN")
    lockstep = Lockstep(uids) if uids else None

    def add_services(server: grpc.aio.Server) -> tuple[str, ...]:
        if lockstep is None:
            return ()
        paper_pb2_grpc.add_LockstepServiceServicer_to_server(LockstepService(lockstep), server)
        return (paper_pb2.DESCRIPTOR.services_by_name["LockstepService"].full_name,)

    try:
        venue: Venue = PaperVenue(resource, dsn, lockstep=lockstep, fatal=fatal)
    except ValueError as error:
        raise SettingsError(f"{RESOURCE_ENV}: {error}") from None
    faults = resource.spec.paper.faults if resource.spec.paper else None
    return (FaultyVenue(venue, ScriptedFaults.of(faults)) if faults else venue), add_services


def _check_address(option: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{option}: {address!r} is not host:port")
