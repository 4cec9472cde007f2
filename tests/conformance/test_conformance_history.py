"""What is only read: candles of the past, and funding."""

from decimal import Decimal

import pytest

from opensqt.connector.venue import FundingPayment
from tests.conformance.subject import SYMBOL, Follow, Subject, placed

DAY_MS = 24 * 3600 * 1000


@pytest.mark.spot
async def test_candles_of_the_past_oldest_first(simulated: Subject) -> None:
    face = simulated.face
    candles = await simulated.venue.klines(simulated.symbol, "1m", 50)
    expected = face.core.candles[face.btc.id][-50:]
    assert [candle.open_time_us for candle in candles] == [row.open_ms * 1000 for row in expected]
    assert [(candle.open, candle.high, candle.low, candle.close, candle.volume) for candle in candles] == [
        (row.open, row.high, row.low, row.close, row.volume) for row in expected
    ]
    assert all(candle.closed for candle in candles[:-1])


async def test_funding_that_was_paid_is_positive(simulated: Subject) -> None:
    face, start_us = simulated.face, (simulated.face.core.now_ms() - 3600_000) * 1000
    placed(await simulated.venue.place([simulated.order(None)]))
    paid = face.core.fund(face.btc, Decimal("1.25"), ago_ms=60_000)
    earned = face.core.fund(face.btc, Decimal("-0.5"))
    payments = await simulated.venue.funding(SYMBOL, start_us)
    assert [(payment.amount, payment.currency, payment.time_us) for payment in payments] == [
        (funding.amount, "USDT", funding.time_ms * 1000) for funding in (paid, earned)
    ]
    assert len({payment.funding_id for payment in payments}) == 2


async def test_funding_is_asked_for_and_told_with_the_orders(
    simulated: Subject, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensqt.connector.ccxt_venue.funding.POLL_SECONDS", 0.05)
    face, stream = simulated.face, following(simulated.venue.watch_orders([SYMBOL]))
    await simulated.following_orders()
    placed(await simulated.venue.place([simulated.order(None)]))
    paid = face.core.fund(face.btc, Decimal("1.25"))
    await stream.until(lambda _: bool(stream.of(FundingPayment)))
    earned = face.core.fund(face.btc, Decimal("-0.5"))
    # The same payment may be told again: it is counted once, by its id.
    await stream.until(lambda _: len({payment.funding_id for payment in stream.of(FundingPayment)}) == 2)
    told = {payment.funding_id: payment for payment in stream.of(FundingPayment)}
    assert [(payment.amount, payment.time_us) for payment in told.values()] == [
        (funding.amount, funding.time_ms * 1000) for funding in (paid, earned)
    ]


async def test_funding_is_no_fill(simulated: Subject) -> None:
    face, order = simulated.face, simulated.order(None)
    placed(await simulated.venue.place([order]))
    face.core.fund(face.btc, Decimal("1.25"))
    fills = await simulated.venue.fills(SYMBOL, (face.core.now_ms() - 60_000) * 1000)
    assert [fill.client_id for fill in fills] == [order.client_id]


async def test_every_payment_of_a_month_is_read(simulated: Subject) -> None:
    face = simulated.face
    placed(await simulated.venue.place([simulated.order(None)]))
    for number in range(90):
        face.core.fund(face.btc, Decimal("0.01"), ago_ms=(90 - number) * DAY_MS // 3)
    payments = await simulated.venue.funding(SYMBOL, (face.core.now_ms() - 31 * DAY_MS) * 1000)
    assert len(payments) == 90
