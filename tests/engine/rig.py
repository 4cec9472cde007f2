"""A market, a spec, and a driver that feeds an engine as the shell does: what is dirty is logged, through the codec."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from opensqt.engine.actions import Action, Cancel, LookUp, Notify, OrderSide, Place
from opensqt.engine.client_id import Leg, parse
from opensqt.engine.codec import decode_action, decode_event, encode_action, encode_event
from opensqt.engine.config import EngineConfig
from opensqt.engine.engine import Engine
from opensqt.engine.events import (
    AccountReported,
    CandleChanged,
    ClockTicked,
    Configured,
    Event,
    Goal,
    OrderFilled,
    OrderNotFound,
    OrderReported,
    OrderState,
    PlaceFailed,
    PriceChanged,
    Remedy,
    Started,
)
from opensqt.engine.market import Market, to_money
from opensqt.engine.view import SlotView

BOT_UID = "5f0c4a3e-0000-4000-8000-000000000001"
SECOND = 1_000_000
MINUTE = 60 * SECOND
A = TypeVar("A", bound=Action)

MARKET = Market(
    symbol="BTC/USDT:USDT",
    tick_size=Decimal(1),
    lot_size=Decimal("0.01"),
    min_quantity=1,
    min_notional=to_money(Decimal(5)),
    maker_fee_ppm=200,
    taker_fee_ppm=500,
)
"""A tick is 1, a lot 0.01: one lot at a price of 1000 costs 10."""

CONFIG = EngineConfig(
    step=10,
    ratio_ppm=0,
    buy_window=3,
    sell_window=3,
    lower=0,
    upper=0,
    order_money=to_money(Decimal(100)),
    post_only=True,
    max_position=0,
    max_notional=0,
    max_open_orders=100,
    max_leverage=10,
    max_consecutive_losses=0,
    max_drawdown=0,
    max_drawdown_ppm=0,
    cooldown=0,
    reset_token="",
)
"""Levels 10 apart; 100 buys 10 lots at 1000."""


def _refuse_float(text: str) -> None:
    raise AssertionError(f"{text}: a state is of whole numbers")


def money(amount: str | int) -> int:
    return to_money(Decimal(amount))


class Thorough(Engine):
    """Plans after every event."""

    def _is_expected(self, event: Event, now: int) -> bool:
        return False


class Rig:
    """An engine with a log, a clock, and words for what an exchange says."""

    careful = True
    """Whether each event that is not kept is looked at for changes; costs more than the event."""

    def __init__(self, config: EngineConfig = CONFIG, *, market: Market = MARKET, goal: Goal = Goal.RUN) -> None:
        self.market = market
        self.engine = Engine(market, BOT_UID)
        self.now = 1_700_000_000 * SECOND
        self.config = config
        self.generation = 1
        self.log: list[str] = []
        self.actions: list[list[Action]] = []
        self.places: dict[str, Place] = {}
        self._unlogged_price: PriceChanged | None = None
        self._trades = 0
        self.feed(Started(self.now, 1))
        self.feed(Configured(self.now, 1, goal, config))

    # --- feeding ---

    def feed(self, event: Event) -> list[Action]:
        """Takes an event to the engine, and to the log if it must be kept; returns the actions."""
        before = self.engine.snapshot() if self.careful else None
        actions = self.engine.on(event)
        self.actions.append(actions)
        if actions or self.engine.dirty:
            if self._unlogged_price is not None:
                self._write(self._unlogged_price, [])
                self._unlogged_price = None
            self._write(event, actions)
        else:
            assert before is None or self.engine.snapshot() == before, "what is not kept must change nothing"
            if isinstance(event, PriceChanged):
                self._unlogged_price = event
        for place in of_kind(Place, actions):
            assert self.places.setdefault(place.client_id, place) == place, "an id stands for another order"
        return actions

    def _write(self, event: Event, actions: list[Action]) -> None:
        assert decode_event(json.loads(json.dumps(encode_event(event)))) == event
        assert [decode_action(json.loads(json.dumps(encode_action(action)))) for action in actions] == actions
        self.log.append(json.dumps([encode_event(event), [encode_action(action) for action in actions]]))

    def replayed(self, snapshot: dict[str, Any] | None = None, since: int = 0) -> Engine:
        """A fresh engine after the log, which must have decided the same, also where every event makes it plan."""
        for kind in (Thorough, Engine):
            engine = kind.restore(self.market, BOT_UID, snapshot) if snapshot else kind(self.market, BOT_UID)
            for line in self.log[since:]:
                event, actions = json.loads(line)
                assert [encode_action(action) for action in engine.on(decode_event(event))] == actions
        json.loads(json.dumps(engine.snapshot()["state"]), parse_float=_refuse_float)
        return engine

    def forget_unlogged(self) -> None:
        """A crash: what has not been logged is gone."""
        self._unlogged_price = None

    def price(self, price: int) -> list[Action]:
        return self.feed(PriceChanged(self.now, price))

    def wait(self, microseconds: int) -> list[Action]:
        """Time passes, as the engine has itself woken."""
        until, actions = self.now + microseconds, []
        while (wake := self.engine.wake_at) is not None and wake <= until:
            self.now = max(self.now, wake)
            actions += self.feed(ClockTicked(self.now))
        self.now = until
        return actions

    def configure(self, *, goal: Goal = Goal.RUN, **changes: Any) -> list[Action]:
        self.config = replace(self.config, **changes)
        self.generation += 1
        return self.feed(Configured(self.now, self.generation, goal, self.config))

    def restart(self) -> list[Action]:
        return self.feed(Started(self.now, self.engine.view().epoch + 1))

    def equity(self, amount: str | int) -> list[Action]:
        return self.feed(AccountReported(self.now, money(amount), money(amount)))

    def opened(self, *client_ids: str) -> list[Action]:
        return [a for i in client_ids for a in self.report(i, OrderState.OPEN)]

    def report(self, client_id: str, state: OrderState, filled: int = 0, *, would_cross: bool = False) -> list[Action]:
        return self.feed(OrderReported(self.now, client_id, state, filled, would_cross))

    def fill(self, client_id: str, lots: int | None = None, *, price: int | None = None, fee: int = 0) -> list[Action]:
        """One trade of the order: all of it at its own price, unless `lots` and `price` say otherwise."""
        place = self.places[client_id]
        self._trades += 1
        at = price if price is not None else place.price
        assert at is not None
        return self.feed(OrderFilled(self.now, client_id, f"t{self._trades}", at, lots or place.lots, fee, maker=True))

    def never_arrived(self, client_id: str) -> list[Action]:
        """The exchange does not have the order, and has not when it is asked again; returns what is done then."""
        asked = self.now
        actions = self.feed(OrderNotFound(asked, client_id))
        assert placed(actions) == [], "it may be on its way"
        while client_id not in looked_up(actions):
            actions = self.wait(SECOND)
            assert self.now <= asked + MINUTE
        assert self.now >= asked + 2 * SECOND
        return self.feed(OrderNotFound(self.now, client_id))

    def settle(self) -> None:
        """The exchange answers what is in flight until there is nothing more to answer."""
        while True:
            slots = {slot.client_id: slot.order for slot in self.engine.view().slots if slot.client_id}
            sent = [client_id for client_id, order in slots.items() if order in {"SUBMITTING", "IN_DOUBT"}]
            cancels = [client_id for client_id, order in slots.items() if order == "CANCEL_REQUESTED"]
            if not sent and not cancels:
                return
            self.opened(*sent)
            for client_id in cancels:
                self.report(client_id, OrderState.CANCELLED)

    def candle(self, high: int, low: int, close: int) -> list[Action]:
        """A minute passes, and the candle that was under way has closed; prices in ticks."""
        open_time = self.now // MINUTE * MINUTE
        self.wait(open_time + MINUTE - self.now)
        return self.feed(closed_candle(self.market, self.now, open_time, high, low, close))

    # --- looking ---

    def slot(self, price: int) -> SlotView:
        return next(slot for slot in self.engine.view().slots if slot.price == price)

    def entry(self, price: int) -> str:
        """The id of the newest entry at this price."""
        return self._newest(Leg.ENTRY, price)

    def exit(self, price: int) -> str:
        """The id of the newest exit at this price."""
        return self._newest(Leg.EXIT, price)

    def _newest(self, leg: Leg, price: int) -> str:
        keys = {
            client_id: parse(BOT_UID, client_id) for client_id, place in self.places.items() if place.price == price
        }
        return [client_id for client_id, key in keys.items() if key is not None and key.leg is leg][-1]

    def live(self, side: OrderSide) -> list[int]:
        """Prices of the orders of one side that are live, dearest first."""
        places = [self.places[client_id] for client_id in self.engine.live_orders()]
        return sorted((p.price for p in places if p.side is side and p.price is not None), reverse=True)


def trading(config: EngineConfig = CONFIG, *, market: Market = MARKET, price: int = 1004) -> Rig:
    """A rig whose grid is anchored at 1000, with the price at `price` and all its orders open."""
    rig = Rig(config, market=market)
    rig.price(1000)
    rig.settle()
    rig.price(price)
    rig.settle()
    return rig


def submitted() -> Rig:
    """A rig whose entries at 1000, 990 and 980 have not been answered, but for 990 and 980."""
    rig = Rig()
    rig.price(1000)
    rig.settle()
    rig.price(1004)
    assert rig.slot(1000).order == "SUBMITTING"
    return rig


def fail(rig: Rig, client_id: str, remedy: Remedy, after: int = 0) -> list[Place]:
    """The placement fails; returns what is placed in answer."""
    return of_kind(Place, rig.feed(PlaceFailed(rig.now, client_id, remedy, "because", rig.now + after)))


def closed_candle(market: Market, time: int, open_time: int, high: int, low: int, close: int) -> CandleChanged:
    """A candle of a minute that opened as it closed; prices in ticks."""
    first, highest, lowest = (to_money(market.from_ticks(price)) for price in (close, high, low))
    return CandleChanged(time, market.symbol, "1m", open_time, first, highest, lowest, first, 0, closed=True)


def of_kind(kind: type[A], actions: list[Action]) -> list[A]:
    return [action for action in actions if isinstance(action, kind)]


def placed(actions: list[Action]) -> list[tuple[OrderSide, int | None, int]]:
    return [(place.side, place.price, place.lots) for place in of_kind(Place, actions)]


def cancelled(actions: list[Action]) -> list[str]:
    return [cancel.client_id for cancel in of_kind(Cancel, actions)]


def looked_up(actions: list[Action]) -> list[str]:
    return [look_up.client_id for look_up in of_kind(LookUp, actions)]


def told(actions: list[Action]) -> list[str]:
    return [notify.reason for notify in of_kind(Notify, actions)]
