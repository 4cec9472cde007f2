"""All five exchanges through real ccxt and real HTTP: opening, placing, and what every error code means."""

from decimal import Decimal

import pytest

from opensqt.api.exchange import Exchange
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.venue import Failure, NewOrder, Venue, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from tests.connector_ccxt.answers import Answers
from tests.connector_ccxt.conftest import KEY, PASSPHRASE, SECRET
from tests.connector_ccxt.five import Documented

SYMBOL = "BTC/USDT:USDT"


def order(client_id: str) -> NewOrder:
    price, quantity = Decimal(49000), Decimal("0.01")
    return NewOrder(SYMBOL, client_id, OrderSide.BUY, price, quantity, False, TimeInForce.POST_ONLY)


async def test_opens_with_its_markets_and_account(five: Venue, documented: Documented) -> None:
    rules = (await five.symbols([]))[0]
    assert (rules.tick_size, rules.lot_size) == (Decimal(documented.tick), Decimal(documented.lot))
    assert rules.min_quantity == Decimal(documented.lot)
    account = await five.account()
    assert (account.currency, account.equity, account.wallet_balance, account.available) == (
        "USDT",
        Decimal("1010.5"),
        Decimal("1000.5"),
        Decimal("900.25"),
    )


async def test_a_placement_says_what_the_order_is(five: Venue, answers: Answers, documented: Documented) -> None:
    answers.bodies[documented.place] = documented.accepted("o1")
    # ccxt places single orders of OKX through the batch's address.
    answers.bodies[documented.place_batch] = documented.accepted("o1")
    (placed,) = await five.place([order("o1")])
    assert isinstance(placed, VenueOrder), placed
    assert (placed.client_id, placed.state, placed.filled, placed.quantity) == (
        "o1",
        OrderState.OPEN,
        Decimal(0),
        Decimal("0.01"),
    )
    assert placed.venue_id


SIZES = {
    Exchange.BINANCE: ("quantity", "0.01"),
    Exchange.BITGET: ("size", "0.01"),
    Exchange.GATE: ("size", 100),  # contracts of 0.0001 BTC
    Exchange.OKX: ("sz", "1"),  # contracts of 0.01 BTC
    Exchange.BYBIT: ("qty", "0.01"),
}
POST_ONLY = {
    Exchange.BINANCE: ("timeInForce", "GTX"),
    Exchange.BITGET: ("force", "post_only"),
    Exchange.GATE: ("tif", "poc"),
    Exchange.OKX: ("ordType", "post_only"),
    Exchange.BYBIT: ("timeInForce", "PostOnly"),
}
CLIENT_IDS = {
    Exchange.BINANCE: ("newClientOrderId", "o1"),
    Exchange.BITGET: ("clientOid", "o1"),
    Exchange.GATE: ("text", "t-o1"),
    Exchange.OKX: ("clOrdId", "o1"),
    Exchange.BYBIT: ("orderLinkId", "o1"),
}


async def test_what_is_sent_is_what_was_meant(five: Venue, answers: Answers, documented: Documented) -> None:
    answers.bodies[documented.place] = documented.accepted("o1")
    answers.bodies[documented.place_batch] = documented.accepted("o1")
    await five.place([order("o1")])
    sent = [asked for asked in answers.asked if asked.path in {documented.place, documented.place_batch}]
    assert len(sent) == 1
    body = sent[0].body[0] if isinstance(sent[0].body, list) else sent[0].body
    if isinstance(body, str):
        body = dict(pair.split("=", 1) for pair in body.split("&"))
    for expected in (SIZES, POST_ONLY, CLIENT_IDS):
        name, value = expected[documented.exchange]
        assert str(body[name]) == str(value), (name, body)
    assert Decimal(str(body.get("price", body.get("px")))) == 49000
    assert sent[0].headers[documented.key_header] == KEY


async def test_a_batch_is_answered_item_by_item_whatever_its_order(
    five: Venue, answers: Answers, documented: Documented
) -> None:
    """ccxt sorts the answers by time, which moves refused items to the front."""
    margin = next(code for code, remedy in codes(documented).items() if remedy is Remedy.INSUFFICIENT_MARGIN)
    twice = next(code for code, remedy in codes(documented).items() if remedy is Remedy.DUPLICATE)
    answers.bodies[documented.place_batch] = documented.mixed([("a", ""), ("b", margin), ("c", twice), ("d", "")])
    results = await five.place([order(client_id) for client_id in "abcd"])
    assert [result.client_id if isinstance(result, VenueOrder) else result.remedy for result in results] == [
        "a",
        Remedy.INSUFFICIENT_MARGIN,
        Remedy.DUPLICATE,
        "d",
    ]


async def test_a_batch_that_failed_altogether_keeps_its_reasons_apart(
    five: Venue, answers: Answers, documented: Documented
) -> None:
    margin = next(code for code, remedy in codes(documented).items() if remedy is Remedy.INSUFFICIENT_MARGIN)
    twice = next(code for code, remedy in codes(documented).items() if remedy is Remedy.DUPLICATE)
    answers.bodies[documented.place_batch] = documented.mixed([("a", margin), ("b", twice)])
    results = await five.place([order("a"), order("b")])
    assert [result.remedy for result in results if isinstance(result, Failure)] == [
        Remedy.INSUFFICIENT_MARGIN,
        Remedy.DUPLICATE,
    ]


async def test_an_answer_that_leaves_an_order_out_puts_it_in_doubt(
    five: Venue, answers: Answers, documented: Documented
) -> None:
    answers.bodies[documented.place_batch] = documented.mixed([("a", "")])
    first, second = await five.place([order("a"), order("b")])
    assert isinstance(first, VenueOrder)
    assert isinstance(second, Failure)
    assert second.remedy is Remedy.LOOK_UP


def codes(documented: Documented) -> dict[str, Remedy]:
    return dict(DIALECTS[documented.exchange].profile.codes)


async def test_every_code_means_what_the_table_says(five: Venue, answers: Answers, documented: Documented) -> None:
    """Each through ccxt's own `handle_errors`, as the answer to a placement."""
    wrong: dict[str, Remedy] = {}
    for code, remedy in codes(documented).items():
        status, body = documented.error(code)
        for path in (documented.place, documented.place_batch):
            answers.bodies[path], answers.status[path] = body, status
        five._session.budget._held_until = 0.0  # type: ignore[attr-defined] # a rate limit of the code before
        five._trading._sent.clear()  # type: ignore[attr-defined] # Gate has it looked up before it is sent again
        (result,) = await five.place([order("o1")])
        assert isinstance(result, Failure), (code, result)
        if (result.remedy, result.venue_code) != (remedy, code):
            wrong[code] = result.remedy
    assert wrong == {}


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (502, "<html>bad gateway</html>", Remedy.LOOK_UP),
        (504, "", Remedy.LOOK_UP),
        (200, "not json", Remedy.LOOK_UP),
        (429, "too many requests", Remedy.BACK_OFF),
        (403, "<html>forbidden</html>", Remedy.BACK_OFF),
        (404, "<html>not found</html>", Remedy.FIX_REQUEST),
    ],
)
async def test_what_answers_without_a_code_mean(
    five: Venue, answers: Answers, documented: Documented, status: int, body: str, remedy: Remedy
) -> None:
    for path in (documented.place, documented.place_batch):
        answers.bodies[path], answers.status[path] = body, status
    (result,) = await five.place([order("o1")])
    assert isinstance(result, Failure), result
    assert result.remedy is remedy, result


async def test_a_wrong_key_shows_in_the_health_and_no_key_in_it(
    five_unopened: Venue, answers: Answers, documented: Documented
) -> None:
    status, body = documented.error(documented.wrong_key)
    if documented.exchange is Exchange.OKX:
        status, body = 401, {"code": "50111", "msg": f"Invalid OK-ACCESS-KEY {KEY}", "data": []}
    answers.bodies[documented.balance], answers.status[documented.balance] = body, status
    await five_unopened.open()
    health = five_unopened.health()
    assert (health.ready, health.reason) == (False, "WrongCredentials"), health
    assert documented.wrong_key in health.message
    assert not any(value in health.message for value in (KEY, SECRET, PASSPHRASE))
