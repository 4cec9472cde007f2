"""The paper exchange's books: what it knows again after a restart, and shares with nobody."""

from pathlib import Path
from typing import Any

import pytest

from opensqt.connector.paper import venue as paper_venue
from opensqt.connector.retry import Backoff
from opensqt.connector.venue import Price, VenueError
from opensqt.engine.events import Remedy
from opensqt.journal.embedded import EmbeddedPostgres
from tests.connector.eventually import eventually
from tests.connector.open_venue import ended, opened, order, placed, refused
from tests.connector.paper_world import SYMBOL, connector, market, write_candles

ETH = "ETH/USDT:USDT"
FLAT = [(100.0, 100.0, 100.0, 100.0)]


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_venue, "REOPEN", Backoff(first=0.05, cap=0.05))


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
