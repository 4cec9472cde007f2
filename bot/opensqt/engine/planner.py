"""What should be in the market now, and what is placed and withdrawn for it, while the goal is to run or to pause."""

from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.client_id import Leg, client_id
from opensqt.engine.config import EngineConfig
from opensqt.engine.gate import ROOM, Closed, Exposure, Gate
from opensqt.engine.grid import Grid, nearest, worth_buying
from opensqt.engine.lifecycle import send, withdraw
from opensqt.engine.orders import Order, Stage
from opensqt.engine.settlement import smallest_exit
from opensqt.engine.slots import Slot
from opensqt.engine.state import Turn

PASSING = frozenset({Closed.HALTED, Closed.BACKING_OFF, Closed.FEED_LOST, Closed.NO_PRICE})
"""Reasons to wait with sending an order again, rather than to give it up."""
MOST_CROSSED = 3
"""Post-only rejects in a row after which a slot's order may take."""


class Planner:
    """One turn's planning. It brings the market nearer to the plan; the answers to its orders do the rest."""

    def __init__(self, turn: Turn, config: EngineConfig, grid: Grid) -> None:
        self._turn = turn
        self._config = config
        self._grid = grid
        self._state = turn.state
        self._gate = Gate(turn.state, config, turn.market, turn.now)
        self._price = turn.state.last_price
        self._index = nearest(grid, self._price)
        self._mark = grid.level(self._index)
        """The position is valued at the grid price, so that nothing depends on where in between the price is."""
        self._now = Exposure.now(turn.state, turn.market, self._mark)
        self._later = self._now.later(turn.state, turn.market)
        """The exposure when all cancels are through."""
        self._limit = ""

    def run(self) -> None:
        self._withdraw_entries()
        self._withdraw_exits()
        self._resend()
        if not self._state.slots.closing.order:  # else the position may be gone in a moment
            self._place_exits()
            self._place_entries()
        self._note_limit()
        self._forget_slots()

    # --- what must go ---

    def _withdraw_entries(self) -> None:
        """Entries that must not be there: all where entries are stopped, else those that fit the spec no more."""
        stopped = self._gate.unwelcome() is not None
        for order in self._state.orders.entries():
            if stopped or not self._fits(order):
                self._withdraw(order)
        farthest_first = sorted(self._wanted_entries(), key=_price)
        while farthest_first and self._gate.too_much(self._later):
            self._withdraw(farthest_first.pop(0))

    def _withdraw_exits(self) -> None:
        """Exits of what is not held any more, as after a close that was called off; and that close itself."""
        for order in self._state.orders.exits():
            slot = self._state.slots.by_number[order.slot]
            if order.remaining > slot.holding.lots:
                self._withdraw(order)

    def _fits(self, order: Order) -> bool:
        """Whether the entry is one that this spec would place at its price."""
        slot = self._state.slots.by_number[order.slot]
        return (
            self._is_level(slot)
            and self._gate.in_band(slot.price)
            and order.lots == self._lots(slot.price, slot.holding.lots - order.filled)
        )

    def _is_level(self, slot: Slot) -> bool:
        index = self._grid.below(slot.price)
        return self._grid.level(index) == slot.price and self._grid.level(index + 1) == slot.exit_price

    def _withdraw(self, order: Order) -> None:
        if order.unwanted:
            return
        withdraw(self._turn, order)
        if order.unwanted:
            self._later.remove(self._turn.market, order)
            if order.client_id not in self._state.orders.live:
                self._now.remove(self._turn.market, order)

    # --- what was not carried out ---

    def _resend(self) -> None:
        """Orders that the exchange does not have are sent again under their own ids, or given up."""
        for order in [order for order in self._state.orders.live.values() if order.stage is Stage.WAITING]:
            if self._turn.now < order.due:
                continue
            closed = self._still_closed(order)
            if closed is None:
                send(self._turn, order)
            elif closed not in PASSING:
                self._withdraw(order)

    def _still_closed(self, order: Order) -> Closed | None:
        others = self._now.without(self._turn.market, order)
        if order.leg is Leg.EXIT:
            return self._gate.exit(others)
        if order.price is None or not self._in_window(order.price):
            return Closed.PRICE_BAND
        return self._gate.entry(others, order.price, order.lots)

    def _in_window(self, price: int) -> bool:
        index = self._grid.below(price)
        return self._index - self._config.buy_window < index <= self._index and self._worth(index)

    # --- exits ---

    def _place_exits(self) -> None:
        """Held levels, up to the sell window above the last price, nearest first."""
        top = self._grid.level(self._grid.below(self._price) + self._config.sell_window)
        for slot in reversed(self._state.slots.held()):
            if slot.price > top:
                break
            if slot.order or slot.refused or slot.holding.lots < smallest_exit(self._turn.market):
                continue
            if self._turn.now < slot.not_before:
                continue
            closed = self._gate.exit(self._now)
            if closed is None:
                self._place(slot, Leg.EXIT, slot.exit_price, slot.holding.lots)
            elif closed is not Closed.MAX_OPEN_ORDERS or not self._make_room_for_exit(slot):
                break

    def _make_room_for_exit(self, slot: Slot) -> bool:
        """Withdraws the farthest entry, or else an exit farther than this one; says whether the room will suffice."""
        if self._later.orders >= self._config.max_open_orders:
            entries = sorted(self._wanted_entries(), key=_price)
            exits = sorted((o for o in self._state.orders.exits() if not o.unwanted), key=_price)
            if entries:
                self._withdraw(entries[0])
            elif exits and _price(exits[-1]) > slot.exit_price:
                self._withdraw(exits[-1])
            else:
                return False
        self._later.orders += 1
        return True

    # --- entries ---

    def _place_entries(self) -> None:
        """Levels of the buy window without an order, nearest to the price first; the farthest entries make room."""
        if self._gate.entries():
            return
        for index in range(self._index, self._index - self._config.buy_window, -1):
            price = self._grid.level(index)
            if price <= 0 or price < self._config.lower:
                break
            if not self._gate.in_band(price) or not self._worth(index):
                continue
            slot = self._state.slots.by_price.get(price)
            if slot is not None and not self._free_for_entry(slot, index):
                continue
            lots = self._lots(price, slot.holding.lots if slot else 0)
            if not self._place_entry(index, price, lots):
                break

    def _free_for_entry(self, slot: Slot, index: int) -> bool:
        return (
            not slot.order
            and not slot.refused
            and slot.holding.lots < smallest_exit(self._turn.market)
            and self._turn.now >= slot.not_before
            and (not slot.holding.lots or slot.exit_price == self._grid.level(index + 1))
        )

    def _place_entry(self, index: int, price: int, lots: int) -> bool:
        """Places the entry, or makes room for it; says whether there may be room for farther ones."""
        farthest_first = sorted((o for o in self._wanted_entries() if _price(o) < price), key=_price)
        while len(self._wanted_entries()) >= self._config.buy_window and farthest_first:
            self._withdraw(farthest_first.pop(0))
        if len(self._wanted_entries()) >= self._config.buy_window:
            return False
        closed = self._gate.entry(self._now, price, lots)
        if closed is None:
            self._place(self._state.slots.open(price, self._grid.level(index + 1)), Leg.ENTRY, price, lots)
            return True
        if closed not in ROOM:
            return closed is Closed.TOO_SMALL
        self._limit = self._limit or closed
        while self._gate.entry(self._later, price, lots) and farthest_first:
            self._withdraw(farthest_first.pop(0))
        if self._gate.entry(self._later, price, lots):
            return False
        self._later.orders += 1
        self._later.entry_lots += lots
        self._later.entry_money += self._turn.market.notional(price, lots)
        return True

    def _note_limit(self) -> None:
        if self._limit != self._state.limit_reached:
            self._state.limit_reached = self._limit
            self._turn.changed = True

    def _wanted_entries(self) -> list[Order]:
        return [order for order in self._state.orders.entries() if not order.unwanted]

    def _worth(self, index: int) -> bool:
        return worth_buying(self._grid, index, self._price)

    def _lots(self, price: int, dust: int) -> int:
        """What the order size buys at this price, less dust that the slot holds, unless that makes it too small."""
        market = self._turn.market
        lots = self._config.order_money // market.notional(price, 1)
        rest = lots - dust
        too_small = rest < smallest_exit(self._turn.market) or market.notional(price, rest) < market.min_notional
        return lots if too_small else rest

    # --- both ---

    def _place(self, slot: Slot, leg: Leg, price: int, lots: int) -> None:
        attempt = slot.entries if leg is Leg.ENTRY else slot.exits
        order = Order(
            client_id=client_id(self._turn.bot_uid, leg, slot.number, slot.cycle, attempt),
            slot=slot.number,
            leg=leg,
            side=OrderSide.BUY if leg is Leg.ENTRY else OrderSide.SELL,
            price=price,
            lots=lots,
            time_in_force=self._time_in_force(slot),
        )
        if leg is Leg.ENTRY:
            slot.entries += 1
        else:
            slot.exits += 1
        slot.order = order.client_id
        self._state.orders.live[order.client_id] = order
        self._now.add(self._turn.market, order)
        self._later.add(self._turn.market, order)
        send(self._turn, order)

    def _time_in_force(self, slot: Slot) -> TimeInForce:
        post_only = self._config.post_only and slot.crossed < MOST_CROSSED
        return TimeInForce.POST_ONLY if post_only else TimeInForce.GTC

    def _forget_slots(self) -> None:
        """Keeps the number of slots bounded while the price wanders."""
        slots = self._state.slots
        if len(slots.by_number) <= 4 * self._config.buy_window + 2 * len(slots.held()):
            return
        low = self._grid.level(self._index - 2 * self._config.buy_window)
        high = self._grid.level(self._index + 2 * self._config.buy_window)
        remembered = self._state.orders.remembered_slots
        for slot in slots.levels():
            near = low <= slot.price <= high and slots.by_price[slot.price] is slot
            if slot.idle and not near and slot.number not in remembered:
                slots.forget(slot)
                self._turn.changed = True


def _price(order: Order) -> int:
    return order.price or 0
