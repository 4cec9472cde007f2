"""The paper exchange as a venue: opening, bad data, trading, its streams."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.connector.paper import venue as paper_venue
from opensqt.connector.paper.venue import PaperVenue
from opensqt.connector.retry import Backoff
from opensqt.connector.venue import Failure, Kline, VenueError, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.journal.embedded import EmbeddedPostgres
from tests.connector.eventually import eventually
from tests.connector.open_venue import ended, opened, order, placed, refused
from tests.connector.paper_world import SYMBOL, connector, market, write_candles

ETH = "ETH/USDT:USDT"
FLAT = [(100.0, 100.0, 100.0, 100.0)]
DOWN_AND_UP = [(100, 100, 100, 100), (100, 102, 95, 101), (101, 106, 100, 105), (105, 105, 99, 100)]


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_venue, "REOPEN", Backoff(first=0.05, cap=0.05))


# --- opening ---


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "timestamp,open,high,low,close,volume\n60,1,1,1,1,1\n0,1,1,1,1,1\n",
            "candles.csv: line 3: timestamp 0 is out of order",
        ),
        ("timestamp,open,high,low,close\n", "candles.csv: line 1: the header lacks the column volume"),
        (None, "candles.csv: cannot be read: No such file or directory"),
    ],
)
async def test_bad_market_data_is_said_and_mended_without_a_restart(
    postgres_dsn: str, tmp_path: Path, lines: str | None, said: str
) -> None:
    path = tmp_path / "candles.csv"
    if lines is not None:
        path.write_text(lines)
    async with opened(connector(market(path=path)), postgres_dsn) as venue:
        health = venue.health()
        assert (health.ready, health.reason) == (False, "BadMarketData")
        assert health.message.startswith(f"{SYMBOL}: {said}")
        with pytest.raises(VenueError, match="BadMarketData") as unready:
            await venue.account()
        assert unready.value.failure.remedy is Remedy.RETRY
        assert [rules.symbol for rules in await venue.symbols([])] == [SYMBOL]
        write_candles(path, FLAT)
        await eventually(lambda: venue.health().ready)


async def test_an_unreachable_database_is_said_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with EmbeddedPostgres(folder) as postgres:
        dsn = postgres.dsn
    async with opened(connector(market(path=write_candles(tmp_path / "c.csv", FLAT))), dsn) as venue:
        assert venue.health().reason == "JournalUnreachable"
        async with EmbeddedPostgres(folder):
            await eventually(lambda: venue.health().ready)


@pytest.mark.parametrize(
    ("markets", "said"),
    [
        ([market(), market("ETH/BTC:BTC")], "the same quote currency"),
        ([market(tickSize="0.0000001", lotSize="0.0000001")], "tickSize times lotSize must be a multiple of"),
    ],
)
def test_a_spec_that_cannot_be_played_is_refused(markets: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PaperVenue(connector(*markets), "", fatal=lambda _: None)


# --- trading ---


async def test_a_market_is_played_to_its_end_and_then_stands_still(postgres_dsn: str, tmp_path: Path) -> None:
    path = write_candles(tmp_path / "c.csv", DOWN_AND_UP)
    async with opened(connector(market(path=path), speed=1), postgres_dsn) as venue:
        outcomes = await venue.place([order("b", price="96"), order("s", OrderSide.SELL, price="105.5")])
        assert [placed(outcome).state for outcome in outcomes] == [OrderState.OPEN] * 2
    async with opened(connector(market(path=path), speed=100_000), postgres_dsn) as venue:
        await ended(venue)
        fills = await venue.fills(SYMBOL, 0)
        second_candle = 1_640_995_260_000_000
        assert [(fill.client_id, fill.price, fill.time_us) for fill in fills] == [
            ("b", Decimal("96.0"), second_candle + 15_000_000),
            ("s", Decimal("105.5"), second_candle + 60_000_000 + 30_000_000),
        ]
        assert await venue.fills(SYMBOL, fills[1].time_us) == fills[1:]
        position = (await venue.positions([]))[0]
        assert position.quantity == 0
        account = await venue.account()
        assert (
            account.equity == account.wallet_balance == 10_000 + Decimal("9.5") - Decimal("0.0002") * Decimal("201.5")
        )
        # The market stands still, and can be traded in at its last price.
        taken = placed((await venue.place([order("late")]))[0])
        assert taken.state is OrderState.FILLED
        assert (await venue.fills(SYMBOL, taken.time_us))[-1].price == 100


async def test_an_order_is_found_whatever_became_of_it(postgres_dsn: str) -> None:
    async with opened(connector(market(), speed=1), postgres_dsn) as venue:
        await venue.place(
            [order("open", price="30000", quantity="0.01"), order("gone", price="30000", quantity="0.01")]
        )
        await venue.place([order("done", quantity="0.01")])
        await venue.cancel(SYMBOL, ["gone"])
        states = {client_id: (await venue.order(SYMBOL, client_id))[0].state for client_id in ("open", "gone", "done")}
        assert states == {"open": OrderState.OPEN, "gone": OrderState.CANCELLED, "done": OrderState.FILLED}
        found, fills = await venue.order(SYMBOL, "done")
        assert found.filled == sum(fill.quantity for fill in fills) == Decimal("0.010")
        assert [each.client_id for each in await venue.open_orders(SYMBOL)] == ["open"]
        for symbol, client_id in ((SYMBOL, "never"), ("NO/PE", "open")):
            with pytest.raises(VenueError) as unknown:
                await venue.order(symbol, client_id)
            assert unknown.value.failure.remedy in {Remedy.UNKNOWN_ORDER, Remedy.FIX_REQUEST}


async def test_a_client_id_is_good_for_one_order_for_ever(postgres_dsn: str) -> None:
    resource = connector(market(), speed=1)
    async with opened(resource, postgres_dsn) as venue:
        same = [order("a", quantity="0.01"), order("a", quantity="0.01"), order("b", price="30000", quantity="0.01")]
        first, second, third = await venue.place(same)
        assert placed(first).state is OrderState.FILLED
        assert refused(second).remedy is Remedy.DUPLICATE
        placed(third)
        await venue.cancel(SYMBOL, ["b"])
        for again in (await venue.place([order("a"), order("b")]), await venue.place([order("b", price="1")])):
            assert {refused(outcome).remedy for outcome in again} == {Remedy.DUPLICATE}
    async with opened(resource, postgres_dsn) as venue:
        outcomes = await venue.place([order("a"), order("c", quantity="0.01"), order("b")])
        assert [isinstance(outcome, Failure) for outcome in outcomes] == [True, False, True]


async def test_an_id_whose_order_was_refused_is_free(postgres_dsn: str) -> None:
    async with opened(connector(market(), speed=1), postgres_dsn) as venue:
        crossing = order("a", price="90000", quantity="0.01", time_in_force=TimeInForce.POST_ONLY)
        assert refused((await venue.place([crossing]))[0]).remedy is Remedy.WOULD_CROSS
        assert placed((await venue.place([order("a", quantity="0.01")]))[0]).state is OrderState.FILLED


async def test_many_batches_at_once_are_each_answered_in_full(postgres_dsn: str) -> None:
    async with opened(connector(market(), balance="10000000", speed=1), postgres_dsn) as venue:
        batches = [
            [order(f"o{batch}x{item}", price="30000", quantity="0.01") for item in range(20)] for batch in range(30)
        ]
        # The same twice: of two that arrive together exactly one wins.
        answers = await asyncio.gather(*(venue.place(batch) for batch in batches + batches))
        won: dict[str, int] = {}
        for batch, outcomes in zip(batches + batches, answers, strict=True):
            for new, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Failure):
                    assert outcome.remedy is Remedy.DUPLICATE
                else:
                    won[new.client_id] = won.get(new.client_id, 0) + 1
        assert set(won.values()) == {1}
        assert len(won) == 600
        assert {each.client_id for each in await venue.open_orders(SYMBOL)} == set(won)


async def test_leverage_is_kept_and_bounded(postgres_dsn: str) -> None:
    resource = connector(market(), speed=1)
    async with opened(resource, postgres_dsn) as venue:
        await venue.prepare(SYMBOL, 20)
        with pytest.raises(VenueError, match="leverage: must be at most 125"):
            await venue.prepare(SYMBOL, 126)
        await venue.place([order("a", quantity="1")])
        with pytest.raises(VenueError) as unaffordable:
            await venue.prepare(SYMBOL, 1)
        assert unaffordable.value.failure.remedy is Remedy.INSUFFICIENT_MARGIN
    async with opened(resource, postgres_dsn) as venue:
        assert (await venue.positions([SYMBOL]))[0].leverage == 20


async def test_latency_delays_every_call(postgres_dsn: str) -> None:
    async with opened(connector(market(), latencyMilliseconds=80), postgres_dsn) as venue:
        started = asyncio.get_running_loop().time()
        await venue.account()
        assert asyncio.get_running_loop().time() - started >= 0.08


# --- streams ---


async def test_orders_and_fills_are_told_in_order_when_they_are_durable(postgres_dsn: str) -> None:
    async with opened(connector(market(), speed=1), postgres_dsn) as venue:
        stream = venue.watch_orders([SYMBOL])
        positions = venue.watch_positions([SYMBOL])
        accounts = venue.watch_account()
        await venue.place([order("a", price="30000", quantity="0.01"), order("b", quantity="0.02")])
        await venue.cancel(SYMBOL, ["a"])
        told = [await anext(stream) for _ in range(4)]
        assert [(type(each), each.client_id) for each in told if isinstance(each, VenueOrder | VenueFill)] == [
            (VenueOrder, "a"),
            (VenueFill, "b"),
            (VenueOrder, "b"),
            (VenueOrder, "a"),
        ]
        position = await anext(positions)
        assert position == (await venue.positions([SYMBOL]))[0]
        await anext(accounts)
        account = await anext(accounts)
        assert account == await venue.account()


async def test_klines_follow_the_market(postgres_dsn: str, tmp_path: Path) -> None:
    path = write_candles(tmp_path / "c.csv", DOWN_AND_UP * 5)
    async with opened(connector(market(path=path), speed=600), postgres_dsn) as venue:
        stream = venue.watch_klines([SYMBOL], "5m")
        closed: list[Kline] = []
        async with asyncio.timeout(120):
            async for kline in stream:
                if isinstance(kline, Kline) and kline.closed:
                    closed.append(kline)
                    if len(closed) == 2:
                        break
        assert [kline.open_time_us // 1_000_000 - 1_640_995_200 for kline in closed] == [0, 300]
        assert (closed[0].open, closed[0].high, closed[0].low, closed[0].close) == tuple(
            map(Decimal, (100, 106, 95, 100))
        )
        with pytest.raises(VenueError, match="interval: '7m' is not served"):
            venue.watch_klines([SYMBOL], "7m")


async def test_the_newest_klines_are_what_was_played(postgres_dsn: str, tmp_path: Path) -> None:
    path = write_candles(tmp_path / "c.csv", DOWN_AND_UP * 5)
    async with opened(connector(market(path=path), speed=600), postgres_dsn) as venue:
        await eventually(lambda: all(market.ended for market in venue.health().markets))
        newest = await venue.klines(SYMBOL, "5m", 3)
        assert [kline.open_time_us // 1_000_000 - 1_640_995_200 for kline in newest] == [300, 600, 900]
        assert all(kline.closed for kline in newest)
        assert await venue.klines(SYMBOL, "5m", 100) == [*await venue.klines(SYMBOL, "5m", 4)]
        with pytest.raises(VenueError, match="interval: '7m' is not served"):
            await venue.klines(SYMBOL, "7m", 3)
