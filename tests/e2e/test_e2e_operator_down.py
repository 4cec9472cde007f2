"""An operator that was down while things changed: the bots traded on, and what changed is done when it is back."""

from collections.abc import Iterator

import pytest

from tests.cluster.release import NAMESPACE
from tests.e2e import books
from tests.e2e.lab import MODEL, Lab, Object, bot, connector, container_id, eventually, is_ready

# All tests share the operator: those that take it away do so one after another.
pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800), pytest.mark.xdist_group("operator")]


@pytest.fixture
def operator(lab: Lab) -> Iterator["Operator"]:
    """The operator, to be stopped and started; it runs again afterwards, whatever happens."""
    made = Operator(lab)
    yield made
    made.start()


class Operator:
    """Its Deployment, scaled."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def stop(self) -> None:
        """Wait until it is gone."""
        self._scale(0)
        eventually("the operator is gone", lambda: not self._lab.operator_pod())

    def start(self) -> None:
        """Let it start."""
        self._scale(1)

    def _scale(self, replicas: int) -> None:
        self._lab.kubectl("-n", NAMESPACE, "scale", "deployment/opensqt-operator", f"--replicas={replicas}")


async def test_changes_while_the_operator_is_down(lab: Lab, operator: Operator) -> None:
    """A deleted bot, a deleted Pod, an edited limit and a new bot, all while it is down."""
    lab.apply(
        connector(MODEL, {"symbol": "ETH/USDT:USDT", "model": {"seed": 4, "startPrice": "2500"}}),
        bot("edited"), bot("deleted", symbol="ETH/USDT:USDT", grid={"spacing": {"arithmetic": "2"}}),
    )  # fmt: skip
    lab.until_ready("edited", "deleted")
    for name in ("edited", "deleted"):
        lab.until_fills(name)
    running = container_id(lab.pod("edited"))
    gone = lab.bot("deleted")["metadata"]["uid"]

    operator.stop()
    lab.patch("gridbot", "edited", {"riskLimits": {"maxOpenOrders": 4}})
    lab.run("delete", "gridbot", "deleted", "--wait=false")
    lab.run("delete", "pod", "deleted-bot", "--wait=false")
    operator.start()

    eventually("the deleted bot is gone", lambda: not lab.bot("deleted"))
    lab.until("edited", "the limit is in force", lambda it: is_ready(it) and _within(it, 4))
    assert container_id(lab.pod("edited")) == running
    written = await books.read(lab.kubectl, gone, lab.uid("exchangeconnector", "paper"))
    assert not [order for order in written.placed if order[3].upper() in {"OPEN", "PARTIALLY_FILLED"}]
    written.assert_exactly_once()


def _within(it: Object, limit: int) -> bool:
    orders = it["status"]["orders"]
    return bool(orders["buys"] == 0 or orders["buys"] + orders["sells"] <= limit)
