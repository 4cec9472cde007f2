"""Actions carried out one after another, as lockstep does it."""

from collections.abc import Sequence
from random import Random
from typing import Any

from opensqt.connector.client import Caller
from opensqt.connector.venue import Capabilities, Failure, NewOrder, VenueError
from opensqt.engine.actions import OrderSide, Place, TimeInForce
from opensqt.engine.events import PlaceFailed, Remedy
from opensqt.runtime.clock import frozen_clock
from opensqt.runtime.execution import Execution
from opensqt.runtime.metrics import Metrics
from opensqt.runtime.translation import Translation
from tests.runtime.simulated_venue import RULES


class NoMargin:
    """In the place of `ExchangeClient`: lacks margin for everything, and so has nothing."""

    def __init__(self) -> None:
        self.placed: list[list[str]] = []

    async def place(self, _caller: Caller, orders: Sequence[NewOrder]) -> list[Failure]:
        self.placed.append([order.client_id for order in orders])
        return [Failure(Remedy.INSUFFICIENT_MARGIN, "margin")] * len(orders)

    async def order(self, _symbol: str, client_id: str) -> Any:
        raise VenueError(Failure(Remedy.UNKNOWN_ORDER, f"no order {client_id}"))


async def test_after_a_margin_reject_only_exits_are_sent_and_all_are_answered() -> None:
    client = NoMargin()
    execution = Execution(
        client,  # type: ignore[arg-type]
        Caller("uid", 1), Translation(RULES), Capabilities(True, True, True, place_batch_limit=2, cancel_batch_limit=2),
        clock=frozen_clock(), random=Random(0), metrics=Metrics({"gridbot": "grid"}),  # noqa: S311 - jitter
    )  # fmt: skip
    places = [
        Place(name, OrderSide.BUY, 400_000, 1, name.startswith("exit"), TimeInForce.GTC)
        for name in ("entry1", "entry2", "entry3", "exit1", "entry4")
    ]
    answers = await execution.carry_out(places)
    assert client.placed == [["entry1", "entry2"], ["exit1"]]
    remedies = {one.client_id: one.remedy for one in answers if isinstance(one, PlaceFailed)}
    held_back = {name for name, remedy in remedies.items() if remedy is Remedy.RETRY}
    assert held_back == {"entry3", "entry4"}
    assert len(answers) == len(places)
