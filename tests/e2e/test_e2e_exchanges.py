"""Bots on the cluster trade on all five exchanges' own APIs while these misbehave and processes are killed.

The connectors are ccxt over real HTTP and WebSockets; the exchanges are the simulators, in a Pod of their own. What
each exchange has at the end is what the journal has: no order twice, no fill lost or counted twice.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from opensqt.api.exchange import Exchange
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from tests.cluster.shared import Cluster
from tests.e2e import books
from tests.e2e.exchanges.ports import CONTROL_PORT, EXCHANGE_PORTS, SERVICE
from tests.e2e.lab import Lab, Object, eventually, is_observed
from tests.venues.keys import TRADER

pytestmark = [pytest.mark.kind, pytest.mark.long, pytest.mark.timeout(1800)]

FIVE = tuple(EXCHANGE_PORTS)
NAMES = [exchange.value for exchange in FIVE]
SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "account"},
    "stringData": {"apiKey": TRADER.api_key, "apiSecret": TRADER.secret, "passphrase": TRADER.passphrase},
}


class Exchanges:
    """The simulators in the lab's namespace, reached through the API server."""

    def __init__(self, lab: Lab, image: str) -> None:
        self._lab = lab
        self._image = image
        self._path = f"/api/v1/namespaces/{lab.namespace}/services/{SERVICE}:{CONTROL_PORT}/proxy"

    def start(self) -> None:
        ports = [CONTROL_PORT, *EXCHANGE_PORTS.values()]
        container = {
            "name": "exchanges",
            "image": self._image,
            "command": ["/opt/opensqt/bin/python", "-m", "tests.e2e.exchanges"],
            "readinessProbe": {"tcpSocket": {"port": CONTROL_PORT}, "periodSeconds": 1},
        }
        labels = {"app": SERVICE}
        self._lab.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": SERVICE, "labels": labels},
             "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE},
             "spec": {"selector": labels, "ports": [{"name": str(port), "port": port} for port in ports]}},
        )  # fmt: skip
        eventually("the exchanges answer", lambda: self._get("/books", check=False) is not None)

    def move(self, price: str) -> None:
        self._post("/price", {"price": price})

    def fail_next(self, operation: str, **how: Any) -> None:
        self._post("/fault", {"operation": operation, **how})

    def garble(self, *names: str) -> None:
        self._post("/garble", list(names))

    def cut(self) -> None:
        """All WebSockets."""
        self._post("/cut", {})

    def books(self) -> dict[str, Any]:
        """By exchange."""
        found: dict[str, Any] = self._get("/books")
        return found

    def _get(self, path: str, *, check: bool = True) -> Any:
        done = self._lab.kubectl("get", "--raw", self._path + path, check=check)
        return None if done.returncode else json.loads(done.stdout)

    def _post(self, path: str, body: Any) -> None:
        self._lab.kubectl("create", "--raw", self._path + path, "-f", "-", stdin=json.dumps(body))


def _resources(exchange: Exchange, image: str) -> list[Object]:
    """What a person would apply, but for the image."""
    connector: Object = {
        "apiVersion": "opensqt.io/v1alpha1",
        "kind": "ExchangeConnector",
        "metadata": {"name": exchange.value},
        "spec": {"exchange": exchange.value, "credentialsSecretRef": {"name": "account"}, "image": image},
    }
    bot: Object = {
        "apiVersion": "opensqt.io/v1alpha1",
        "kind": "GridBot",
        "metadata": {"name": exchange.value},
        "spec": {
            "connectorRef": {"name": exchange.value},
            "symbol": "BTC/USDT:USDT",
            "grid": {"spacing": {"arithmetic": "100"}, "buyWindow": 2, "sellWindow": 3},
            "order": {"quoteSize": "200"},
            "riskLimits": {"maxPosition": "0.2", "maxOpenOrders": 40},
        },
    }
    return [connector, bot]


def _settled(lab: Lab, exchanges: Exchanges, *, buys: int, sells: int) -> dict[str, Any]:
    """The exchanges' books, when so many orders rest at each and each bot's status says so, and the same position."""
    now: dict[str, Any] = {}

    def probe() -> dict[str, Any] | None:
        told = exchanges.books()
        for bot in lab.kubectl.get("-n", lab.namespace, "gridbots")["items"]:
            name, status = bot["metadata"]["name"], bot.get("status", {})
            resting = [order["buy"] for order in told[name]["orders"] if order["open"]]
            there = resting.count(True), resting.count(False), Decimal(told[name]["position"])
            orders, position = status.get("orders", {}), status.get("position", {})
            known = orders.get("buys"), orders.get("sells"), Decimal(position.get("quantity", "0"))
            now[name] = {"exchange": there, "bot": known, "state": status.get("state")}
        well = all(one["exchange"] == one["bot"] and one["exchange"][:2] == (buys, sells) for one in now.values())
        return told if well and len(now) == len(FIVE) else None

    try:
        return eventually(f"{buys} buys and {sells} sells everywhere", probe)
    except AssertionError as error:
        error.add_note(f"{now}\n{lab.story()}")
        raise


async def test_bots_trade_on_five_exchanges_that_misbehave(lab: Lab, cluster: Cluster) -> None:
    """Answers are lost, gateways fail, messages come twice or not, sockets, connectors and bots die."""
    exchanges = Exchanges(lab, cluster.exchanges)
    exchanges.start()
    exchanges.move("50000")
    exchanges.fail_next("place", hang_up=True, carried_out=True)
    lab.apply(SECRET, *(one for exchange in FIVE for one in _resources(exchange, cluster.exchanges)))
    lab.until_ready(*NAMES)
    told = _settled(lab, exchanges, buys=1, sells=0)
    assert [book["faults"] for book in told.values()] == [0] * len(FIVE), "each first answer was lost"

    exchanges.fail_next("place", status=502, body="<html>bad gateway</html>")
    exchanges.garble(*["DUPLICATE", "DROP", "HOLD"] * 3)
    exchanges.move("49850")
    told = _settled(lab, exchanges, buys=1, sells=1)
    assert [book["faults"] for book in told.values()] == [0] * len(FIVE), "each gateway failed once"

    exchanges.cut()
    exchanges.move("49750")
    _settled(lab, exchanges, buys=1, sells=2)

    for name in NAMES:
        lab.kill(lab.connector_pod(name))
    exchanges.move("50120")  # all that is held is sold while there is no connector
    _settled(lab, exchanges, buys=2, sells=0)

    for name in NAMES:
        lab.kill(lab.pod(name))
    exchanges.move("49950")
    _settled(lab, exchanges, buys=1, sells=2)
    lab.until_ready(*NAMES)
    _columns_are_true(lab)

    for name in NAMES:
        lab.patch("gridbot", name, {"state": "Stopped"})
    told = _settled(lab, exchanges, buys=0, sells=0)
    for exchange in FIVE:
        stopped = lab.until(
            exchange.value, "is Stopped", lambda it: is_observed(it) and it["status"]["state"] == "Stopped"
        )
        assert set(DIALECTS[exchange].profile.weaknesses) <= set(stopped["status"]["weaknesses"])
        await _check(lab, stopped, told[exchange.value])


def _columns_are_true(lab: Lab) -> None:
    lines = lab.run("get", "gridbots").stdout.splitlines()[1:]
    assert sorted(line.split()[:6] for line in lines) == sorted(
        [name, "BTC/USDT:USDT", "Long", "Running", "True", "Closed"] for name in NAMES
    )
    lines = lab.run("get", "exchangeconnectors").stdout.splitlines()[1:]
    assert sorted(line.split()[:4] for line in lines) == sorted([name, name, "Demo", "True"] for name in NAMES)


async def _check(lab: Lab, bot: Object, told: dict[str, Any]) -> None:
    """Each fill of the exchange is in the journal once, each order there is in the journal, none is there twice."""
    intended, booked = await books.journal(lab.kubectl, bot["metadata"]["uid"])
    ids = [order["clientId"] for order in told["orders"]]
    assert len(ids) == len(set(ids)), "an order is there twice"
    assert set(ids) <= intended, "an order was placed that the journal does not know"
    assert len({trade for trade, *_ in booked}) == len(booked), "a fill is counted twice"
    tick, lot = Decimal(told["tick"]), Decimal(told["lot"])
    traded = sorted((one["clientId"], Decimal(one["price"]), Decimal(one["quantity"])) for one in told["trades"])
    assert sorted((client_id, price * tick, lots * lot) for _, client_id, price, lots in booked) == traded
    assert len(traded) >= 5
    assert bot["status"]["orders"]["fills"] == len(traded)
