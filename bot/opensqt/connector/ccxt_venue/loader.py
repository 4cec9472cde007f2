"""Loads one exchange of ccxt alone: the packages' own `__init__` import them all, for five times the CPU."""

import copy
import importlib
import importlib.metadata
import importlib.util
import ipaddress
import logging
import sys
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.profile import Profile
from opensqt.connector.ccxt_venue.transport import observed

TIMEOUT_MS = 10_000
KEEP_ALIVE_MS = 15_000
"""Between two pings on a WebSocket; two without an answer end it."""

# What ccxt reads before the first position it is told: of every kind of market, and comparing numbers that are strings.
_OPTIONS = {
    "watchPositions": {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False},
    # Of streams it keeps the last so many: as many as one read of a socket (256 KiB) can bring, for that is all that
    # may come between two looks. Its own 1,000 are 40 MB on some exchanges.
    "ordersLimit": 500,
    "tradesLimit": 500,
}
_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")


def load(ccxt_id: str, *, parent: str | None = None) -> type[Any]:
    """The ccxt.pro class of an exchange; `parent` is the exchange that it derives from, where it does.

    The packages above it stay bare shells, unless something else in the process has imported ccxt as a whole before.
    """
    if "ccxt" not in sys.modules:
        _lay_out_packages()
    if getattr(sys.modules["ccxt"], "_opensqt_bare", False):
        for name in (parent, ccxt_id):
            if name is not None:
                rest = importlib.import_module(f"ccxt.async_support.{name}")
                # ccxt.pro finds its base classes as attributes of the package, where the import has put the module.
                setattr(sys.modules["ccxt.async_support"], name, getattr(rest, name))
    loaded: type[Any] = getattr(importlib.import_module(f"ccxt.pro.{ccxt_id}"), ccxt_id)
    return loaded


def _lay_out_packages() -> None:
    found = importlib.util.find_spec("ccxt")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("ccxt is not installed: pip install 'opensqt[bot]'")
    root = found.submodule_search_locations[0]
    for name in _PACKAGES:
        package = ModuleType(name)
        folder = "/".join((root, *name.split(".")[1:]))
        package.__path__ = [folder]
        package.__spec__ = importlib.util.spec_from_loader(name, None, is_package=True)
        package._opensqt_bare = True  # type: ignore[attr-defined]  # noqa: SLF001
        sys.modules[name] = package
    top = sys.modules["ccxt"]
    for name in ("async_support", "pro"):
        setattr(top, name, sys.modules[f"ccxt.{name}"])
    top.__version__ = importlib.metadata.version("ccxt")  # type: ignore[attr-defined]
    errors = importlib.import_module("ccxt.base.errors")
    for name, value in vars(errors).items():
        if isinstance(value, type):
            setattr(top, name, value)
    top.Exchange = importlib.import_module("ccxt.base.exchange").Exchange  # type: ignore[attr-defined]


def connection(profile: Profile, credentials: Credentials, *, live: bool, endpoint: str | None = None) -> Any:
    """ccxt's instance for one account, not connected yet; `endpoint` is a simulator's address."""
    exchange = observed(load(profile.ccxt_id, parent=profile.parent))(
        {
            "apiKey": credentials.api_key,
            "secret": credentials.api_secret,
            "password": credentials.passphrase or None,
            # Numbers stay the strings that the exchange sent.
            "number": str,
            "enableRateLimit": True,
            "timeout": TIMEOUT_MS,
            "options": copy.deepcopy({**_OPTIONS, **profile.options}),
            # The list of currencies needs rights over the wallet, which a trading key should not have.
            "has": {"fetchCurrencies": False},
            "streaming": {"keepAlive": KEEP_ALIVE_MS},
        }
    )
    # ccxt logs requests with their headers at DEBUG, and with them the key.
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    if not live and profile.demo == "demo":
        exchange.enable_demo_trading(True)
    elif not live:
        exchange.set_sandbox_mode(True)
    if not live and profile.demo_streams:
        exchange.urls["api"].update(profile.demo_streams)
    if endpoint is not None:
        redirect(exchange.urls, endpoint)
        # Without TLS there is no certificate to read, and no farewell to wait for.
        exchange.verify, exchange.timeout_on_exit = False, 0
    return exchange


def check_endpoint(endpoint: str) -> None:
    """Raises `ValueError` where a simulator's address is not on loopback: signed requests go nowhere else."""
    target = urlsplit(endpoint)
    try:
        loopback = ipaddress.ip_address(target.hostname or "").is_loopback
    except ValueError:
        loopback = False
    if target.scheme != "http" or not loopback:
        raise ValueError(f"a simulator must be at http://127.0.0.1:PORT, not at {endpoint}")


def redirect(urls: dict[str, Any], endpoint: str) -> None:
    """Points every address of the exchange at `endpoint` (http://127.0.0.1:PORT)."""
    check_endpoint(endpoint)
    urls["api"] = _redirected(urls["api"], urlsplit(endpoint).netloc)


def _redirected(value: Any, netloc: str) -> Any:
    if isinstance(value, dict):
        return {key: _redirected(inner, netloc) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    parts = urlsplit(value)
    return urlunsplit(
        ("ws" if parts.scheme.startswith("ws") else "http", netloc, parts.path, parts.query, parts.fragment)
    )
