"""Wrong requests are refused with a message that names the field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.epochs import Epochs
from opensqt.connector.requests import parse_new_order
from opensqt.connector.venue import Failure, NewOrder, VenueError
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb

SOUND: dict[str, Any] = {
    "symbol": "BTC/USDT:USDT",
    "client_id": "obot1",
    "side": pb.SIDE_BUY,
    "type": pb.ORDER_TYPE_LIMIT,
    "price": "100.5",
    "quantity": "0.01",
    "time_in_force": pb.TIME_IN_FORCE_POST_ONLY,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", ""),
        ("client_id", "a" * 29),
        ("client_id", "with-dash"),
        ("client_id", "naïve"),
        ("client_id", "٣"),
        ("symbol", ""),
        ("side", 0),
        ("side", 9),
        ("type", 0),
        ("time_in_force", 0),
        *(
            (field, value)
            for field in ("price", "quantity")
            for value in (
                "",
                "0",
                "0.000",
                "-1",
                "+1",
                "1e5",
                "NaN",
                "Infinity",
                "1,5",
                " 1",
                "0x10",
                "1.",
                ".5",
                "٣",
                "9" * 19,
            )
        ),
    ],
)
def test_a_wrong_field_is_named(field: str, value: str | int) -> None:
    outcome = parse_new_order(pb.NewOrder(**(SOUND | {field: value})))
    assert isinstance(outcome, Failure)
    assert outcome.remedy is Remedy.FIX_REQUEST
    assert outcome.message.startswith(f"{field}:")


def test_a_market_order_has_no_price() -> None:
    market = SOUND | {"type": pb.ORDER_TYPE_MARKET}
    outcome = parse_new_order(pb.NewOrder(**market))
    assert isinstance(outcome, Failure)
    assert outcome.message.startswith("price:")
    sound = parse_new_order(pb.NewOrder(**(market | {"price": ""})))
    assert isinstance(sound, NewOrder)
    assert sound.price is None


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_sent_nothing_is_raised(client_id: str, price: str, quantity: str) -> None:
    outcome = parse_new_order(pb.NewOrder(**(SOUND | {"client_id": client_id, "price": price, "quantity": quantity})))
    if isinstance(outcome, NewOrder):
        assert outcome.price is not None
        assert outcome.price > 0
        assert outcome.quantity > 0


def refusal(epochs: Epochs, uid: str, epoch: int) -> Remedy | None:
    try:
        epochs.admit(pb.Caller(bot_uid=uid, epoch=epoch))
    except VenueError as error:
        return error.failure.remedy
    return None


def test_only_the_newest_epoch_is_served() -> None:
    epochs = Epochs()
    assert refusal(epochs, "a", 3) is None
    assert refusal(epochs, "a", 3) is None
    assert refusal(epochs, "b", 1) is None
    assert refusal(epochs, "a", 2) is Remedy.FENCED
    assert refusal(epochs, "a", 5) is None
    assert refusal(epochs, "a", 4) is Remedy.FENCED


def test_a_caller_must_say_who_it_is() -> None:
    assert refusal(Epochs(), "", 1) is Remedy.FIX_REQUEST
    assert refusal(Epochs(), "a", 0) is Remedy.FIX_REQUEST


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6)), max_size=30))
def test_a_refused_epoch_is_always_an_older_one(calls: list[tuple[str, int]]) -> None:
    epochs, newest = Epochs(), dict.fromkeys("ab", 0)
    for uid, epoch in calls:
        assert (refusal(epochs, uid, epoch) is Remedy.FENCED) == (epoch < newest[uid])
        newest[uid] = max(newest[uid], epoch)
