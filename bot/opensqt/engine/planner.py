"""What should be in the market now, and what is placed and withdrawn for it, while the goal is to run or to pause."""

from opensqt.engine.actions import TimeInForce
from opensqt.engine.client_id import Leg, client_id
from opensqt.engine.config import EngineConfig
from opensqt.engine.gate import ROOM, Closed, Exposure, Gate
from opensqt.engine.grid import nearest
from opensqt.engine.inventory import Inventory
from opensqt.engine.ladder import Ladder
from opensqt.engine.layout import Layout
from opensqt.engine.lifecycle import send, withdraw
from opensqt.engine.orders import Order, Stage
from opensqt.engine.settlement import closable, slot_of, smallest_exit
from opensqt.engine.side import Side
from opensqt.engine.sizing import lots_at
from opensqt.engine.slots import Slot
from opensqt.engine.state import Turn

PASSING = frozenset(
    {
        Closed.HALTED,
        Closed.BACKING_OFF,
        Closed.FEED_LOST,
        Closed.NO_PRICE,
        Closed.PRICE_SUSPECTED,
        Closed.MONITOR_BLIND,
        Closed.WAITING_FOR_CANDLES,
    }
)
"""Reasons to wait with sending an order again, rather than to give it up."""
MOST_CROSSED = 3
"""Post-only rejects in a row after which a slot's order may take."""


class Planner:
    """One turn's planning. It brings the market nearer to the plan; the answers to its orders do the rest."""

    def __init__(self, turn: Turn, config: EngineConfig, layout: Layout) -> None:
        self._turn = turn
        self._config = config
        self._grid = layout.grid
        self._ladders = {side: Ladder(side, layout, config) for side in Side}
        self._state = turn.state
        self._inventories = {
            side: Inventory(turn.state, config, turn.market, ladder) for side, ladder in self._ladders.items()
        }
        self._gate = Gate(turn.state, config, turn.market, turn.now)
        self._price = turn.state.last_price
        self._index = nearest(self._grid, self._price)
        self._mark = self._grid.level(self._index)
        """Positions are valued, and distances measured, at the grid price, so that quiet prices change nothing."""
        self._now = Exposure.now(turn.state, turn.market, self._mark)
        self._later = self._now.later(turn.state, turn.market)
        """The exposure when all cancels are through."""
        self._windows: dict[Side, dict[int, None]] = {}
        self._limit = ""
        self._outside = 0
        """The price of an order that was refused for it."""

    def run(self) -> None:
        self._withdraw_entries()
        self._withdraw_exits()
        self._resend()
        if not self._state.slots.closing.order:  # else the position may be gone in a moment
            self._place_exits()
            self._place_entries()
        self._note_refusals()
        self._forget_slots()

    # --- what must go ---

    def _withdraw_entries(self) -> None:
        """Entries that must not be there: all where entries are stopped, else those that fit the spec no more."""
        stopped = self._gate.unwelcome() is not None
        for order in self._state.orders.entries():
            if stopped or not self._fits(order):
                self._withdraw(order)
        if not any(self._gate.too_much(self._later, side) for side in Side):
            return
        for order in self._farthest_first(self._wanted_entries()):
            if self._gate.too_much(self._later, order.slot_side):
                self._withdraw(order)

    def _withdraw_exits(self) -> None:
        """Exits of what is not held any more, as after a close that was called off; and that close itself."""
        for order in self._state.orders.exits():
            slot = slot_of(self._turn, order)
            if order.remaining > slot.held:
                self._withdraw(order)

    def _fits(self, order: Order) -> bool:
        """Whether the entry is one that this spec would place at its price."""
        slot = slot_of(self._turn, order)
        if not self._ladders[slot.side].is_level(slot):
            return False
        if self._inventories[slot.side].keeps_away(self._grid.below(slot.price)):
            return False
        return order.lots == self._lots(slot.price, slot.held_before(order.filled, order.taken))

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
                self._note_price(closed, order.price)
                self._withdraw(order)

    def _still_closed(self, order: Order) -> Closed | None:
        others = self._now.without(self._turn.market, order)
        if order.price is None:
            return Closed.OUTSIDE_WINDOW  # a close at market that was called off
        if order.leg is Leg.EXIT:
            return self._gate.exit(others, order.slot_side, order.price, order.lots)
        if not self._in_window(self._ladders[order.slot_side], order.price):
            return Closed.OUTSIDE_WINDOW
        return self._gate.entry(others, order.slot_side, order.price, order.lots)

    def _in_window(self, ladder: Ladder, price: int) -> bool:
        index = self._grid.below(price)
        return index in self._enterable(ladder.side) and ladder.worth_entering(index, self._price)

    # --- exits ---

    def _place_exits(self) -> None:
        """Held levels, as far as the window of exits reaches, nearest first."""
        for slot in self._in_reach():
            if slot.order or slot.refused or not closable(self._turn.market, slot):
                continue
            if self._turn.now < slot.not_before:
                continue
            closed = self._gate.exit(self._now, slot.side, self._exit_price(slot), slot.held)
            if closed is None:
                self._gather_dust(slot)
                self._place(slot, Leg.EXIT, self._exit_price(slot), self._turn.market.at_most(slot.held))
            elif closed is not Closed.MAX_OPEN_ORDERS or not self._make_room_for_exit(slot):
                break

    def _exit_price(self, slot: Slot) -> int:
        """Its own, or a better one where the price has gone so far past that it would be outside the band."""
        return self._gate.allowed_price(slot.side.exit, slot.exit_price, slot.held)

    def _gather_dust(self, slot: Slot) -> None:
        """Dust of levels that the grid has no more goes with an exit at least as good as its own."""
        for other in self._state.slots.held(slot.side):
            stray = other is not slot and not other.order and not self._ladders[slot.side].is_level(other)
            as_good = slot.side.gain(other.exit_price, slot.exit_price) >= 0
            if stray and as_good and not closable(self._turn.market, other):
                slot.holding.take(other.holding)

    def _in_reach(self) -> list[Slot]:
        slots = []
        for side, ladder in self._ladders.items():
            reach = ladder.reach(self._price)
            slots += [slot for slot in self._state.slots.held(side) if side.gain(slot.price, reach) >= 0]
        return sorted(slots, key=lambda slot: slot.side.gain(self._mark, slot.exit_price))

    def _make_room_for_exit(self, slot: Slot) -> bool:
        """Withdraws the farthest entry, or else an exit farther than this one; says whether the room will suffice."""
        if self._later.orders >= self._config.max_open_orders:
            entries = self._farthest_first(self._wanted_entries())
            exits = self._farthest_first([order for order in self._state.orders.exits() if not order.unwanted])
            if entries:
                self._withdraw(entries[0])
            elif exits and self._distance(exits[0]) > slot.side.gain(self._mark, slot.exit_price):
                self._withdraw(exits[0])
            else:
                return False
        self._later.orders += 1
        return True

    # --- entries ---

    def _place_entries(self) -> None:
        """Levels of the windows without an order, nearest to the price first; the farthest entries make room."""
        if self._gate.entries():
            return
        full: set[Side] = set()
        for side, index in self._window():
            if side not in full and not self._enter(self._ladders[side], index):
                full.add(side)

    def _window(self) -> list[tuple[Side, int]]:
        """The levels of the windows of all sides."""
        levels = [(side, index) for side in self._config.sides for index in self._enterable(side)]
        return sorted(levels, key=lambda level: level[0].gain(self._grid.level(level[1]), self._mark))

    def _enterable(self, side: Side) -> dict[int, None]:
        """The levels of a window that its inventory leaves to entries, nearest first; the same for the whole turn."""
        if side not in self._windows:
            inventory, levels = self._inventories[side], self._ladders[side].window(self._price)
            self._windows[side] = dict.fromkeys(index for index in levels if not inventory.keeps_away(index))
        return self._windows[side]

    def _enter(self, ladder: Ladder, index: int) -> bool:
        """Gives the level an entry where it should have one; says whether there may be room for farther ones."""
        price = self._grid.level(index)
        slot = self._state.slots.by_level.get((ladder.side, price))
        if slot is not None and not self._free_for_entry(slot):
            return True
        if not ladder.worth_entering(index, self._price):
            return True
        return self._place_entry(ladder, index, price, self._lots(price, slot.held if slot else 0))

    def _free_for_entry(self, slot: Slot) -> bool:
        return (
            not slot.order
            and not slot.refused
            and not closable(self._turn.market, slot)
            and self._turn.now >= slot.not_before
        )

    def _place_entry(self, ladder: Ladder, index: int, price: int, lots: int) -> bool:
        """Places the entry, or makes room for it; says whether there may be room for farther ones."""
        side, window = ladder.side, self._config.window(ladder.side)
        wanted = self._wanted_entries()
        excess = max(0, sum(order.slot_side is side for order in wanted) + 1 - window)
        closed = self._gate.entry(self._now, side, price, lots)
        farther = self._farther(wanted, side.gain(price, self._mark)) if excess or closed in ROOM else []
        if excess:
            own = [order for order in farther if order.slot_side is side]
            for order in own[:excess]:
                self._withdraw(order)
            if excess > len(own):
                return False
            closed = self._gate.entry(self._now, side, price, lots)
        if closed is None:
            slot = self._state.slots.open(side, price, ladder.exit_price(index))
            slot.exit_price = ladder.exit_price(index)  # also of dust that another spacing has left there
            self._place(slot, Leg.ENTRY, price, lots)
            return True
        if closed not in ROOM:
            self._note_price(closed, price)
            return closed in {Closed.TOO_SMALL, Closed.TOO_LARGE, Closed.OUTSIDE_PRICE_BAND}
        self._limit = self._limit or closed
        for order in farther:
            closed = self._gate.entry(self._later, side, price, lots)
            if closed and (order.slot_side is side or closed is Closed.MAX_OPEN_ORDERS):
                self._withdraw(order)
        if self._gate.entry(self._later, side, price, lots):
            return False
        self._later.reserve(side, lots, self._turn.market.notional(price, lots))
        return True

    def _note_price(self, closed: Closed, price: int | None) -> None:
        if closed is Closed.OUTSIDE_PRICE_BAND:
            self._outside = self._outside or price or 0

    def _note_refusals(self) -> None:
        state, turn = self._state, self._turn
        if self._limit != state.limit_reached:
            state.limit_reached, turn.changed = self._limit, True
        if self._outside != state.outside_band:
            told, state.outside_band, turn.changed = state.outside_band, self._outside, True
            if not told:
                turn.warn(
                    "OrderOutsidePriceBand",
                    f"an order at {turn.market.from_ticks(self._outside)} is not sent: spec.riskLimits."
                    f"maxPriceDeviationPercent lets none trade so far beyond {turn.market.from_ticks(self._price)}",
                )

    def _wanted_entries(self) -> list[Order]:
        return [order for order in self._state.orders.entries() if not order.unwanted]

    def _farther(self, orders: list[Order], distance: int) -> list[Order]:
        """Those that are farther than this, farthest first."""
        return self._farthest_first([order for order in orders if self._distance(order) > distance])

    def _farthest_first(self, orders: list[Order]) -> list[Order]:
        return sorted(orders, key=self._distance, reverse=True)

    def _distance(self, order: Order) -> int:
        """How far the price must go to fill the order, in ticks."""
        distance = order.slot_side.gain(self._mark, order.price or 0)
        return -distance if order.leg is Leg.ENTRY else distance

    def _lots(self, price: int, dust: int) -> int:
        """What the order size buys at this price, less dust that the slot holds, unless that makes it too small."""
        market = self._turn.market
        lots = lots_at(self._state, market, self._config, price)
        rest = lots - dust
        too_small = rest < smallest_exit(market) or market.notional(price, rest) < market.min_notional
        return lots if too_small else rest

    # --- both ---

    def _place(self, slot: Slot, leg: Leg, price: int, lots: int) -> None:
        attempt = slot.entries if leg is Leg.ENTRY else slot.exits
        order = Order(
            client_id=client_id(self._turn.bot_uid, leg, slot.number, slot.cycle, attempt),
            slot=slot.number,
            leg=leg,
            side=slot.side.entry if leg is Leg.ENTRY else slot.side.exit,
            may_open=leg is Leg.EXIT and (self._turn.market.spot or bool(self._state.slots.held(slot.side.other))),
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
        slots, orders = self._state.slots, self._state.orders
        window = max(self._config.window(side) for side in self._config.sides)
        most = 4 * window * len(self._config.sides) + len(orders.given_up) + len(orders.ended)
        if len(slots.by_number) <= most or len(slots.by_number) <= most + 2 * sum(s.held > 0 for s in slots.levels()):
            return
        low = self._grid.level(self._index - 2 * window)
        high = self._grid.level(self._index + 2 * window)
        remembered = orders.remembered_slots
        for slot in slots.levels():
            near = low <= slot.price <= high and slots.by_level[slot.side, slot.price] is slot
            near = near and self._ladders[slot.side].is_level(slot)
            if slot.idle and not near and slot.number not in remembered:
                slots.forget(slot)
                self._turn.changed = True
