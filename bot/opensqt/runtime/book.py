"""Orders, slots and fills for a snapshot of the bot."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.connector.wire import SIDE_TO_PROTO, TIME_IN_FORCE_TO_PROTO
from opensqt.engine.actions import OrderSide
from opensqt.engine.client_id import client_id_prefix
from opensqt.engine.engine import Engine
from opensqt.engine.events import Event, OrderFilled
from opensqt.engine.market import Market
from opensqt.engine.view import OrderView
from opensqt.exchange.v1 import exchange_pb2
from opensqt.journal.reader import JournalledFill, JournalReader
from opensqt.runtime.status import money, plain, slots_of

FILLS_KEPT = 1000


class Book:
    """The engine's slots and live orders, and the newest fills that were committed."""

    def __init__(self, engine: Engine, market: Market, bot_uid: str, quote: str, dsn: str) -> None:
        self._engine = engine
        self._market = market
        self._bot_uid = bot_uid
        self._quote = quote
        self._dsn = dsn
        self._fills: OrderedDict[str, OrderFilled] = OrderedDict()
        """By trade id."""

    def committed(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, OrderFilled) and event.client_id.startswith(client_id_prefix(self._bot_uid)):
                self._fills.setdefault(event.trade_id, event)
        while len(self._fills) > FILLS_KEPT:
            self._fills.popitem(last=False)

    def orders(self) -> Sequence[exchange_pb2.Order]:
        """What the engine holds live; without a status, until the exchange is known to have it."""
        return [self._order(order) for order in self._engine.orders()]

    def slots(self) -> Sequence[pb.Slot]:
        return slots_of(self._engine.view().slots, self._market)

    async def fills(self, most: int) -> Sequence[exchange_pb2.Fill]:
        """The newest, oldest first; those that this instance has not seen are the journal's to tell.

        Raises JournalError.
        """
        if not most:
            return []
        seen: Sequence[OrderFilled | JournalledFill] = list(self._fills.values())
        if most > len(seen) and self._engine.view(slots=False).fills > len(seen):
            earlier = await self._journalled(most)
            read = {fill.trade_id for fill in earlier}
            # Others may have been committed meanwhile, and the status that goes with these fills counts them.
            seen = [*earlier, *(fill for trade_id, fill in self._fills.items() if trade_id not in read)]
        return [self._fill(fill) for fill in seen[-most:]]

    async def _journalled(self, most: int) -> list[JournalledFill]:
        reader = await JournalReader.open(self._dsn)
        try:
            return await reader.recent_fills(self._bot_uid, most)
        finally:
            await reader.close()

    def _order(self, order: OrderView) -> exchange_pb2.Order:
        place = order.place
        return exchange_pb2.Order(
            symbol=self._market.symbol,
            client_id=place.client_id,
            side=SIDE_TO_PROTO[place.side],
            type=exchange_pb2.ORDER_TYPE_MARKET if place.price is None else exchange_pb2.ORDER_TYPE_LIMIT,
            price="" if place.price is None else plain(self._market.from_ticks(place.price)),
            quantity=plain(self._market.from_lots(place.lots)),
            filled=plain(self._market.from_lots(order.filled)),
            status=exchange_pb2.ORDER_STATUS_OPEN if order.known else exchange_pb2.ORDER_STATUS_UNSPECIFIED,
            reduce_only=place.reduce_only,
            time_in_force=TIME_IN_FORCE_TO_PROTO[place.time_in_force],
        )

    def _fill(self, fill: OrderFilled | JournalledFill) -> exchange_pb2.Fill:
        return exchange_pb2.Fill(
            symbol=self._market.symbol,
            client_id=fill.client_id,
            trade_id=fill.trade_id,
            side=SIDE_TO_PROTO[OrderSide(fill.side)] if fill.side else exchange_pb2.SIDE_UNSPECIFIED,
            price=plain(self._market.from_ticks(fill.price)),
            quantity=plain(self._market.from_lots(fill.lots)),
            fee=money(fill.fee),
            fee_currency=self._quote,
            maker=fill.maker,
            time_us=fill.time,
        )
