import json
from dataclasses import replace
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.actions import Action, Cancel
from opensqt.engine.codec import decode_action, decode_event, encode_action, encode_event
from opensqt.engine.engine import Engine
from opensqt.engine.events import Event, OrderFilled, OrderReported, OrderState
from opensqt.engine.json_form import UnreadableError
from opensqt.engine.market import Market
from tests.engine.rig import BOT_UID, MARKET, trading

st.register_type_strategy(
    Market,
    st.builds(
        Market,
        tick_size=st.decimals("0.00000001", 1000, places=8),
        lot_size=st.decimals("0.00000001", 1000, places=8),
    ),
)
ANY_EVENT = st.one_of([st.from_type(kind) for kind in get_args(Event)])
ANY_ACTION = st.one_of([st.from_type(kind) for kind in get_args(Action)])


@given(ANY_EVENT)
def test_every_event_survives_json(event: Event) -> None:
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


@given(ANY_ACTION)
def test_every_action_survives_json(action: Action) -> None:
    assert decode_action(json.loads(json.dumps(encode_action(action)))) == action


def test_the_form_is_fixed_since_journals_are_kept() -> None:
    assert encode_event(OrderReported(5, "c", OrderState.CANCELLED, 3)) == {
        "k": "OrderReported/1",
        "time": 5,
        "client_id": "c",
        "state": "Cancelled",
        "filled": 3,
    }
    assert encode_action(Cancel("c")) == {"k": "Cancel/1", "client_id": "c"}


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"k": "OrderFilled/9"},
        {"k": "Cancel/1", "client_id": "c"},
        {"k": "OrderFilled/1", "time": 1},
        {**encode_event(OrderFilled(1, "c", "t", 1, 1, 1, maker=True)), "novelty": 1},
        {**encode_event(OrderFilled(1, "c", "t", 1, 1, 1, maker=True)), "lots": 1.5},
    ],
)
def test_what_this_version_does_not_know_is_not_read_by_halves(damaged: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        decode_event(damaged)


def test_a_snapshot_brings_the_same_engine_back() -> None:
    rig = trading()
    rig.fill(rig.entry(1000), 4)
    snapshot = json.loads(json.dumps(rig.engine.snapshot()))
    restored = Engine.restore(MARKET, BOT_UID, snapshot)
    assert restored.snapshot() == snapshot
    assert restored.live_orders() == rig.engine.live_orders()
    assert restored.view().slots == rig.engine.view().slots


def test_a_snapshot_is_of_what_is_in_the_log() -> None:
    """A price that was not worth logging is lost in a crash; a snapshot must not know it either."""
    rig = trading()
    rig.price(1003)
    assert not rig.engine.dirty
    assert rig.engine.snapshot() == rig.replayed().snapshot()


def test_a_snapshot_in_other_ticks_is_refused() -> None:
    snapshot = trading().engine.snapshot()
    with pytest.raises(UnreadableError, match="ticks and lots"):
        Engine.restore(replace(MARKET, tick_size=Decimal("0.1")), BOT_UID, snapshot)


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(UnreadableError, match="version"):
        Engine.restore(MARKET, BOT_UID, {**trading().engine.snapshot(), "version": 99})
