"""The paper exchange as a venue: opening, bad data, its place in the data, its books, its streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from opensqt.api.connector import PaperMarket
from opensqt.connector.paper import sources
from opensqt.connector.paper import venue as paper_venue
from opensqt.connector.paper.candles import BadMarketDataError
from opensqt.connector.paper.sources import load_market
from opensqt.connector.paper.venue import PaperVenue
from opensqt.connector.retry import Backoff
from opensqt.connector.venue import Failure, Kline, NewOrder, Price, VenueError, VenueFill, VenueOrder
from opensqt.engine.actions import OrderSide, TimeInForce
from opensqt.engine.events import OrderState, Remedy
from opensqt.journal.embedded import EmbeddedPostgres
from tests.connector.eventually import eventually
from tests.connector.paper_world import SYMBOL, World, connector, market, write_candles

ETH = "ETH/USDT:USDT"
FLAT = [(100.0, 100.0, 100.0, 100.0)]
DOWN_AND_UP = [(100, 100, 100, 100), (100, 102, 95, 101), (101, 106, 100, 105), (105, 105, 99, 100)]


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_venue, "REOPEN", Backoff(first=0.05, cap=0.05))


@asynccontextmanager
async def opened(resource: Any, dsn: str) -> AsyncIterator[PaperVenue]:
    world = World(resource, dsn)
    await world.open()
    try:
        yield world.venue
    finally:
        await world.close()


def order(
    client_id: str, side: OrderSide = OrderSide.BUY, price: str | None = None, quantity: str = "1", **more: Any
) -> NewOrder:
    fields: dict[str, Any] = {"symbol": SYMBOL, "reduce_only": False, "time_in_force": TimeInForce.GTC} | more
    return NewOrder(
        client_id=client_id,
        side=side,
        price=None if price is None else Decimal(price),
        quantity=Decimal(quantity),
        **fields,
    )


def placed(outcome: VenueOrder | Failure) -> VenueOrder:
    assert isinstance(outcome, VenueOrder), outcome
    return outcome


def refused(outcome: VenueOrder | Failure) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


async def ended(venue: PaperVenue) -> None:
    await eventually(lambda: all(each.ended for each in venue.health().markets))


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


# --- sources ---


def spec(**candles: Any) -> PaperMarket:
    return PaperMarket.model_validate({"symbol": SYMBOL, "candles": candles})


def test_candles_of_a_config_map_and_a_volume_are_found_where_they_are_mounted(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "1" / "year").mkdir(parents=True)
    write_candles(tmp_path / "0" / "btc.csv", FLAT)
    write_candles(tmp_path / "1" / "year" / "btc.csv", FLAT * 2)
    assert len(load_market(spec(configMapRef={"name": "x", "key": "btc.csv"}), 0, tmp_path)) == 1
    assert len(load_market(spec(volume={"claimName": "x", "path": "year/btc.csv"}), 1, tmp_path)) == 2
    with pytest.raises(BadMarketDataError, match="must not lead out of the volume"):
        load_market(spec(volume={"claimName": "x", "path": "../0/btc.csv"}), 1, tmp_path)


def test_a_tick_that_would_round_the_market_away_is_refused_with_one_that_fits(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "doge.csv", [(0.19, 0.19, 0.19, 0.19)])
    with pytest.raises(
        BadMarketDataError, match=r"tickSize: 0\.1 is too coarse for prices near 0\.2: set tickSize to 0\.00001"
    ):
        load_market(spec(path=str(path)), 0)


def test_candles_are_downloaded_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_candles(tmp_path / "c.csv", FLAT * 3).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/candles.csv")
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(data) if found else 0))
            self.end_headers()
            self.wfile.write(data if found else b"")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        assert len(load_market(spec(url=f"{address}/candles.csv?key=secret"), 0)) == 3
        with pytest.raises(BadMarketDataError, match="the server answers 404"):
            load_market(spec(url=f"{address}/absent.csv"), 0)
        monkeypatch.setattr(sources, "DOWNLOAD_LIMIT", 100)
        with pytest.raises(BadMarketDataError, match=r"^BTC/USDT:USDT: candles\.csv: larger than"):
            load_market(spec(url=f"{address}/candles.csv?key=secret"), 0)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(BadMarketDataError, match=r"cannot be downloaded: .*refused"):
        load_market(spec(url=f"{address}/candles.csv"), 0)


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


# --- books ---


async def test_several_exchanges_share_a_database(postgres_dsn: str) -> None:
    async with (
        opened(connector(market(), uid="one", speed=1), postgres_dsn) as one,
        opened(connector(market(), uid="two", speed=1, balance="500"), postgres_dsn) as two,
    ):
        placed((await one.place([order("a", quantity="0.01")]))[0])
        with pytest.raises(VenueError, match="no order a"):
            await two.order(SYMBOL, "a")
        assert (await two.account()).equity == 500
        placed((await two.place([order("a", quantity="0.01")]))[0])


async def test_an_exchange_made_anew_never_uses_the_ids_of_trades_again(postgres_dsn: str) -> None:
    """Bots tell trades by these, and outlive their connector."""
    told = []
    for uid in ("5f0c0000-0000-4000-8000-0000000000aa", "5f0c0000-0000-4000-8000-0000000000ab"):
        for client_id in ("first", "second"):
            async with opened(connector(market(), uid=uid), postgres_dsn) as venue:
                placed((await venue.place([order(client_id, quantity="0.01")]))[0])
                _, fills = await venue.order(SYMBOL, client_id)
                told += [int(fill.trade_id) for fill in fills]
    assert len(set(told)) == len(told) == 4
    assert told[1] == told[0] + 1


async def test_the_starting_balance_is_given_once(postgres_dsn: str) -> None:
    async with opened(connector(market(), balance="100"), postgres_dsn) as venue:
        assert (await venue.account()).wallet_balance == 100
    async with opened(connector(market(), balance="999"), postgres_dsn) as venue:
        assert (await venue.account()).wallet_balance == 100


@pytest.mark.parametrize("field", ["tickSize", "lotSize"])
async def test_the_units_of_the_books_cannot_change_under_them(postgres_dsn: str, field: str) -> None:
    async with opened(connector(market(tickSize="0.1", lotSize="0.001")), postgres_dsn):
        pass
    changed: dict[str, Any] = {"tickSize": "0.1", "lotSize": "0.001", field: "0.5"}
    async with opened(connector(market(**changed)), postgres_dsn) as venue:
        health = venue.health()
        assert (health.ready, health.reason) == (False, "JournalMisconfigured")
        assert health.message.startswith(f"{SYMBOL}: {field} was 0.")


async def test_the_market_goes_on_where_it_was(postgres_dsn: str, tmp_path: Path) -> None:
    path = write_candles(
        tmp_path / "c.csv", [(100 + minute, 100 + minute, 100 + minute, 100 + minute) for minute in range(500)]
    )
    reached: list[int] = []
    for _ in range(3):
        async with opened(connector(market(path=path), speed=6000), postgres_dsn) as venue:
            first = venue.health().markets[0]
            assert not reached or first.played >= reached[-1]
            await eventually(lambda venue=venue, first=first: venue.health().markets[0].played > first.played + 40)  # type: ignore[misc]
            reached.append(first.played + 40)
            stream = venue.watch_prices([SYMBOL])
            price = await anext(stream)
            assert isinstance(price, Price)
            assert price.last == 100 + (price.time_us - 1_640_995_200_000_000) // 60_000_000
            await stream.aclose()  # type: ignore[attr-defined]


async def test_data_may_grow_but_not_end_before_the_place(postgres_dsn: str, tmp_path: Path) -> None:
    path = write_candles(tmp_path / "c.csv", FLAT * 3)
    async with opened(connector(market(path=path), speed=100_000), postgres_dsn) as venue:
        await ended(venue)
    write_candles(path, FLAT * 5)
    async with opened(connector(market(path=path), speed=100_000), postgres_dsn) as venue:
        assert venue.health().markets[0].played >= 12
        await ended(venue)
        assert venue.health().markets[0].total == 20
    write_candles(path, FLAT * 2)
    async with opened(connector(market(path=path)), postgres_dsn) as venue:
        health = venue.health()
        assert health.reason == "BadMarketData"
        assert (
            "the data ends at 2022-01-01 00:01:45 UTC, and the books have reached 2022-01-01 00:04:45 UTC"
            in health.message
        )


async def test_two_markets_are_played_in_one_time_order(postgres_dsn: str, tmp_path: Path) -> None:
    late = write_candles(tmp_path / "late.csv", FLAT * 2, start=1_640_995_200 + 120)
    early = write_candles(tmp_path / "early.csv", FLAT * 3)
    async with opened(connector(market(path=late), market(ETH, early), speed=60), postgres_dsn) as venue:
        assert [each.played for each in venue.health().markets] == [0, 1]
        assert refused((await venue.place([order("a")]))[0]).remedy is Remedy.RETRY
        await eventually(lambda: venue.health().markets[0].played > 0)
        assert venue.health().markets[1].played >= 8


async def test_an_outage_of_the_database_stops_the_market_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    postgres = EmbeddedPostgres(folder)
    await postgres.start()
    try:
        async with opened(connector(market(), speed=600), postgres.dsn) as venue:
            placed((await venue.place([order("a", quantity="0.01")]))[0])
            await postgres.stop()
            await eventually(lambda: not venue.health().ready)
            assert venue.health().reason == "JournalUnreachable"
            with pytest.raises(VenueError) as unready:
                await venue.place([order("b", quantity="0.01")])
            assert unready.value.failure.remedy is Remedy.RETRY
            stands = venue.health().markets
            postgres = EmbeddedPostgres(folder)
            await postgres.start()
            await eventually(lambda: venue.health().ready)
            placed((await venue.place([order("b", quantity="0.01")]))[0])
            assert [fill.client_id for fill in await venue.fills(SYMBOL, 0)] == ["a", "b"]
            await eventually(lambda: venue.health().markets != stands)
    finally:
        await postgres.stop()


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
