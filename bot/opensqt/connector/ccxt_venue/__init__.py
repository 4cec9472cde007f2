"""The five real exchanges, through ccxt."""

import os
from pathlib import Path

from opensqt.api.connector import ExchangeConnectorSpec
from opensqt.api.exchange import Mode
from opensqt.connector.venue import Venue

ENDPOINT_ENV = "OPENSQT_TEST_VENUE_URL"
"""Where a simulator of the exchange listens, on loopback alone: for tests."""


def simulator(endpoint: str | None = None) -> str | None:
    """Where the simulator is, by `endpoint` or the environment; None without one. Raises `ValueError` off loopback."""
    from opensqt.connector.ccxt_venue.loader import check_endpoint  # noqa: PLC0415

    at = endpoint or os.environ.get(ENDPOINT_ENV) or None
    if at is not None:
        check_endpoint(at)
    return at


def create(spec: ExchangeConnectorSpec, credentials_dir: Path, *, endpoint: str | None = None) -> Venue:
    """The venue of a spec whose exchange is not paper; nothing is loaded or sent before it is opened.

    Raises `ValueError` where `endpoint` (or the environment variable in its place) is not on loopback.
    """
    # ccxt's part is imported by whom needs it: a paper connector does without.
    from opensqt.connector.ccxt_venue.dead_man_switch import DeadManSwitch  # noqa: PLC0415
    from opensqt.connector.ccxt_venue.exchanges import dialect_of  # noqa: PLC0415
    from opensqt.connector.ccxt_venue.session import Session  # noqa: PLC0415
    from opensqt.connector.ccxt_venue.venue import CcxtVenue  # noqa: PLC0415

    at = simulator(endpoint)
    dialect = dialect_of(spec.exchange, spec.market)
    session = Session(
        dialect,
        credentials_dir,
        live=spec.mode is Mode.LIVE,
        endpoint=at,
        allow_withdrawal=spec.allow_withdrawal_permission,
    )
    return CcxtVenue(session, DeadManSwitch(session, spec.dead_man_switch))
