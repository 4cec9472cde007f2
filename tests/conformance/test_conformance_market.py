"""Symbols, account, positions and leverage, on every exchange."""

from decimal import Decimal

import pytest

from opensqt.connector.venue import VenueError
from opensqt.engine.actions import OrderSide
from opensqt.engine.events import Remedy
from tests.conformance.subject import SYMBOL, Subject, placed
from tests.venues.faults import Operation
from tests.venues.refusals import Reason


@pytest.mark.spot
async def test_symbols_have_exact_rules(subject: Subject) -> None:
    rules = subject.rules
    assert (rules.symbol, rules.base, rules.quote) == (subject.symbol, "BTC", "USDT")
    assert rules.tick_size > 0
    assert rules.min_quantity % rules.lot_size == 0
    assert abs(rules.maker_fee) < Decimal("0.01")
    assert rules.max_leverage == 1 if subject.spot else rules.max_leverage >= 20
    every = await subject.venue.symbols([])
    assert subject.symbol in {rule.symbol for rule in every}
    assert all(rule.symbol.endswith("/USDT" if subject.spot else "/USDT:USDT") for rule in every)


@pytest.mark.spot
async def test_the_rules_are_what_the_exchange_holds_to(simulated: Subject) -> None:
    listing, rules = simulated.face.btc, simulated.rules
    assert (rules.tick_size, rules.lot_size, rules.min_quantity) == (listing.tick, listing.lot, listing.min_quantity)
    assert (rules.min_notional, rules.max_leverage) == (listing.min_notional, listing.max_leverage)
    assert (rules.maker_fee, rules.taker_fee) == (listing.maker_fee, listing.taker_fee)
    if not simulated.spot:  # of spot some do not say it
        assert rules.max_quantity == listing.max_quantity
        assert simulated.name == "gate" or 0 < rules.max_market_quantity <= 120


async def test_fees_that_the_exchange_does_not_tell_are_those_of_everybody(simulated: Subject) -> None:
    simulated.venue._rules._own_fees.clear()  # type: ignore[attr-defined] # as before the first look
    simulated.face.refuse_next(Operation.FEES, Reason.MISSING_PERMISSION)
    (rules,) = await simulated.venue.symbols([SYMBOL])
    assert 0 < rules.taker_fee < Decimal("0.002")
    placed(await simulated.venue.place([simulated.order()]))
    assert simulated.venue.health().ready


async def test_an_unknown_symbol_is_named(subject: Subject) -> None:
    with pytest.raises(VenueError, match="NOBODY/USDT") as error:
        await subject.venue.symbols(["NOBODY/USDT:USDT"])
    assert error.value.failure.remedy is Remedy.FIX_REQUEST


@pytest.mark.spot
async def test_the_account_tells_equity_and_free_margin_apart(subject: Subject) -> None:
    before = await subject.venue.account()
    assert before.currency == "USDT"
    assert before.equity > 0
    assert before.available <= before.equity
    placed(await subject.venue.place([subject.order()]))
    after = await subject.venue.account()
    assert after.available < before.available, "a resting order takes margin"
    assert abs(after.wallet_balance - before.wallet_balance) < 1


async def test_the_account_is_what_the_exchange_has(simulated: Subject) -> None:
    placed(await simulated.venue.place([simulated.order(None, quantity=simulated.quantity * 10)]))
    await simulated.face.price(simulated.near("1.01"))
    account, core = await simulated.venue.account(), simulated.face.core
    assert (account.equity, account.wallet_balance, account.available) == (core.equity, core.wallet, core.available)
    (position,) = await simulated.venue.positions([SYMBOL])
    held = core.position(simulated.face.btc)
    assert (position.quantity, position.entry_price, position.unrealised_pnl) == (
        held.quantity,
        held.entry,
        held.unrealised,
    )


async def test_a_short_position_is_negative(subject: Subject) -> None:
    await subject.venue.prepare(SYMBOL, 5)
    selling = subject.order(None, side=OrderSide.SELL)
    placed(await subject.venue.place([selling]))
    await subject.settled(selling.client_id)
    (position,) = await subject.venue.positions([SYMBOL])
    assert (position.quantity, position.leverage) == (-selling.quantity, 5)


async def test_leverage_is_set_and_may_be_set_again(subject: Subject) -> None:
    for leverage in (3, 3, 4):
        await subject.venue.prepare(SYMBOL, leverage)
    if subject.simulator is not None:
        assert subject.face.core.holding(subject.face.btc).leverage == 4


async def test_hedge_mode_is_refused(simulated: Subject) -> None:
    simulated.face.core.hedged = True
    with pytest.raises(VenueError, match="one-way") as error:
        await simulated.venue.prepare(SYMBOL, 7)
    assert error.value.failure.remedy is Remedy.FIX_REQUEST
    assert simulated.face.core.holding(simulated.face.btc).leverage == 10, "nothing was changed"


async def test_more_leverage_than_there_is_is_refused(simulated: Subject) -> None:
    with pytest.raises(VenueError) as error:
        await simulated.venue.prepare(SYMBOL, simulated.rules.max_leverage + 1)
    assert error.value.failure.remedy is Remedy.FIX_REQUEST
