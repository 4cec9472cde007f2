"""Placing and cancelling: each item is checked, sent once, and answered by itself."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from opensqt.connector.ccxt_venue import convert, errors
from opensqt.connector.ccxt_venue.budget import Priority
from opensqt.connector.ccxt_venue.dialect import Json
from opensqt.connector.ccxt_venue.lookups import LookUps
from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.venue import Failure, NewOrder, VenueOrder
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import OrderState, Remedy

log = structlog.get_logger(__name__)

Placed = VenueOrder | Failure
Result = TypeVar("Result")

CANCEL_LOOKS = 4
CANCEL_PAUSE = 0.15
"""How often, and how many seconds apart at first, an order is looked at until an accepted cancel has taken effect."""
_SENT_LIMIT = 20_000
_LOST = "the exchange's answer does not mention this order: look it up"


async def together(calls: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results of all, side by side; one alone needs no task of its own, which would cost two turns of the loop."""
    return [await calls[0]] if len(calls) == 1 else list(await asyncio.gather(*calls))


class Trading:
    """Changes orders of one session. Nothing here is ever sent twice."""

    def __init__(self, session: Session, look_ups: LookUps) -> None:
        self._session = session
        self._look_ups = look_ups
        self._dialect = session.dialect
        self._sent: OrderedDict[str, None] = OrderedDict()

    async def place(self, orders: Sequence[NewOrder], markets: Sequence[Json]) -> list[Placed]:
        """Exits and entries go side by side, in requests of their own, so that the rate budget can tell them apart."""
        results: list[Placed | None] = [None] * len(orders)
        groups: dict[tuple[Priority, str], list[int]] = {}
        for at, (order, market) in enumerate(zip(orders, markets, strict=True)):
            wrong = convert.fault(order, market) or convert.spot_fault(order, self._dialect)
            if wrong:
                results[at] = Failure(Remedy.FIX_REQUEST, wrong)
            elif (known := await self._known(order)) is not None:
                results[at] = known
            else:
                exits = order.side is OrderSide.SELL if self._dialect.profile.spot else order.reduce_only
                priority = Priority.EXIT if exits else Priority.ENTRY
                symbol = order.symbol if self._dialect.profile.batch_of_one_symbol else ""
                groups.setdefault((priority, symbol), []).append(at)

        async def send(priority: Priority, places: list[int]) -> None:
            chosen = [(orders[at], markets[at]) for at in places]
            if len(chosen) > 1 and self._dialect.profile.place_batch > 1:
                answers = await self._place_many(chosen, priority)
            else:
                answers = await together([self._place_one(*each, priority) for each in chosen])
            for at, answer in zip(places, answers, strict=True):
                results[at] = answer

        await together([send(priority, places) for (priority, _), places in sorted(groups.items())])
        return [result if result is not None else Failure(Remedy.LOOK_UP, _LOST) for result in results]

    async def cancel(self, symbol: str, market: Json, client_ids: Sequence[str]) -> list[Placed]:
        answers: list[Json | Failure]
        if len(client_ids) > 1 and self._dialect.profile.cancel_batch > 1:
            answers = await self._batch(
                [(client_id, market) for client_id in client_ids],
                lambda exchange: self._dialect.cancel_many(exchange, symbol, client_ids),
                Priority.CANCEL,
            )
        else:
            answers = await together([self._cancel_one(symbol, client_id) for client_id in client_ids])
        finished = [
            self._cancelled(symbol, market, client_id, answer)
            for client_id, answer in zip(client_ids, answers, strict=True)
        ]
        return await together(finished)

    async def _known(self, order: NewOrder) -> Failure | None:
        """Why an order must not be sent, where the exchange itself would take a client id twice."""
        if self._dialect.profile.refuses_duplicates:
            return None
        if order.client_id not in self._sent:
            self._sent[order.client_id] = None
            if len(self._sent) > _SENT_LIMIT:
                self._sent.popitem(last=False)
            return None
        try:
            await self._look_ups.find(order.symbol, order.client_id)
        except CallError as error:
            failure = error.failure
            return None if failure.remedy is Remedy.UNKNOWN_ORDER else replace(failure, remedy=Remedy.RETRY)
        return Failure(Remedy.DUPLICATE, f"an order {order.client_id} is there already")

    async def _place_one(self, order: NewOrder, market: Json, priority: Priority) -> Placed:
        request = convert.request(order, market, self._dialect)
        try:
            answer = await self._session.call(
                lambda exchange: exchange.create_order(
                    request["symbol"],
                    request["type"],
                    request["side"],
                    request["amount"],
                    request["price"],
                    request["params"],
                ),
                priority,
                doubt=True,
            )
        except CallError as error:
            return error.failure
        checked = self._checked(answer)
        return checked if isinstance(checked, Failure) else self._placed(order, market, checked)

    async def _place_many(self, chosen: Sequence[tuple[NewOrder, Json]], priority: Priority) -> list[Placed]:
        requests = [convert.request(order, market, self._dialect) for order, market in chosen]
        wanted = [(order.client_id, market) for order, market in chosen]
        items = await self._batch(wanted, lambda exchange: exchange.create_orders(requests), priority)
        return [
            item if isinstance(item, Failure) else self._placed(order, market, item)
            for (order, market), item in zip(chosen, items, strict=True)
        ]

    async def _cancel_one(self, symbol: str, client_id: str) -> Json | Failure:
        try:
            answer = await self._session.call(
                lambda exchange: self._dialect.cancel_one(exchange, symbol, client_id), Priority.CANCEL, doubt=True
            )
        except CallError as error:
            return error.failure
        return self._checked(answer)

    async def _batch(
        self, wanted: Sequence[tuple[str, Json]], send: Callable[[Any], Awaitable[Any]], priority: Priority
    ) -> list[Json | Failure]:
        """The answer's items in the order of the request, each as ccxt's order or the reason of its refusal.

        They are read from the exchange's own answer: ccxt sorts its orders by time, which leaves refused ones, that
        carry no id, without a place; and it makes one exception of a batch in which every item failed.
        """
        general = Failure(Remedy.LOOK_UP, _LOST)
        try:
            _, body = await self._session.call_with_answer(send, priority, doubt=True)
        except CallError as error:
            general, body = error.failure, error.body
        items = self._dialect.batch_items(body)
        by_id = {shown: item for item in items if (shown := self._dialect.item_client_id(item))}
        answers: list[Json | Failure] = []
        for at, (client_id, market) in enumerate(wanted):
            item = by_id.get(client_id)
            if item is None and len(items) == len(wanted) and not self._dialect.item_client_id(items[at]):
                item = items[at]
            answers.append(general if item is None else self._item(item, market))
        return answers

    def _item(self, item: Json, market: Json) -> Json | Failure:
        rejection = self._dialect.rejection(item)
        if rejection is not None:
            return errors.rejection_of(rejection, self._dialect, self._session.credentials)
        try:
            return self._checked(self._session.exchange.parse_order(item, market))
        except Exception as error:  # whatever ccxt stumbles over: the order may be there
            log.warning("unreadable_answer", error=type(error).__name__)
            return Failure(Remedy.LOOK_UP, _LOST)

    def _checked(self, answer: Json) -> Json | Failure:
        """The order in an answer, or why it is none: an answer that names no order has said nothing."""
        info = answer.get("info")
        rejection = self._dialect.rejection(info) if isinstance(info, dict) else None
        if rejection is not None:
            return errors.rejection_of(rejection, self._dialect, self._session.credentials)
        return answer if answer.get("id") else Failure(Remedy.LOOK_UP, _LOST)

    async def _cancelled(self, symbol: str, market: Json, client_id: str, answer: Json | Failure) -> Placed:
        if isinstance(answer, Failure):
            return answer
        if self._dialect.profile.cancel_answers_whole_order:
            return convert.order_of(answer, market, self._dialect, self._session.now_us())
        return await self._settled(symbol, market, client_id)

    async def _settled(self, symbol: str, market: Json, client_id: str) -> Placed:
        """The order after a cancel that was only accepted; still open where the exchange takes its time."""
        for look in range(CANCEL_LOOKS):
            if look:
                await asyncio.sleep(CANCEL_PAUSE * 2**look)
            try:
                found = await self._look_ups.find(symbol, client_id)
            except CallError as error:
                return error.failure
            order = convert.order_of(found, market, self._dialect, self._session.now_us())
            if order.state is not OrderState.OPEN:
                return order
        return order

    def _placed(self, order: NewOrder, market: Json, answer: Json) -> VenueOrder:
        placed = convert.placed(order, answer, market, self._dialect, self._session.now_us())
        self._dialect.accepted(placed)
        return placed
