import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.client_id import Leg, OrderKey, client_id, client_id_prefix, parse

NUMBERS = st.integers(0, 36**6 - 1)
KEYS = st.builds(OrderKey, st.sampled_from(Leg), NUMBERS, NUMBERS, NUMBERS)


def id_of(uid: str, key: OrderKey) -> str:
    return client_id(uid, key.leg, key.slot, key.cycle, key.attempt)


@given(st.text(max_size=40), KEYS)
def test_an_id_is_what_all_five_exchanges_take_and_says_what_it_was_made_of(uid: str, key: OrderKey) -> None:
    text = id_of(uid, key)
    assert len(text) <= 28
    assert set(text) <= set(string.digits + string.ascii_lowercase)
    assert text.startswith(client_id_prefix(uid))
    assert parse(uid, text) == key


@given(KEYS, KEYS)
def test_different_orders_have_different_ids(one: OrderKey, other: OrderKey) -> None:
    assert (id_of("u", one) == id_of("u", other)) == (one == other)


def test_ids_are_the_same_for_ever() -> None:
    """They are in journals and at exchanges: another layout would orphan orders."""
    assert client_id("uid", Leg.ENTRY, 1, 2, 36) == "okaock0kce000001000002000010"


@pytest.mark.parametrize("text", ["", "x", "okaock0kcz000001000002000010", "okaock0kce00000100000200001!", "web_123"])
def test_what_is_not_ours_is_not_parsed(text: str) -> None:
    assert parse("uid", text) is None


def test_another_bots_order_is_not_ours() -> None:
    assert parse("other", client_id("uid", Leg.EXIT, 1, 2, 3)) is None


@pytest.mark.parametrize("number", [-1, 36**6])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        client_id("uid", Leg.ENTRY, number, 0, 0)
