"""The exchanges' own limits: endpoints' windows, what their headers say is left, and what a ban does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.api.connector import DeadManSwitch, ExchangeConnectorSpec
from opensqt.api.exchange import Exchange
from opensqt.api.meta import SecretRef
from opensqt.connector.ccxt_venue import create
from opensqt.connector.ccxt_venue.budget import Budget, BudgetExhausted, Priority
from opensqt.connector.ccxt_venue.exchanges import DIALECTS
from opensqt.connector.ccxt_venue.limits import Allowance, Counts, Limits, Window
from opensqt.connector.venue import Failure, NewOrder, Venue, VenueError, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import Remedy
from tests.connector_ccxt.test_ccxt_budget import Clock
from tests.venues.faces import FACES
from tests.venues.faults import Fault, Operation
from tests.venues.keys import TRADER
from tests.venues.server import Face

SYMBOL = "BTC/USDT:USDT"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(1, 6)), min_size=1, max_size=60))
def test_a_window_never_lets_more_through_in_any_of_its_spans(requests: list[tuple[float, int]]) -> None:
    window, now, sent = Window(10, 2.0), 0.0, []
    for pause, weight in requests:
        now += pause
        wait = window.wait(now, weight)
        assert wait == 0.0 or window.wait(now + wait - 1e-6, weight) > 0, "it waits no longer than it has to"
        now += wait
        window.add(now, weight)
        sent.append((now, weight))
        assert sum(weight for at, weight in sent if at > now - 2.0 + 1e-9) <= 10


async def test_who_waits_for_one_endpoint_holds_up_nobody_else() -> None:
    clock = Clock()
    budget = Budget(1000, 1000, limits=Limits((1, 2.0)), clock=clock, sleep=clock.sleep)
    served: list[str] = []

    async def ask(name: str, priority: Priority, endpoint: str) -> None:
        await budget.take(1, priority, endpoint)
        served.append(name)

    await ask("first", Priority.CANCEL, "cancel")
    waiting = asyncio.create_task(ask("second", Priority.CANCEL, "cancel"))
    await asyncio.sleep(0)
    await ask("entry", Priority.ENTRY, "place")
    await waiting
    assert served == ["first", "entry", "second"]
    assert clock.now >= 2.0


@pytest.mark.parametrize(
    ("left", "may"),
    [
        (100.0, set(Priority)),
        (25.0, {Priority.CANCEL, Priority.EXIT, Priority.READ, Priority.ENTRY}),
        (15.0, {Priority.CANCEL, Priority.EXIT, Priority.READ}),
        (8.0, {Priority.CANCEL, Priority.EXIT}),
        (3.0, {Priority.CANCEL}),
        (0.0, set()),
    ],
)
async def test_what_is_scarce_is_kept_for_exits_and_then_for_cancels(left: float, may: set[Priority]) -> None:
    clock = Clock()
    budget = Budget(1000, 1000, clock=clock, sleep=clock.sleep)
    budget.told("", Allowance(Counts.REQUESTS, left, 100.0, 30.0))
    for priority in may:
        await budget.take(1, priority, "any")
    for priority in set(Priority) - may:
        with pytest.raises(BudgetExhausted) as error:
            await budget.take(1, priority, "any")
        assert error.value.wait == pytest.approx(30.0)
    clock.now = 30.0
    for priority in Priority:
        await budget.take(1, priority, "any")


NOW_MS = 1_700_000_025_000  # 45 s into a minute
HEADERS: dict[Exchange, tuple[Mapping[str, str], list[Allowance]]] = {
    Exchange.BINANCE: (
        {"x-mbx-used-weight-1m": "2000", "x-mbx-order-count-10s": "150", "x-mbx-order-count-1m": "1100"},
        [
            Allowance(Counts.PLACEMENTS, 150, 300, 5.0),
            Allowance(Counts.REQUESTS, 400, 2400, 15.0),
            Allowance(Counts.PLACEMENTS, 100, 1200, 15.0),
        ],
    ),
    Exchange.BITGET: ({"x-mbx-used-remain-limit": "9"}, [Allowance(Counts.ENDPOINT, 9, 0, 1.0)]),
    Exchange.GATE: (
        {
            "x-gate-ratelimit-requests-remain": "0",
            "x-gate-ratelimit-limit": "100",
            "x-gate-ratelimit-reset-timestamp": str(NOW_MS // 1000 + 7),
        },
        [Allowance(Counts.ENDPOINT, 0, 100, 7.0)],
    ),
    Exchange.OKX: ({"date": "now"}, []),
    Exchange.BYBIT: (
        {"x-bapi-limit": "10", "x-bapi-limit-status": "3", "x-bapi-limit-reset-timestamp": str(NOW_MS)},
        [Allowance(Counts.ENDPOINT, 3, 10, 1.0)],
    ),
}


@pytest.mark.parametrize("exchange", HEADERS, ids=lambda exchange: exchange.value)
def test_the_headers_of_each_exchange_are_understood(exchange: Exchange) -> None:
    headers, expected = HEADERS[exchange]
    dialect = DIALECTS[exchange]()
    assert list(dialect.allowances(headers, NOW_MS)) == expected
    assert list(dialect.allowances(dict.fromkeys(headers, "nonsense"), NOW_MS)) == []


@pytest.fixture(params=FACES, ids=lambda exchange: exchange.value)
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Face]:
    face = FACES[Exchange(request.param)]()
    await face.start()
    yield face
    await face.stop()


@pytest.fixture
async def account(simulator: Face, write_credentials: Callable[..., Path]) -> AsyncIterator[Venue]:
    spec = ExchangeConnectorSpec(
        exchange=simulator.exchange,
        credentials_secret_ref=SecretRef(name="keys"),
        dead_man_switch=DeadManSwitch(enabled=False),
    )
    folder = write_credentials(apiKey=TRADER.api_key, apiSecret=TRADER.secret, passphrase=TRADER.passphrase)
    venue = create(spec, folder, endpoint=simulator.url)
    await venue.open()
    assert venue.health().ready, venue.health()
    yield venue
    await venue.close()


def order(face: Face, client_id: str) -> NewOrder:
    price = face.core.last(face.btc) * Decimal("0.9")
    quantity = face.btc.min_quantity * 10
    return NewOrder(SYMBOL, client_id, OrderSide.BUY, price, quantity, False, TimeInForce.POST_ONLY)


async def outcome(venue: Venue, face: Face, client_id: str) -> VenueOrder | Failure:
    try:
        (result,) = await venue.place([order(face, client_id)])
    except VenueError as error:
        return error.failure
    return result


ALMOST_USED_UP: dict[Exchange, Mapping[str, str]] = {
    Exchange.BINANCE: {"X-MBX-USED-WEIGHT-1M": "2200"},
    Exchange.BITGET: {"x-mbx-used-remain-limit": "0"},
    Exchange.GATE: {"X-Gate-RateLimit-Requests-Remain": "1", "X-Gate-RateLimit-Limit": "100"},
    Exchange.BYBIT: {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "2"},
}


@pytest.mark.parametrize("simulator", ALMOST_USED_UP, ids=lambda exchange: exchange.value, indirect=True)
async def test_an_answer_that_says_that_little_is_left_stops_entries_before_the_exchange_does(
    account: Venue, simulator: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OKX sends no such headers: its endpoints' windows stand for them."""
    headers = ALMOST_USED_UP[simulator.exchange]
    assert isinstance(await outcome(account, simulator, "o1"), VenueOrder)
    monkeypatch.setattr(simulator, "rate_headers", lambda _: dict(headers))
    assert isinstance(await outcome(account, simulator, "o2"), VenueOrder)
    budget = account._session.budget  # type: ignore[attr-defined]
    wait = budget._wait(1.0, Priority.ENTRY, _endpoint(simulator))
    assert 0 < wait <= 60
    if simulator.exchange is not Exchange.BITGET:  # which does not say of how many
        assert budget._wait(1.0, Priority.CANCEL, "another") == 0
    (cancelled,) = await account.cancel(SYMBOL, ["o1"])
    assert isinstance(cancelled, VenueOrder), cancelled


def _endpoint(face: Face) -> str:
    return {
        Exchange.BINANCE: "",
        Exchange.BITGET: "POST private.mix v2/mix/order/place-order",
        Exchange.GATE: "POST private.futures {settle}/orders",
        Exchange.BYBIT: "POST private v5/order/create",
    }[face.exchange]


@pytest.mark.parametrize(
    ("simulator", "cost"), [(Exchange.OKX, 1 / 15), (Exchange.BYBIT, 5.0)], ids=["okx", "bybit"], indirect=["simulator"]
)
async def test_a_batch_counts_as_many_times_as_it_has_orders(account: Venue, simulator: Face, cost: float) -> None:
    exchange = account._session.exchange  # type: ignore[attr-defined]
    weights: list[float] = []

    async def gate(weight: float, _priority: Priority, _endpoint: str) -> None:
        weights.append(weight)

    exchange.budget_gate = gate
    results = await account.place([order(simulator, f"o{number}") for number in range(4)])
    assert all(isinstance(result, VenueOrder) for result in results), results
    assert pytest.approx(4 * cost) in weights
    assert pytest.approx(cost) not in weights


async def test_funding_is_asked_for_when_nobody_else_wants_to_ask(account: Venue, simulator: Face) -> None:
    """On Binance it costs as much as thirty look-ups: bots that all come again at once would trade no more."""
    asked: set[tuple[Priority, str]] = set()

    async def gate(_weight: float, priority: Priority, endpoint: str) -> None:
        asked.add((priority, endpoint))

    account._session.exchange.budget_gate = gate  # type: ignore[attr-defined]
    await account.funding(SYMBOL, 0)
    assert {priority for priority, _ in asked} == {Priority.LATER}
    asked.clear()
    await account.open_orders(SYMBOL)
    assert {priority for priority, _ in asked} == {Priority.READ}


@pytest.fixture
def spent(account: Venue) -> list[tuple[str, float]]:
    """Endpoint and weight of each request from here on."""
    requests: list[tuple[str, float]] = []

    async def gate(weight: float, _priority: Priority, endpoint: str) -> None:
        requests.append((endpoint, weight))

    account._session.exchange.budget_gate = gate  # type: ignore[attr-defined]
    return requests


@pytest.mark.parametrize("simulator", [Exchange.BINANCE], ids=["binance"], indirect=True)
async def test_a_placement_on_binance_costs_next_to_nothing_of_the_weights(
    account: Venue, simulator: Face, spent: list[tuple[str, float]]
) -> None:
    """It has a limit of its own, which is followed as well."""
    assert isinstance(await outcome(account, simulator, "o1"), VenueOrder)
    assert ("POST fapiPrivate order", 1.0) in spent


@pytest.mark.parametrize("simulator", [Exchange.BINANCE], ids=["binance"], indirect=True)
async def test_bots_that_start_together_ask_for_the_position_mode_once(
    account: Venue, spent: list[tuple[str, float]]
) -> None:
    await asyncio.gather(*(account.prepare(SYMBOL, 5) for _ in range(20)))
    assert [endpoint for endpoint, _ in spent].count("GET fapiPrivate positionSide/dual") == 1


@pytest.mark.parametrize("status", [429, 418])
async def test_complaint_08_a_ban_is_waited_out_and_shown(account: Venue, simulator: Face, status: int) -> None:
    fault = Fault(Operation.PLACE, status=status, body="too many requests", headers={"Retry-After": "2"})
    simulator.faults.next(fault)
    refused = await outcome(account, simulator, "o1")
    assert isinstance(refused, Failure)
    assert (refused.remedy, refused.retry_after_ms) == (Remedy.BACK_OFF, 2000)
    health = account.health()
    assert (health.ready, health.reason) == (False, "RateLimited")
    assert "UTC" in health.message
    calls = len(simulator.calls)
    again = asyncio.ensure_future(outcome(account, simulator, "o2"))
    async with asyncio.timeout(20):
        while not account.health().ready:
            assert len(simulator.calls) == calls, "nothing may be sent during a ban"
            await account.health_changed()
    assert isinstance(await again, VenueOrder)


async def test_a_budget_used_up_half_way_through_a_call_is_no_pause_that_the_exchange_asked_for(
    account: Venue, simulator: Face
) -> None:
    session = account._session  # type: ignore[attr-defined]
    requests = 0

    async def gate(_weight: float, _priority: Priority, _endpoint: str) -> None:
        nonlocal requests
        requests += 1
        if requests == 2:
            raise BudgetExhausted(4.0)

    async def ask_twice(exchange: Any) -> None:
        await exchange.fetch_time()
        await exchange.fetch_time()

    session.exchange.budget_gate = gate
    with pytest.raises(VenueError) as error:
        await session.call(ask_twice, Priority.READ)
    assert error.value.failure.remedy is Remedy.BACK_OFF
    assert session.budget.held_for == 0, "nobody else waits for it"
    assert account.health().ready, account.health()
    assert isinstance(await outcome(account, simulator, "o1"), VenueOrder)


async def test_a_wait_for_the_budget_is_no_difference_of_clocks(account: Venue) -> None:
    session = account._session  # type: ignore[attr-defined]

    async def gate(_weight: float, _priority: Priority, _endpoint: str) -> None:
        await asyncio.sleep(2.0)

    session.exchange.budget_gate = gate
    assert abs(await session._measure_clock()) < 500_000
