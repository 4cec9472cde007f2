"""Looking up orders whose client ids the exchange forgets: one list for all who ask, and never one that is too old."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from opensqt.connector.ccxt_venue.lookups import LookUps
from opensqt.connector.ccxt_venue.session import CallError
from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.events import Remedy

SYMBOL = "BTC/USDT:USDT"


class Exchange:
    """Knows no client id any more; its list shows what is there when it is asked, and comes when it may."""

    def __init__(self) -> None:
        self.profile = SimpleNamespace(forgets_client_ids=True)
        self.there: list[str] = []
        self.lists = 0
        self.listing = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.failure: Failure | None = None
        self.dialect = self

    async def read(self, use: Callable[[Any], Awaitable[Any]]) -> Any:
        return await use(self)

    def client_id(self, shown: str) -> str:
        return shown

    async def find_order(self, exchange: Any, symbol: str, client_id: str) -> Any:
        raise CallError(Failure(Remedy.UNKNOWN_ORDER, "no such order"), {"label": "ORDER_NOT_FOUND"})

    async def newest_orders(self, exchange: Any, symbol: str) -> list[dict[str, Any]]:
        self.lists += 1
        self.listing.set()
        there = [{"clientOrderId": one, "list": self.lists} for one in self.there]
        await self.may_answer.wait()
        if self.failure is not None:
            raise CallError(self.failure, None)
        return there


@pytest.fixture
async def exchange() -> Exchange:
    return Exchange()


async def remedy(found: Awaitable[Any]) -> Remedy:
    with pytest.raises(VenueError) as error:
        await found
    return error.value.failure.remedy


async def test_many_who_ask_together_cost_one_list(exchange: Exchange) -> None:
    exchange.there = [f"o{number}" for number in range(50)]
    exchange.may_answer.set()
    look_ups = LookUps(exchange)  # type: ignore[arg-type]
    found = await asyncio.gather(*(look_ups.find(SYMBOL, name) for name in exchange.there))
    assert [order["clientOrderId"] for order in found] == exchange.there
    assert exchange.lists == 1
    assert await remedy(look_ups.find(SYMBOL, "never")) is Remedy.UNKNOWN_ORDER


class Shown(dict[str, Any]):
    """An order of a list, which can be watched."""


async def test_a_list_is_gone_with_the_last_who_asked(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they hear that their order is not in it: an error that holds itself would hold the list too."""
    shown = Shown(clientOrderId="o1")
    kept = weakref.ref(shown)
    lists = [[shown]]
    monkeypatch.setattr(exchange, "newest_orders", lambda *_: asyncio.sleep(0, lists.pop()))
    del shown
    gc.disable()
    try:
        assert await remedy(LookUps(exchange).find(SYMBOL, "never")) is Remedy.UNKNOWN_ORDER  # type: ignore[arg-type]
        await asyncio.sleep(0)  # what has woken us had the list
        assert kept() is None
    finally:
        gc.enable()


async def test_a_list_that_was_begun_before_does_not_answer(exchange: Exchange) -> None:
    look_ups = LookUps(exchange)  # type: ignore[arg-type]
    first = asyncio.create_task(look_ups.find(SYMBOL, "o1"))
    await exchange.listing.wait()
    exchange.there = ["o1", "o2"]  # only now, and the list under way is without them
    later = [asyncio.create_task(look_ups.find(SYMBOL, name)) for name in ("o1", "o2")]
    await asyncio.sleep(0)
    exchange.may_answer.set()
    assert await remedy(first) is Remedy.UNKNOWN_ORDER
    assert [(await one)["list"] for one in later] == [2, 2]


async def test_a_list_that_fails_does_not_say_that_there_is_no_order(exchange: Exchange) -> None:
    exchange.failure = Failure(Remedy.RETRY, "no answer")
    exchange.may_answer.set()
    look_ups = LookUps(exchange)  # type: ignore[arg-type]
    assert {await remedy(look_ups.find(SYMBOL, "o1")) for _ in range(2)} == {Remedy.RETRY}
    exchange.failure, exchange.there = None, ["o1"]
    assert (await look_ups.find(SYMBOL, "o1"))["clientOrderId"] == "o1"


async def test_who_gives_up_does_not_end_the_list_for_the_others(exchange: Exchange) -> None:
    exchange.there = ["o1", "o2"]
    look_ups = LookUps(exchange)  # type: ignore[arg-type]
    gives_up, stays = (asyncio.create_task(look_ups.find(SYMBOL, name)) for name in exchange.there)
    await exchange.listing.wait()
    gives_up.cancel()
    exchange.may_answer.set()
    assert (await stays)["clientOrderId"] == "o2"


async def test_of_two_orders_with_one_client_id_the_newer_one_is_told(exchange: Exchange) -> None:
    exchange.may_answer.set()
    look_ups = LookUps(exchange)  # type: ignore[arg-type]
    newest_first = [{"clientOrderId": "o1", "id": "2"}, {"clientOrderId": "o1", "id": "1"}]

    async def newest_orders(_exchange: Any, _symbol: str) -> list[dict[str, Any]]:
        return newest_first

    exchange.newest_orders = newest_orders  # type: ignore[method-assign, assignment]
    assert (await look_ups.find(SYMBOL, "o1"))["id"] == "2"
