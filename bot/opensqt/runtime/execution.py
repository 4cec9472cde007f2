"""Actions as calls to the connector, their answers as events.

An answer is given for every action: an order, a failure with what must be done about it, or that nobody knows.
"""

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import TypeVar

import structlog

from opensqt.connector.client import Caller, ExchangeClient
from opensqt.connector.retry import Backoff
from opensqt.connector.venue import Capabilities, Failure, VenueError, VenueFill, VenueOrder
from opensqt.engine.actions import Action, Cancel, LookUp, Place
from opensqt.engine.client_id import Leg, client_id_prefix, leg_of
from opensqt.engine.events import (
    CancelFailed,
    Event,
    LookUpFailed,
    OrderNotFound,
    OrderReported,
    OrderState,
    PlaceFailed,
    Remedy,
)
from opensqt.journal.errors import Fenced
from opensqt.runtime.clock import MarketClock
from opensqt.runtime.metrics import Metrics
from opensqt.runtime.translation import Translation

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
CLOCKS_APART = 60_000_000
"""Microseconds by which an exchange's fill may seem older than its order."""
LISTED_FROM = 3
"""So many look-ups at once are worth a list of all open orders, which exchanges give in pages of 50 or more: after a
gap all bots of an account look up all that they have, and together use up its rate budget."""
RETRIES = Backoff(first=0.5, cap=30.0, floor=0.1)
REFUSALS = frozenset({Remedy.FIX_REQUEST, Remedy.WOULD_CROSS, Remedy.INSUFFICIENT_MARGIN})
"""After which a slot would be free for another order, so that they are not believed without a look."""
NOT_SENT = "not sent: the exchange has just refused another order for lack of margin"
_UNANSWERED = Failure(Remedy.LOOK_UP, "the connector left this order out of its answer")


class Execution:
    """One bot's orders at one connector. Raises `Fenced` when the connector knows a newer instance of the bot."""

    def __init__(
        self,
        client: ExchangeClient,
        caller: Caller,
        translation: Translation,
        capabilities: Capabilities,
        *,
        clock: MarketClock,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self._client = client
        self._caller = caller
        self._translation = translation
        self._symbol = translation.market.symbol
        self._clock = clock
        self._random = random
        self._place_seconds = metrics.call_seconds("place")
        self._cancel_seconds = metrics.call_seconds("cancel")
        self._look_up_seconds = metrics.call_seconds("look_up")
        self._list_seconds = metrics.call_seconds("list")
        self._delays: dict[str, Iterator[float]] = {}
        self.place_limit = max(1, capabilities.place_batch_limit)
        self.cancel_limit = max(1, capabilities.cancel_batch_limit)
        self.held_until = 0.0
        """The monotonic time before which the venue wants nothing sent."""

    async def place(self, places: Sequence[Place]) -> list[Event]:
        """One batch of at most `place_limit` orders."""
        orders = [self._translation.new_order(place) for place in places]
        try:
            with self._place_seconds.time():
                results = await self._client.place(self._caller, orders)
        except VenueError as error:
            results = [error.failure] * len(orders)
        events: list[Event] = []
        for place, result in zip(places, _padded(results, len(places)), strict=True):
            if isinstance(result, VenueOrder):
                events.append(self._reported(result))
            elif result.remedy in REFUSALS:
                events += await self._verified(place.client_id, result)
            else:
                events.append(self._place_failed(place.client_id, result))
        return events

    async def _verified(self, client_id: str, refusal: Failure) -> list[Event]:
        """What became of an order that was refused: exchanges have answered with an error and kept the order."""
        found = await self.look_up(LookUp(client_id))
        match found:
            case [OrderNotFound()]:
                return [self._place_failed(client_id, refusal)]
            case [LookUpFailed()]:
                message = f"refused, and nobody knows whether that is so: {refusal.message}"
                return [self._place_failed(client_id, Failure(Remedy.LOOK_UP, message))]
            case _:
                log.warning("refused_but_there", client_id=client_id, remedy=refusal.remedy, error=refusal.message)
                return found

    def not_sent(self, place: Place) -> Event:
        """The answer for an entry that was held back after another one had found too little margin."""
        return PlaceFailed(self._clock.now(), place.client_id, Remedy.RETRY, NOT_SENT)

    def _place_failed(self, client_id: str, failure: Failure) -> PlaceFailed:
        retry_at = self._retry_at(client_id, failure)
        return PlaceFailed(self._clock.now(), client_id, failure.remedy, failure.message, retry_at)

    async def cancel(self, client_ids: Sequence[str]) -> list[Event]:
        """One batch of at most `cancel_limit` cancels."""
        try:
            with self._cancel_seconds.time():
                results = await self._client.cancel(self._caller, self._symbol, client_ids)
        except VenueError as error:
            results = [error.failure] * len(client_ids)
        events: list[Event] = []
        for client_id, result in zip(client_ids, _padded(results, len(client_ids)), strict=True):
            if isinstance(result, VenueOrder):
                events.append(self._reported(result))
            else:
                retry_at = self._retry_at(client_id, result)
                events.append(CancelFailed(self._clock.now(), client_id, result.remedy, result.message, retry_at))
        return events

    async def look_up(self, action: LookUp) -> list[Event]:
        """The order with its fills, which come first, so that they are known when it is said to be finished."""
        client_id = action.client_id
        try:
            with self._look_up_seconds.time():
                order, fills = await self._client.order(self._symbol, client_id)
        except VenueError as error:
            if error.failure.remedy is Remedy.UNKNOWN_ORDER:
                self._delays.pop(client_id, None)
                return await self._denied(action)
            return [self._look_up_failed(client_id, error)]
        reported = self._reported(order)
        return [*self._fills(fills), reported]

    async def listed(self, look_ups: Sequence[LookUp]) -> list[OrderReported]:
        """What one list of the open orders says of these: it is the whole truth of those that nothing has filled.

        The others are to be asked for one by one: what is not in the list is anything but known.
        """
        wanted = {look_up.client_id for look_up in look_ups}
        try:
            with self._list_seconds.time():
                orders = await self._client.open_orders(self._symbol, client_id_prefix(self._caller.bot_uid))
        except VenueError as error:
            log.warning("open_orders_not_listed", error=str(error))
            self._hold(error.failure)
            return []
        unfilled = [order for order in orders if order.state is OrderState.OPEN and not order.filled]
        return [self._reported(order) for order in unfilled if order.client_id in wanted]

    async def _denied(self, action: LookUp) -> list[Event]:
        """What the exchange has of an order whose id it denies: whether it is open, and its fills."""
        client_id = action.client_id
        if not action.since:
            return [OrderNotFound(self._clock.now(), client_id)]
        try:
            open_orders = await self._client.open_orders(self._symbol, client_id)
            fills = await self._client.fills(self._symbol, client_id, action.since - CLOCKS_APART)
        except VenueError as error:
            return [self._look_up_failed(client_id, error)]
        told = self._fills([fill for fill in fills if fill.client_id == client_id])
        for order in open_orders:
            if order.client_id == client_id:
                return [*told, self._reported(order)]
        return [*told, OrderNotFound(self._clock.now(), client_id, confirmed=True)]

    def _fills(self, fills: Sequence[VenueFill]) -> list[Event]:
        return [self._translation.fill(fill, told_by=self._clock.told_by()) for fill in fills]

    def _look_up_failed(self, client_id: str, error: VenueError) -> Event:
        retry_at = self._retry_at(client_id, error.failure)
        return LookUpFailed(self._clock.now(), client_id, error.failure.message, retry_at)

    async def carry_out(self, actions: Sequence[Action]) -> list[Event]:
        """All of them, one call after another in a fixed order: for lockstep, where nothing may depend on timing."""
        events: list[Event] = []
        cancels = [action.client_id for action in actions if isinstance(action, Cancel)]
        places = [action for action in actions if isinstance(action, Place)]
        placed = {place.client_id for place in places}
        late = [client_id for client_id in cancels if client_id in placed]
        for batch in _batches([client_id for client_id in cancels if client_id not in placed], self.cancel_limit):
            events += await self.cancel(batch)
        lacking = False
        for orders in _batches(places, self.place_limit):
            held_back = [place for place in orders if lacking and not is_exit(place)]
            events += [self.not_sent(place) for place in held_back]
            if sent := [place for place in orders if place not in held_back]:
                answers = await self.place(sent)
                lacking |= lacks_margin(answers)
                events += answers
        for batch in _batches(late, self.cancel_limit):
            events += await self.cancel(batch)
        look_ups = list(dict.fromkeys(action for action in actions if isinstance(action, LookUp)))
        listed = await self.listed(look_ups) if len(look_ups) >= LISTED_FROM else []
        events += listed
        answered = {event.client_id for event in listed}
        for look_up in look_ups:
            if look_up.client_id not in answered:
                events += await self.look_up(look_up)
        return events

    def _reported(self, order: VenueOrder) -> OrderReported:
        self._delays.pop(order.client_id, None)
        self._clock.saw(order.time_us)
        return self._translation.order(order)

    def _retry_at(self, client_id: str, failure: Failure) -> int:
        """The earliest time of another try, in market time."""
        if failure.remedy is Remedy.FENCED:
            raise Fenced(f"the connector refuses this instance: {failure.message}")
        self._hold(failure)
        after = failure.retry_after_ms / 1000
        if client_id not in self._delays:
            self._delays[client_id] = RETRIES.delays(self._random.uniform)
        return self._clock.now() + int(max(after, next(self._delays[client_id])) * 1_000_000)

    def _hold(self, failure: Failure) -> None:
        if failure.remedy is Remedy.BACK_OFF:
            self.held_until = max(self.held_until, time.monotonic() + failure.retry_after_ms / 1000)


def is_exit(place: Place) -> bool:
    """Also where it is not reduce-only: on spot, and beside a neutral grid's other side."""
    return place.reduce_only or leg_of(place.client_id) is Leg.EXIT


def lacks_margin(answers: Sequence[Event]) -> bool:
    return any(isinstance(one, PlaceFailed) and one.remedy is Remedy.INSUFFICIENT_MARGIN for one in answers)


def _padded(results: Sequence[VenueOrder | Failure], length: int) -> list[VenueOrder | Failure]:
    """Exactly `length` results: nobody knows about an order that was left out."""
    return [*results[:length], *[_UNANSWERED] * (length - len(results))]


def _batches(items: Sequence[Item], limit: int) -> list[Sequence[Item]]:
    return [items[start : start + limit] for start in range(0, len(items), limit)]
