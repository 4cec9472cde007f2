"""Only the one exchange is loaded, and each one's addresses can be turned to loopback."""

import json
import subprocess
import sys

import pytest

from opensqt.connector.ccxt_venue import loader
from opensqt.connector.ccxt_venue.credentials import Credentials
from opensqt.connector.ccxt_venue.dialect import Dialect
from opensqt.connector.ccxt_venue.exchanges import DIALECTS

OTHERS = {"binance", "bitget", "gate", "okx", "bybit", "kraken", "coinbase", "kucoin", "binanceusdm"}

MEASURE = """
import json, resource, sys
import aiohttp, cryptography.hazmat.primitives.serialization
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.ccxt_venue import loader
from opensqt.connector.ccxt_venue.credentials import Credentials
dialect = next(d for d in DIALECTS.values() if d.profile.name == sys.argv[1])
loader.connection(dialect.profile, Credentials("k", "s", "p"), live=False)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loaded = [name.split(".")[-1] for name in sys.modules if name.startswith("ccxt.pro.")]
print(json.dumps({"mib": (after - before) / 1024, "loaded": loaded}))
"""


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.profile.name)
def test_loads_one_exchange_in_a_process_of_its_own(dialect: type[Dialect]) -> None:
    """ccxt's own way costs 109 MiB; one exchange with its numbers takes 57."""
    command = [sys.executable, "-c", MEASURE, dialect.profile.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env={"PYTHONPATH": "bot"})
    measured = json.loads(done.stdout)
    assert set(measured["loaded"]) == {dialect.profile.ccxt_id, *filter(None, [dialect.profile.parent])}
    assert measured["mib"] < 85


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.profile.name)
async def test_every_address_is_turned_to_loopback(dialect: type[Dialect], live: bool) -> None:
    exchange = loader.connection(
        dialect.profile, Credentials("k", "s", "p"), live=live, endpoint="http://127.0.0.1:12345"
    )
    addresses = list(_strings(exchange.urls["api"]))
    assert addresses
    assert all("//127.0.0.1:12345" in address for address in addresses)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.profile.name)
async def test_demo_is_not_live(dialect: type[Dialect]) -> None:
    """By its addresses or by its headers."""
    live, demo = (loader.connection(dialect.profile, Credentials("k", "s", "p"), live=live) for live in (True, False))
    told = [
        (
            list(_strings(exchange.urls["api"])),
            exchange.headers,
            exchange.options.get("sandboxMode"),
            exchange.options.get("enableDemoTrading"),
        )
        for exchange in (live, demo)
    ]
    assert told[0] != told[1]
    assert all(exchange.options.get("defaultType") == "swap" for exchange in (live, demo))


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    return [value] if isinstance(value, str) else []
